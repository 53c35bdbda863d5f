package query

import (
	"context"
	"fmt"
	"strings"

	"myelin/internal/process/fn"
	"myelin/internal/process/op"
	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// analyze runs a query, drops its rows and shows what each operator did; below the scan of a view, what the operators that keep it
// up to date have done since the process began.
func (e *Engine) analyze(s *Session, q *plan.Query) *Statement {
	st := &Statement{Tag: "EXPLAIN", Columns: []Column{{Name: "QUERY PLAN", Type: vec.Of(vec.Text)}}, Params: q.Params}
	st.Run = func(ctx context.Context, args []*vec.Vector) (Rows, error) {
		snap := e.cfg.Views.Snapshot()
		env := fn.Env{Now: e.cfg.Clock.Now().UnixMicro(), Params: args, Zone: s.Zone()}
		ops, err := e.measure(ctx, q, env, e.rowsOf(q, snap, args, e.recent))
		if err != nil {
			return nil, dataError(err, q.Faults)
		}
		lines := vec.New(vec.Of(vec.Text), 0)
		for _, o := range ops {
			lines.AppendString(operatorLine(o, 0))
			scan, ok := o.Node.(*plan.Scan)
			if !ok || scan.Relation.Kind != plan.View || e.cfg.Operators == nil {
				continue
			}
			live, err := e.cfg.Operators(ctx, scan.Relation.Name)
			if err != nil {
				continue // it has not begun
			}
			for _, l := range live {
				lines.AppendString(operatorLine(l, o.Depth+1))
			}
		}
		return Static(&vec.Batch{Cols: []*vec.Vector{lines}, N: lines.Len()}), nil
	}
	return st
}

// measure runs a query within one of the engine's slots and within its memory.
func (e *Engine) measure(ctx context.Context, q *plan.Query, env fn.Env, rows op.Rows) ([]op.Operator, error) {
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	g := newGuard(e.cfg.MaxMemory, cancel)
	g.start()
	defer g.stop()
	ops, err := e.cfg.Analyze(ctx, q, env, rows)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return ops, err
}

// operatorLine is one line of EXPLAIN ANALYZE.
func operatorLine(o op.Operator, below int) string {
	text := fmt.Sprintf("%s%s (rows=%d cpu=%.3f ms", strings.Repeat("  ", below+o.Depth), o.What, o.Rows, float64(o.CPU.Microseconds())/1000)
	if o.StateKeys > 0 {
		text += fmt.Sprintf(" keys=%d state=%d KiB", o.StateKeys, (o.StateBytes+1023)/1024)
	}
	return text + ")"
}
