package app

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"myelin/internal/log"
	"myelin/internal/sluice"
	"myelin/internal/trust"
)

// gates slow senders when more waits on the doorsteps than limits.backlog allows.
type gates struct {
	sluice      *sluice.Sluice // nil: nobody is slowed
	http, kafka *sluice.Door
	measuring   *task // of a cluster
}

// openGates has what waits looked at by look.
func (n *node) openGates(look func() []sluice.Part) {
	var parts sluice.Parts
	s := sluice.New(n.Clock, n.cfg.Limits.Backlog.Std(), func() (waiting, done int64) { return parts.Sum(n.Clock.Now(), look()) })
	n.gates = gates{sluice: s, http: s.Door(), kafka: s.Door()}
	n.metrics.GaugeFunc("myelin_doorstep_seconds", "How long it takes to release what waits on the doorsteps, at the speed of the last seconds.", func() float64 { return s.State().Time().Seconds() })
	n.metrics.GaugeFunc("myelin_doorstep_limit", "Events a second that senders may bring because of what waits on the doorsteps; 0: any number.", func() float64 { return s.State().Rate })
	for name, door := range map[string]*sluice.Door{"http": n.gates.http, "kafka": n.gates.kafka} {
		n.metrics.CounterFunc("myelin_doorstep_slowed_total", "Requests that were stored and whose senders had to wait because of what waits on the doorsteps.",
			func() float64 { return float64(door.Slowed()) }, "door", name)
	}
}

// doorsteps are the topics through which the governed ones are reached.
func (n *node) doorsteps() []string {
	var out []string
	for _, topic := range n.governed {
		out = append(out, trust.Doorstep(topic))
	}
	return out
}

// brokerGates are the gates of the embedded broker. It returns how that asks for its clients; nil: nobody is slowed.
func (n *node) brokerGates() (admit func(topic string, records int) time.Duration) {
	if n.cfg.Limits.Backlog <= 0 {
		return nil
	}
	topics := n.doorsteps()
	n.openGates(func() []sluice.Part { return n.broker.Backlog(trust.ReleaseGroup, topics...) })
	return func(topic string, records int) time.Duration {
		if !n.isDoorstep(topic) {
			return 0
		}
		return n.gates.kafka.Take(records)
	}
}

// askEvery is how often a cluster is asked what waits.
const askEvery = time.Second

// clusterGates are the gates of the HTTP door in front of a cluster, whose own doors are its own affair.
func (n *node) clusterGates() {
	if n.cfg.Limits.Backlog <= 0 || !n.has(RoleCollect) {
		return
	}
	var last atomic.Pointer[[]sluice.Part]
	last.Store(new([]sluice.Part))
	n.openGates(func() []sluice.Part { return *last.Load() })
	topics := n.doorsteps()
	n.gates.measuring = n.tasks.start("measuring the doorsteps", func(ctx context.Context) error {
		for {
			if parts, err := backlog(ctx, n.cluster, topics); err == nil { // nobody is slowed for long by what is not known
				last.Store(&parts)
			}
			select {
			case <-n.Clock.After(askEvery):
			case <-ctx.Done():
				return nil
			}
		}
	})
}

// backlog asks a cluster how many records of each partition of the topics are not released, and how many were.
func backlog(ctx context.Context, c *log.Cluster, topics []string) (out []sluice.Part, err error) {
	ends, err := c.Admin().ListEndOffsets(ctx, topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("asking for the ends of doorsteps: %w", err)
	}
	starts, err := c.Admin().ListStartOffsets(ctx, topics...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("asking for the beginnings of doorsteps: %w", err)
	}
	committed, err := c.Admin().FetchOffsets(ctx, trust.ReleaseGroup)
	if err == nil {
		err = committed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("asking what was released: %w", err)
	}
	for topic, parts := range ends {
		for p, end := range parts {
			at := int64(0)
			if o, ok := committed.Lookup(topic, p); ok {
				at = max(0, o.At)
			}
			start, ok := starts.Lookup(topic, p)
			if !ok {
				return nil, errors.New("a doorstep grew meanwhile")
			}
			out = append(out, sluice.Part{Topic: topic, Partition: p, Waiting: max(0, end.Offset-max(at, start.Offset)), Done: at})
		}
	}
	return out, nil
}

// gateNote says whether senders are slowed.
func (n *node) gateNote() string {
	if n.gates.sluice == nil {
		return ""
	}
	s := n.gates.sluice.State()
	if s.Rate == 0 {
		return ""
	}
	return fmt.Sprintf(", senders are slowed: what waits to be released takes %s", s.Time().Round(100*time.Millisecond))
}
