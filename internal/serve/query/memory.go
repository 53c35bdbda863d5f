package query

import (
	"context"
	"runtime"
	"runtime/metrics"
	"sync"
	"time"
)

// ErrMemory ends a query that takes too much memory.
var ErrMemory = &Error{Code: CodeOutOfMemory, Message: "the query needs more memory than it may have",
	Hint: "Read less: add a WHERE, group by fewer columns, or make a materialized view of it."}

// guardEvery is how often the memory is looked at while a query computes.
const guardEvery = 100 * time.Millisecond

// guard cancels a query under which the heap grows beyond a limit. Others allocate too, so that it is a net and no
// account: it cancels only what is still there after a collection.
type guard struct {
	limit  uint64
	base   uint64 // heap in bytes when the query began, or after the first collection since
	cancel context.CancelCauseFunc

	mu struct {
		sync.Mutex
		timer *time.Timer // nil while the query does not compute
	}
}

func newGuard(limit uint64, cancel context.CancelCauseFunc) *guard {
	return &guard{limit: limit, base: heap(), cancel: cancel}
}

// heap is the memory that objects take, dead ones that are not yet collected among them.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// start watches until stop is called.
func (g *guard) start() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.timer = time.AfterFunc(guardEvery, g.look)
}

func (g *guard) stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.timer != nil {
		g.mu.timer.Stop()
		g.mu.timer = nil
	}
}

func (g *guard) look() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.timer == nil {
		return
	}
	now := heap()
	g.base = min(g.base, now) // what was there at first may have been garbage
	if now > g.base+g.limit {
		runtime.GC()
		if heap() > g.base+g.limit {
			g.cancel(ErrMemory)
			return
		}
	}
	g.mu.timer.Reset(guardEvery)
}
