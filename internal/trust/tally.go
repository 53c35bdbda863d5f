package trust

import (
	"encoding/json"
	"maps"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Balance is what went in and what came of it, since there is this installation: In = Accepted + Quarantined + Duplicates
// + Pending. It is derived from the log, so restarts and crashes neither lose nor double an event in it.
type Balance struct {
	In, Accepted, Quarantined, Duplicates int64
	// Pending waits on the doorstep, or is on its way from there.
	Pending int64
	// Counting: of some partitions it is not known yet what waits on them, so there may be more than Pending.
	Counting bool
	// Replayed are those of In that came again from quarantine.
	Replayed int64
}

// tally is what was done with the records of one partition of a doorstep. The sum over all transactions stands beside the
// partition's committed offset, as the metadata of the commit: both move in the same transaction as the records, so the
// sum counts exactly the records before the offset, whoever dies when.
type tally struct {
	In          int64 `json:"in"`
	Accepted    int64 `json:"accepted"`
	Quarantined int64 `json:"quarantined"`
	Duplicates  int64 `json:"duplicates"`
	Replayed    int64 `json:"replayed,omitempty"`
}

func (t *tally) add(d tally) {
	t.In += d.In
	t.Accepted += d.Accepted
	t.Quarantined += d.Quarantined
	t.Duplicates += d.Duplicates
	t.Replayed += d.Replayed
}

// input is a partition of a doorstep.
type input struct {
	topic     string
	partition int32
}

// tallies are the sums of all partitions, and what waits on those that are held. The client's goroutines and Run's write them, anybody
// reads.
type tallies struct {
	mu      sync.Mutex
	sums    map[input]tally
	waiting map[input]int64 // no entry: not known
	begins  map[input]int64 // of partitions of which that is not known: where they are read on; -1: from their start
}

// load takes over the sums of partitions that were just assigned.
func (t *tallies) load(resp *kmsg.OffsetFetchResponse) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.begins == nil {
		t.begins = map[input]int64{}
	}
	take := func(topic string, partition int32, offset int64, metadata *string) {
		if topic == "" {
			return
		}
		t.begins[input{topic, partition}] = offset
		var sum tally
		if metadata == nil || json.Unmarshal([]byte(*metadata), &sum) != nil {
			return // never committed, or by something else
		}
		t.set(input{topic, partition}, sum)
	}
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			take(topic.Topic, p.Partition, p.Offset, p.Metadata)
		}
	}
	for _, g := range resp.Groups {
		for _, topic := range g.Topics {
			for _, p := range topic.Partitions {
				take(topic.Topic, p.Partition, p.Offset, p.Metadata)
			}
		}
	}
}

// set replaces a sum. It is called with mu held.
func (t *tallies) set(k input, sum tally) {
	if t.sums == nil {
		t.sums = map[input]tally{}
	}
	t.sums[k] = sum
}

// after are the sums of the partitions that a transaction touches once it has committed.
func (t *tallies) after(batch map[input]*tally) map[input]tally {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := map[input]tally{}
	for k, d := range batch {
		sum := t.sums[k]
		sum.add(*d)
		out[k] = sum
	}
	return out
}

// commit puts the sums beside the offsets that a transaction commits.
func commitTallies(sums map[input]tally) func(*kmsg.TxnOffsetCommitRequest) error {
	return func(req *kmsg.TxnOffsetCommitRequest) error {
		for i := range req.Topics {
			t := &req.Topics[i]
			for k := range t.Partitions {
				sum, ok := sums[input{t.Topic, t.Partitions[k].Partition}]
				if !ok {
					continue
				}
				text, err := json.Marshal(sum)
				if err != nil {
					return err
				}
				t.Partitions[k].Metadata = kmsg.StringPtr(string(text))
			}
		}
		return nil
	}
}

// committed takes over the sums of a transaction that has committed: its records wait no longer.
func (t *tallies) committed(sums map[input]tally, batch map[input]*tally) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, sum := range sums {
		t.set(k, sum)
	}
	for k, d := range batch {
		if n, known := t.waiting[k]; known {
			t.waiting[k] = max(0, n-d.In)
		}
	}
}

// wait notes how much waits on some partitions.
func (t *tallies) wait(on map[input]int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting == nil {
		t.waiting = map[input]int64{}
	}
	maps.Copy(t.waiting, on)
	for k := range on {
		delete(t.begins, k)
	}
}

// unmeasured are the partitions of which it is not known what waits on them, with where they are read on.
func (t *tallies) unmeasured() map[input]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.begins)
}

// unknown forgets what waits on some partitions, or on all.
func (t *tallies) unknown(parts map[string][]int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if parts == nil {
		clear(t.waiting)
		clear(t.begins)
	}
	for topic, list := range parts {
		for _, p := range list {
			delete(t.waiting, input{topic, p})
			delete(t.begins, input{topic, p})
		}
	}
}

// nothing notes that no record waits on the partitions of which it was known.
func (t *tallies) nothing() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k := range t.waiting {
		t.waiting[k] = 0
	}
}

// total is the sum of all, and how much waits on how many partitions.
func (t *tallies) total() (out tally, waiting int64, known int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, sum := range t.sums {
		out.add(sum)
	}
	for _, n := range t.waiting {
		waiting += n
	}
	return out, waiting, len(t.waiting)
}

// Balance is the count so far. Of partitions that another process owns it counts what was there when this one last met them.
func (r *Release) Balance() Balance {
	held, given := r.assigned.count(), r.assigned.any()
	t, waiting, known := r.tallies.total()
	return Balance{
		In: t.In, Accepted: t.Accepted, Quarantined: t.Quarantined, Duplicates: t.Duplicates, Replayed: t.Replayed,
		Pending: waiting, Counting: !given || known < held,
	}
}

// Moved is what this process released since it started, for rates.
func (r *Release) Moved() Balance {
	return Balance{In: r.in.Value(), Accepted: r.accepted.Value(), Quarantined: r.quarantined.Value(), Duplicates: r.duplicates.Value(), Pending: r.pending.Value()}
}

// eachInput hands over what was fetched, with the tally of each record's partition.
func eachInput(fetches kgo.Fetches, batch map[input]*tally, each func(*kgo.Record, *tally)) {
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		if len(f.Records) == 0 {
			return
		}
		t := &tally{}
		batch[input{f.Topic, f.Partition}] = t
		for _, rec := range f.Records {
			t.In++
			if len(replayOf(rec)) > 0 {
				t.Replayed++
			}
			each(rec, t)
		}
	})
}
