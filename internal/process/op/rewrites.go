package op

import (
	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// Rewrites tells which rewrites changed the plan of a query (plan.Options.Explain) and which its operators make use of.
func Rewrites(q *plan.Query, continuous bool) (plan.Rewrites, error) {
	ctx := &Ctx{Batch: !continuous, Watermark: NoTime, OnClose: q.Emit == plan.EmitOnWindowClose}
	if _, err := Build(q, ctx, func(*vec.Batch) {}); err != nil {
		return 0, err
	}
	return q.Fired | ctx.Fired, nil
}

// may reports whether a rewrite is not left out.
func (c *Ctx) may(r plan.Rewrites) bool { return c.Without&r == 0 }

// fired notes that a rewrite is made use of, if it is.
func (c *Ctx) fired(r plan.Rewrites, is bool) {
	if is {
		c.Fired |= r
	}
}
