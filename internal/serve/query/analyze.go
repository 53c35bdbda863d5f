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
		ops, err := e.cfg.Analyze(ctx, q, env, e.rowsOf(q, snap, args, e.recent))
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

// operatorLine is one line of EXPLAIN ANALYZE.
func operatorLine(o op.Operator, below int) string {
	text := fmt.Sprintf("%s%s (rows=%d cpu=%.3f ms", strings.Repeat("  ", below+o.Depth), o.What, o.Rows, float64(o.CPU.Microseconds())/1000)
	if o.StateKeys > 0 {
		text += fmt.Sprintf(" keys=%d state=%d KiB", o.StateKeys, (o.StateBytes+1023)/1024)
	}
	return text + ")"
}
