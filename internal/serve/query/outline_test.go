package query_test

import (
	"errors"
	"testing"

	"myelin/internal/process/exec"
	"myelin/internal/serve/query"
)

func TestAnOutlineNamesTheOperatorsInTheOrderOfReading(t *testing.T) {
	o, err := engineOf(t, newWorld(t)).Outline(query.NewSession("ana", "myelin"), "CREATE MATERIALIZED VIEW big AS SELECT campaign, count(*) AS n FROM revenue_per_minute WHERE revenue > 1 GROUP BY campaign")
	if err != nil {
		t.Fatal(err)
	}
	if o.Kind != "view" || o.Name != "big" || len(o.Columns) != 2 || len(o.Operators) < 2 || o.Operators[0].Kind != "Scan" || o.Operators[0].Relation != "revenue_per_minute" {
		t.Errorf("the outline is %+v", o)
	}
	for i, op := range o.Operators {
		for _, in := range op.Inputs {
			if in >= i {
				t.Errorf("operator %d reads %d, which comes later", i, in)
			}
		}
	}
}

func TestAnOutlineSaysWhereAMistakeIs(t *testing.T) {
	_, err := engineOf(t, newWorld(t)).Outline(query.NewSession("ana", "myelin"), "SELECT campain FROM revenue_per_minute")
	var e *query.Error
	if !errors.As(err, &e) || e.Position != 8 || e.Hint == "" {
		t.Errorf("got %#v", err)
	}
}

func engineOf(t *testing.T, w *world) *query.Engine {
	t.Helper()
	e, err := query.New(query.Config{Batch: exec.RunBatch, Views: w.dir})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestTooManyRowsOfAFunctionSayWhereItStands(t *testing.T) {
	e := engineOf(t, newWorld(t))
	for text, position := range map[string]int{
		"SELECT count(*) FROM generate_series(1, 1e12)":                          22,
		"SELECT 1, generate_series(1, 1e12) LIMIT 1 OFFSET 100000000000":         11,
		"SELECT count(*) FROM generate_series(1, 2) a, generate_series(1, 1e12)": 0, // either may be meant
	} {
		_, err := answer(t, e, text)
		var own *query.Error
		if !errors.As(err, &own) || own.Position != position || (own.Hint == "") != (position == 0) {
			t.Errorf("%s: %#v", text, err)
		}
	}
}
