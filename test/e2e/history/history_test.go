package history_test

import (
	"slices"
	"testing"

	"myelin/test/e2e/history"
)

// TestEachViolationIsFound breaks one promise after the other.
func TestEachViolationIsFound(t *testing.T) {
	good := []history.Record{
		{"t", 0, 0, "a"}, {"t", 0, 1, "b"}, {"t", 0, 2, "x1"}, {"t", 1, 0, "x2"}, {"t", 1, 3, "u1"}, {"t", 0, 7, "u2"},
	}
	without := func(value string) []history.Record {
		return slices.DeleteFunc(slices.Clone(good), func(r history.Record) bool { return r.Value == value })
	}
	for _, c := range []struct {
		what  string
		final []history.Record
		kinds []string
	}{
		{"all is well", good, nil},
		{"the unanswered transaction did not happen", slices.Clone(good[:4]), nil},
		{"an acknowledged record is missing", without("a"), []string{"lost"}},
		{"a record is there twice", append(slices.Clone(good), history.Record{Topic: "t", Partition: 1, Offset: 9, Value: "a"}), []string{"duplicate"}},
		{"two records changed places", []history.Record{{"t", 0, 0, "b"}, {"t", 0, 1, "a"}, good[2], good[3]}, []string{"changed", "changed", "reordered"}},
		{"an aborted record is there", append(slices.Clone(good), history.Record{Topic: "t", Partition: 1, Offset: 9, Value: "y"}), []string{"aborted read"}},
		{"half of a committed transaction", without("x2"), []string{"aborted read", "torn transaction"}},
		{"half of an unanswered transaction", without("u1"), []string{"torn transaction"}},
		{"something else", append(slices.Clone(good), history.Record{Topic: "t", Partition: 1, Offset: 9, Value: "z"}), []string{"invented"}},
	} {
		h := history.New()
		h.Send("t", "a", "lane", 1)
		h.Send("t", "b", "lane", 2)
		h.Ack("t", "a", 0, 0)
		h.Ack("t", "b", 0, 1)
		for name, o := range map[string]history.Outcome{"x": history.Committed, "y": history.Aborted, "u": history.Unknown} {
			txn := h.Begin(name)
			if name == "y" {
				txn.Send("t", "y", "y", 1)
			} else {
				txn.Send("t", name+"1", name, 1)
				txn.Send("t", name+"2", name, 1)
			}
			txn.End(o)
		}
		h.Polled(history.Record{Topic: "t", Partition: 1, Offset: 0, Value: "x2"})
		var kinds []string
		for _, v := range h.Check(c.final) {
			kinds = append(kinds, v.Kind)
		}
		if !slices.Equal(kinds, c.kinds) {
			t.Errorf("%s: found %v, want %v", c.what, kinds, c.kinds)
		}
	}
}
