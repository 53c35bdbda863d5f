package compact

import (
	"context"
	"errors"
	"time"

	"myelin/internal/broker/batch"
	"myelin/internal/broker/partition"
	"myelin/internal/broker/store"
)

// pass is one pass over one partition.
type pass struct {
	c         *Cleaner
	ctx       context.Context
	p         *partition.Partition
	now       time.Time
	retention time.Duration
	keys      *offsets
	aborted   map[int64][]partition.Aborted // by producer, in order
	active    map[int64]partition.Window    // producers whose headers are kept
	start     int64                         // log start
	end       int64                         // keys are known up to here: what follows is left alone

	open    map[int64]bool // transactions of which something lies in the log, until their marker
	dropped []int64        // markers that go with the next swap
	removed int64
	read    int64 // since the last pause
}

func abortedBy(list []partition.Aborted) map[int64][]partition.Aborted {
	out := map[int64][]partition.Aborted{}
	for _, a := range list {
		out[a.Producer] = append(out[a.Producer], a)
	}
	return out
}

func (ps *pass) isAborted(v batch.View) bool {
	if !v.Transactional() || v.Control() {
		return false
	}
	for _, a := range ps.aborted[v.ProducerID()] {
		if a.First <= v.BaseOffset() && v.BaseOffset() <= a.Last {
			return true
		}
	}
	return false
}

var errEnough = errors.New("enough")

// gather fills the map of keys from what is not compacted yet, as far as it fits.
func (ps *pass) gather(sc scope) error {
	ps.end = sc.end
	err := ps.p.EachStrict(max(sc.dirty, ps.p.Bounds().Start), sc.end, func(v batch.View) error {
		if err := ps.pace(len(v)); err != nil {
			return err
		}
		if v.Control() || ps.isAborted(v) {
			return nil
		}
		n := int(v.Count())
		if n > batch.MaxRecords {
			ps.sealed(v, batch.ErrRecord)
			return nil
		}
		ps.keys.widen(n)
		if !ps.keys.room(n) {
			ps.end = v.BaseOffset()
			return errEnough
		}
		if err := batch.Each(v, func(r batch.Record) bool {
			if r.Key != nil {
				ps.keys.put(r.Key, r.Offset)
			}
			return true
		}); err != nil {
			ps.sealed(v, err)
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// sealed notes a batch that cannot be looked into, because what its producer compressed is malformed or unfolds to too much: it
// stays as it is, and says nothing about its keys.
func (ps *pass) sealed(v batch.View, cause error) {
	ps.c.cfg.Log.Warn("a batch cannot be looked into and stays as it is", "topic", ps.p.Topic, "partition", ps.p.Index,
		"offset", v.BaseOffset(), "cause", cause.Error())
}

// filter is what store.Rewrite asks about each batch.
func (ps *pass) filter(dst []byte, b store.Batch) ([]byte, error) {
	if err := ps.pace(len(b)); err != nil {
		return dst, err
	}
	v := batch.View(b)
	switch {
	case v.Control():
		return ps.marker(dst, v)
	case v.LastOffset() < ps.start:
		ps.seen(v) // its marker may lie behind the start
		ps.removed += int64(v.Count())
		return dst, nil
	case v.BaseOffset() >= ps.end:
		ps.seen(v)
		return append(dst, v...), nil
	}
	ps.seen(v)
	aborted := ps.isAborted(v)
	if !aborted && v.Count() == 0 && v.ProducerID() < 0 {
		return dst, nil // a placeholder of an earlier pass
	}
	out, err := v.Retain(dst, batch.Retention{
		Now: ps.now.UnixMilli(), DeleteRetention: ps.retention.Milliseconds(),
		Keep: func(key []byte, offset int64) bool { return !aborted && key != nil && offset >= ps.keys.last(key) },
		// What the producer may send again must be recognised even when its records are gone.
		KeepHeader: ps.active[v.ProducerID()].Has(v),
	})
	if err != nil { // gather has met it and said so
		return append(out[:len(dst)], v...), nil
	}
	left := int32(0)
	if kept := out[len(dst):]; len(kept) > 0 {
		left = batch.View(kept).Count()
	}
	ps.removed += int64(v.Count() - left)
	return out, nil
}

// seen notes that something of a transaction lies in the log.
func (ps *pass) seen(v batch.View) {
	if v.Transactional() {
		ps.open[v.ProducerID()] = true
	}
}

// marker decides about the end of a transaction: it stays while anything of its transaction was there when this pass came
// by, then for the time that readers are given, and longer if it is all that is known of its producer.
func (ps *pass) marker(dst []byte, v batch.View) ([]byte, error) {
	_, ok := v.MarkerCommits()
	had := ps.open[v.ProducerID()]
	if ok {
		delete(ps.open, v.ProducerID())
	}
	if !ok || had || v.BaseOffset() >= ps.end {
		return append(dst, v...), nil
	}
	horizon, set := v.DeleteHorizon()
	switch {
	case !set:
		return v.AppendWithHorizon(dst, ps.now.UnixMilli()+ps.retention.Milliseconds())
	case ps.now.UnixMilli() < horizon, ps.active[v.ProducerID()].Ends(v):
		return append(dst, v...), nil
	}
	ps.dropped = append(ps.dropped, v.BaseOffset())
	ps.removed++
	return dst, nil
}

// beforeSwap forgets the aborted transactions whose markers are about to go: a reader that is told of one, and meets no
// marker, would take what the producer committed later for aborted as well. A snapshot that knew a transaction as open
// would, after a restart, never see its end.
func (ps *pass) beforeSwap() error {
	if len(ps.dropped) == 0 {
		return nil
	}
	ps.p.ForgetAborted(ps.dropped)
	ps.dropped = nil
	if ps.c.cfg.Save == nil {
		return nil
	}
	return ps.c.cfg.Save()
}
