package exec

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/vec"
)

// outputs are the topics that get a job's changes.
type outputs struct {
	list []*output
	// discard: a sink's own query computes, and nobody gets it.
	discard bool
}

// output sends the changes of a job to a topic.
type output struct {
	id    string // topic and what it is fed from
	topic string
	key   []int // columns of the record's key; nil: no key
	// from is the step whose state the topic began with: later ones are sent. Until ready nothing is.
	from  uint64
	ready bool
}

// wanted reports whether somebody gets the changes.
func (o *outputs) wanted() bool { return o != nil && len(o.list) > 0 }

// outputsOf are the outputs of a view, one per topic, or of a sink's own query.
func outputsOf(print fingerprint, names []string, key []int, sinks []Sink) *outputs {
	o := &outputs{}
	for _, s := range sinks {
		if s.Discard {
			o.discard = true
			continue
		}
		if slices.ContainsFunc(o.list, func(x *output) bool { return x.topic == s.Topic }) {
			continue
		}
		out := &output{id: s.Topic + "/" + print.String(), topic: s.Topic, key: key}
		if s.Key != nil {
			out.key = nil
			for _, k := range s.Key {
				if i := slices.Index(names, k); i >= 0 {
					out.key = append(out.key, i)
				}
			}
		}
		o.list = append(o.list, out)
	}
	return o
}

// Header keys and operations of output records.
const (
	HeaderStep = "step"
	HeaderOp   = "op" // OpUpsert or OpDelete

	OpUpsert = "upsert"
	OpDelete = "delete"
)

// encode appends the records that tell of the job's changes in a step: a row that is there now as JSON, one that went as a null
// value under its key.
func (o *output) encode(dst []*kgo.Record, j *job, b *vec.Batch, seq uint64) []*kgo.Record {
	step := strconv.AppendUint(nil, seq, 10)
	headers := func(op string) []kgo.RecordHeader {
		return []kgo.RecordHeader{{Key: HeaderStep, Value: step}, {Key: HeaderOp, Value: []byte(op)}}
	}
	// Net changes have the old row of a key right before its new one.
	for k := range b.Rows() {
		i := k
		if b.Sel != nil {
			i = int(b.Sel[k])
		}
		r := &kgo.Record{Topic: o.topic, Key: o.recordKey(b.Cols, i)}
		if b.Sign(i) > 0 {
			r.Value = appendObject(nil, j.names, b.Cols, i)
			r.Headers = headers(OpUpsert)
			if len(r.Key)+len(r.Value) > outputMost {
				j.tooLarge(r)
				continue
			}
			dst = append(dst, r)
			continue
		}
		if b.Sel == nil && i+1 < b.N && b.Sign(i+1) > 0 && o.key != nil && o.sameKey(b.Cols, i, i+1) {
			continue
		}
		r.Headers = headers(OpDelete)
		if o.key == nil {
			r.Value = appendObject(nil, j.names, b.Cols, i)
		}
		dst = append(dst, r)
	}
	return dst
}

// outputMost is the most that a row and its key may have for a topic. Brokers take 1 MB by default, and one row that they refuse would hold up all
// that follow it.
const outputMost = 990_000

// tooLarge notes a row that no topic takes.
func (j *job) tooLarge(r *kgo.Record) {
	j.ledger(fmt.Sprintf("the row has %d bytes as JSON, which is more than topics take; it was not sent to topic %s", len(r.Value), r.Topic), r.Value)
}

// ledger notes a row that was not sent, given as JSON.
func (j *job) ledger(why string, row []byte) {
	s, now := j.stat(), int64(0)
	if j.ctx != nil { // else it is a table
		now = j.ctx.Env.Now
	}
	s.errs.Add(1)
	s.bad(&s.mu.errors, now, why, func() BadRow { return BadRow{Row: shortened(string(row))} })
}

func (o *output) sameKey(cols []*vec.Vector, a, b int) bool {
	for _, c := range o.key {
		if !vec.Same(cols[c], a, cols[c], b) {
			return false
		}
	}
	return true
}

// recordKey is the text of a single key column, or the key columns as a JSON array.
func (o *output) recordKey(cols []*vec.Vector, i int) []byte {
	switch len(o.key) {
	case 0:
		return nil
	case 1:
		v := cols[o.key[0]]
		if v.IsNull(i) {
			return nil
		}
		return vec.AppendText(nil, v, i)
	}
	b := []byte{'['}
	for n, c := range o.key {
		if n > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, cols[c], i)
	}
	return append(b, ']')
}
