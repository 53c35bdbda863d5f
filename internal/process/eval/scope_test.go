package eval_test

import (
	"testing"

	"myelin/internal/process/eval"
	"myelin/internal/process/fn"
	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// together computes the columns of a query over VALUES with what they have in common computed once.
func together(t *testing.T, sql string) []*vec.Vector {
	t.Helper()
	q, err := plan.BindText(sql, empty{}, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, ok := q.Root.(*plan.Project)
	if !ok {
		t.Fatalf("%T", q.Root)
	}
	env := &fn.Env{}
	b, err := run(env, p.Input)
	if err != nil {
		t.Fatal(err)
	}
	s := eval.NewScope(p.Exprs)
	var out []*vec.Vector
	for _, e := range p.Exprs {
		out = append(out, s.New(e).RunFull(env, b))
	}
	return out
}

func TestWhatIsRandomIsComputedEachTime(t *testing.T) {
	for _, pair := range []string{"random() * 2, random() * 2", "x + random(), x + random()", "upper(gen_random_uuid()::text), upper(gen_random_uuid()::text)",
		"CASE WHEN x > 0 THEN random() END + 1, CASE WHEN x > 0 THEN random() END + 1"} {
		out := together(t, "SELECT "+pair+" FROM (VALUES (1), (2), (3)) t(x)")
		for i := range 3 {
			if vec.Same(out[0], i, out[1], i) {
				t.Errorf("%s: both are %s", pair, vec.AppendText(nil, out[0], i))
			}
		}
	}
}
