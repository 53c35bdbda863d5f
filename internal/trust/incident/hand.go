package incident

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"myelin/internal/auth/role"
)

// Acknowledge says that somebody takes care.
func (m *Manager) Acknowledge(ctx context.Context, who role.Person, id, comment string) (Incident, error) {
	return m.act(ctx, who, id, "acknowledged", comment, func(i *Incident, _ time.Time) error {
		if i.State == Resolved {
			return fmt.Errorf("acknowledging %s: it is resolved already", id)
		}
		i.State, i.Assignee, i.MutedUntil = Acknowledged, who.Name, nil
		return nil
	})
}

// maxMute is how long an incident can be muted.
const maxMute = 10 * 366 * 24 * time.Hour

// Mute keeps an incident quiet until a time; zero means a day.
func (m *Manager) Mute(ctx context.Context, who role.Person, id, comment string, until time.Time) (Incident, error) {
	return m.act(ctx, who, id, "muted", comment, func(i *Incident, now time.Time) error {
		if i.State == Resolved {
			return fmt.Errorf("muting %s: it is resolved already", id)
		}
		if until.IsZero() {
			until = now.Add(24 * time.Hour)
		}
		if until.Before(now) {
			return fmt.Errorf("muting %s: %s is over already", id, until.Format(time.RFC3339))
		}
		if until.Sub(now) > maxMute {
			return fmt.Errorf("muting %s: %s is more than ten years ahead; resolve it instead", id, until.Format(time.RFC3339))
		}
		until = until.UTC()
		i.State, i.MutedUntil = Muted, &until
		return nil
	})
}

// Unmute makes a muted incident open again.
func (m *Manager) Unmute(ctx context.Context, who role.Person, id, comment string) (Incident, error) {
	return m.act(ctx, who, id, "unmuted", comment, func(i *Incident, _ time.Time) error {
		if i.State != Muted {
			return fmt.Errorf("unmuting %s: it is %s", id, i.State)
		}
		i.State, i.MutedUntil = Open, nil
		return nil
	})
}

// Resolve ends an incident by hand. What goes on from the same onset does not open it again.
func (m *Manager) Resolve(ctx context.Context, who role.Person, id, comment string) (Incident, error) {
	return m.act(ctx, who, id, "resolved", comment, func(i *Incident, now time.Time) error {
		if i.State == Resolved {
			return nil
		}
		at := now.UTC()
		i.State, i.ResolvedAt, i.Resolution, i.MutedUntil = Resolved, &at, byHand, nil
		return nil
	})
}

// act changes an incident for somebody: allowed, recorded, done.
func (m *Manager) act(ctx context.Context, who role.Person, id, verb, comment string, change func(*Incident, time.Time) error) (Incident, error) {
	if err := who.Check(role.Handle); err != nil {
		return Incident{}, err
	}
	if n := utf8.RuneCountInString(comment); n > maxComment {
		return Incident{}, fmt.Errorf("the comment has %d characters, and may have %d", n, maxComment)
	}
	ctx = context.WithoutCancel(ctx) // who hangs up leaves nothing half done
	m.changing.Lock()
	defer m.changing.Unlock()
	i, err := m.Find(id)
	if err != nil {
		return i, err
	}
	now := m.cfg.Clock.Now().UTC()
	if err := change(&i, now); err != nil {
		return i, err
	}
	if m.cfg.Audit != nil {
		if err := m.cfg.Audit(ctx, who, "incident."+verb, id, map[string]string{"title": i.Title, "comment": comment}); err != nil {
			return i, err
		}
	}
	i.step(now, who.Name, verb, comment)
	i.UpdatedAt = later(i.UpdatedAt, now)
	return i, m.save(ctx, &i)
}

// Told notes what a channel was told of an incident.
func (m *Manager) Told(ctx context.Context, id, channel, verb string) error {
	m.changing.Lock()
	defer m.changing.Unlock()
	i, err := m.Find(id)
	if err != nil {
		return err
	}
	if i.Sent == nil {
		i.Sent = map[string]string{}
	}
	i.Sent[channel] = verb
	i.step(m.cfg.Clock.Now(), Self, "notified", channel+": "+verb)
	return m.save(ctx, &i)
}
