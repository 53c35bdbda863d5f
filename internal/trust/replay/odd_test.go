package replay

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

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
