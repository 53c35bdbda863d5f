package app

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"myelin/internal/config"
	"myelin/internal/process/exec"
	"myelin/internal/process/op"
	"myelin/internal/serve/api"
	"myelin/internal/serve/query"
)

// view finds a view that the engine runs.
func (n *node) view(name string) (*exec.View, error) {
	if n.engine == nil {
		return nil, api.ErrNotFound
	}
	v, ok := n.engine.View(name)
	if !ok {
		return nil, api.ErrNotFound
	}
	return v, nil
}

// VerifyView implements api.Upkeep.
func (n *node) VerifyView(ctx context.Context, name string) (api.ViewVerification, error) {
	out := api.ViewVerification{Name: name}
	if _, err := n.view(name); err != nil {
		return out, err
	}
	v, err := n.engine.Verify(ctx, name)
	if err != nil {
		return out, refused(err)
	}
	out.Same, out.Step, out.Rows, out.Extra, out.Missing, out.Records = v.Extra+v.Missing == 0, v.Step, v.Rows, v.Extra, v.Missing, v.Records
	out.Unsure = v.Unsure
	out.ExtraFirst, out.MissingFirst, out.Notes = list(v.ExtraFirst), list(v.MissingFirst), list(v.Notes)
	return out, nil
}

// ViewLedger implements api.Upkeep.
func (n *node) ViewLedger(_ context.Context, name string) (api.ViewLedger, error) {
	v, err := n.view(name)
	if err != nil {
		return api.ViewLedger{}, err
	}
	s := v.Status()
	return api.ViewLedger{Name: name, Errors: s.Errors, Late: s.Late, Ahead: s.Ahead, Misfits: misfits(s.Misfits), ErrorRows: badRows(s.RecentErrors), LateRows: badRows(s.RecentLate)}, nil
}

func misfits(counts map[string]int64) []api.ViewMisfit {
	out := []api.ViewMisfit{}
	for _, column := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, api.ViewMisfit{Column: column, Count: counts[column]})
	}
	return out
}

func badRows(rows []exec.BadRow) []api.ViewRow {
	out := []api.ViewRow{}
	for _, r := range rows {
		out = append(out, api.ViewRow(r))
	}
	return out
}

// viewProblems are why views stand still or failed, for those who did not ask for it.
func (n *node) viewProblems() []config.Problem {
	if n.engine == nil {
		return nil
	}
	var out []config.Problem
	for _, v := range n.engine.Views() {
		if s := v.Status(); v.Query != nil && s.Phase != exec.Waiting && s.Problem != "" {
			out = append(out, config.Problem{File: "view " + v.Relation.Name, Message: "The view stands still: " + s.Problem})
		}
	}
	return out
}

// ViewPlan implements api.Upkeep.
func (n *node) ViewPlan(ctx context.Context, name string) (api.ViewPlan, error) {
	out := api.ViewPlan{Name: name, Operators: []api.ViewOperator{}}
	if _, err := n.view(name); err != nil {
		return out, err
	}
	ops, err := n.engine.Explain(ctx, name)
	if err != nil {
		return out, refused(err)
	}
	for _, o := range ops {
		out.Operators = append(out.Operators, api.ViewOperator{Depth: o.Depth, What: o.What, Rows: o.Rows,
			CPUMs: float64(o.CPU.Microseconds()) / 1000, StateKeys: o.StateKeys, StateBytes: o.StateBytes})
	}
	return out, nil
}

// PauseView implements api.Upkeep.
func (n *node) PauseView(ctx context.Context, name string, paused bool) (api.ViewPause, error) {
	out := api.ViewPause{Name: name, Paused: paused}
	if _, err := n.view(name); err != nil {
		return out, err
	}
	do := n.engine.Resume
	if paused {
		do = n.engine.Pause
	}
	return out, refused(do(ctx, name))
}

// refused is an answer of the engine that is not a fault of its own.
func refused(err error) error {
	if err == nil {
		return nil
	}
	return &query.Error{Code: query.CodeFeatureNotSupported, Message: err.Error()}
}

// explainView tells EXPLAIN ANALYZE what the operators of a view did.
func (n *node) explainView(ctx context.Context, name string) ([]op.Operator, error) {
	if n.engine == nil {
		return nil, fmt.Errorf("there is no view %s here", name)
	}
	return n.engine.Explain(ctx, name)
}
