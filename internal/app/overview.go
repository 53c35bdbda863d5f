package app

import (
	"context"
	"fmt"
	"time"

	"myelin/internal/process/exec"
	"myelin/internal/serve/api"
	"myelin/internal/trust"
)

// Overview implements api.River.
func (n *node) Overview(context.Context) (api.Overview, error) {
	out := api.Overview{At: n.Clock.Now().UTC(), StartedAt: n.started.UTC(), Version: n.Version, Endpoints: n.endpoints()}
	if n.release != nil {
		b := n.balance()
		out.Balance = api.Balance{In: b.In + b.Pending, Accepted: b.Accepted, Quarantined: b.Quarantined, Duplicates: b.Duplicates, Pending: b.Pending,
			Counting: b.Counting, Replayed: b.Replayed, Discarded: n.ledger.Totals().Discarded}
		if n.groups != nil {
			out.Balance.Waiting = n.groups.Held().Waiting
		}
	}
	out.Stages = []api.Stage{n.collectStage(), n.trustStage(out.Balance), n.logStage(), n.processStage(), n.serveStage(), n.activateStage()}
	for i := range out.Stages {
		s := &out.Stages[i]
		s.RatePerSec, s.Series = n.meters.rate(s.ID)
	}
	return out, nil
}

func (n *node) collectStage() api.Stage {
	s := api.Stage{ID: "collect", Title: "Collect"}
	if n.doors == nil {
		s.Note = "not run by this process"
		return s
	}
	stats := n.doors.Stats()
	for _, c := range stats.Stored {
		s.Out += c
	}
	s.In, s.Errors = s.Out+stats.Refused, stats.Refused
	var refused int64
	for _, c := range stats.RefusedRequests {
		refused += c
	}
	s.Note = plural(int64(len(n.cfg.Sources)), "source")
	if refused > 0 {
		s.Note += ", " + plural(refused, "refused request")
	}
	s.Note += n.gateNote()
	return s
}

func (n *node) trustStage(b api.Balance) api.Stage {
	s := api.Stage{ID: "trust", Title: "Trust", In: b.In, Out: b.Accepted + b.Quarantined, Lag: b.Pending, DeadLetters: b.Quarantined}
	if n.release == nil {
		s.Note = "not run by this process"
		return s
	}
	s.Note = plural(b.Quarantined, "event") + " in quarantine, " + plural(b.Duplicates, "duplicate") + " dropped"
	return s
}

func (n *node) logStage() api.Stage {
	s := api.Stage{ID: "log", Title: "Log"}
	if n.release != nil {
		b := n.balance()
		s.In, s.Out = b.Accepted+b.Quarantined, b.Accepted+b.Quarantined
	}
	if n.broker == nil {
		s.Note = "on the cluster " + n.cfg.Kafka.Brokers[0]
		return s
	}
	stats := n.broker.Store().Stats()
	s.Errors = stats.Problems
	s.Note = "on disk before every yes"
	if stats.FreeBytes >= 0 {
		s.Note += fmt.Sprintf("; %s free", bytes(stats.FreeBytes))
	}
	return s
}

// work sums up what the views did.
type work struct{ in, out, behind, errors, late, state, disk int64 }

func (n *node) work() work {
	var w work
	if n.engine == nil {
		return w
	}
	for _, v := range n.engine.Views() {
		s := v.Status()
		w.in, w.out, w.errors, w.late = w.in+s.RowsIn, w.out+s.RowsOut, w.errors+s.Errors, w.late+s.Late
		w.state += s.StateBytes
		w.disk += s.DiskBytes
		w.behind = max(w.behind, s.Behind)
	}
	return w
}

func (n *node) processStage() api.Stage {
	s := api.Stage{ID: "process", Title: "Process"}
	if n.engine == nil {
		s.Note = "not run by this process"
		return s
	}
	w := n.work()
	s.In, s.Out, s.Lag, s.Errors = w.in, w.out, w.behind, w.errors
	s.Note = plural(int64(len(n.engine.Views())), "view") + " and tables, " + bytes(w.state) + " of state"
	if w.disk > 0 {
		s.Note += ", " + bytes(w.disk) + " of state and rows on disk"
	}
	return s
}

func (n *node) serveStage() api.Stage {
	w := n.work()
	return api.Stage{ID: "serve", Title: "Serve", In: w.out, Out: w.out, Note: "PostgreSQL, REST and live streams"}
}

// ViewStatus implements api.Status.
func (n *node) ViewStatus(name string) (api.ViewStatus, bool) {
	if n.engine == nil {
		return api.ViewStatus{}, false
	}
	v, ok := n.engine.View(name)
	if !ok {
		return api.ViewStatus{}, false
	}
	s := v.Status()
	out := api.ViewStatus{Errors: s.Errors, Late: s.Late, RowsPerSec: s.RowsPerSec, LagMs: s.Lag.Milliseconds(), Paused: s.Phase == exec.Paused}
	if s.Watermark > 0 {
		at := time.UnixMicro(s.Watermark).UTC()
		out.Watermark = &at
	}
	if !s.ChangedAt.IsZero() {
		out.UpdatedAt = &s.ChangedAt
	}
	return out, true
}

// balance is what the release counted; without one, nothing.
func (n *node) balance() trust.Balance {
	if n.release == nil {
		return trust.Balance{}
	}
	return n.release.Balance()
}

// moved is what the release did since the start, for rates.
func (n *node) moved() trust.Balance {
	if n.release == nil {
		return trust.Balance{}
	}
	return n.release.Moved()
}

// delivered counts the rows that sinks settled.
func (n *node) delivered() int64 {
	if n.activate == nil {
		return 0
	}
	var sum int64
	for _, s := range n.activate.Status() {
		sum += s.In - s.Pending
	}
	return sum
}

func (n *node) activateStage() api.Stage {
	s := api.Stage{ID: "activate", Title: "Activate"}
	if n.activate == nil {
		s.Note = "not run by this process"
		return s
	}
	all := n.activate.Status()
	for _, x := range all {
		s.In += x.In
		s.Out += x.Delivered
		s.Lag += x.Pending
		s.DeadLetters += x.DeadLettered
		if x.State != "ok" {
			s.Errors++
		}
	}
	s.Note = plural(int64(len(all)), "sink")
	return s
}

// stored counts the events that the doors made durable.
func (n *node) stored() int64 {
	if n.doors == nil {
		return 0
	}
	var sum int64
	for _, c := range n.doors.Stats().Stored {
		sum += c
	}
	return sum
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func bytes(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%d MB", n>>20)
	}
	return fmt.Sprintf("%d kB", n>>10)
}
