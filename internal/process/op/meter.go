package op

import (
	"time"

	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// meter counts what an operator does. It belongs to the goroutine that drives the pipeline.
type meter struct {
	node  plan.Node
	depth int
	rows  int64
	cpu   time.Duration // without the operators around it; estimated: one batch in meterEvery is timed
	op    Op
}

// meterEvery is how many batches of a source, and ends of steps, one is timed of.
const meterEvery = 16

// clockwork shares the time between the operators of a pipeline.
type clockwork struct {
	turn   int
	on     bool
	every  int
	cur    *meter
	since  time.Duration
	origin time.Time
}

// begin starts a piece of work, which is timed now and then.
func (c *clockwork) begin(m *meter) {
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
func (c *clockwork) enter(m *meter) *meter {
	if !c.on {
		before := c.cur
		c.cur = m
		return before
	}
	now := time.Since(c.origin)
	before := c.cur
	if before != nil {
		before.cpu += (now - c.since) * time.Duration(c.every)
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
func (p *Pipeline) metered(m, consumer *meter, out sink) sink {
	c := &p.clock
	return func(b *vec.Batch) {
		if p.Ctx.interrupted() {
			return
		}
		m.rows += int64(b.Rows())
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
	return p.clock.cur.node
}

// TimeAll has every batch timed, for a query that runs once.
func (p *Pipeline) TimeAll() { p.clock.every, p.clock.origin = 1, time.Now() }

// Operator is what an operator of a pipeline has done.
type Operator struct {
	Node plan.Node
	// Depth is how far it lies below the root; each operator comes before its inputs.
	Depth int
	// What it does, as EXPLAIN says it.
	What string
	// Rows that it gave, also those taken back.
	Rows int64
	// CPU is about how long it has computed.
	CPU time.Duration
	// StateKeys and StateBytes are what it remembers.
	StateKeys, StateBytes int64
}

// Report tells what the operators have done, from the root down.
func (p *Pipeline) Report() []Operator {
	out := make([]Operator, len(p.meters))
	for i, m := range p.meters {
		out[i] = Operator{Node: m.node, Depth: m.depth, What: plan.Describe(m.node), Rows: m.rows, CPU: m.cpu}
		if m.op == nil {
			continue
		}
		if a, ok := m.op.(*aggregate); ok && a.shown != nil {
			out[i].StateKeys = int64(p.Ctx.ShownRows()) // the view's own rows, which take no more memory
		}
		for _, s := range m.op.Stores() {
			out[i].StateKeys += int64(s.Len())
			out[i].StateBytes += s.Size()
		}
	}
	return out
}
