// Package op holds the operators of continuous SQL, one per file. The same operators run a view for ever, on batches of added
// and taken-back rows, and an ad hoc query once.
package op

import (
	"context"
	"fmt"
	"math"

	"myelin/internal/process/fn"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// NoTime is the watermark before any event.
const NoTime = math.MinInt64

// Ctx is what the operators of one pipeline share. It belongs to the goroutine that drives the pipeline.
type Ctx struct {
	Env fn.Env
	// Watermark is the event time up to which the input was complete before this step.
	Watermark int64
	// Lateness is how long after the watermark passed a window's end its rows still correct it (EMIT CHANGES), in microseconds. Of a view
	// with a ttl it is that.
	Lateness int64
	// Slack, if not 0, is the same for joins whose condition bounds the times of their rows.
	Slack int64
	// Without are the rewrites that are left out, Fired those that operators made use of.
	Without, Fired plan.Rewrites
	// Until is the watermark at which a query that runs once looks at its rows: what has a ttl and is over by then is not there, nor are,
	// with OnClose, windows that are open then. NoTime: nothing is over or closed. 0: all is there.
	Until int64
	// OnClose is set for EMIT ON WINDOW CLOSE.
	OnClose bool
	// Batch is set when the query runs once: nothing is late, rows that fail end the query unless Failed takes them.
	Batch bool
	// Replaces is set when whoever takes the output keeps it by the query's key, so that a new row makes the old one of its key go:
	// that need not be taken back first.
	Replaces bool
	// Shown finds the row that is kept under a key of the query, as stored bytes of the columns that are not part of the key, with all
	// that was let out so far. nil: nobody knows.
	Shown func(key []byte) (value []byte, ok bool)
	// ShownRows is how many such rows there are. It is given where Shown is.
	ShownRows func() int
	// Remember is how many groups are kept in memory besides the rows that are shown, where those tell all. 0: 32,768.
	Remember int
	// Failed is told of each row that could not be computed; the row has no part in the result.
	Failed func(b *vec.Batch, row int, err error)
	// Late is told of each row that came after its window was given up.
	Late func(b *vec.Batch, row int)
	// Err is the first error of a batch run.
	Err error
	// Stop is set when nobody wants more rows.
	Stop bool
	// Interrupted says why a batch run is to end before it is through; nil: nothing can interrupt it.
	Interrupted func() error
}

// interrupted ends a batch run that is to end, and reports whether it did. What makes many rows of one asks now and then.
func (c *Ctx) interrupted() bool {
	if c.Interrupted == nil {
		return false
	}
	err := c.Interrupted()
	if err != nil {
		c.Stop = true
		if c.Err == nil {
			c.Err = err
		}
	}
	return err != nil
}

// Op is an operator. Batches are valid during the call only.
type Op interface {
	// Push takes rows of input number in.
	Push(in int, b *vec.Batch)
	// Flush ends a step: the input is now complete up to the watermark wm, and what that and the step's rows changed goes out.
	Flush(wm int64)
	// Next is the earliest watermark at which Flush would do something without new rows; MaxInt64 if there is none.
	Next() int64
	// Stores is the operator's state, in an order that never changes.
	Stores() []state.Store
	// Restored is called once its stores are loaded.
	Restored()
}

// plain is embedded by operators without state or timers.
type plain struct{}

func (plain) Flush(int64)           {}
func (plain) Next() int64           { return math.MaxInt64 }
func (plain) Stores() []state.Store { return nil }
func (plain) Restored()             {}

// sink is where an operator's output goes.
type sink func(b *vec.Batch)

// Source is a scan of a pipeline: whoever runs the pipeline pushes the rows of Scan into it.
type Source struct {
	Scan  *plan.Scan
	push  sink
	meter *meter
	clock *clockwork
}

// Push hands rows to the pipeline; their columns are Scan.Columns.
func (s *Source) Push(b *vec.Batch) {
	if b.Rows() > 0 {
		s.clock.begin(s.meter)
		s.push(b)
		s.clock.end()
	}
}

// Pipeline is a query made ready to run.
type Pipeline struct {
	Ctx     *Ctx
	Sources []*Source
	// Schema is the shape of the output.
	Schema []plan.Column
	// ops and sources in the order in which they feed each other: an input comes before its consumer, and the right side of a
	// join before the left.
	steps []step
	query *plan.Query
	// replaced is the aggregation whose old rows nobody needs to see go; nil: none.
	replaced *plan.Aggregate
	// first is the same of a TopN.
	first *plan.TopN
	// shared are the aggregations that are built once for several consumers.
	shared []*shared
	// scopes are those of the projections whose filters are built next.
	scopes []filterScope
	// panes are those of the aggregation whose input is built next; nil: none.
	panes *panes
	// Of a query that runs once, while it does: where its scans' rows come from. work is the rows of plan.Work.
	run  context.Context
	rows Rows
	work *vec.Batch

	meters []*meter
	at     *meter // the consumer of what is being built
	clock  clockwork
}

// topAggregate is the aggregation that the query's rows come from without anything in between that looks at old rows.
func topAggregate(n plan.Node) *plan.Aggregate {
	switch n := n.(type) {
	case *plan.Project:
		return topAggregate(n.Input)
	case *plan.Aggregate:
		return n
	}
	return nil
}

// step is either a source or an operator.
type step struct {
	source *Source
	op     Op
	meter  *meter
}

// Build compiles a bound query whose output goes to out.
func Build(q *plan.Query, ctx *Ctx, out func(b *vec.Batch)) (*Pipeline, error) {
	p := &Pipeline{Ctx: ctx, Schema: q.Root.Schema(), query: q}
	if ctx.Replaces && q.Key != nil {
		p.replaced, p.first = topAggregate(q.Root), topFirst(q.Root)
	}
	ctx.Without |= q.Without
	if !ctx.Batch && ctx.may(plan.SharedAggregates) {
		p.shared = findShared(q.Root)
		ctx.fired(plan.SharedAggregates, len(p.shared) > 0)
	}
	if err := p.build(q.Root, out); err != nil {
		return nil, err
	}
	return p, nil
}

// build compiles n, whose rows go to out.
func (p *Pipeline) build(n plan.Node, out sink) error {
	consumer := p.at
	m := &meter{node: n}
	if consumer != nil {
		m.depth = consumer.depth + 1
	}
	p.meters = append(p.meters, m)
	p.at = m
	err := p.operator(n, p.metered(m, consumer, out))
	p.at = consumer
	if last := len(p.steps) - 1; err == nil && last >= 0 && p.steps[last].meter == nil {
		p.steps[last].meter, m.op = m, p.steps[last].op
		if s := p.steps[last].source; s != nil {
			s.meter = m
		}
	}
	return err
}

// operator makes the operator for n.
func (p *Pipeline) operator(n plan.Node, out sink) error {
	switch n := n.(type) {
	case *plan.Scan:
		s := &Source{Scan: n, push: out, clock: &p.clock}
		p.Sources = append(p.Sources, s)
		p.steps = append(p.steps, step{source: s})
		return nil
	case *plan.Expire:
		return p.buildExpire(n, out)
	case *plan.Values:
		return p.buildValues(n, out)
	case *plan.Filter:
		return p.buildFilter(n, out)
	case *plan.Project:
		return p.buildProject(n, out)
	case *plan.Window:
		return p.buildWindow(n, out)
	case *plan.Aggregate:
		return p.buildOnce(n, out)
	case *plan.Fold:
		return p.buildFold(n, out)
	case *plan.Join:
		return p.buildJoin(n, out)
	case *plan.Sort:
		if !p.Ctx.Batch && n.Limit < 0 && n.Offset == 0 && n.LimitExpr == nil && n.OffsetExpr == nil {
			return p.build(n.Input, out) // the order of a view is its reader's business
		}
		return p.unary(n.Input, newSort(p.Ctx, n, out))
	case *plan.Distinct:
		return p.unary(n.Input, newDistinct(p.Ctx, n, out))
	case *plan.SetOp:
		return p.buildSetOp(n, out)
	case *plan.Over:
		return p.buildOver(n, out)
	case *plan.TopN:
		return p.buildRanked(n, out)
	case *plan.Unnest:
		return p.buildUnnest(n, out)
	case *plan.Recursive:
		return p.buildRecursive(n, out)
	case *plan.Work:
		return p.buildWork(n, out)
	}
	return fmt.Errorf("operator %T is not supported", n)
}

// unary builds an operator with one input.
func (p *Pipeline) unary(input plan.Node, o Op) error {
	if err := p.build(input, func(b *vec.Batch) { o.Push(0, b) }); err != nil {
		return err
	}
	p.steps = append(p.steps, step{op: o})
	return nil
}

// binary builds an operator with two inputs, the right one first.
func (p *Pipeline) binary(left, right plan.Node, o Op) error {
	if err := p.build(right, func(b *vec.Batch) { o.Push(1, b) }); err != nil {
		return err
	}
	if err := p.build(left, func(b *vec.Batch) { o.Push(0, b) }); err != nil {
		return err
	}
	p.steps = append(p.steps, step{op: o})
	return nil
}

// EndStep lets the watermark advance to wm and lets out what the step changed.
func (p *Pipeline) EndStep(wm int64) {
	p.clock.begin(nil)
	for i := range p.steps {
		p.flush(&p.steps[i], wm)
	}
	p.clock.end()
	p.Ctx.Watermark = max(p.Ctx.Watermark, wm)
}

func (p *Pipeline) flush(s *step, wm int64) {
	if s.op == nil {
		return
	}
	p.clock.enter(s.meter)
	s.op.Flush(wm)
}

// Next is the earliest watermark at which the pipeline would let something out by itself; MaxInt64 if there is none.
func (p *Pipeline) Next() int64 {
	next := int64(math.MaxInt64)
	for _, s := range p.steps {
		if s.op != nil {
			next = min(next, s.op.Next())
		}
	}
	return next
}

// Stores is the state of all operators, in an order that depends on the query alone.
func (p *Pipeline) Stores() []state.Store {
	var out []state.Store
	for _, s := range p.steps {
		if s.op != nil {
			out = append(out, s.op.Stores()...)
		}
	}
	return out
}

// Restored says that all stores are loaded.
func (p *Pipeline) Restored() {
	for _, s := range p.steps {
		if s.op != nil {
			s.op.Restored()
		}
	}
}

// failed deals with the rows that could not be computed since the last call: they leave the selection. It returns the batch
// to go on with, which may be b itself.
func (c *Ctx) failed(b *vec.Batch) *vec.Batch {
	if len(c.Env.Errs) == 0 {
		return b
	}
	errs := c.Env.Errs
	c.Env.Errs = c.Env.Errs[:0]
	if c.Batch && c.Failed == nil {
		if c.Err == nil {
			c.Err = errs[0].Err
		}
		c.Stop = true
		return &vec.Batch{Cols: b.Cols, N: b.N, Sel: []int32{}}
	}
	bad := make(map[int32]bool, len(errs))
	for _, e := range errs {
		// An error in a constant has row 0 and may lie outside the selection; it then concerns no row of this batch.
		if bad[e.Row] {
			continue
		}
		bad[e.Row] = true
		if c.Failed != nil && b.Sign(int(e.Row)) > 0 {
			c.Failed(b, int(e.Row), e.Err)
		}
	}
	sel := make([]int32, 0, b.Rows())
	for k := range b.Rows() {
		i := int32(k)
		if b.Sel != nil {
			i = b.Sel[k]
		}
		if !bad[i] {
			sel = append(sel, i)
		}
	}
	return &vec.Batch{Cols: b.Cols, N: b.N, Sel: sel, Diff: b.Diff}
}

// rowAt is the index of the k-th row that counts.
func rowAt(b *vec.Batch, k int) int {
	if b.Sel != nil {
		return int(b.Sel[k])
	}
	return k
}

// typesOf are the types of a schema.
func typesOf(cols []plan.Column) []vec.Type {
	out := make([]vec.Type, len(cols))
	for i, c := range cols {
		out[i] = c.Type
	}
	return out
}
