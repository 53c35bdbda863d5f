package app

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"myelin/internal/auth/role"
	"myelin/internal/serve/api"
	"myelin/internal/trust"
	"myelin/internal/trust/quarantine"
	"myelin/internal/trust/replay"
)

// recovery is what brings events back from quarantine.
type recovery struct {
	ledger *replay.Ledger
	replay *replay.Runner

	following, replaying *task
}

// openRecovery follows the ledger of quarantine, and in a process that releases events runs its jobs.
func (n *node) openRecovery() {
	var settled replay.Settled
	if n.groups != nil {
		settled = n.groups.Settle
	}
	n.recovery.ledger = replay.NewLedger(n.cluster, n.Clock, n.Log, settled)
	cfg := replay.Config{Quarantine: quarantineTopic, Doorstep: trust.Doorstep("events"), Sealer: n.sealer, Expressions: repairSQL{n}, Clock: n.Clock, Logger: n.Log}
	if n.has(RoleTrust) {
		cfg.Node = n.nodeName()
		cfg.Foresee, cfg.Alive = n.release.Foresee, n.release.Takes
	}
	cfg.Started, cfg.Ended = n.jobStarted, n.jobEnded
	n.replay = replay.NewRunner(cfg, n.cluster, n.ledger, n.judge)
	n.following = n.tasks.start("following the ledger of quarantine", insisting("following the ledger of quarantine", n.Log, n.ledger.Run))
	if n.has(RoleTrust) {
		n.replaying = n.tasks.start("replaying from quarantine", n.replay.Run)
	}
}

func (r *recovery) stop() {
	r.replaying.stop()
	r.following.stop()
}

func qualityGroup(g quarantine.Group) api.QualityGroup {
	minutes := make([]int64, len(g.PerMinute))
	for i, c := range g.PerMinute {
		minutes[i] = int64(c)
	}
	return api.QualityGroup{
		ID: g.ID, Event: g.Event, Code: g.Code, Path: g.Path, Severity: g.Severity, Source: g.Source, Count: g.Count,
		FirstSeen: g.FirstSeen, LastSeen: g.LastSeen, Expected: g.Expected, Got: g.Got, Status: g.Status, Sample: g.Sample,
		PerMinute: minutes, Explanation: g.Explanation, NextStep: g.NextStep,
	}
}

// QuarantineGroups implements api.Quarantine.
func (n *node) QuarantineGroups(context.Context) (api.QuarantineGroups, error) {
	s := n.groups.Snapshot()
	mutes := n.ledger.Mutes()
	out := api.QuarantineGroups{Totals: api.QuarantineTotals(s.Held), Groups: []api.QuarantineGroup{}, Forgotten: s.Forgotten}
	for _, g := range s.Groups {
		if g.Severity != "error" || g.Waiting+g.Replayed+g.Discarded == 0 {
			continue
		}
		x := api.QuarantineGroup{QualityGroup: qualityGroup(g), Waiting: g.Waiting, Replayed: g.Replayed, Discarded: g.Discarded, Suggested: suggested(&g)}
		if m, ok := mutes[g.ID]; ok {
			x.Muted = &m
		}
		out.Groups = append(out.Groups, x)
	}
	return out, nil
}

// suggested are repairs that often help with a cause.
func suggested(g *quarantine.Group) []replay.Repair {
	one := func(r replay.Repair) []replay.Repair { return []replay.Repair{r} }
	switch g.Code {
	case "misspelled_event":
		return one(replay.Repair{Op: "rename_event", To: g.Expected})
	case "type_mismatch", "array_item":
		if to, _, _ := strings.Cut(g.Expected, ","); replay.CanCoerce(to) {
			return one(replay.Repair{Op: "coerce", Path: g.Path, To: to})
		}
	case "additional_property":
		if to, ok := strings.CutPrefix(g.Expected, "the planned property "); ok {
			return one(replay.Repair{Op: "rename", Path: g.Path, To: to})
		}
		return one(replay.Repair{Op: "drop", Path: g.Path})
	case "enum_violation":
		if choices, ok := strings.CutPrefix(g.Expected, "one of "); ok {
			var got string
			if json.Unmarshal([]byte(g.Got), &got) != nil {
				break
			}
			for choice := range strings.SplitSeq(choices, ", ") {
				if strings.EqualFold(choice, strings.TrimSpace(got)) && choice != got {
					return one(replay.Repair{Op: "coerce", Path: g.Path, To: map[bool]string{true: "upper", false: "lower"}[strings.ToUpper(choice) == choice]})
				}
			}
		}
	}
	return []replay.Repair{}
}

// QuarantineSamples implements api.Quarantine.
func (n *node) QuarantineSamples(ctx context.Context, f replay.Filter, limit int) (api.QuarantineSamples, error) {
	list, err := n.replay.Samples(ctx, f, limit)
	return api.QuarantineSamples{Samples: list}, err
}

// PreviewRepair implements api.Quarantine.
func (n *node) PreviewRepair(ctx context.Context, r replay.Request, limit int) (replay.Preview, error) {
	return n.replay.Preview(ctx, r, limit)
}

// StartJob implements api.Quarantine.
func (n *node) StartJob(ctx context.Context, k replay.Kind, r replay.Request) (api.QuarantineJob, error) {
	j, err := n.replay.Start(ctx, k, r)
	return n.shown(j), err
}

// QuarantineJobs implements api.Quarantine.
func (n *node) QuarantineJobs(context.Context) (api.QuarantineJobs, error) {
	out := api.QuarantineJobs{Jobs: []api.QuarantineJob{}}
	for _, j := range n.ledger.Jobs() {
		out.Jobs = append(out.Jobs, n.shown(j))
	}
	return out, nil
}

// QuarantineJob implements api.Quarantine.
func (n *node) QuarantineJob(_ context.Context, id string) (api.QuarantineJob, error) {
	j, ok := n.ledger.Job(id)
	if !ok {
		return api.QuarantineJob{}, api.ErrNotFound
	}
	return n.shown(j), nil
}

// CancelJob implements api.Quarantine.
func (n *node) CancelJob(ctx context.Context, id string) (api.QuarantineJob, error) {
	known, ok := n.ledger.Job(id)
	if !ok {
		return api.QuarantineJob{}, api.ErrNotFound
	}
	if known.FinishedAt != nil {
		return api.QuarantineJob{}, replay.ErrEnded
	}
	if err := n.audit.Record(ctx, role.Of(ctx), "quarantine.cancel", id, counted(known)); err != nil {
		return api.QuarantineJob{}, err
	}
	j, err := n.replay.Cancel(ctx, id)
	return n.shown(j), err
}

// MuteGroup implements api.Quarantine.
func (n *node) MuteGroup(ctx context.Context, group string, m *replay.Mute) error {
	if err := replay.CheckMute(group, m, n.Clock.Now()); err != nil {
		return err
	}
	action, detail := "quarantine.unmute", map[string]string{"causes": n.causes([]string{group})}
	if m != nil {
		action, detail["reason"], detail["until"] = "quarantine.mute", m.Reason, "for good"
		if m.Until != nil {
			detail["until"] = m.Until.UTC().Format(time.RFC3339)
		}
	}
	if err := n.audit.Record(ctx, role.Of(ctx), action, group, detail); err != nil {
		return err
	}
	return n.replay.SetMute(ctx, group, m)
}

func (n *node) shown(j replay.Job) api.QuarantineJob {
	out := api.QuarantineJob{Job: j}
	switch {
	case j.State == replay.Done:
		out.Progress = 1
	case j.Counts.Total > 0:
		out.Progress = min(float64(j.Counts.Read)/float64(j.Counts.Total), 1)
	}
	if n.groups != nil {
		o := n.groups.Outcome(j.ID)
		out.Accepted, out.Rejected = o.Accepted, o.Rejected
	}
	return out
}
