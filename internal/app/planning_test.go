package app

import (
	"context"
	"errors"
	"testing"
	"time"

	"myelin/internal/clock"
	"myelin/internal/control"
)

func TestRepairsComputeWithSQL(t *testing.T) {
	x := repairSQL{&node{Options: Options{Clock: clock.Real{}}}}
	events := [][]byte{[]byte(`{"messageId":"m1","userId":"u","properties":{"a":"2.50","s":"x"}}`), []byte(`{"messageId":"m2","properties":{"a":"no","l":[1,{"b":2}]}}`), []byte(`{"properties":{}}`)}
	for expr, want := range map[string][3]string{
		"(properties->>'a')::numeric * 2":              {"5.00", "", ""},
		"'r' || message_id":                            {`"rm1"`, `"rm2"`, ""},
		"coalesce(user_id, 'nobody')":                  {`"u"`, `"nobody"`, `"nobody"`},
		"properties->'l'":                              {"", `[1, {"b": 2}]`, ""},
		"CASE WHEN properties ? 's' THEN true END":     {"true", "", ""},
		"jsonb_build_object('k', properties->>'s')":    {`{"k": "x"}`, `{"k": null}`, `{"k": null}`},
		"to_timestamp(0)":                              {`"1970-01-01T00:00:00+00:00"`, `"1970-01-01T00:00:00+00:00"`, `"1970-01-01T00:00:00+00:00"`},
		"upper(properties->>'s') -- with a remark":     {`"X"`, "", ""},
		"length(event)":                                {"", "", ""},
		"(SELECT max(x) FROM unnest(ARRAY[1,2]) AS x)": {"2", "2", "2"},
	} {
		e, err := x.Compile(expr)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		got, err := e.Eval(t.Context(), events)
		if err != nil || len(got) != 3 {
			t.Errorf("%s: %d values, %v", expr, len(got), err)
			continue
		}
		for i := range want {
			if string(got[i]) != want[i] {
				t.Errorf("%s of event %d is %s, want %s", expr, i, got[i], want[i])
			}
		}
	}
	for _, bad := range []string{"nothing_there", "count(*", "1)) FROM event; --", "(SELECT total FROM orders)"} {
		if _, err := x.Compile(bad); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

// An expression that would count for ever ends with its context.
func TestRepairsThatRunForEverAreEnded(t *testing.T) {
	x := repairSQL{&node{Options: Options{Clock: clock.Real{}}}}
	e, err := x.Compile("(SELECT count(*) FROM generate_series(1, 9000000) a, generate_series(1, 9000000) b)")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := e.Eval(ctx, [][]byte{[]byte(`{"messageId":"m1"}`), []byte(`{"messageId":"m2"}`)}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the expression ended with %v", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestAReasonDoesNotNameItsObjectTwice(t *testing.T) {
	o := control.Object{Kind: control.View, Name: "orders"}
	if got := reason(o, problemOf(o, errors.New(`column "total" does not exist`))); got != `column "total" does not exist` {
		t.Error(got)
	}
}
