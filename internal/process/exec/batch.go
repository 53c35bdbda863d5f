package exec

import (
	"context"
	"iter"

	"myelin/internal/process/fn"
	"myelin/internal/process/op"
	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// RunBatch runs a query once over the rows that its scans have now. env gives the clock, the parameters and the time zone. The
// batches are valid until the next is asked for, and have no Diff. An error ends the result.
func RunBatch(ctx context.Context, q *plan.Query, env fn.Env, rows op.Rows) iter.Seq2[*vec.Batch, error] {
	return runBatch(ctx, q, env, rows, runOptions{})
}

// Analyze runs a query once like RunBatch, drops its rows and tells what each operator did.
func Analyze(ctx context.Context, q *plan.Query, env fn.Env, rows op.Rows) ([]op.Operator, error) {
	var pipe *op.Pipeline
	for _, err := range runBatch(ctx, q, env, rows, runOptions{built: func(p *op.Pipeline) { pipe = p; p.TimeAll() }}) {
		if err != nil {
			return nil, err
		}
	}
	return pipe.Report(), nil
}

// runOptions is who is shown the pipeline before it runs, and who takes rows that cannot be computed instead of their ending the query.
type runOptions struct {
	built  func(*op.Pipeline)
	failed func(b *vec.Batch, row int, err error)
	until  int64 // op.Ctx.Until
	close  bool  // op.Ctx.OnClose
}

func runBatch(ctx context.Context, q *plan.Query, env fn.Env, rows op.Rows, o runOptions) iter.Seq2[*vec.Batch, error] {
	return func(yield func(*vec.Batch, error) bool) {
		c := &op.Ctx{Env: env, Watermark: op.NoTime, Batch: true, Failed: o.failed, Until: o.until, OnClose: o.close, Lateness: q.TTL}
		stopped := false
		p, err := op.Build(q, c, func(b *vec.Batch) {
			if stopped || c.Err != nil {
				return
			}
			out := *b
			out.Diff = nil
			if !yield(&out, nil) {
				stopped = true
				c.Enough()
			}
		})
		if err != nil {
			yield(nil, err)
			return
		}
		if o.built != nil {
			o.built(p)
		}
		stop := func() bool { return stopped }
		if err := p.RunOnce(ctx, until(rows, stop)); err != nil && !stopped {
			yield(nil, err)
		}
	}
}

// until ends every scan once nobody takes the result any more.
func until(rows op.Rows, stop func() bool) op.Rows {
	return func(ctx context.Context, s *plan.Scan) iter.Seq2[*vec.Batch, error] {
		return func(yield func(*vec.Batch, error) bool) {
			if stop() {
				return
			}
			for b, err := range rows(ctx, s) {
				if !yield(b, err) || stop() {
					return
				}
			}
		}
	}
}
