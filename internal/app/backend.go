package app

import (
	"context"
	"slices"

	"myelin/internal/activate"
	"myelin/internal/config"
	"myelin/internal/serve/api"
)

// Quality implements api.Judged.
func (n *node) Quality(context.Context) (api.Quality, error) {
	s := n.groups.Snapshot()
	out := api.Quality{Totals: api.QualityTotals(s.Totals), Groups: []api.QualityGroup{}, Forgotten: s.Forgotten}
	for _, g := range s.Groups {
		out.Groups = append(out.Groups, qualityGroup(g))
	}
	return out, nil
}

// Sources implements api.River.
func (n *node) Sources(context.Context) (api.Sources, error) {
	out := api.Sources{Sources: []api.SourceInfo{}}
	if n.doors == nil {
		return out, nil
	}
	for _, s := range n.doors.Sources() {
		info := api.SourceInfo{Name: s.Name, Plan: s.Plan, WriteKeys: s.WriteKeys, Total: s.Total()}
		for _, c := range s.PerSecond[54:59] { // the last five whole seconds
			info.RatePerSec += float64(c) / 5
		}
		if !s.LastSeen.IsZero() {
			info.LastSeen = &s.LastSeen
		}
		out.Sources = append(out.Sources, info)
	}
	return out, nil
}

// Problems implements api.Files.
func (n *node) Problems(context.Context) (api.Problems, error) {
	return api.Problems{Problems: shownProblems(n.objectProblems(), n.alertProblems())}, nil
}

// objectProblems are what is wrong with the files and with what runs of them.
func (n *node) objectProblems() []config.Problem {
	return slices.Concat(n.desired.problems(), n.clusterProblems(), n.viewProblems())
}

func shownProblems(lists ...[]config.Problem) []api.Problem {
	out := []api.Problem{}
	for _, p := range slices.Concat(lists...) {
		out = append(out, api.Problem{File: p.File, Line: p.Line, Column: p.Column, Message: p.Message, Hint: p.Hint})
	}
	return out
}

// Sinks implements api.Delivering.
func (n *node) Sinks(context.Context) (api.Sinks, error) {
	out := api.Sinks{Sinks: []api.SinkInfo{}}
	out.Sinks = append(out.Sinks, n.topicSinks()...)
	if n.activate == nil {
		return out, nil
	}
	for _, s := range n.activate.Status() {
		info := api.SinkInfo{
			Name: s.Name, From: s.From, Connector: s.Connector, Target: s.Target, State: s.State, In: s.In, Delivered: s.Delivered,
			Duplicates: s.Duplicates, Suppressed: s.Suppressed, DeadLettered: s.DeadLettered, Pending: s.Pending, LastError: s.LastError,
		}
		if !s.LastDeliveryAt.IsZero() {
			info.LastDeliveryAt = &s.LastDeliveryAt
		}
		out.Sinks = append(out.Sinks, info)
	}
	return out, nil
}

// Deliveries implements api.Delivering.
func (n *node) Deliveries(_ context.Context, sink string, limit int) (api.Deliveries, error) {
	out := api.Deliveries{Deliveries: []api.Delivery{}}
	if n.activate == nil {
		return out, api.ErrNotFound
	}
	entries, ok := n.activate.Deliveries(sink, limit)
	if !ok {
		return out, api.ErrNotFound
	}
	for _, e := range entries {
		out.Deliveries = append(out.Deliveries, api.Delivery{
			At: e.At, Key: e.Key, Status: string(e.Outcome), Attempts: e.Attempts, HTTPStatus: e.HTTPStatus, Error: e.Error, Payload: e.Payload,
		})
	}
	return out, nil
}

// ReplayDeadLetters implements api.Delivering.
func (n *node) ReplayDeadLetters(_ context.Context, sink string) (api.Replayed, error) {
	if n.activate == nil || !slices.ContainsFunc(n.activate.Status(), func(s activate.Status) bool { return s.Name == sink }) {
		return api.Replayed{}, api.ErrNotFound
	}
	count, err := n.activate.ReplayDeadLetters(sink)
	return api.Replayed{Replayed: int64(count)}, err
}
