package exec

import (
	"encoding/json"
	"iter"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/process/state"
)

// flushed is the state as of a step: what changed since the flush before, and what else a restart needs to know.
type flushed struct {
	number uint64
	seq    uint64
	cut    int64
	told   int64 // offset in ServedTopic behind what was told up to here
	stores []storeChanges
	note   []byte
	keys   int      // that changed, about
	live   int64    // keys there are
	gone   []uint32 // jobs whose state goes once this is durable

	walked atomic.Int64 // how many keys were handed on: each goes to the changelog and then to the local copy
	tick   func()       // called now and then, by whoever goes through the changes
}

// storeChanges are the changes of a store of a job; prefix is what its keys begin with.
type storeChanges struct {
	prefix  []byte
	changes state.Changes
}

// walkStep is after how many keys it is noted how far a flush is.
const walkStep = 4096

// changes are all keys, whole, and the note of the step as the last.
func (w *flushed) changes() state.Changes {
	return func(yield func(key, value []byte) bool) {
		var key []byte
		n := 0
		for _, s := range w.stores {
			for k, v := range s.changes {
				if key = append(append(key[:0], s.prefix...), k...); !yield(key, v) {
					return
				}
				if n++; n%walkStep == 0 {
					w.walked.Add(walkStep)
					w.tick()
				}
			}
		}
		yield(metaKey, w.note)
	}
}

// left is about how many keys are still to be written.
func (w *flushed) left() int { return max(w.keys-int(w.walked.Load()/2), 0) }

// records are the changes as records of a topic.
func (w *flushed) records(topic string) iter.Seq[*kgo.Record] {
	return func(yield func(*kgo.Record) bool) {
		var kept keeper
		var recs []*kgo.Record
		for k, v := range w.changes() {
			if k = kept.keep(k); v != nil {
				v = kept.keep(v)
			}
			recs = appendEntry(recs[:0], topic, k, v)
			for _, r := range recs {
				if !yield(r) {
					return
				}
			}
		}
	}
}

// keeper copies byte strings into large pieces of memory.
type keeper struct{ free []byte }

func (k *keeper) keep(b []byte) []byte {
	const piece = 64 << 10
	if len(b) > cap(k.free)-len(k.free) {
		k.free = make([]byte, 0, max(piece, len(b)))
	}
	at := len(k.free)
	k.free = append(k.free, b...)
	return k.free[at:len(k.free):len(k.free)]
}

// collect takes what changed since the last flush. The task stands still meanwhile; going through the changes is for whoever writes them.
func (t *task) collect() *flushed {
	w := &flushed{keys: t.flush.count(), gone: t.gone}
	t.gone = nil
	m := meta{Version: metaVersion, Step: t.seq, Clock: t.clock, NextID: t.nextID, Writer: t.fence.writer}
	for _, g := range t.groups {
		mg := metaGroup{ID: g.id, Positions: g.positions(), Marks: g.marks, Topics: g.ids, Paused: g.paused, Why: g.why}
		for _, j := range g.jobs {
			if j.broken { // it is not among the jobs of a next start, which then begins it anew
				w.gone = append(w.gone, j.id)
				continue
			}
			mg.Jobs = append(mg.Jobs, metaJob{ID: j.id, Name: j.name, Print: j.print.String(), Mark: j.mark})
			take := func(number int, s state.Store) {
				w.live += int64(s.Len())
				w.stores = append(w.stores, storeChanges{storeKey(j.id, number), s.Dirty()})
			}
			for i, s := range j.stores() {
				take(i, s)
			}
			take(ledgerStore, ledger{j.stat()})
		}
		m.Groups = append(m.Groups, mg)
	}
	t.flush.changed, t.flush.looks = 0, 0
	b, err := json.Marshal(m)
	if err != nil {
		panic("exec: " + err.Error()) // plain numbers and strings
	}
	w.note = b
	return w
}
