package op

import (
	"time"

	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// Meter tells what an operator has done. It belongs to the goroutine that drives the pipeline.
type Meter struct {
	Node plan.Node
	// Depth is how far the operator lies below the root.
	Depth int
	// Rows that it gave, also those taken back.
	Rows int64
	// CPU is about how long it computed, without the operators around it: one batch in meterEvery is timed.
	CPU time.Duration
	op  Op
}

// meterEvery is how many batches of a source, and ends of steps, one is timed of.
const meterEvery = 16

// clockwork shares the time between the operators of a pipeline.
type clockwork struct {
	turn   int
	on     bool
	every  int
	cur    *Meter
	since  time.Duration
	origin time.Time
}

// begin starts a piece of work, which is timed now and then.
func (c *clockwork) begin(m *Meter) {
	if c.every == 0 {
		c.every, c.origin = meterEvery, time.Now()
	}
	c.turn++
	c.cur = m
	if c.on = c.turn%c.every == 0; c.on {
		c.since = time.Since(c.origin)
	}
}

// enter gives the time from now on to m and returns who had it before.
func (c *clockwork) enter(m *Meter) *Meter {
	if !c.on {
		before := c.cur
		c.cur = m
		return before
	}
	now := time.Since(c.origin)
	before := c.cur
	if before != nil {
		before.CPU += (now - c.since) * time.Duration(c.every)
	}
	c.cur, c.since = m, now
	return before
}

// end ends a piece of work.
func (c *clockwork) end() {
	c.enter(nil)
	c.on = false
}

// metered wraps where an operator's rows go: they are counted, and what is done with them is the consumer's time.
func (p *Pipeline) metered(m, consumer *Meter, out sink) sink {
	c := &p.clock
	return func(b *vec.Batch) {
		m.Rows += int64(b.Rows())
		before := c.enter(consumer)
		out(b)
		c.enter(before)
	}
}

// Working is the operator that computes now; nil if none does.
func (p *Pipeline) Working() plan.Node {
	if p.clock.cur == nil {
		return nil
	}
	return p.clock.cur.Node
}

// TimeAll has every batch timed, for a query that runs once.
func (p *Pipeline) TimeAll() { p.clock.every, p.clock.origin = 1, time.Now() }

// Meters are those of all operators, from the root down, each before its inputs.
func (p *Pipeline) Meters() []*Meter { return p.meters }

// State is how many keys the operator holds, and in how much memory.
func (m *Meter) State() (keys, bytes int64) {
	if m.op == nil {
		return 0, 0
	}
	for _, s := range m.op.Stores() {
		keys += int64(s.Len())
		bytes += s.Size()
	}
	return keys, bytes
}
