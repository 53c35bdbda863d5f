package replay

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/clock"
	"myelin/internal/event"
)

// TestARepairThatNestsTooDeepHurtsNobody sets a value that is nested as deep as JSON may be into an event: preview and job say
// what is wrong with the event as it was, and the process lives on.
func TestARepairThatNestsTooDeepHurtsNobody(t *testing.T) {
	if _, err := compile([]Repair{{Op: "set", Path: "/properties/" + strings.Repeat("a/", 600) + "b", Value: []byte("1")}}, nil); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a path of 600 parts: %v", err)
	}
	r := newRig(t)
	p := r.start(-1, r.groups.Settle)
	// What is not JSON can lie in quarantine where others may write to it.
	junk := &kgo.Record{Topic: "quarantine", Value: []byte("not JSON"), Headers: []kgo.RecordHeader{{Key: event.HeaderID, Value: []byte("j")}, {Key: event.HeaderSource, Value: []byte("web")}}}
	if err := r.cluster.Client().ProduceSync(deadline(t), junk).FirstErr(); err != nil {
		t.Fatal(err)
	}
	r.send([2]string{"u", track("a", "u", "Order Completed", `{"order_id":"1","total":"5"}`)})
	r.released("quarantine", 1)
	deep := strings.Repeat("[", 511) + strings.Repeat("]", 511)
	request := Request{Everything: true, Repairs: repairsOf(t, `[{"op":"set","path":"/properties/total","value":`+deep+`}]`)}
	preview, err := p.Preview(deadline(t), request, 10)
	if err != nil || preview.Matched != 2 || preview.StillBroken != 2 {
		t.Fatalf("the preview is %+v, %v", preview, err)
	}
	if !slices.ContainsFunc(preview.Remaining, func(x Remaining) bool { return x.Code == "type_mismatch" && x.Path == "/properties/total" }) {
		t.Errorf("what remains is %+v", preview.Remaining)
	}
	j, err := p.Start(deadline(t), Replay, request)
	if err != nil {
		t.Fatal(err)
	}
	if j = r.ended(p, j.ID); j.State != Done || j.Counts.StillBroken != 2 {
		t.Errorf("the job is %+v", j)
	}
}

// TestWideEventsAreOpenedInLinearTime would take half a minute if each member were looked for among all others.
func TestWideEventsAreOpenedInLinearTime(t *testing.T) {
	const n = 100_000
	var b bytes.Buffer
	b.WriteString(`{"properties":{"twice":1`)
	for i := range n {
		fmt.Fprintf(&b, `,"k%d":%d`, i, i)
	}
	b.WriteString(`,"twice":2}}`)
	tree, err := parseValue(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	in := tree.get("properties")
	in.set("new", &value{raw: []byte("3")})
	if len(in.members) != n+2 || string(in.get("twice").raw) != "2" || string(in.get("k99999").raw) != "99999" {
		t.Errorf("%d members, twice is %s", len(in.members), in.get("twice").raw)
	}
}

// TestAskingDoesNotWaitForATransactionOfTheDead leaves a transaction open on the ledger, as a killed node does: what is asked for
// is taken all the same, and done once the transaction has ended.
func TestAskingDoesNotWaitForATransactionOfTheDead(t *testing.T) {
	before := applyTime
	applyTime = 50 * time.Millisecond
	defer func() { applyTime = before }()
	r := newRig(t)
	p := r.start(-1, r.groups.Settle)
	r.send([2]string{"u", track("a", "u", "Order Completed", `{"order_id":"1","total":"5"}`)})
	r.released("quarantine", 1)
	ctx := deadline(t)
	dead, err := r.cluster.NewClient(kgo.TransactionalID("dead"), kgo.TransactionTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer dead.Close()
	if err := dead.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := dead.ProduceSync(ctx, &kgo.Record{Topic: Topic, Value: []byte(`{"v":1,"kind":"progress"}`)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	j, err := p.Start(ctx, Replay, Request{Everything: true, Repairs: repairsOf(t, coerceTotal)})
	if err != nil || j.State != Pending {
		t.Fatalf("the job is %+v, %v", j, err)
	}
	if err := p.SetMute(ctx, "g", &Mute{Reason: "known"}); err != nil || p.ledger.Mutes()["g"].Reason != "known" {
		t.Fatalf("muted are %v, %v", p.ledger.Mutes(), err)
	}
	late, err := p.Start(ctx, Discard, Request{Filter: Filter{MessageIDs: []string{"a"}}, Reason: "a mistake"})
	if err != nil {
		t.Fatal(err)
	}
	if late, err = p.Cancel(ctx, late.ID); err != nil || late.State != Cancelled {
		t.Fatalf("the job is %+v, %v", late, err)
	}
	if err := dead.EndTransaction(ctx, kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	if j = r.ended(p, j.ID); j.State != Done || j.Counts.Sent != 1 || len(p.ledger.Jobs()) != 2 {
		t.Errorf("the job is %+v of %d", j, len(p.ledger.Jobs()))
	}
	r.exactly(r.released("events", 2), 1)
}

// TestAJobOfADeadNodeIsSoonGoneOnWith kills the node that a job belongs to.
func TestAJobOfADeadNodeIsSoonGoneOnWith(t *testing.T) {
	r := newRig(t)
	r.send([2]string{"u", track("a", "u", "Order Completed", `{"order_id":"1","total":"5"}`)})
	r.released("quarantine", 1)
	ledger := NewLedger(r.cluster, nil, nil, nil)
	r.until(nil, ledger.Run)
	dead := NewRunner(Config{Node: "dead"}, r.cluster, ledger, r.judge) // never Run
	j, err := dead.Start(deadline(t), Replay, Request{Everything: true, Repairs: repairsOf(t, coerceTotal)})
	if err != nil {
		t.Fatal(err)
	}
	later := clock.NewManual(time.Now().Add(7 * time.Second)) // less than the 30 s after which nobody is asked
	alive := func(ctx context.Context, node string) (bool, error) { return r.release.Takes(ctx, node) }
	p := r.startWith(Config{Node: "node", Alive: alive, Clock: later}, -1, nil)
	if j = r.ended(p, j.ID); j.State != Done || j.Counts.Sent != 1 {
		t.Errorf("the job is %+v", j)
	}
	if takes, err := r.release.Takes(deadline(t), "node"); err != nil || !takes {
		t.Errorf("the node that releases takes part: %v, %v", takes, err)
	}
}

// TestADamagedLedgerIsReadAsFarAsItGoes holds entries that no process writes.
func TestADamagedLedgerIsReadAsFarAsItGoes(t *testing.T) {
	r := newRig(t)
	for _, text := range []string{`{"v":1,"kind":"job","job":"x","made":{}}`, `{"v":1,"kind":"job","job":"y","made":{"kind":"replay"}}`,
		`{"v":1,"kind":"progress","job":"y","partition":3,"next":4,"settled":[[0,9000000000000000000,0],[-5,3,7],[1,2,9]]}`,
		`{"v":1,"kind":"state","job":"y","state":"done"}`, `{"v":1,"kind":"mute"}`, `{"v":1,"kind":"unmute"}`, `{"v":1,"kind":"progress"}`, `{"v":2}`, `{`, ``} {
		if err := r.cluster.Client().ProduceSync(deadline(t), &kgo.Record{Topic: Topic, Value: []byte(text)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	p := r.start(-1, r.groups.Settle)
	if err := p.SetMute(deadline(t), "g", &Mute{}); err != nil {
		t.Fatal(err)
	}
	if jobs := p.ledger.Jobs(); len(jobs) != 1 || jobs[0].ID != "y" || jobs[0].State != Done || !p.ledger.isSettled(3, 2) || p.ledger.isSettled(3, 0) {
		t.Errorf("the jobs are %+v", jobs)
	}
}

func TestWhatIsAskedForIsBounded(t *testing.T) {
	now := time.Now()
	past := now.Add(-time.Second)
	for name, err := range map[string]error{
		"a long reason":        (&Request{Filter: Filter{Groups: []string{"g"}}, Reason: strings.Repeat("é", 2001)}).Validate(Replay, nil),
		"an empty reason":      (&Request{Filter: Filter{Groups: []string{"g"}}, Reason: " \n"}).Validate(Discard, nil),
		"many ids":             (&Request{Filter: Filter{MessageIDs: slices.Repeat([]string{"0123456789"}, 30_000)}}).Validate(Replay, nil),
		"a long id of a cause": CheckMute(strings.Repeat("g", 201), nil, now),
		"a mute that is over":  CheckMute("g", &Mute{Until: &past}, now),
		"a mute's long reason": CheckMute("g", &Mute{Reason: strings.Repeat("é", 2001)}, now),
	} {
		if err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
