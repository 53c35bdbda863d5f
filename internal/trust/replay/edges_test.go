package replay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"myelin/internal/event"
	"myelin/internal/trust"
	"myelin/internal/trust/schema"
)

func (r *rig) plan(text string) {
	r.t.Helper()
	p, err := schema.Parse("shop.yaml", []byte(text))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.judge.SetPlans([]*schema.Plan{p}, []trust.Source{{Name: "web", Plan: "shop"}}); err != nil {
		r.t.Fatal(err)
	}
}

const coerceTotal = `[{"op":"coerce","path":"/properties/total","to":"number"}]`

// TestPreviewSaysWhatTheReplayDoes has everything in quarantine that a plan alone does not foresee: an order whose id is taken by
// an accepted one, two of the same id in quarantine, an event that waits in two copies. The preview, the job and what the release
// makes of it must say the same.
func TestPreviewSaysWhatTheReplayDoes(t *testing.T) {
	r := newRig(t)
	r.plan(strings.Replace(shopPlan, "Order Completed:\n", "Order Completed:\n    unique: {key: properties.order_id, within: 30d}\n", 1))
	p := r.start(-1, r.groups.Settle)
	order := func(mid, id, total string) [2]string {
		return [2]string{"u" + mid, track(mid, "u"+mid, "Order Completed", fmt.Sprintf(`{"order_id":%q,"total":%s}`, id, total))}
	}
	r.send(order("a", "taken", "1"))
	r.released("events", 1)
	r.send(order("b", "taken", `"2"`), order("c", "twice", `"3"`), order("d", "twice", `"4"`), order("e", "free", `"5"`), order("f", "broken", `"x"`))
	r.released("quarantine", 6)

	ctx, request := deadline(t), Request{Repairs: repairsOf(t, coerceTotal), Everything: true}
	preview, err := p.Preview(ctx, request, 10)
	if err != nil {
		t.Fatal(err)
	}
	if preview.Matched != 5 || preview.WouldPass != 2 || preview.StillBroken != 3 || preview.Unsure {
		t.Errorf("the preview is %+v", preview)
	}
	if len(preview.Remaining) == 0 || preview.Remaining[0] != (Remaining{Code: "duplicate_unique", Path: "/properties/order_id", Count: 2}) {
		t.Errorf("what remains is %+v", preview.Remaining)
	}
	j, err := p.Start(ctx, Replay, request)
	if err != nil {
		t.Fatal(err)
	}
	j = r.ended(p, j.ID)
	if j.Counts.Sent != preview.WouldPass || j.Counts.StillBroken != preview.StillBroken || len(j.Plans) != 1 || j.Plans[0] != preview.Plans {
		t.Errorf("the job is %+v", j)
	}
	r.released("events", 6+preview.WouldPass)
	r.wait(func() bool { return r.groups.Outcome(j.ID).Accepted == preview.WouldPass })
	if o := r.groups.Outcome(j.ID); o.Rejected != 0 {
		t.Errorf("the release rejected %d", o.Rejected)
	}
	again, err := p.Preview(ctx, request, 10)
	if err != nil || again.WouldPass != 0 || again.StillBroken != 3 {
		t.Errorf("afterwards the preview is %+v, %v", again, err)
	}

	// All the same sent, they come back for the reason that the preview gave.
	request.All = true
	j, err = p.Start(ctx, Replay, request)
	if err != nil {
		t.Fatal(err)
	}
	j = r.ended(p, j.ID)
	r.wait(func() bool { return r.groups.Outcome(j.ID).Rejected == preview.StillBroken })

	// An event that was accepted in another copy is not sent again.
	two := order("g", "g", `"7"`)
	r.send(two)
	r.released("quarantine", 12)
	copied := r.released("quarantine", 12)
	rec := copied[len(copied)-1]
	for _, c := range copied {
		if string(event.Header(c, event.HeaderID)) == "g" {
			rec = c
		}
	}
	rec.Offset, rec.Context = 0, nil
	if err := r.cluster.Client().ProduceSync(ctx, rec).FirstErr(); err != nil {
		t.Fatal(err)
	}
	request = Request{Filter: Filter{MessageIDs: []string{"g"}}, Repairs: request.Repairs}
	if preview, err = p.Preview(ctx, request, 10); err != nil || preview.Matched != 2 || preview.WouldPass != 1 || preview.Repeats != 1 {
		t.Errorf("of two copies the preview says %+v, %v", preview, err)
	}
	j, err = p.Start(ctx, Replay, request)
	if err != nil {
		t.Fatal(err)
	}
	if j = r.ended(p, j.ID); j.Counts.Sent != 1 || j.Counts.Repeats != 1 {
		t.Errorf("of two copies the job says %+v", j)
	}
}

func TestNobodyReplaysEverythingByMistake(t *testing.T) {
	for _, c := range []struct {
		request Request
		refused bool
	}{
		{Request{}, true},
		{Request{All: true}, true},
		{Request{Everything: true}, false},
		{Request{Filter: Filter{Codes: []string{"type_mismatch"}}}, false},
		{Request{Filter: Filter{From: &time.Time{}}}, false},
	} {
		if err := c.request.Validate(Replay, nil); errors.Is(err, ErrEverything) != c.refused {
			t.Errorf("%+v: %v", c.request, err)
		}
	}
}

// TestATrimmedQuarantineEndsTheJob deletes what a job was to read, before it runs: the job ends and says what was lost.
func TestATrimmedQuarantineEndsTheJob(t *testing.T) {
	r := newRig(t)
	var sent [][2]string
	for i := range 20 {
		user := fmt.Sprintf("u%d", i%5)
		sent = append(sent, [2]string{user, track(fmt.Sprintf("m%d", i), user, "Order Completed", fmt.Sprintf(`{"order_id":"o%d","total":"1"}`, i))})
	}
	r.send(sent...)
	waiting := r.released("quarantine", 20)
	ctx := deadline(t)
	ledger := NewLedger(r.cluster, nil, nil, nil)
	r.until(nil, ledger.Run)
	starter := NewRunner(Config{}, r.cluster, ledger, r.judge) // never Run
	j, err := starter.Start(ctx, Replay, Request{Everything: true, Repairs: repairsOf(t, coerceTotal)})
	if err != nil {
		t.Fatal(err)
	}
	// Partition 0 is trimmed past the end that the job knows, partition 1 in its middle.
	last, some := map[int32]int64{}, map[int32]int64{}
	for _, rec := range waiting {
		last[rec.Partition] = rec.Offset
		if some[rec.Partition] == 0 {
			some[rec.Partition] = rec.Offset + 1
		}
	}
	r.send([2]string{"u0", track("late", "u0", "Order Completed", `{"order_id":"late","total":"1"}`)})
	r.released("quarantine", 21)
	_, ends, err := bounds(ctx, r.cluster, "quarantine")
	if err != nil {
		t.Fatal(err)
	}
	var cut kadm.Offsets
	cut.AddOffset("quarantine", 0, ends[0], -1)
	cut.AddOffset("quarantine", 1, some[1], -1)
	if _, err := r.cluster.Admin().DeleteRecords(ctx, cut); err != nil {
		t.Fatal(err)
	}
	left := 0
	for _, rec := range waiting {
		if rec.Partition == 1 && rec.Offset >= some[1] {
			left++
		}
	}
	p := r.start(-1, nil)
	j = r.ended(p, j.ID)
	if j.State != Done || j.Counts.Sent != int64(left) || j.Counts.Lost < int64(20-left) || j.Counts.Read != j.Counts.Sent+j.Counts.Lost {
		t.Errorf("of %d events, of which %d are left, the job says %+v", len(waiting), left, j.Counts)
	}
}

// TestAPlanChangedDuringAReplay puts a stricter plan in force while a job runs: what comes after is judged by it, and the job
// says so.
func TestAPlanChangedDuringAReplay(t *testing.T) {
	r := newRig(t)
	var sent [][2]string
	for i := range 60 {
		sent = append(sent, [2]string{"u", track(fmt.Sprintf("m%02d", i), "u", "Order Completed", fmt.Sprintf(`{"order_id":"o%d","total":"1"}`, i))})
	}
	r.send(sent...)
	r.released("quarantine", 60)
	p := r.start(-1, nil)
	before := r.judge.InForce()
	stricter := strings.Replace(shopPlan, "minimum: 0", "minimum: 5", 1)
	// The plan changes with the second batch of seven.
	p.Runner.cfg.Foresee = nil
	p.Runner.judge = &changing{Judger: r.judge, after: 10, change: func() { r.plan(stricter) }}
	ctx := deadline(t)
	j, err := p.Start(ctx, Replay, Request{Everything: true, Repairs: repairsOf(t, coerceTotal)})
	if err != nil {
		t.Fatal(err)
	}
	j = r.ended(p, j.ID)
	if len(j.Plans) != 2 || j.Plans[0] != before || j.Plans[1] != r.judge.InForce() {
		t.Errorf("the job was judged by %q; before was %q, now is %q", j.Plans, before, r.judge.InForce())
	}
	if j.Counts.Sent != 7 || j.Counts.StillBroken != 53 {
		t.Errorf("the job says %+v: the second batch was not judged by the new plan alone", j.Counts)
	}
}

// changing is a judge whose plan changes after some verdicts.
type changing struct {
	Judger *trust.Judge
	mu     sync.Mutex
	after  int
	change func()
}

func (c *changing) Judge(source string, e *event.Event, v *event.Verdict) {
	c.mu.Lock()
	if c.after--; c.after == 0 {
		c.change()
	}
	c.mu.Unlock()
	c.Judger.Judge(source, e, v)
}

func (c *changing) Knows(source string) bool { return c.Judger.Knows(source) }
func (c *changing) InForce() string          { return c.Judger.InForce() }

// TestTwoNodesReplayEachEventOnce has two processes with jobs of their own on one quarantine, each killed now and then.
func TestTwoNodesReplayEachEventOnce(t *testing.T) {
	r := newRig(t)
	const n = 100
	var sent [][2]string
	for i := range n {
		user := fmt.Sprintf("u%d", i%7)
		sent = append(sent, [2]string{user, track(fmt.Sprintf("m%04d", i), user, "Order Completed", fmt.Sprintf(`{"order_id":"o%d","total":"%d.5"}`, i, i))})
	}
	r.send(sent...)
	r.released("quarantine", n)
	var told sync.Map
	ended := func(_ context.Context, j Job) error { told.Store(j.ID, j.State); return nil }
	a, b := r.startNode("a", 60, ended), r.startNode("b", -1, ended)
	ctx := deadline(t)
	request := Request{Everything: true, Repairs: repairsOf(t, coerceTotal)}
	ids := make([]string, 0, 4)
	for _, p := range []*process{a, b, a, b} {
		if j, err := p.Start(ctx, Replay, request); err == nil {
			ids = append(ids, j.ID)
		} else if p == b {
			t.Fatal(err)
		}
	}
	r.wait(func() bool {
		for _, j := range b.ledger.Jobs() {
			if j.open() {
				return false
			}
		}
		return len(b.ledger.Jobs()) >= len(ids)
	})
	r.exactly(r.released("events", 2*n), n)
	if c := b.ledger.Totals(); c.Sent != n {
		t.Errorf("the ledger says that %d were sent", c.Sent)
	}
	if bal := r.release.Balance(); bal.Duplicates != 0 {
		t.Errorf("%d came twice to the doorstep", bal.Duplicates)
	}
	for _, id := range ids {
		if state, ok := told.Load(id); !ok || state != Done {
			t.Errorf("of the end of job %s was told %v", id, state)
		}
	}
}
