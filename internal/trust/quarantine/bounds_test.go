package quarantine

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/clock"
)

// TestNamesWithoutEndAreBounded sends 50,000 names of events, each broken at a property of its own, with as many made-up replays:
// the list keeps the newest causes and those whose events still wait, and says how many it dropped.
func TestNamesWithoutEndAreBounded(t *testing.T) {
	const n = 50_000
	g := New(Config{Clock: clock.NewManual(noon)}, nil)
	g.since = noon.Add(-time.Hour)
	waiting := record("quarantine", "Order Completed", "quarantined", violation("type_mismatch", "/properties/total", "error"), noon.Add(-time.Minute))
	g.record(waiting)
	for i := range n {
		r := record("events", fmt.Sprintf("Event %d", i), "warn", violation("additional_property", fmt.Sprintf("/properties/p%d", i), "warn"), noon)
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: HeaderReplay, Value: fmt.Appendf(nil, "job %d", i)})
		g.record(r)
	}
	s := g.Snapshot()
	if len(s.Groups) > 1000 || len(s.Groups) < 900 || s.Forgotten != int64(n+1-len(s.Groups)) || s.Totals.Warn != n {
		t.Errorf("%d groups, %d forgotten, %+v", len(s.Groups), s.Forgotten, s.Totals)
	}
	held := false
	for _, x := range s.Groups {
		held = held || x.Event == "Order Completed" && x.Waiting == 1
	}
	if !held {
		t.Error("a cause whose events wait was forgotten for one that only warns")
	}
	if len(g.mu.outcomes) != maxOutcomes {
		t.Errorf("the outcome of %d replays is kept", len(g.mu.outcomes))
	}
}

// TestFatesOfUnreadRecordsAreCompact settles a million records that were not read yet, in runs of one, and reads some of them.
func TestFatesOfUnreadRecordsAreCompact(t *testing.T) {
	g := New(Config{Clock: clock.NewManual(noon)}, nil)
	g.since = noon.Add(-time.Hour)
	const n = 1 << 20
	for i := range int64(n) {
		g.Settle(0, i, 1, nil, i%2 == 0)
	}
	if blocks := len(g.mu.held.settled[0]); blocks != n/4096 {
		t.Errorf("%d blocks of fates", blocks)
	}
	for i := range int64(10_000) {
		r := record("quarantine", "Order Completed", "quarantined", violation("type_mismatch", "/properties/total", "error"), noon)
		r.Offset = n/2 + i
		g.record(r)
	}
	if h := g.Held(); h != (Held{Replayed: 5000, Discarded: 5000}) {
		t.Errorf("held are %+v", h)
	}
	if blocks := len(g.mu.held.settled[0]); blocks > n/4096/2 {
		t.Errorf("%d blocks of fates are left", blocks)
	}
}

// TestWaitingCountsAnEventOfManyCausesOnce, until it is replayed or discarded, whichever is known first.
func TestWaitingCountsAnEventOfManyCausesOnce(t *testing.T) {
	g := New(Config{}, nil)
	total, item := violation("type_mismatch", "/properties/total", "error"), violation("array_item", "/properties/products/0/price", "error")
	var causes []string
	for i, violations := range []string{total + "," + item, item + "," + total, item, total} {
		r := record("quarantine", "Order Completed", "quarantined", violations, noon)
		r.Offset = int64(i)
		causes = causes[:0]
		for _, c := range Causes(nil, &g.doc, r) {
			causes = append(causes, c.ID)
		}
		if i == 3 { // known before it is read
			g.Settle(0, 3, 1, causes, true)
		}
		g.record(r)
		if i == 1 {
			if got := g.Waiting()[Flow{Source: "web", Event: "Order Completed"}]; got != 2 {
				t.Fatalf("%d wait, want 2", got)
			}
			g.Settle(0, 1, 1, causes, false)
		}
	}
	if got := g.Waiting(); len(got) != 1 || got[Flow{Source: "web", Event: "Order Completed"}] != 2 || g.Held().Waiting != 2 {
		t.Errorf("got %v, in all %+v", got, g.Held())
	}
}
