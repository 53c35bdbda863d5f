package api

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

const (
	// muchBytes is an answer after which the next one of the same session is expected to be large, too.
	muchBytes = 1 << 20
	// besides is the memory that reading a partition may need beyond what is read.
	besides = 64 << 10
)

// together reads all targets at once: while a consumer that catches up waits for a large answer, the other cores have nothing
// else to do for it. It reports false, and has read nothing, where that is not worth it, or where the room might not do for
// all: then who comes first matters.
func (s *Server) together(resp *fetchResponse, targets []fetchTarget, outs []fetchPartition, start, room int, committed bool) bool {
	if len(targets) < 2 || runtime.GOMAXPROCS(0) < 2 {
		return false
	}
	most, memory := 0, 0
	for i := range targets {
		limit := min(max(int(targets[i].max), 0), room) // of no use to more than all
		most += limit
		memory += limit + besides
	}
	if most > room || memory > keepFetchBuffer {
		return false
	}
	resp.data = slices.Grow(resp.data[:0], memory)
	reads := make([]fetchRead, len(targets))
	for i, at := 0, 0; i < len(targets); i++ {
		end := at + min(max(int(targets[i].max), 0), room) + besides
		reads[i].at, reads[i].into = at, resp.data[at:at:end]
		at = end
	}
	resp.data = resp.data[:memory]
	var next atomic.Int64
	work := func() {
		for i := int(next.Add(1)) - 1; i < len(targets); i = int(next.Add(1)) - 1 {
			outs[i] = fetchPartition{index: targets[i].index, err: targets[i].err}
			if targets[i].err == nil {
				reads[i].do(&targets[i], &outs[i], room, committed)
			}
		}
	}
	var helper sync.WaitGroup
	var panicked any
	helper.Go(func() {
		defer func() { panicked = recover() }() // it is for the connection's goroutine to panic
		work()
	})
	work()
	helper.Wait()
	if panicked != nil {
		panic(panicked)
	}
	for k := range targets {
		i := (start + k) % len(targets)
		resp.take(&reads[i], &outs[i])
	}
	return true
}

// fetchRead is what was read of one target.
type fetchRead struct {
	into  []byte // where it belongs in the answer's data
	at    int    // the place of into
	data  []byte
	limit int
}

// do reads a target.
func (f *fetchRead) do(t *fetchTarget, out *fetchPartition, room int, committed bool) {
	t.in = t.p.BytesIn()
	upTo, ok := out.look(t, committed)
	if !ok {
		return
	}
	f.limit = min(int(t.max), room)
	data, err := t.p.Read(f.into, t.offset, f.limit, upTo)
	if err != nil {
		out.err = fromStore(err)
		return
	}
	if f.data = data; committed && len(data) > 0 {
		out.aborted = t.p.AbortedIn(t.offset, lastOffset(data)+1)
	}
}

// take puts what was read into the answer.
func (r *fetchResponse) take(f *fetchRead, out *fetchPartition) {
	n := len(f.data)
	if n == 0 || n > f.limit && r.recordBytes > 0 { // one batch is larger than what is left: it comes first in a later answer
		out.aborted = nil
		return
	}
	out.from, out.to = f.at, f.at+n
	if &f.data[0] != &f.into[:1][0] { // a batch too large for its place
		out.from, out.to = len(r.data), len(r.data)+n
		r.data = append(r.data, f.data...)
	}
	r.recordBytes += n
	out.full = n >= f.limit
}
