package query_test

import (
	"errors"
	"testing"

	"myelin/internal/serve/query"
)

func TestAnOutlineNamesTheOperatorsInTheOrderOfReading(t *testing.T) {
	w := newWorld(t)
	o, err := w.engine.Outline(query.NewSession("ana", "myelin"), "CREATE MATERIALIZED VIEW big AS SELECT campaign, count(*) AS n FROM revenue_per_minute WHERE revenue > 1 GROUP BY campaign")
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
	w := newWorld(t)
	_, err := w.engine.Outline(query.NewSession("ana", "myelin"), "SELECT campain FROM revenue_per_minute")
	var e *query.Error
	if !errors.As(err, &e) || e.Position != 8 || e.Hint == "" {
		t.Errorf("got %#v", err)
	}
}
