package op

import (
	"context"
	"errors"

	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// errEnough ends a batch run whose result is complete, or that nobody takes any more.
var errEnough = errors.New("enough")

// Enough ends a batch run: nobody takes more rows.
func (c *Ctx) Enough() {
	c.Stop = true
	if c.Err == nil {
		c.Err = errEnough
	}
}

// ended is how a batch run ended.
func (c *Ctx) ended() error {
	if errors.Is(c.Err, errEnough) {
		return nil
	}
	return c.Err
}

// interruptible has a run end with ctx, or with the one that it is a part of. Operators ask after each batch that they let out
// (Pipeline.metered), and as they work (fn.Env.Worked): what they let out after that is dropped.
func (p *Pipeline) interruptible(ctx context.Context) {
	c, whole := p.Ctx, p.Ctx.Interrupted
	c.Interrupted = func() error {
		if whole != nil {
			if err := whole(); err != nil {
				return err
			}
		}
		if c.Err != nil {
			return c.Err
		}
		return ctx.Err()
	}
	c.Env.Interrupted = c.interrupted
}

// settleLimits says which LIMIT may end what: the one that the rows of the query come out of ends the run; one further down may end the
// source of the rows, where there is only one.
func (p *Pipeline) settleLimits() {
	leaves := 0
	for _, s := range p.steps {
		switch s.op.(type) {
		case nil, *values, *work, *recursive:
			leaves++
		}
	}
	var top plan.Node
	for n := p.meters[0].node; n != nil; {
		project, ok := n.(*plan.Project)
		if !ok {
			top = n
			break
		}
		n = project.Input
	}
	for _, s := range p.steps {
		if o, ok := s.op.(*sorter); ok {
			o.top, o.alone = o.node == top, leaves == 1
		}
	}
}

// chunks cuts a batch that may be large, so that operators see it in pieces of the usual size.
func chunks(b *vec.Batch, f func(b *vec.Batch) bool) {
	if b.N <= letRows {
		f(b)
		return
	}
	for from := 0; from < b.N; from += letRows {
		sel := make([]int32, 0, letRows)
		for i := from; i < min(from+letRows, b.N); i++ {
			sel = append(sel, int32(i))
		}
		part := &vec.Batch{N: len(sel)}
		for _, c := range b.Cols {
			v := vec.New(c.Type, 0)
			v.Gather(c, sel)
			part.Cols = append(part.Cols, v)
		}
		if !f(part) {
			return
		}
	}
}
