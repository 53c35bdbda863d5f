// Package notify tells people of incidents: by signed webhook, Slack-shaped webhook and e-mail, once when one opens and once when
// it is over, and once a day of all. What each channel was told is kept with the incident, so that a restart tells nothing twice
// and forgets nothing.
package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"myelin/internal/clock"
	"myelin/internal/telemetry"
	"myelin/internal/trust/incident"
)

// Verbs of messages.
const (
	Opened   = "opened"
	Reopened = "reopened"
	Resolved = "resolved"
	Digest   = "digest"
)

// Message is what a channel sends.
type Message struct {
	// ID is the same for every attempt at one message.
	ID       string
	Verb     string
	At       time.Time
	Incident incident.Incident // of all verbs but Digest
	Link     string            // to the incident's page; "" where nobody said under which address
	Summary  *Summary          // of Digest
	Zone     *time.Location
}

// Summary is a day in short.
type Summary struct {
	From, To       time.Time
	Opened, Solved []incident.Incident
	StillOpen      []incident.Incident
	// Lines are further sentences: how much came in, the head of the audit log.
	Lines []string
}

// Sender sends messages over one channel.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// Channel is a sender and what it is for.
type Channel struct {
	Name     string
	Sender   Sender
	Severity incident.Severity // the least; "" is warning
	Sources  []string          // nil: all
	Digest   bool
}

// wants reports whether the channel is told of an incident.
func (c *Channel) wants(i *incident.Incident) bool {
	order := []incident.Severity{incident.Info, incident.Warning, incident.Critical}
	if slices.Index(order, i.Severity) < slices.Index(order, cmp.Or(c.Severity, incident.Warning)) {
		return false
	}
	return len(c.Sources) == 0 || i.Source == "" || slices.ContainsFunc(i.Members, func(m incident.Member) bool { return slices.Contains(c.Sources, m.Source) })
}

// Incidents is where incidents are: an incident.Manager.
type Incidents interface {
	List(state string, limit int) []incident.Incident
	Told(ctx context.Context, id, channel, verb string) error
	Follow(buf int) (changes <-chan incident.Incident, stop func())
}

// Config configures a Notifier.
type Config struct {
	Incidents Incidents
	Channels  []Channel
	// Table remembers when a digest was sent.
	Table incident.Table
	// URL is under which people reach the pages. Empty: no links.
	URL  string
	Zone *time.Location
	// DigestAt is the time of day of the digest, in Zone, from midnight; negative: none.
	DigestAt time.Duration
	// Lines are further sentences of the digest. nil: none.
	Lines     func(from, to time.Time) []string
	Clock     clock.Clock
	Logger    *slog.Logger
	Telemetry *telemetry.Registry
}

// Notifier sends. One goroutine, Run's, does it all: a slow channel delays the others, by its own limit of half a minute.
type Notifier struct {
	cfg   Config
	retry map[string]attempt // by incident and channel
	sent  *telemetry.Counter
	fails *telemetry.Counter

	mu struct {
		sync.Mutex
		failing map[string]Failure // by channel
	}
}

// Failure is what kept a channel from being told.
type Failure struct {
	Channel string
	At      time.Time
	Err     error
}

type attempt struct {
	next time.Time
	wait time.Duration
}

const (
	lookEvery   = 15 * time.Second
	sendTimeout = 30 * time.Second
	tooOld      = 24 * time.Hour // what happened before is history, for example after a channel was added
	longestWait = 10 * time.Minute
)

// New returns a notifier; Run starts it.
func New(cfg Config) *Notifier {
	if cfg.Clock == nil {
		cfg.Clock = clock.Real{}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Zone == nil {
		cfg.Zone = time.UTC
	}
	if cfg.Telemetry == nil {
		cfg.Telemetry = telemetry.New()
	}
	n := &Notifier{cfg: cfg, retry: map[string]attempt{},
		sent:  cfg.Telemetry.Counter("myelin_trust_alerts_sent_total", "Messages about incidents that a channel took."),
		fails: cfg.Telemetry.Counter("myelin_trust_alerts_failed_total", "Attempts to send a message about an incident that failed.")}
	n.mu.failing = map[string]Failure{}
	return n
}

// Failing are the channels whose last message of the past day was not taken, by name. It may be called at any time.
func (n *Notifier) Failing() []Failure {
	now := n.cfg.Clock.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []Failure
	for _, name := range slices.Sorted(maps.Keys(n.mu.failing)) {
		if f := n.mu.failing[name]; now.Sub(f.At) <= tooOld {
			out = append(out, f)
		}
	}
	return out
}

// Run sends what is due, whenever an incident changes and now and then, until ctx ends.
func (n *Notifier) Run(ctx context.Context) error {
	changes, stop := n.cfg.Incidents.Follow(64)
	defer func() { stop() }()
	for {
		if err := n.Look(ctx); err != nil && ctx.Err() == nil {
			n.cfg.Logger.Warn("telling of incidents", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-changes:
			if !ok { // it fell behind; Look sees everything anyway
				changes, stop = n.cfg.Incidents.Follow(64)
			}
		case <-n.cfg.Clock.After(lookEvery):
		}
	}
}

// Look sends everything that is due now.
func (n *Notifier) Look(ctx context.Context) error {
	var errs []error
	now := n.cfg.Clock.Now()
	for _, i := range n.cfg.Incidents.List("all", 2000) {
		if now.Sub(i.UpdatedAt) > tooOld {
			continue
		}
		for k := range n.cfg.Channels {
			c := &n.cfg.Channels[k]
			if verb := due(c, &i); verb != "" {
				errs = append(errs, n.send(ctx, c, i, verb, now))
			}
		}
	}
	errs = append(errs, n.digests(ctx, now))
	return errors.Join(errs...)
}

// due is what the channel has to be told of the incident; "" is nothing.
func due(c *Channel, i *incident.Incident) string {
	told := i.Sent[c.Name]
	switch {
	case i.State == incident.Open && c.wants(i) && told == "":
		return Opened
	case i.State == incident.Open && c.wants(i) && told == Resolved:
		return Reopened
	case i.State == incident.Resolved && (told == Opened || told == Reopened):
		return Resolved
	}
	return ""
}

func (n *Notifier) send(ctx context.Context, c *Channel, i incident.Incident, verb string, now time.Time) error {
	key := i.ID + "/" + c.Name
	before := n.retry[key]
	if now.Before(before.next) {
		return nil
	}
	link := ""
	if n.cfg.URL != "" {
		link = n.cfg.URL + "/incidents/" + i.ID
	}
	earlier := 0 // tells a second opening from the first; the same for every attempt
	for _, s := range i.History {
		if s.Verb == "notified" {
			earlier++
		}
	}
	id := fmt.Sprintf("%s-%s-%d", i.ID, verb, earlier)
	if err := n.deliver(ctx, c, Message{ID: id, Verb: verb, At: now.UTC(), Incident: i, Link: link, Zone: n.cfg.Zone}); err != nil {
		wait := min(max(2*before.wait, lookEvery), longestWait)
		n.retry[key] = attempt{next: now.Add(wait), wait: wait}
		return err
	}
	delete(n.retry, key)
	return n.cfg.Incidents.Told(ctx, i.ID, c.Name, verb)
}

func (n *Notifier) deliver(ctx context.Context, c *Channel, m Message) error {
	limited, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	err := c.Sender.Send(limited, m)
	n.mu.Lock()
	if err == nil {
		delete(n.mu.failing, c.Name)
	} else if ctx.Err() == nil {
		n.mu.failing[c.Name] = Failure{Channel: c.Name, At: n.cfg.Clock.Now(), Err: err}
	}
	n.mu.Unlock()
	if err != nil {
		n.fails.Inc()
		return fmt.Errorf("telling %s: %w", c.Name, err)
	}
	n.sent.Inc()
	return nil
}

// digests sends the daily summary, once a day and channel: at its time, or after the next start.
func (n *Notifier) digests(ctx context.Context, now time.Time) error {
	if n.cfg.DigestAt < 0 {
		return nil
	}
	local := now.In(n.cfg.Zone)
	midnight := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, n.cfg.Zone)
	at := midnight.Add(n.cfg.DigestAt)
	if now.Before(at) || now.Sub(at) > 12*time.Hour {
		return nil
	}
	day := local.Format(time.DateOnly)
	var errs []error
	var known map[string][]byte
	for k := range n.cfg.Channels {
		c := &n.cfg.Channels[k]
		key := "digest/" + c.Name
		if !c.Digest || now.Before(n.retry[key].next) {
			continue
		}
		if known == nil {
			var err error
			if known, err = n.cfg.Table.Load(ctx); err != nil {
				return fmt.Errorf("finding out which digests were sent: %w", err)
			}
		}
		if string(known[key]) == day {
			n.retry[key] = attempt{next: midnight.AddDate(0, 0, 1)}
			continue
		}
		if err := n.deliver(ctx, c, Message{ID: key + "/" + day, Verb: Digest, At: now.UTC(), Summary: n.summary(at), Link: n.cfg.URL, Zone: n.cfg.Zone}); err != nil {
			n.retry[key] = attempt{next: now.Add(longestWait), wait: longestWait}
			errs = append(errs, err)
			continue
		}
		errs = append(errs, n.cfg.Table.Save(ctx, key, []byte(day)))
	}
	return errors.Join(errs...)
}

func (n *Notifier) summary(to time.Time) *Summary {
	s := &Summary{From: to.AddDate(0, 0, -1), To: to}
	for _, i := range n.cfg.Incidents.List("all", 2000) {
		if i.DetectedAt.After(s.From) {
			s.Opened = append(s.Opened, i)
		}
		if i.ResolvedAt != nil && i.ResolvedAt.After(s.From) {
			s.Solved = append(s.Solved, i)
		}
		if i.State != incident.Resolved {
			s.StillOpen = append(s.StillOpen, i)
		}
	}
	if n.cfg.Lines != nil {
		s.Lines = n.cfg.Lines(s.From, s.To)
	}
	return s
}
