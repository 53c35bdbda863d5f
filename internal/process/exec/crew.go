package exec

import (
	"runtime"
	"slices"
	"sync"
	"time"
)

// crew computes the steps of a task on several goroutines: the task's own and helpers, which wait while it takes small steps alone. What a
// step computes does not depend on how many there are or on who does what: each piece is decoded by one worker, each job is with one worker
// at a time, is fed the pieces in their order, and ends after the jobs that it reads (docs/decisions/0010-workers.md).
type crew struct {
	least int  // weight of a step from which it is shared; see group.weight
	eager bool // steps are shared although nobody had time for the last ones
	alone bool // those of a single job are, too
	ended sync.WaitGroup
	// Of the task's goroutine: in how many rounds helpers are left alone, and were when they last had no time.
	rest, rested int

	mu sync.Mutex
	// Guarded by mu.
	workers []*worker // the first is the task's goroutine
	round   *round    // the step in hand; nil: none
	closed  bool
}

// worker is guarded by crew.mu.
type worker struct {
	n      int
	called sync.Cond
	asleep bool // it waits, and was not called
	awake  bool // it does not wait
	lot    *lot // with it; nil: it does something else
	due    int  // lots in the queue that it had last
}

// mostRest is how many rounds at most go by before helpers are called again who had no time. Where the processors have other things to do,
// sharing gains nothing, and costs: who comes late finds nothing to do.
const mostRest = 63

// leastShared is the weight of a step from which it is shared: some 0.3 ms of work, a hundred times what calling a helper takes.
const leastShared = 8192

// maxWorkers bounds how many workers a task has.
const maxWorkers = 64

// newCrew starts the helpers of a task with so many workers; 0: as many as Go runs at a time, unless there is a single job: others can only
// decode for it, and each event may cost a few percent more then, as it is computed on another processor than it was decoded on.
func newCrew(workers, least int) *crew {
	c := &crew{least: least, eager: least > 0, alone: workers > 0}
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	if least == 0 {
		c.least = leastShared
	}
	for n := range min(workers, maxWorkers) {
		w := &worker{n: n}
		w.called.L = &c.mu
		c.workers = append(c.workers, w)
		if n > 0 {
			c.ended.Go(func() { c.help(w) })
		}
	}
	return c
}

// shares reports whether the group's step in hand is to be shared; limit is how many records of a partition it takes at most.
func (c *crew) shares(g *group, limit int) bool {
	if len(c.workers) == 1 || len(g.lots) < 2 && !c.alone || g.weight(limit) < c.least {
		return false
	}
	if c.rest > 0 {
		c.rest--
		return false
	}
	return true
}

// close ends the helpers. No step may be in hand.
func (c *crew) close() {
	c.mu.Lock()
	c.closed = true
	for _, w := range c.workers {
		w.called.Signal()
	}
	c.mu.Unlock()
	c.ended.Wait()
}

// lot is a job as it is dealt out to workers.
type lot struct {
	job   *job
	feeds []*feed // by the number of the input; nil: it does not read that
	ups   int     // lots that it reads
	downs []*lot  // lots that read it
	home  *worker // who had it last, and may have its state in the cache; nil: nobody

	// Of the round in hand, guarded by crew.mu.
	fed    int // pieces
	left   int // lots that it reads and that have not ended
	mark   int64
	busy   bool // with a worker
	queued bool
	done   bool
}

// allot makes the lots of a group's jobs, each after those that it reads.
func (g *group) allot() []*lot {
	var out []*lot
	of := map[*job]*lot{}
	for _, j := range g.jobs {
		if j.pipe == nil {
			continue
		}
		l := &lot{job: j, feeds: make([]*feed, len(g.inputs))}
		for i, in := range g.inputs {
			if k := slices.IndexFunc(in.feeds, func(f *feed) bool { return f.job == j }); k >= 0 {
				l.feeds[i] = in.feeds[k]
			}
		}
		for _, up := range j.ups {
			if u := of[up]; u != nil {
				l.ups++
				u.downs = append(u.downs, l)
			}
		}
		of[j] = l
		out = append(out, l)
	}
	return out
}

// round is a step, or the pieces of one, that workers share. All but what says otherwise is guarded by crew.mu.
type round struct {
	group   *group
	clock   int64
	ahead   time.Duration
	maxRows int
	next    int    // the first piece that nobody decodes yet
	decoded []bool // by piece
	ready   int    // pieces from the first on that are decoded, and may be fed
	queue   []*lot // that have something to do and are with nobody
	settled bool   // all pieces are decoded, and what is to come of the step is known:
	ends    bool   // it ends, else more pieces follow
	left    int    // lots that are not through
	helped  bool   // some helper did something
}

// run computes a round; it returns when all of it is done. Between pieces, as soon as all of them are decoded, it calls settle, which says
// whether the step ends with the round.
func (c *crew) run(r *round, settle func() (ends bool)) (ends bool) {
	g := r.group
	c.mu.Lock()
	defer c.mu.Unlock()
	if cap(r.decoded) < len(g.pieces) {
		r.decoded = make([]bool, len(g.pieces))
	}
	r.decoded = r.decoded[:len(g.pieces)]
	clear(r.decoded)
	r.next, r.ready, r.queue, r.settled, r.ends, r.left, r.helped = 0, 0, r.queue[:0], false, false, len(g.lots), false
	for _, l := range g.lots {
		l.fed, l.left, l.busy, l.queued, l.done = 0, l.ups, false, false, false
	}
	c.round = r
	c.call(len(g.pieces) - 1)
	me := c.workers[0]
	me.awake = true
	for !r.settled || r.left > 0 {
		switch {
		case r.ready == len(g.pieces) && !r.settled:
			c.mu.Unlock()
			ends := settle()
			if ends {
				for _, l := range g.lots {
					l.mark = l.job.limit(g.marks)
				}
			}
			c.mu.Lock()
			r.settled, r.ends = true, ends
			c.enqueue(r, me, g.lots)
		case c.work(r, me):
		default:
			c.sleep(me)
		}
	}
	c.round = nil
	switch {
	case r.helped || c.eager:
		c.rested = 0
	default:
		c.rested = min(2*c.rested+1, mostRest)
		c.rest = c.rested
	}
	return r.ends
}

// help works on rounds until the crew is closed.
func (c *crew) help(w *worker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.closed {
		if c.round != nil && c.work(c.round, w) {
			continue
		}
		c.sleep(w)
	}
}

// sleep waits until the worker is called.
func (c *crew) sleep(w *worker) {
	w.asleep, w.awake = true, false
	w.called.Wait()
	w.asleep, w.awake = false, true
}

// wake calls a worker that waits.
func (w *worker) wake() {
	if w.asleep {
		w.asleep = false
		w.called.Signal()
	}
}

// call wakes so many workers, of those that wait.
func (c *crew) call(n int) {
	for _, w := range c.workers {
		if n <= 0 {
			return
		}
		if w.asleep {
			w.wake()
			n--
		}
	}
}

// work does one thing of what there is to do, and reports whether there was any. What lies in the worker's cache comes first. c.mu is held,
// but not meanwhile.
func (c *crew) work(r *round, w *worker) bool {
	if i := slices.IndexFunc(r.queue, func(l *lot) bool { return l.home == nil || l.home == w }); i >= 0 {
		c.compute(r, r.unqueue(i), w)
	} else if r.next < len(r.decoded) {
		c.decode(r, w)
	} else if i := slices.IndexFunc(r.queue, func(l *lot) bool { return l.waits() }); i >= 0 {
		c.compute(r, r.unqueue(i), w)
	} else {
		return false
	}
	r.helped = r.helped || w.n > 0
	return true
}

// waits reports whether a lot that is in the queue would have to wait for the one who had it last: its state is better moved to another.
func (l *lot) waits() bool {
	w := l.home
	return w.lot != nil || !w.awake || w.due > 1
}

func (r *round) unqueue(i int) *lot {
	l := r.queue[i]
	r.queue = slices.Delete(r.queue, i, i+1)
	l.queued = false
	if l.home != nil {
		l.home.due--
	}
	return l
}

// decode decodes the next piece.
func (c *crew) decode(r *round, w *worker) {
	i := r.next
	r.next++
	c.mu.Unlock()
	r.group.pieces[i].read(r.maxRows, r.clock, r.ahead)
	c.mu.Lock()
	r.decoded[i] = true
	if i != r.ready {
		return
	}
	for r.ready < len(r.decoded) && r.decoded[r.ready] {
		r.ready++
	}
	c.enqueue(r, w, r.group.lots)
	if r.ready == len(r.decoded) {
		c.workers[0].wake() // to settle
	}
}

// enqueue puts those lots into the queue that have something to do, and calls workers for all that the one who does will not come to at once.
func (c *crew) enqueue(r *round, w *worker, lots []*lot) {
	n, own := 0, false
	for _, l := range lots {
		if l.busy || l.queued || !l.due(r) {
			continue
		}
		l.queued = true
		r.queue = append(r.queue, l)
		h := l.home
		if h != nil {
			h.due++
		}
		switch {
		case h == nil || h == w:
			if own {
				n++
			}
			own = true
		case h.asleep:
			h.wake()
		case h.lot != nil || h.due > 1:
			n++
		}
	}
	c.call(n)
}

// due reports whether there is something to do with the lot.
func (l *lot) due(r *round) bool { return l.fed < r.ready || l.fedUp(r) }

// fedUp reports whether all that there is to do with the lot is to end its part of the round.
func (l *lot) fedUp(r *round) bool {
	return !l.done && r.settled && l.fed == r.ready && (l.left == 0 || !r.ends)
}

// compute does with a lot what can be done now.
func (c *crew) compute(r *round, l *lot, w *worker) {
	l.busy, l.home, w.lot = true, w, l
	defer func() { l.busy, w.lot = false, nil }()
	g := r.group
	for {
		switch {
		case l.fed < r.ready:
			from, to := l.fed, r.ready
			c.mu.Unlock()
			for i := range g.pieces[from:to] {
				pc := &g.pieces[from+i]
				if f := l.feeds[pc.in.at]; f != nil {
					f.push(pc, r.clock)
				}
			}
			c.mu.Lock()
			l.fed = to
		case l.fedUp(r):
			if r.ends {
				c.mu.Unlock()
				l.job.finish(r.clock, l.mark)
				c.mu.Lock()
			}
			l.done = true
			if r.left--; r.left == 0 {
				c.workers[0].wake()
			}
			if r.ends {
				for _, d := range l.downs {
					d.left--
				}
				w.lot = nil
				c.enqueue(r, w, l.downs)
			}
			return
		default:
			return
		}
	}
}
