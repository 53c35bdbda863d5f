package exec

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/log"
	"myelin/internal/process/op"
	"myelin/internal/process/plan"
	"myelin/internal/vec"
	"myelin/internal/vec/jsonb"
)

// Where the parts of a view only fold rows (plan.Folded), part i writes the groups of each step to partition i of a topic, from which one task makes
// the view. The last record of a step has as its key how far the part has read its source: whoever begins the part without its state goes on from
// there, so that no event is in the topic twice. Its bytes are specified in docs/formats/parts.md.

// PartsPrefix begins the names of topics that carry what the parts of a view have folded.
const PartsPrefix = "myelin.parts."

// folds is what the parts of a view and the task that merges what they write know of each other.
type folds struct {
	topic  string
	parts  int32
	source string
	types  map[string]vec.Type // as which values are written, by column
	timed  bool                // watermarks are written, too
	whole  *plan.Query         // what the parts and the task behind them compute together
}

// foldsOf are those of a view; nil if it has none.
func foldsOf(d *Definition) *folds {
	q := d.Query.Folded
	if q == nil || d.folds != nil {
		return nil
	}
	// Parts that would write something else write to another topic.
	v := &View{Relation: &plan.Relation{Name: d.Relation.Name}, Query: q.Parts, share: share{0, int32(d.Relation.Parallelism)}}
	if err := fingerprintOf(v, nil, 0); err != nil {
		return nil // it reads nothing but a stream
	}
	f := &folds{
		topic: topicOf(d.Relation.Name, v.print), parts: int32(d.Relation.Parallelism), source: q.Source.Topic,
		types: map[string]vec.Type{}, timed: q.Stream.TimeCol >= 0, whole: d.Query,
	}
	for _, c := range q.Stream.Columns {
		f.types[c.Name] = c.Type
	}
	return f
}

// topicOf is the name of the topic of a view's parts; of the view's name there is what topics can be called.
func topicOf(view string, print fingerprint) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, view)
	if name = name[:min(len(name), 100)]; name != view { // others may look the same
		sum := sha256.Sum256([]byte(view))
		name += "-" + hex.EncodeToString(sum[:4])
	}
	return PartsPrefix + name + "." + print.String()
}

// divide is what a view is run as whose parts fold.
func (f *folds) divide(d *Definition) []Definition {
	out := []Definition{{Relation: d.Relation, Query: d.Query.Folded.Rest(f.topic), folds: f}}
	for i := range f.parts {
		r := &plan.Relation{
			Schema: d.Relation.Schema, Name: PartName(d.Relation.Name, int(i)), Kind: plan.View, Columns: d.Query.Folded.Parts.Root.Schema(),
			AppendOnly: true, TimeCol: -1,
		}
		out = append(out, Definition{Relation: r, Query: d.Query.Folded.Parts, share: share{i, f.parts}, whole: d.Relation.Name, folds: f})
	}
	return out
}

// folding reports whether the view is a part that folds: it keeps no rows.
func (v *View) folding() bool { return v != nil && v.folds != nil && v.share.of > 0 }

// merging reports whether the view is made of what its parts have folded.
func (v *View) merging() bool { return v != nil && v.folds != nil && v.share.of == 0 }

// governs reports whether only Myelin writes a topic.
func (e *Engine) governs(topic string) bool {
	return strings.HasPrefix(topic, PartsPrefix) || e.cfg.Governed(topic)
}

// partitioner puts what parts fold where it says, and everything else where Kafka's clients do.
type partitioner struct{}

// ForTopic implements kgo.Partitioner.
func (partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	if strings.HasPrefix(topic, PartsPrefix) {
		return kgo.ManualPartitioner().ForTopic(topic)
	}
	return kgo.UniformBytesPartitioner(64<<10, true, true, nil).ForTopic(topic) // the default
}

// toldEvery is how far the watermark goes on, in microseconds, before a part without rows tells of it.
const toldEvery = 60e6

// encode appends the records that tell of a step of a part.
func (f *folds) encode(dst []*kgo.Record, j *job, seq uint64) []*kgo.Record {
	if j.broken { // it has not folded what its group goes on to read
		return dst
	}
	rows := 0
	if j.changed != nil {
		rows = j.changed.Rows()
	}
	tells := f.timed && j.mark != op.NoTime && j.mark >= j.markTold+toldEvery
	if rows == 0 && !tells {
		return dst
	}
	headers := []kgo.RecordHeader{{Key: HeaderStep, Value: strconv.AppendUint(nil, seq, 10)}}
	for k := range max(rows, 1) {
		b, last := []byte{'{'}, k == max(rows, 1)-1
		if rows > 0 {
			if b = f.group(b, j, k); len(b) > outputMost {
				j.foldedTooLarge(b, f.topic)
				b = append(b[:0], '{') // which is no group
			}
		}
		if len(b) == 1 && !last {
			continue
		}
		r := &kgo.Record{Topic: f.topic, Partition: j.share.part, Headers: headers}
		if last {
			r.Key = j.positionKey(f.source)
			if f.timed && j.mark != op.NoTime {
				if len(b) > 1 {
					b = append(b, ',')
				}
				b = appendTime(append(b, `"t":`...), j.mark, true)
				j.markTold = j.mark
			}
		}
		r.Value = append(b, '}')
		dst = append(dst, r)
	}
	return dst
}

// group appends what the part has folded of its k-th group in the step.
func (f *folds) group(b []byte, j *job, k int) []byte {
	i := k
	if j.changed.Sel != nil {
		i = int(j.changed.Sel[k])
	}
	for c, v := range j.changed.Cols {
		if v.IsNull(i) {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(jsonb.AppendString(b, []byte(j.names[c])), ':')
		b = f.append(b, j.names[c], v, i)
	}
	return b
}

// foldedTooLarge notes a group that the topic of the parts does not take. What the view shows lacks its rows.
func (j *job) foldedTooLarge(group []byte, topic string) {
	what := fmt.Sprintf("a group has %d bytes as JSON, which is more than topics take; its rows were not sent to topic %s, and the view lacks them", len(group), topic)
	j.ledger(what, group)
	j.stat().setProblem(what + "; shorten what it groups by, or make it without parallelism")
	j.report("a view lacks rows: what a part of it has folded is more than a topic takes", "view", j.name, "bytes", len(group), "topic", topic)
}

// append appends a value so that it is read as it was.
func (f *folds) append(b []byte, name string, v *vec.Vector, i int) []byte {
	const year1, year10000 = -62135596800e6, 253402300800e6
	asText := f.types[name].Kind == vec.Text
	switch v.Type.Kind {
	case vec.Text:
		asText = false
	case vec.Timestamp, vec.Timestamptz: // RFC 3339 has no other years, and no infinity
		asText = v.Ints[i] < year1 || v.Ints[i] >= year10000
	}
	if asText {
		return jsonb.AppendString(b, vec.AppendText(nil, v, i))
	}
	return appendJSON(b, v, i)
}

// positionKey says how far the job has read its source: "0:120 2:95" are partitions and the next offsets.
func (j *job) positionKey(source string) []byte {
	var b []byte
	for _, in := range j.group.inputs {
		if in.topic != source {
			continue
		}
		for _, p := range in.parts {
			if !j.share.has(p.n) {
				continue
			}
			if len(b) > 0 {
				b = append(b, ' ')
			}
			b = strconv.AppendInt(append(strconv.AppendInt(b, int64(p.n), 10), ':'), p.pos, 10)
		}
	}
	return b
}

// ensureFolds makes the topic of a view's parts, if it is missing. What is in it is kept for as long as the events that it was made of.
func (t *task) ensureFolds(ctx context.Context, f *folds, partitions int) error {
	if partitions == 0 {
		return nil
	}
	source := map[string]string{}
	if described, err := t.cluster.Admin().DescribeTopicConfigs(ctx, f.source); err == nil { // else as the cluster has it
		c, _ := described.On(f.source, nil)
		for _, x := range c.Configs {
			if x.Value != nil {
				source[x.Key] = *x.Value
			}
		}
	}
	_, err := t.cluster.EnsureTopics(ctx, log.TopicSpec{Name: f.topic, Partitions: f.parts, Config: f.keeps(source, partitions)})
	return err
}

// keeps is how long the topic of the parts keeps records, given the settings of the source and how many partitions it has. Its own size says nothing: only
// where the source is bounded by nothing else, it has as much as the source's partitions that a part reads.
func (f *folds) keeps(source map[string]string, partitions int) map[string]string {
	out := map[string]string{"cleanup.policy": "delete", "retention.bytes": "-1"}
	if policy, ok := source["cleanup.policy"]; ok && !strings.Contains(policy, "delete") {
		out["retention.ms"] = "-1"
		return out
	}
	if ms, ok := source["retention.ms"]; ok {
		out["retention.ms"] = ms
	}
	if size, err := strconv.ParseInt(source["retention.bytes"], 10, 64); err == nil && size >= 0 && out["retention.ms"] == "-1" {
		each := (int64(partitions) + int64(f.parts) - 1) / int64(f.parts)
		out["retention.bytes"] = strconv.FormatInt(size*each, 10)
	}
	return out
}

// merged sums up a view made of what its parts have folded: they read, and it shows.
func merged(final *View, parts []*View) Status {
	out, shows := whole(append([]*View{final}, parts...)), final.Status()
	out.RowsIn, out.RowsPerSec = out.RowsIn-shows.RowsIn, math.Max(out.RowsPerSec-shows.RowsPerSec, 0)
	out.RowsOut, out.Watermark, out.ChangedAt = shows.RowsOut, shows.Watermark, shows.ChangedAt
	return out
}
