package incident

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"myelin/internal/auth/role"
	"myelin/internal/clock"
	"myelin/internal/trust/watch"
)

// Config configures a Manager.
type Config struct {
	Table Table
	// Clock is asked for the time of what people do. nil: the machine's.
	Clock clock.Clock
	// Zone is in which times are written in titles. nil: UTC, said so.
	Zone *time.Location
	// Feeds reports whether a view is computed from an event of a source ("" for any event). nil: nobody knows.
	Feeds func(source, event, view string) bool
	// Logger is told of incidents that cannot be read. nil: nobody.
	Logger *slog.Logger
	// Audit records what people do. nil: nobody does.
	Audit func(ctx context.Context, who role.Person, action, object string, detail map[string]string) error
}

// Manager keeps the incidents. Found is called by one goroutine, the other methods from anywhere.
type Manager struct {
	cfg Config
	// changing puts changes in order; it is held while one becomes durable.
	changing sync.Mutex
	mu       struct {
		sync.Mutex
		all      map[string]*Incident
		byKey    map[string]string // of members that are not over, to the incident
		watchers map[chan Incident]bool
	}
}

// OpenManager loads the incidents.
func OpenManager(ctx context.Context, cfg Config) (*Manager, error) {
	if cfg.Clock == nil {
		cfg.Clock = clock.Real{}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	m := &Manager{cfg: cfg}
	m.mu.all, m.mu.byKey, m.mu.watchers = map[string]*Incident{}, map[string]string{}, map[chan Incident]bool{}
	values, err := cfg.Table.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("loading the incidents: %w", err)
	}
	for id, text := range values {
		if !strings.HasPrefix(id, "i-") {
			continue
		}
		i := &Incident{}
		if err := json.Unmarshal(text, i); err != nil || i.ID != id {
			cfg.Logger.Error("an incident is damaged and is not shown", "incident", id, "error", err)
			continue
		}
		m.mu.all[id] = i
		m.index(i)
	}
	return m, nil
}

// index enters the members of an incident that is not over.
func (m *Manager) index(i *Incident) {
	for _, x := range i.Members {
		if i.State != Resolved {
			m.mu.byKey[x.key()] = i.ID
		} else if m.mu.byKey[x.key()] == i.ID {
			delete(m.mu.byKey, x.key())
		}
	}
}

// Found takes what the watch found. It returns when all of it is durable. Being told something again changes nothing.
func (m *Manager) Found(ctx context.Context, findings []watch.Finding) error {
	m.changing.Lock()
	defer m.changing.Unlock()
	changed := map[string]*Incident{}
	get := func(id string) *Incident {
		if changed[id] == nil {
			c := m.copy(id)
			changed[id] = &c
		}
		return changed[id]
	}
	for k := range findings {
		f := &findings[k]
		id, isNew := m.place(f, changed)
		if id == "" {
			continue
		}
		if isNew {
			changed[id] = &Incident{ID: id, State: Open, StartedAt: f.Since, DetectedAt: f.At}
			changed[id].step(f.At, Self, "opened", "")
		}
		if !isNew && changed[id] == nil && m.decided(id) {
			continue
		}
		m.merge(get(id), f)
	}
	for _, i := range changed {
		if len(i.Members) == 0 {
			continue
		}
		m.describe(i)
		if err := m.save(ctx, i); err != nil {
			return err
		}
	}
	return m.sweep(ctx)
}

func (m *Manager) copy(id string) Incident {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.all[id].clone()
}

// decided reports whether somebody resolved the incident by hand: what goes on changes nothing.
func (m *Manager) decided(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.all[id].State == Resolved && m.mu.all[id].Resolution == byHand
}

// place finds the incident that a finding belongs to; "" for the end of something that nobody knows.
func (m *Manager) place(f *watch.Finding, changed map[string]*Incident) (id string, isNew bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := keyOf(f)
	for _, i := range changed {
		if i.State != Resolved && slices.ContainsFunc(i.Members, func(x Member) bool { return x.key() == key }) {
			return i.ID, false
		}
	}
	if id, ok := m.mu.byKey[key]; ok {
		if c := changed[id]; c == nil || c.State != Resolved {
			return id, false
		}
	}
	if !f.Open {
		return "", false
	}
	var best *Incident
	consider := func(i *Incident) {
		if i.State == Resolved && !m.again(i, f, key) || i.State != Resolved && !m.shares(i, f) || len(i.Members) >= maxMembers {
			return
		}
		if best == nil || i.State != Resolved && best.State == Resolved || i.StartedAt.Before(best.StartedAt) && (i.State == Resolved) == (best.State == Resolved) {
			best = i
		}
	}
	open := 0
	for id, i := range m.mu.all {
		if changed[id] == nil {
			consider(i)
		}
		if i.State != Resolved {
			open++
		}
	}
	for _, i := range changed {
		consider(i)
	}
	if best == nil && open >= maxOpen {
		for _, i := range m.mu.all {
			if i.State != Resolved && i.Source == f.Source && len(i.Members) < maxMembers {
				best = i
			}
		}
		if best == nil {
			return "", false
		}
	}
	if best != nil {
		return best.ID, false
	}
	id = idOf(key, f.Since)
	if old := m.mu.all[id]; old != nil || changed[id] != nil {
		return "", false // told again after a restart: it is over
	}
	return id, true
}

// again reports whether a resolved incident has come back: the same thing soon after it was over. What people resolved by hand
// does not come back for the same onset.
func (m *Manager) again(i *Incident, f *watch.Finding, key string) bool {
	if i.ResolvedAt == nil || !slices.ContainsFunc(i.Members, func(x Member) bool { return x.key() == key }) {
		return false
	}
	if i.Resolution == byHand {
		return !f.Since.After(*i.ResolvedAt)
	}
	return f.At.Sub(*i.ResolvedAt) < near
}

const (
	byHand    = "by hand"
	recovered = "recovered"
)

// idOf names an incident after what opened it and when, so that telling it twice gives one.
func idOf(key string, since time.Time) string {
	sum := sha256.Sum256([]byte(key + "|" + since.UTC().Format(time.RFC3339Nano)))
	return "i-" + hex.EncodeToString(sum[:8])
}

// merge lays a finding over an incident.
func (m *Manager) merge(i *Incident, f *watch.Finding) {
	key, known := keyOf(f), false
	for k := range i.Members {
		x := &i.Members[k]
		if x.key() != key {
			continue
		}
		known = true
		fresh := memberOf(f)
		if f.Open && f.Unit == "events" || !f.Open {
			fresh.Observed, fresh.Expected = x.Observed, x.Expected // as it was when it was told
			if f.Open && x.Over {
				fresh.Observed, fresh.Expected = f.Observed, f.Expected
			}
		}
		if !f.Open {
			fresh.Note, fresh.Property = x.Note, x.Property
		}
		fresh.Since = earlier(x.Since, f.Since)
		*x = fresh
	}
	if !known {
		i.Members = append(i.Members, memberOf(f))
	}
	i.UpdatedAt = later(i.UpdatedAt, f.At)
	i.Affected = max(i.Affected, f.Affected)
	if f.Open {
		m.grow(i, f)
		return
	}
	if i.over() && i.State != Resolved {
		i.State, i.Resolution = Resolved, recovered
		if f.Note != "" {
			i.Resolution = f.Note
		}
		at := f.At
		i.ResolvedAt = &at
		i.step(f.At, Self, "resolved", i.Resolution)
	}
}

func (m *Manager) grow(i *Incident, f *watch.Finding) {
	if i.State == Resolved {
		i.State, i.ResolvedAt, i.Resolution = Open, nil, ""
		i.step(f.At, Self, "reopened", "")
	}
	i.StartedAt = earlier(i.StartedAt, f.Since)
	if len(f.Causes) > 0 {
		i.Causes = f.Causes
	}
	if f.Release != nil {
		i.Release = f.Release
	}
	if len(i.Samples) == 0 {
		i.Samples = f.Samples
	}
	if len(f.Series) > 0 {
		i.Series = f.Series
	}
	if s := severity(i.Members, i.Affected); i.Severity != s {
		i.Severity = s
	}
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// save makes a change durable and shows it.
func (m *Manager) save(ctx context.Context, i *Incident) error {
	text, err := json.Marshal(i)
	if err != nil {
		return fmt.Errorf("encoding incident %s: %w", i.ID, err)
	}
	if err := m.cfg.Table.Save(ctx, i.ID, text); err != nil {
		return fmt.Errorf("saving incident %s: %w", i.ID, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := i.clone()
	m.mu.all[i.ID] = &kept
	m.index(&kept)
	for ch := range m.mu.watchers {
		select {
		case ch <- kept.clone():
		default: // it reads the list again when it finds itself behind
			delete(m.mu.watchers, ch)
			close(ch)
		}
	}
	return nil
}

// sweep ends what ends by the clock: mutes, and news that nobody answered for a day; and forgets the oldest of too many.
func (m *Manager) sweep(ctx context.Context) error {
	now := m.cfg.Clock.Now()
	var due []Incident
	var done []*Incident
	m.mu.Lock()
	for _, i := range m.mu.all {
		news := i.Kind == watch.NewValue && now.Sub(i.UpdatedAt) > 24*time.Hour
		switch {
		case i.State == Resolved:
			done = append(done, i)
		case i.State == Muted && i.MutedUntil != nil && now.After(*i.MutedUntil), news:
			due = append(due, i.clone())
		}
	}
	slices.SortFunc(done, func(a, b *Incident) int { return a.UpdatedAt.Compare(b.UpdatedAt) })
	var old []string
	for _, i := range done[:max(0, len(done)-maxKept)] {
		old = append(old, i.ID)
	}
	m.mu.Unlock()
	for k := range due {
		i := &due[k]
		if i.State == Muted {
			i.State, i.MutedUntil = Open, nil
			i.step(now, Self, "unmuted", "")
		} else {
			at := now.UTC()
			i.State, i.ResolvedAt, i.Resolution = Resolved, &at, "new normal"
			i.step(now, Self, "resolved", i.Resolution)
		}
		if err := m.save(ctx, i); err != nil {
			return err
		}
	}
	for _, id := range old {
		if err := m.cfg.Table.Save(ctx, id, nil); err != nil {
			return fmt.Errorf("forgetting incident %s: %w", id, err)
		}
		m.mu.Lock()
		delete(m.mu.all, id)
		m.mu.Unlock()
	}
	return nil
}

// Tick lets time pass when nothing is found.
func (m *Manager) Tick(ctx context.Context) error { return m.Found(ctx, nil) }

// List are the incidents of a state, the latest first; "" gives all that are not resolved, "all" all.
func (m *Manager) List(state string, limit int) []Incident {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Incident
	for _, i := range m.mu.all {
		if state == "all" || state == "" && i.State != Resolved || string(i.State) == state {
			out = append(out, i.clone())
		}
	}
	slices.SortFunc(out, func(a, b Incident) int {
		return cmp.Or(b.UpdatedAt.Compare(a.UpdatedAt), cmp.Compare(a.ID, b.ID))
	})
	return out[:min(len(out), limit)]
}

// Counts is how many incidents there are in each state.
func (m *Manager) Counts() map[State]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[State]int{Open: 0, Acknowledged: 0, Muted: 0, Resolved: 0}
	for _, i := range m.mu.all {
		out[i.State]++
	}
	return out
}

// Find is one incident.
func (m *Manager) Find(id string) (Incident, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, ok := m.mu.all[id]
	if !ok {
		return Incident{}, ErrNotFound
	}
	return i.clone(), nil
}

// Follow returns a channel of every change. It is closed when its reader falls behind by buf, and by stop.
func (m *Manager) Follow(buf int) (changes <-chan Incident, stop func()) {
	ch := make(chan Incident, max(buf, 1))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.watchers[ch] = true
	return ch, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.mu.watchers[ch] {
			delete(m.mu.watchers, ch)
			close(ch)
		}
	}
}
