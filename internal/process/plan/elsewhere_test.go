package plan

import (
	"errors"
	"testing"

	"myelin/internal/process/fn"
	"myelin/internal/process/sql"
)

func TestFunctionsOfOtherDialectsAreTranslated(t *testing.T) {
	for name := range elsewhere {
		if len(fn.Overloads(name)) > 0 {
			t.Errorf("%s exists", name)
		}
	}
	for text, want := range map[string]string{
		"SELECT DATEDIFF(now(), now())": elsewhere["datediff"],
		"SELECT from_unixtime(1)":       elsewhere["from_unixtime"],
	} {
		q, err := sql.ParseOne(text)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Bind(q.(*sql.SelectStmt).Query, text, nil, Options{})
		var e *sql.Error
		if !errors.As(err, &e) || e.Hint != want || e.Line != 1 {
			t.Errorf("%s: %v; want hint %q", text, err, want)
		}
	}
}
