package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"strings"
	"sync"
	"time"

	"myelin/internal/auth/role"
	"myelin/internal/config"
	"myelin/internal/connect"
	"myelin/internal/event"
	"myelin/internal/log"
	"myelin/internal/serve/api"
	"myelin/internal/serve/query"
	"myelin/internal/telemetry"
	"myelin/internal/trust/incident"
	"myelin/internal/trust/lineage"
	"myelin/internal/trust/notify"
	"myelin/internal/trust/watch"
	"myelin/internal/vec"
)

// incidentsTopic keeps the incidents, and when digests were sent.
const incidentsTopic = "myelin.incidents"

// watching is what looks after the stream: the watch, its incidents, and who is told.
type watching struct {
	feed      *watch.Feed
	incidents *incident.Manager
	notifier  *notify.Notifier
	table     *log.Table
	looked    map[config.WatchedColumn]time.Time
	kept      bool // this process has been the keeper of a cluster

	following, telling *task
}

// alertProblems are the channels that could not be told of incidents. In a cluster its keeper knows.
func (n *node) alertProblems() []config.Problem {
	w := n.watching.Load()
	if w == nil {
		return nil
	}
	var out []config.Problem
	for _, f := range w.notifier.Failing() {
		out = append(out, config.Problem{File: "channel " + f.Channel, Message: fmt.Sprintf("it could not be told at %s UTC: %v", f.At.UTC().Format("15:04"), f.Err),
			Hint: "it is tried again for a day; it is set up under alerts in myelin.yaml"})
	}
	return out
}

// repeats counts the events that the release dropped, by source.
type repeats struct {
	mu struct {
		sync.Mutex
		dropped map[string]int64
	}
}

func (r *repeats) add(source []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.dropped == nil {
		r.mu.dropped = map[string]int64{}
	}
	if _, ok := r.mu.dropped[string(source)]; ok || len(r.mu.dropped) < 1000 {
		r.mu.dropped[string(source)]++
	}
}

// take returns the counts since the last call.
func (r *repeats) take() map[string]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.mu.dropped
	r.mu.dropped = nil
	return out
}

// openWatching makes the watch on the node that releases events and shows pages; it starts once everything is open.
func (n *node) openWatching(ctx context.Context) error {
	if err := n.openGovernance(ctx); err != nil {
		return err
	}
	if !n.has(RoleTrust) || !n.has(RoleServe) {
		return nil
	}
	table, err := n.cluster.OpenTable(ctx, incidentsTopic)
	if err != nil {
		return err
	}
	metrics := n.metrics
	if n.nodes != nil {
		metrics = telemetry.New() // the keeper's are shown
	}
	w, err := n.newWatching(ctx, table, metrics)
	if err != nil {
		return errors.Join(err, table.Close(ctx))
	}
	n.watching.Store(w)
	return nil
}

// newWatching reads the incidents that there are.
func (n *node) newWatching(ctx context.Context, table *log.Table, metrics *telemetry.Registry) (*watching, error) {
	zone, err := time.LoadLocation(n.cfg.Alerts.Timezone)
	if err != nil {
		return nil, fmt.Errorf("finding the time zone of alerts: %w", err)
	}
	w := &watching{looked: map[config.WatchedColumn]time.Time{}, table: table}
	titles := zone
	if n.cfg.Alerts.Timezone == "" {
		titles = nil
	}
	w.incidents, err = incident.OpenManager(ctx, incident.Config{Table: w.table, Clock: n.Clock, Zone: titles, Feeds: n.feeds, Audit: n.audit.Record, Logger: n.Log})
	if err != nil {
		return nil, err
	}
	w.feed = watch.NewFeed(watch.FeedConfig{
		Topics: append([]string{quarantineTopic}, n.governed...), Clock: n.Clock, Logger: n.Log, Found: w.incidents.Found,
		Ticks: []func(context.Context, *watch.Watch){func(_ context.Context, w *watch.Watch) { w.Expect(n.expectations()) }, n.lookAtColumns, func(_ context.Context, w *watch.Watch) { w.Duplicates(n.repeats.take(), n.Clock.Now()) }, func(ctx context.Context, _ *watch.Watch) {
			if err := w.incidents.Tick(ctx); err != nil && ctx.Err() == nil {
				n.Log.Warn("looking after incidents", "error", err)
			}
		}},
	}, n.cluster)
	w.notifier = notify.New(notify.Config{Incidents: w.incidents, Table: w.table, Channels: n.channels(), URL: strings.TrimSuffix(n.cfg.Alerts.URL, "/"), Zone: zone,
		DigestAt: timeOfDay(n.cfg.Alerts.Digest), Lines: n.digestLines, Clock: n.Clock, Logger: n.Log, Telemetry: metrics})
	return w, nil
}

// startWatching begins to watch, when all that it asks is there.
func (n *node) startWatching(context.Context) error {
	if n.nodes != nil {
		n.nodes.begin(n)
		return nil
	}
	if w := n.watching.Load(); w != nil {
		w.following = n.tasks.start("watching events", w.feed.Run)
		w.telling = n.tasks.start("telling of incidents", w.notifier.Run)
	}
	return nil
}

func (n *node) closeWatching(ctx context.Context) error {
	var errs []error
	if n.river != nil && n.nodes != nil { // the keeper watches in there
		n.hearing.stop()
		n.running.stop()
		errs = append(errs, n.nodes.notes.Close(ctx))
	}
	if w := n.watching.Load(); w != nil {
		w.following.stop()
		w.telling.stop()
		errs = append(errs, w.table.Close(ctx))
	}
	return errors.Join(append(errs, n.closeGovernance(ctx))...)
}

// timeOfDay is the time since midnight of a text like 08:00; -1 for none.
func timeOfDay(text string) time.Duration {
	t, err := time.Parse("15:04", text)
	if err != nil {
		return -1
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
}

// outbound is which addresses may be reached.
func (n *node) outbound() connect.Outbound {
	var out connect.Outbound
	for _, cidr := range n.cfg.Outbound.Allow {
		out.Allow = append(out.Allow, netip.MustParsePrefix(cidr)) // the configuration was validated
	}
	return out
}

// channels are those of the configuration.
func (n *node) channels() []notify.Channel {
	client := n.outbound().Client(30 * time.Second)
	var out []notify.Channel
	add := func(name string, s notify.Sender, r config.Route, digest bool) {
		if r.Digest != nil {
			digest = *r.Digest
		}
		out = append(out, notify.Channel{Name: name, Sender: s, Severity: incident.Severity(r.Severity), Sources: r.Sources, Digest: digest})
	}
	for _, w := range n.cfg.Alerts.Webhooks {
		add(w.Name, &notify.Webhook{URL: w.URL, Secret: w.Secret, Client: client}, w.Route, false)
	}
	for _, s := range n.cfg.Alerts.Slack {
		add(s.Name, &notify.Slack{URL: s.URL, Client: client}, s.Route, true)
	}
	for _, e := range n.cfg.Alerts.Email {
		add(e.Name, &notify.Mail{Server: e.Server, Mode: e.TLS, User: e.User, Password: e.Password, From: e.From, To: e.To}, e.Route, true)
	}
	return out
}

// digestLines tell how much flowed, and the head of the audit log: a copy of it outside shows later whether its end was cut off.
func (n *node) digestLines(time.Time, time.Time) []string {
	b := n.balance()
	seq, hash := n.audit.Head()
	return []string{
		fmt.Sprintf("Events so far: %d came in, %d were accepted, %d are in quarantine, %d came twice and were dropped.", b.In, b.Accepted, b.Quarantined, b.Duplicates),
		fmt.Sprintf("Audit log: entry %d, %s", seq, hash),
	}
}

// lookAtColumns reads the watched figures of views whose time has come.
func (n *node) lookAtColumns(ctx context.Context, w *watch.Watch) {
	now := n.Clock.Now()
	for _, c := range n.cfg.Watch {
		every := c.Every.Std()
		if every == 0 {
			every = 5 * time.Minute
		}
		end := now.Truncate(every)
		if last, ok := n.watching.Load().looked[c]; ok && !end.After(last) {
			continue
		}
		n.watching.Load().looked[c] = end
		x, err := n.figure(ctx, c, end.Add(-every), end)
		if err != nil {
			if ctx.Err() == nil {
				n.Log.Warn("reading a watched column", "view", c.View, "column", c.Column, "error", err)
			}
			continue
		}
		if !math.IsNaN(x) {
			w.Column(c.View, c.Column, float64(end.Unix()), x)
		}
	}
}

// expectations are what the plans in force say of how many events their sources send.
func (n *node) expectations() []watch.Expectation {
	var out []watch.Expectation
	for _, p := range n.judge.Plans() {
		for _, e := range p.Events {
			x := e.Expect
			if x == nil {
				continue
			}
			name := e.Name
			if e.Type != event.Track {
				name = e.Type.String()
			}
			for _, s := range n.cfg.Sources {
				if s.Plan == p.Name {
					out = append(out, watch.Expectation{Source: s.Name, Event: name, Per: x.Per, Min: x.Min, Max: x.Max, RatioTo: x.RatioTo, Low: x.Low, High: x.High})
				}
			}
		}
	}
	return out
}

// figure is one value of a watched column; NaN where there are no rows to average.
func (n *node) figure(ctx context.Context, c config.WatchedColumn, from, to time.Time) (float64, error) {
	aggregate := c.Aggregate
	if aggregate == "" {
		aggregate = "sum"
	}
	text := fmt.Sprintf(`SELECT %s(%q)::double precision FROM %q`, aggregate, c.Column, c.View)
	if c.Time != "" {
		text += fmt.Sprintf(` WHERE %q >= TIMESTAMPTZ '%s' AND %q < TIMESTAMPTZ '%s'`, c.Time, from.UTC().Format(time.RFC3339), c.Time, to.UTC().Format(time.RFC3339))
	}
	st, err := n.queries.Prepare(ctx, query.NewSession("watch", "myelin"), text, nil)
	if err != nil {
		return 0, err
	}
	rows, err := st.Run(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for {
		b, err := rows.Next(ctx)
		if errors.Is(err, io.EOF) {
			return math.NaN(), nil
		}
		if err != nil {
			return 0, err
		}
		if b.N == 0 || b.Sel != nil && len(b.Sel) == 0 {
			continue
		}
		return cell(b, aggregate), nil
	}
}

// cell is the first value of a batch. A sum or count of nothing is 0, a mean of nothing is unknown.
func cell(b *vec.Batch, aggregate string) float64 {
	v := b.Cols[0]
	row := 0
	if b.Sel != nil {
		row = int(b.Sel[0])
	}
	if v.IsNull(row) {
		if aggregate == "sum" || aggregate == "count" {
			return 0
		}
		return math.NaN()
	}
	return v.Floats[min(row, len(v.Floats)-1)]
}

// Incidents implements api.Incidents.
func (n *node) Incidents(_ context.Context, state string, limit int) (api.IncidentList, error) {
	out := api.IncidentList{Incidents: []incident.Incident{}}
	out.Incidents = append(out.Incidents, n.watching.Load().incidents.List(state, limit)...)
	c := n.watching.Load().incidents.Counts()
	out.Counts = api.IncidentCounts{Open: c[incident.Open], Acknowledged: c[incident.Acknowledged], Muted: c[incident.Muted], Resolved: c[incident.Resolved]}
	return out, nil
}

// Incident implements api.Incidents.
func (n *node) Incident(_ context.Context, id string) (api.IncidentDetail, error) {
	i, err := n.watching.Load().incidents.Find(id)
	if err != nil {
		return api.IncidentDetail{}, missing(err)
	}
	g := lineage.Build(n.lineageInput(false))
	return api.IncidentDetail{Incident: i, Blast: g.Blast(troubles(&i))}, nil
}

// HandleIncident implements api.Incidents.
func (n *node) HandleIncident(ctx context.Context, who role.Person, id, verb, comment string, until time.Time) (incident.Incident, error) {
	m := n.watching.Load().incidents
	if err := n.nodes.mustKeep(); err != nil {
		return incident.Incident{}, err
	}
	var i incident.Incident
	var err error
	switch verb {
	case "acknowledge":
		i, err = m.Acknowledge(ctx, who, id, comment)
	case "mute":
		i, err = m.Mute(ctx, who, id, comment, until)
	case "unmute":
		i, err = m.Unmute(ctx, who, id, comment)
	default:
		i, err = m.Resolve(ctx, who, id, comment)
	}
	return i, missing(err)
}

// FollowIncidents implements api.Incidents.
func (n *node) FollowIncidents(buf int) (<-chan incident.Incident, func()) {
	return n.watching.Load().incidents.Follow(buf)
}

// Watched implements api.Watching.
func (n *node) Watched(context.Context) (watch.Health, error) {
	h := n.watching.Load().feed.Watch().Health(n.Clock.Now())
	for _, i := range n.watching.Load().incidents.List("", 1000) {
		for _, m := range i.Members {
			if m.Over {
				continue
			}
			for s := range h.Sources {
				if h.Sources[s].Name != m.Source {
					continue
				}
				for e := range h.Sources[s].Events {
					x := &h.Sources[s].Events[e]
					if x.Name == m.Event && (len(x.Incidents) == 0 || x.Incidents[len(x.Incidents)-1] != i.ID) {
						x.Incidents = append(x.Incidents, i.ID)
					}
				}
			}
		}
	}
	return h, nil
}

// missing turns a part's "there is no such thing" into the API's.
func missing(err error) error {
	if errors.Is(err, incident.ErrNotFound) {
		return api.ErrNotFound
	}
	return err
}
