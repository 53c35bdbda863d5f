package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/auth/role"
	"myelin/internal/config"
	"myelin/internal/control"
	"myelin/internal/event"
	"myelin/internal/serve/api"
	"myelin/internal/tape"
	"myelin/internal/trust"
	"myelin/internal/trust/backtest"
	"myelin/internal/trust/draft"
	"myelin/internal/trust/governance"
	"myelin/internal/trust/schema"
)

// planChange is a proposed text, compiled, beside the plan that it would replace.
type planChange struct {
	file     string
	plan     *schema.Plan
	before   *draft.Plan // empty for a new plan
	after    *draft.Plan
	problems []api.Problem
}

// readChange compiles a proposed text. Mistakes in it are problems, not an error.
func (n *node) readChange(c api.PlanChange) (*planChange, error) {
	out := &planChange{file: c.File, problems: []api.Problem{}, before: &draft.Plan{}}
	p, err := schema.Parse(cmp.Or(c.File, "plan.yaml"), []byte(c.Text))
	var mistakes schema.Problems
	if errors.As(err, &mistakes) {
		for _, x := range mistakes {
			out.problems = append(out.problems, api.Problem{File: x.File, Line: x.Line, Column: x.Column, Message: x.Message, Hint: x.Hint})
		}
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	out.plan = p
	if out.after, err = draft.Read([]byte(c.Text)); err != nil {
		return nil, err
	}
	for _, old := range n.judge.Plans() {
		if old.Name != p.Name {
			continue
		}
		out.file = cmp.Or(out.file, old.File)
		if out.before, err = draft.Read([]byte(n.desired.planText(old.File))); err != nil {
			return nil, err
		}
	}
	out.file = cmp.Or(out.file, "plan/"+p.Name+".yaml")
	return out, nil
}

// plansWith are the plans in force with the proposed one in its place.
func (n *node) plansWith(p *schema.Plan) []*schema.Plan {
	plans := slices.DeleteFunc(slices.Clone(n.judge.Plans()), func(x *schema.Plan) bool { return x.Name == p.Name })
	return append(plans, p)
}

// DiffPlan implements api.Planning.
func (n *node) DiffPlan(_ context.Context, c api.PlanChange) (api.PlanDiff, error) {
	x, err := n.readChange(c)
	if err != nil {
		return api.PlanDiff{}, err
	}
	out := api.PlanDiff{Problems: x.problems, Changes: []api.PlanDelta{}, Bumps: []api.PlanBump{}, Breaks: []api.PlanBroken{}}
	if x.plan == nil {
		return out, nil
	}
	out.Plan = x.plan.Name
	changes, bumps := draft.Diff(x.before, x.after)
	for _, d := range changes {
		out.Changes = append(out.Changes, api.PlanDelta{Event: d.Event, Path: d.Path, What: d.What, Class: string(d.Class), Level: string(d.Level), Before: d.Before, After: d.After})
		out.Breaking = out.Breaking || d.Class == draft.Breaking
	}
	for _, b := range bumps {
		out.Bumps = append(out.Bumps, api.PlanBump(b))
	}
	out.Breaks = append(out.Breaks, n.broken(x.plan)...)
	return out, nil
}

// broken lists the views and sinks that work now and would not with the plan.
func (n *node) broken(p *schema.Plan) []api.PlanBroken {
	objects, _ := n.desired.registry.Snapshot()
	works := n.bindWith(n.judge.Plans(), objects, nil).running
	b := n.bindWith(n.plansWith(p), objects, nil)
	var out []api.PlanBroken
	for _, o := range objects {
		_, before := works[o.Name]
		_, after := b.running[o.Name]
		if !before || after {
			continue
		}
		x := api.PlanBroken{Kind: string(o.Kind), Name: o.Name}
		for _, problem := range b.problems {
			if problem.File == describe(o) && problem.Line >= max(o.Line, 1) && x.Message == "" {
				x.Message = reason(o, problem)
			}
		}
		out = append(out, x)
	}
	return out
}

// reason is what a problem of an object says besides which object it is of.
func reason(o control.Object, p config.Problem) string {
	return strings.TrimPrefix(p.Message, fmt.Sprintf("%s %s: ", o.Kind, o.Name))
}

// backtestTime is how long a backtest looks at traffic.
const backtestTime = 25 * time.Second

// BacktestPlan implements api.Planning.
func (n *node) BacktestPlan(ctx context.Context, c api.PlanChange) (api.Backtest, error) {
	x, err := n.readChange(c)
	if err != nil {
		return api.Backtest{}, err
	}
	out := api.Backtest{Problems: x.problems, Rows: []api.BacktestRow{}}
	if x.plan == nil {
		return out, nil
	}
	out.Plan = x.plan.Name
	proposed := trust.NewJudge(n.hashKey)
	if err := proposed.SetPlans(n.plansWith(x.plan), n.judge.Sources()); err != nil {
		return out, err
	}
	days := c.Days
	if days <= 0 {
		days = 7
	}
	since := n.Clock.Now().AddDate(0, 0, -min(days, 90))
	deadline := time.Now().Add(backtestTime) // a limit on work, by the machine's clock
	report, err := backtest.Run(ctx, n.traffic(since), n.judge, proposed, func() bool { return time.Now().Before(deadline) })
	if err != nil {
		return out, err
	}
	out.From, out.To, out.Complete = report.From, report.To, report.Complete
	out.Before, out.After = api.BacktestCounts(report.Before), api.BacktestCounts(report.After)
	for _, r := range report.Rows {
		row := api.BacktestRow{Event: r.Event, Source: r.Source, AppVersion: r.AppVersion, Before: api.BacktestCounts(r.Before), After: api.BacktestCounts(r.After),
			Share: float64(r.After.Quarantined) / float64(max(r.After.Total, 1)), Reasons: []api.BacktestReason{}, Sentence: r.Sentence()}
		for _, why := range r.Reasons {
			row.Reasons = append(row.Reasons, api.BacktestReason(why))
		}
		out.Rows = append(out.Rows, row)
	}
	return out, nil
}

// traffic reads the governed topics and quarantine since a time.
func (n *node) traffic(since time.Time) backtest.Traffic {
	return func(ctx context.Context, each func(*kgo.Record) bool) error {
		ctx, enough := context.WithCancel(ctx)
		defer enough()
		stopped := false
		for _, topic := range append([]string{quarantineTopic}, n.governed...) {
			err := n.cluster.ReadTail(ctx, topic, since, func(r *kgo.Record) {
				if !stopped && !each(r) {
					stopped = true
					enough()
				}
			})
			if stopped {
				return nil
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// ProposePlan implements api.Planning. What the change would do goes with the proposal, for who decides.
func (n *node) ProposePlan(ctx context.Context, who role.Person, p api.PlanProposal) (api.Proposed, error) {
	c := api.PlanChange{Text: p.Text, File: p.File}
	x, err := n.readChange(c)
	if err != nil {
		return api.Proposed{}, err
	}
	if x.plan == nil {
		first := x.problems[0]
		return api.Proposed{}, fmt.Errorf("the plan cannot be used: line %d: %s", first.Line, first.Message)
	}
	if p.Title == "" {
		return api.Proposed{}, errors.New("give the proposal a title: it is what others see first")
	}
	diff, err := n.DiffPlan(ctx, c)
	if err != nil {
		return api.Proposed{}, err
	}
	tested, err := n.BacktestPlan(ctx, c)
	if err != nil {
		return api.Proposed{}, err
	}
	tested.Rows = tested.Rows[:min(len(tested.Rows), 50)]
	summary, err := json.Marshal(map[string]any{"diff": diff, "backtest": tested})
	if err != nil {
		return api.Proposed{}, fmt.Errorf("summing up the change: %w", err)
	}
	made, err := n.proposals.Create(ctx, who, governance.Draft{Title: p.Title, Reason: p.Reason, File: x.file, Text: p.Text, Base: n.desired.planText(x.file), Summary: summary})
	if err != nil {
		return api.Proposed{}, err
	}
	return api.Proposed{ID: made.ID, State: string(made.State), File: made.File}, nil
}

// InferPlan implements api.Planning.
func (n *node) InferPlan(ctx context.Context, name, source string, days int) (api.Inferred, error) {
	if days <= 0 {
		days = 7
	}
	out := api.Inferred{Complete: true}
	deadline := time.Now().Add(backtestTime) // as above
	learn := draft.NewInference()
	var doc tape.Doc
	var text []byte
	err := n.traffic(n.Clock.Now().AddDate(0, 0, -min(days, 90)))(ctx, func(r *kgo.Record) bool {
		if time.Now().After(deadline) {
			out.Complete = false
			return false
		}
		if len(event.Header(r, trust.HeaderReplay)) > 0 || source != "" && string(event.Header(r, event.HeaderSource)) != source {
			return true
		}
		text = backtest.Original(text[:0], &doc, r.Value)
		learn.Add(text)
		out.Events++
		return true
	})
	out.Text = string(learn.Plan(cmp.Or(name, "learned")).YAML())
	return out, err
}
