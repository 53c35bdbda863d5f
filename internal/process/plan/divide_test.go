package plan_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"myelin/internal/process/plan"
	"myelin/internal/process/sql"
)

// divisible is a catalog with streams whose partitions are known.
func divisible(t *testing.T) catalog {
	t.Helper()
	cat := shop()
	for _, r := range cat {
		r.Partitions, r.Keyed = 4, true
	}
	for _, text := range []string{
		`CREATE SOURCE bids (k TEXT FROM '$key', auction TEXT, price BIGINT) WITH (topic = 'bids')`,
		`CREATE SOURCE numbered (num BIGINT FROM '$key', price BIGINT) WITH (topic = 'numbered')`,
		`CREATE TABLE people (id TEXT PRIMARY KEY, city TEXT) WITH (connector = 'file', path = 'x')`,
	} {
		stmt, err := sql.ParseOne(text)
		if err != nil {
			t.Fatal(err)
		}
		r, err := plan.BindRelation(stmt.(*sql.CreateRelation), text)
		if err != nil {
			t.Fatal(err)
		}
		cat[r.Name] = r
	}
	_, r, err := bindView(cat, `CREATE MATERIALIZED VIEW per_user AS SELECT user_key, count(*) AS n FROM events GROUP BY user_key`)
	if err != nil {
		t.Fatal(err)
	}
	cat[r.Name] = r
	return cat
}

func bindView(cat catalog, text string) (*plan.Query, *plan.Relation, error) {
	stmt, err := sql.ParseOne(text)
	if err != nil {
		return nil, nil, err
	}
	return plan.BindView(stmt.(*sql.CreateView), text, cat)
}

// inParts says whether a view can be run in parts.
func inParts(b *strings.Builder, cat catalog, query string) {
	_, r, err := bindView(cat, "CREATE MATERIALIZED VIEW v WITH (parallelism = 2) AS "+query)
	fmt.Fprintln(b, query)
	var e *sql.Error
	switch {
	case err == nil:
		fmt.Fprintf(b, "  in %d parts\n", r.Parallelism)
	case errors.As(err, &e) && e.Column == 34 && e.Hint != "":
		fmt.Fprintf(b, "  %s: %s\n", e.Msg, e.Hint)
	default:
		fmt.Fprintf(b, "  without place or hint: %v\n", err)
	}
}

// TestTheNumberOfPartsIsChecked gives parallelism what it cannot be, and reads on from a divided view.
func TestTheNumberOfPartsIsChecked(t *testing.T) {
	cat := divisible(t)
	const query = ` AS SELECT user_key, count(*) AS n FROM events GROUP BY user_key`
	for with, want := range map[string]string{
		`parallelism = 0`: `1:48 parallelism cannot be "0"; write a whole number from 1 to 64`, `parallelism = '-3'`: `1:48 parallelism cannot be "-3"; write a whole number from 1 to 64`,
		`parallelism = 2.5`: `1:48 parallelism cannot be "2.5"; write a whole number from 1 to 64`, `parallelism = many`: `1:48 parallelism cannot be "many"; write a whole number from 1 to 64`,
		`parallelism = 65`: `1:48 parallelism cannot be "65"; write a whole number from 1 to 64`, `parallelism = 5`: `1:48 topic events has 4 partitions, too few for 5 parts; write parallelism = 4 or less`,
		`paralelism = 2`: `1:34 a view has no option "paralelism"; did you mean parallelism?`, `ttl = '3 days', parallelism = 2`: "", `parallelism = '4'`: "", `parallelism = 1`: "", `PARALLELISM = 3`: "",
	} {
		_, _, err := bindView(cat, "CREATE MATERIALIZED VIEW v WITH ("+with+")"+query)
		if got := place(err); got != want {
			t.Errorf("WITH (%s): %s, want %s", with, got, want)
		}
	}
	_, r, err := bindView(cat, "CREATE MATERIALIZED VIEW v WITH (parallelism = 2)"+query)
	if err != nil {
		t.Fatal(err)
	}
	cat["v"] = r
	plain := `CREATE VIEW p AS SELECT n FROM v`
	stmt, err := sql.ParseOne(plain)
	if err != nil {
		t.Fatal(err)
	}
	if cat["p"], err = plan.BindPlainView(stmt.(*sql.CreateView), plain, cat); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`CREATE MATERIALIZED VIEW w AS SELECT count(*) AS n FROM v`, `CREATE MATERIALIZED VIEW w AS SELECT count(*) AS n FROM p`} {
		_, _, err := bindView(cat, text)
		if got := place(err); !strings.Contains(got, "v is run in 2 parts, which no view can read; make v without parallelism") {
			t.Errorf("%s: %s", text, got)
		}
	}
	if _, err := plan.BindText(`SELECT * FROM v JOIN p USING (n)`, cat, plan.Options{}); err != nil {
		t.Errorf("a query over a divided view: %v", err)
	}
	for text, fine := range map[string]bool{`CREATE SINK s FROM v WITH (topic = 'x')`: true, `CREATE SINK s AS SELECT * FROM v WITH (topic = 'x')`: false} {
		stmt, err := sql.ParseOne(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plan.BindSink(stmt.(*sql.CreateSink), text, cat, true); (err == nil) != fine {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func place(err error) string {
	var e *sql.Error
	if err == nil {
		return ""
	}
	if !errors.As(err, &e) {
		return err.Error()
	}
	return fmt.Sprintf("%d:%d %s; %s", e.Line, e.Column, e.Msg, e.Hint)
}
