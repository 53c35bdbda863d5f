package op

import (
	"context"
	"iter"
	"math"

	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// Rows gives the rows of a scan: batches whose columns are Scan.Columns, each valid until the next is asked for.
type Rows func(ctx context.Context, scan *plan.Scan) iter.Seq2[*vec.Batch, error]

// RunOnce runs a pipeline over all rows that its sources have, to the end. The pipeline's Ctx must have Batch set.
func (p *Pipeline) RunOnce(ctx context.Context, rows Rows) error {
	p.run, p.rows = ctx, rows
	p.interruptible(ctx)
	p.settleLimits()
	for _, s := range p.steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.op != nil {
			p.clock.begin(s.meter)
			s.op.Flush(math.MaxInt64)
			p.clock.end()
		} else if err := p.drain(ctx, s.source, rows); err != nil {
			return err
		}
		if p.Ctx.Err != nil {
			return p.Ctx.ended()
		}
	}
	return nil
}

// drain pushes all rows of a source, or as many as anybody wants.
func (p *Pipeline) drain(ctx context.Context, s *Source, rows Rows) error {
	enough := func() bool { return p.Ctx.Err != nil || p.Ctx.Stop }
	if enough() {
		return nil
	}
	for b, err := range rows(ctx, s.Scan) {
		if err != nil {
			return err
		}
		s.Push(b)
		if enough() {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}
