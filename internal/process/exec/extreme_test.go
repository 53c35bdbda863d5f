package exec

import "testing"

func TestTheLargestOfEqualIntervalsDoesNotDependOnTheOrder(t *testing.T) {
	for _, order := range [][]string{
		{`{"i":"24:00:00"}`, `{"i":"1 day"}`, `{"i":"2 hours"}`},
		{`{"i":"1 day"}`, `{"i":"24:00:00"}`, `{"i":"2 hours"}`},
	} {
		w := newWorld(t, 1)
		w.mustDeclare(`CREATE SOURCE s (i TEXT) WITH (topic = 's');
			CREATE MATERIALIZED VIEW m AS SELECT max(i::interval)::text AS a, max(DISTINCT i::interval)::text AS b FROM s;`)
		w.start()
		w.send("s", order...)
		w.settle()
		if got := w.rows("m"); got != "1 day | 1 day" {
			t.Errorf("after %v: %s", order, got)
		}
	}
}
