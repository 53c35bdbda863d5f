package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/event"
)

func repairsOf(t *testing.T, text string) []Repair {
	t.Helper()
	var out []Repair
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRepairs(t *testing.T) {
	const in = `{"type":"track","event":"order completed","properties":{"totl":"12.50","n":1.50,"items":[{"price":"1"},{"price":"x"},3],"q":" A "},"myelin":{"source":"web"}}`
	for _, c := range []struct{ repairs, want string }{
		{`[{"op":"rename_event","to":"Order Completed"}]`, strings.Replace(in, "order completed", "Order Completed", 1)},
		{`[{"op":"rename","path":"/properties/totl","to":"total"},{"op":"coerce","path":"/properties/total","to":"number"}]`,
			strings.Replace(strings.Replace(in, `"totl":"12.50",`, "", 1), `" A "`, `" A ","total":12.50`, 1)},
		{`[{"op":"coerce","path":"/properties/items/*/price","to":"number"}]`, strings.Replace(in, `"1"`, `1`, 1)},
		{`[{"op":"coerce","path":"/properties/q","to":"trim"},{"op":"coerce","path":"/properties/q","to":"lower"}]`, strings.Replace(in, `" A "`, `"a"`, 1)},
		{`[{"op":"default","path":"/properties/n","value":7},{"op":"default","path":"/properties/items/*/qty","value":1}]`,
			strings.NewReplacer(`{"price":"1"}`, `{"price":"1","qty":1}`, `{"price":"x"}`, `{"price":"x","qty":1}`).Replace(in)},
		{`[{"op":"set","path":"/properties/n","value":{"a":[1]}}]`, strings.Replace(in, `1.50`, `{"a":[1]}`, 1)},
		{`[{"op":"set","path":"/context/app/version","value":"1.0"}]`, strings.Replace(in, `"myelin":{"source":"web"}`, `"myelin":{"source":"web"},"context":{"app":{"version":"1.0"}}`, 1)},
		{`[{"op":"drop","path":"/properties/items"}]`, strings.Replace(in, `"items":[{"price":"1"},{"price":"x"},3],`, "", 1)},
		{`[{"op":"drop","path":"/properties/q","event":"another"}]`, in},
	} {
		steps, err := compile(repairsOf(t, c.repairs), nil)
		if err != nil {
			t.Errorf("%s: %v", c.repairs, err)
			continue
		}
		tree, err := parseValue([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if err := apply(t.Context(), steps, []*item{{tree: tree}}); err != nil {
			t.Error(err)
		}
		if got := string(tree.append(nil)); got != c.want {
			t.Errorf("%s gives\n%s, want\n%s", c.repairs, got, c.want)
		}
	}
}

func TestMistakesInRepairsAreTold(t *testing.T) {
	for repair, want := range map[string]string{
		`{"op":"mend"}`:                                               "there is no repair",
		`{"op":"rename","path":"/properties/a"}`:                      "needs to",
		`{"op":"drop","path":"properties/a"}`:                         "must start with /",
		`{"op":"drop","path":"/messageId"}`:                           "repairs do not change",
		`{"op":"drop","path":"/properties"}`:                          "does not lead to one value",
		`{"op":"drop","path":"/properties/a/*"}`:                      "must end in a name",
		`{"op":"coerce","path":"/properties/a","to":"date"}`:          "coerce knows",
		`{"op":"set","path":"/properties/a"}`:                         "needs a value",
		`{"op":"set","path":"/properties/a","sql":"1"}`:               "not available",
		`{"op":"set","path":"/properties/a","value":1,"sql":"1 + 1"}`: "not both",
	} {
		_, err := compile(repairsOf(t, "["+repair+"]"), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", repair, err, want)
		}
	}
}

// TestKilledReplayLosesAndDoublesNothing breaks orders, repairs and replays them, and kills the process at random writes
// until the job is done: each order arrives once, in the order of its user, with the time at which it happened.
func TestKilledReplayLosesAndDoublesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	r := newRig(t)
	const n = 120
	var sent [][2]string
	for i := range n {
		user := fmt.Sprintf("u%d", i%7)
		sent = append(sent, [2]string{user, track(fmt.Sprintf("m%04d", i), user, "Order Completed", fmt.Sprintf(`{"order_id":"o%d","total":"%d.50"}`, i, i))})
	}
	r.send(sent...)
	before := r.released("quarantine", n)
	if len(before) != n {
		t.Fatalf("%d of %d orders are in quarantine", len(before), n)
	}
	request := Request{Everything: true, Repairs: repairsOf(t, `[{"op":"coerce","path":"/properties/total","to":"number"}]`)}
	p := r.start(-1, nil)
	preview, err := p.Preview(deadline(t), request, 4)
	if err != nil || preview.Matched != n || preview.WouldPass != n || !preview.Complete || len(preview.Samples) != 4 {
		t.Fatalf("the preview says %+v, %v", preview, err)
	}
	p.kill()
	killed, id := 0, ""
	for round := range 60 {
		p := r.start(int64(8+rng.IntN(40)), nil)
		if id == "" {
			if job, err := p.Start(deadline(t), Replay, request); err == nil {
				id = job.ID
			}
		}
		r.wait(func() bool { j, ok := p.ledger.Job(id); return p.cut.Load() || ok && !j.open() })
		if p.cut.Load() {
			killed++
		}
		if id == "" { // it died before it could say yes; the job may be there all the same
			for _, j := range p.ledger.Jobs() {
				id = j.ID
			}
		}
		j, _ := p.ledger.Job(id)
		p.kill()
		if j.State == Done {
			t.Logf("done in round %d", round)
			break
		}
	}
	if killed < 3 {
		t.Errorf("only %d kills: the test does not attack what it should", killed)
	}
	p = r.start(-1, r.groups.Settle)
	r.wait(func() bool { return len(p.ledger.Jobs()) > 0 })
	for _, j := range p.ledger.Jobs() { // one job, or two when a killed process had made one unseen
		r.ended(p, j.ID)
	}
	after := r.released("events", 2*n)
	r.exactly(after, n)
	if c := p.ledger.Totals(); c.Sent != n {
		t.Errorf("the ledger says that %d were sent", c.Sent)
	}
	r.wait(func() bool { return r.groups.Snapshot().Held.Replayed == n })
	for _, g := range r.groups.Snapshot().Groups {
		if g.Waiting != 0 || g.Replayed != n {
			t.Errorf("the group %s has %d waiting, %d replayed", g.Code, g.Waiting, g.Replayed)
		}
	}
	b := r.release.Balance()
	if b.In != 2*n || b.Replayed != n || b.In != b.Accepted+b.Quarantined+b.Duplicates || b.Duplicates != 0 {
		t.Errorf("the balance is %+v", b)
	}
}

// exactly checks that each of n events is there once, in order, unharmed.
func (r *rig) exactly(records []*kgo.Record, n int) {
	r.t.Helper()
	seen, last := map[string]int{}, map[string]string{}
	for _, rec := range records {
		mid, user := string(event.Header(rec, event.HeaderID)), string(rec.Key)
		seen[mid]++
		if mid <= last[user] {
			r.t.Errorf("%s of %s came after %s", mid, user, last[user])
		}
		last[user] = mid
		var e struct {
			Timestamp  string
			Properties struct{ Total float64 }
		}
		if err := json.Unmarshal(rec.Value, &e); err != nil || e.Timestamp != "2026-11-01T10:00:00.123Z" || e.Properties.Total == 0 {
			r.t.Errorf("%s is %s (%v)", mid, rec.Value, err)
		}
		if !strings.Contains(string(rec.Value), rec.Timestamp.UTC().Format("2006-01-02T15:04:05")) {
			r.t.Errorf("%s has the record time %s, not when it was received", mid, rec.Timestamp)
		}
	}
	for mid, k := range seen {
		if k != 1 {
			r.t.Errorf("%s is there %d times", mid, k)
		}
	}
	if len(seen) != n {
		r.t.Errorf("%d events are there of %d", len(seen), n)
	}
}

func TestWhatStillBreaksThePlanStays(t *testing.T) {
	r := newRig(t)
	p := r.start(-1, r.groups.Settle)
	r.send([2]string{"u", track("a", "u", "Order Completed", `{"order_id":"1","total":"5"}`)},
		[2]string{"u", track("b", "u", "Order Completed", `{"order_id":"2","total":"x"}`)},
		[2]string{"v", track("c", "v", "order completed", `{"order_id":"3","total":7}`)},
		[2]string{"v", track("d", "v", "Order Completed", `{"total":-1}`)})
	r.released("quarantine", 4)
	coerce := repairsOf(t, `[{"op":"coerce","path":"/properties/total","to":"number"}]`)
	ctx := deadline(t)
	preview, err := p.Preview(ctx, Request{Repairs: coerce}, 10)
	if err != nil {
		t.Fatal(err)
	}
	if preview.Matched != 4 || preview.WouldPass != 1 || preview.StillBroken != 3 || len(preview.Remaining) == 0 {
		t.Errorf("the preview is %+v", preview)
	}
	j, err := p.Start(ctx, Replay, Request{Everything: true, Repairs: coerce, By: "ana"})
	if err != nil {
		t.Fatal(err)
	}
	if j = r.ended(p, j.ID); j.State != Done || j.Counts != (Counts{Total: j.Counts.Total, Read: 4, Matched: 4, Sent: 1, StillBroken: 3}) {
		t.Errorf("the job is %+v", j)
	}
	if got := mids(r.released("events", 5)); got != "a" {
		t.Errorf("released were %s", got)
	}
	// The same job again finds what it sent settled.
	again, err := p.Start(ctx, Replay, Request{Everything: true, Repairs: coerce})
	if err != nil {
		t.Fatal(err)
	}
	if again = r.ended(p, again.ID); again.Counts.Sent != 0 || again.Counts.Skipped != 1 {
		t.Errorf("the second job is %+v", again)
	}
	// One cause alone.
	var group string
	r.wait(func() bool {
		for _, g := range r.groups.Snapshot().Groups {
			if g.Code == "misspelled_event" {
				group = g.ID
			}
		}
		return group != ""
	})
	one, err := p.Start(ctx, Replay, Request{Filter: Filter{Groups: []string{group}}, Repairs: repairsOf(t, `[{"op":"rename_event","to":"Order Completed"}]`)})
	if err != nil {
		t.Fatal(err)
	}
	if one = r.ended(p, one.ID); one.Counts.Sent != 1 || one.Counts.Matched != 1 {
		t.Errorf("the job for one group is %+v", one)
	}
	// The rest is given up, for a reason.
	if _, err := p.Start(ctx, Discard, Request{Filter: Filter{Events: []string{"Order Completed"}}}); err == nil {
		t.Error("a discard without a reason was taken")
	}
	gone, err := p.Start(ctx, Discard, Request{Filter: Filter{Events: []string{"Order Completed"}}, Reason: "test orders"})
	if err != nil {
		t.Fatal(err)
	}
	if gone = r.ended(p, gone.ID); gone.Counts.Discarded != 2 {
		t.Errorf("the discard is %+v", gone)
	}
	left, err := p.Samples(ctx, Filter{}, 10)
	if err != nil || len(left) != 0 {
		t.Errorf("%d events still wait, %v", len(left), err)
	}
	if _, err := p.Cancel(ctx, gone.ID); !errors.Is(err, ErrEnded) {
		t.Errorf("cancelling what has ended says %v", err)
	}
	r.wait(func() bool {
		h := r.groups.Snapshot().Held
		return h.Waiting == 0 && h.Replayed == 2 && h.Discarded == 2
	})

	until := time.Now().Add(time.Hour)
	if err := p.SetMute(ctx, group, &Mute{Reason: "known", Until: &until}); err != nil || p.ledger.Mutes()[group].Reason != "known" {
		t.Errorf("muting: %v, %v", err, p.ledger.Mutes())
	}
	if err := p.SetMute(ctx, group, nil); err != nil || len(p.ledger.Mutes()) != 0 {
		t.Errorf("ending a mute: %v, %v", err, p.ledger.Mutes())
	}
	// A new process knows all of it.
	q := r.start(-1, nil)
	if err := q.ledger.await(ctx); err != nil {
		t.Fatal(err)
	}
	if a, b := q.ledger.Jobs(), p.ledger.Jobs(); len(a) != 4 || !slices.EqualFunc(a, b, func(x, y Job) bool { return x.ID == y.ID && x.Counts == y.Counts && x.State == y.State }) {
		t.Errorf("the ledger reads back as %+v", a)
	}
}
