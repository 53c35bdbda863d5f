package event

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/tape"
)

// Base is what a request says for all events in it. Its zero value is not ready: BatchContext and BatchIntegrations are
// -1 when absent, which ReadBatch sees to.
type Base struct {
	// Source is the source's name; it enters the ids made for retried events that lack one.
	Source string
	// Type is the type that the path says; Unknown leaves it to each event.
	Type Type
	// ReceivedAt is when the request arrived, SentAt what it says about when it left, 0 when it says nothing; µs.
	ReceivedAt, SentAt int64
	// BatchContext and BatchIntegrations are node indices in the events' Doc, -1 when absent.
	BatchContext, BatchIntegrations int
	// UserID and AnonymousID count for events that have neither themselves.
	UserID, AnonymousID []byte
	// Retry says that the request repeats an earlier one. Events without messageId then get an id made from their text and
	// Position, so that further repeats are recognised.
	Retry bool
	// Position is the event's place in its batch.
	Position int

	// Set by ReadRecord.
	record *kgo.Record
	now    int64
}

// ReadBatch reads the members of a batch's root object that count for all of its events, into b, and returns the node of
// the batch array, or -1 when there is none.
func (b *Base) ReadBatch(d *tape.Doc, root int) (batch int) {
	b.BatchContext, b.BatchIntegrations, batch = -1, -1, -1
	for k, i := range d.Members(root) {
		n := &d.Nodes[k]
		if n.Escaped {
			continue // none of the names below is ever escaped by an SDK
		}
		switch string(d.Src[n.Start:n.End]) {
		case "batch":
			if batch = -1; d.Kind(i) == tape.Array {
				batch = i
			}
		case "context":
			if b.BatchContext = -1; d.Kind(i) == tape.Object {
				b.BatchContext = i
			}
		case "integrations":
			if b.BatchIntegrations = -1; d.Kind(i) == tape.Object {
				b.BatchIntegrations = i
			}
		case "sentAt":
			if us, ok := nodeTime(d, i); ok {
				b.SentAt = us
			}
		case "userId":
			b.UserID = batchID(d, i)
		case "anonymousId":
			b.AnonymousID = batchID(d, i)
		}
	}
	return batch
}

func batchID(d *tape.Doc, i int) []byte {
	id, ok := appendText(nil, d, i)
	if !ok {
		return nil
	}
	return id
}

// SharedBytes is how much a batch's context and integrations add to each of its events.
func (b *Base) SharedBytes(d *tape.Doc) int {
	n := 0
	for _, i := range [...]int{b.BatchContext, b.BatchIntegrations} {
		if i >= 0 {
			n += len(d.Raw(i))
		}
	}
	return n
}
