// Package activate delivers what views find to the outside world: every change of a sink's topic ends as delivered,
// duplicate, suppressed or dead-lettered, in order per key, and the ledger topic says which.
package activate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"myelin/internal/clock"
	"myelin/internal/connect"
	"myelin/internal/log"
)

// Definition is one sink as it was declared.
type Definition struct {
	Name      string
	From      string // the view
	Topic     string // where the view's changes are
	Connector connect.Connector
	Options   connect.Options // of the runtime and of the connector, secrets filled in
}

// runtimeFields are options that every sink has, whatever its connector.
var runtimeFields = []connect.Field{
	{Name: "key", Title: "Key column", Kind: connect.ColumnField, Example: "user_key", Help: "Order and cooldown are kept for each value of this column."},
	{Name: "cooldown", Title: "Cooldown", Kind: connect.DurationField, Example: "24 hours", Help: "After a delivery, further rows of the same key are suppressed for this long."},
	{Name: "retry_for", Title: "Retry for", Kind: connect.DurationField, Example: "24 hours", Default: "24 hours", Help: "How long a row is tried again before it becomes a dead letter."},
	{Name: "max_attempts", Title: "Most attempts", Kind: connect.IntegerField, Example: "10", Help: "After so many attempts a row becomes a dead letter; 0 leaves it to retry_for."},
}

// Fields are the options that the definition may have.
func (d Definition) Fields() []connect.Field {
	return append(slices.Clone(d.Connector.Spec().Fields), runtimeFields...)
}

// Validate looks at a definition without any I/O. It returns what is wrong, option by option.
func (d Definition) Validate() []connect.FieldError {
	spec := d.Connector.Spec()
	spec.Fields = d.Fields()
	errs := spec.Check(d.Options)
	if s := d.Options["max_attempts"]; s != "" {
		if n, err := strconv.Atoi(s); err != nil || n < 0 {
			errs = append(errs, connect.FieldError{Field: "max_attempts", Message: fmt.Sprintf("%q is not a number of attempts", s), Hint: "for example 10"})
		}
	}
	if d.Options["cooldown"] != "" && d.Options["key"] == "" {
		errs = append(errs, connect.FieldError{Field: "cooldown", Message: "needs a key", Hint: "name the column that identifies a person: key = 'user_key'"})
	}
	return append(errs, d.Connector.Validate(d.connectorOptions())...)
}

// connectorOptions are the options without the runtime's own.
func (d Definition) connectorOptions() connect.Options {
	out := connect.Options{}
	for k, v := range d.Options {
		if !slices.ContainsFunc(runtimeFields, func(f connect.Field) bool { return f.Name == k }) {
			out[k] = v
		}
	}
	return out
}

func (d Definition) duration(name string, otherwise time.Duration) time.Duration {
	if v, err := connect.ParseDuration(d.Options[name]); err == nil && d.Options[name] != "" {
		return v
	}
	return otherwise
}

// Config of the runtime.
type Config struct {
	Cluster *log.Cluster
	Client  *http.Client // obeys the outbound policy
	Clock   clock.Clock
	// Ledger is the topic of outcomes. "": myelin.deliveries.
	Ledger string
	// Node names this process among those of one installation, the same after a restart: a process that was killed takes its
	// sinks up again at once, instead of waiting until its former self is given up. "": node.
	Node string
}

// LedgerTopic is the default topic of outcomes.
const LedgerTopic = "myelin.deliveries"

// Runtime runs the sinks. Its methods may be called at the same time.
type Runtime struct {
	cfg    Config
	ledger *log.Producer
	mu     struct {
		sync.Mutex
		sinks map[string]*running
	}
	ctx  context.Context
	done sync.WaitGroup
}

type running struct {
	delivery *delivery
	stop     context.CancelFunc
	stopped  chan struct{}
}

// Open makes the ledger topic if it is missing. The sinks run until ctx ends or Close is called.
func Open(ctx context.Context, cfg Config) (*Runtime, error) {
	if cfg.Ledger == "" {
		cfg.Ledger = LedgerTopic
	}
	if cfg.Node == "" {
		cfg.Node = "node"
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.Real{}
	}
	_, err := cfg.Cluster.EnsureTopics(ctx, log.TopicSpec{Name: cfg.Ledger, Partitions: 1,
		Config: map[string]string{"retention.ms": strconv.FormatInt((30 * 24 * time.Hour).Milliseconds(), 10)}})
	if err != nil {
		return nil, err
	}
	p, err := cfg.Cluster.NewProducer(log.ProducerConfig{MaxBytes: 16 << 20})
	if err != nil {
		return nil, err
	}
	r := &Runtime{cfg: cfg, ledger: p, ctx: ctx}
	r.mu.sinks = map[string]*running{}
	return r, nil
}

// Apply makes the running sinks be these. A sink whose definition changed starts again where it stopped.
func (r *Runtime) Apply(defs []Definition) error {
	want := map[string]Definition{}
	for _, d := range defs {
		if errs := d.Validate(); len(errs) > 0 {
			return fmt.Errorf("sink %s: %w", d.Name, errs[0])
		}
		want[d.Name] = d
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, s := range r.mu.sinks {
		if d, ok := want[name]; !ok || !d.same(s.delivery.def) {
			s.stop()
			<-s.stopped
			delete(r.mu.sinks, name)
		}
	}
	for name, d := range want {
		if _, ok := r.mu.sinks[name]; ok {
			continue
		}
		r.start(name, d)
	}
	return nil
}

func (d Definition) same(o Definition) bool {
	if d.Topic != o.Topic || d.From != o.From || len(d.Options) != len(o.Options) {
		return false
	}
	for k, v := range d.Options {
		if o.Options[k] != v {
			return false
		}
	}
	return d.Connector.Spec().Name == o.Connector.Spec().Name
}

// start runs a sink and starts it again when it fails, with growing pauses; the caller holds mu.
func (r *Runtime) start(name string, d Definition) {
	ctx, stop := context.WithCancel(r.ctx)
	s := &running{delivery: newDelivery(r.cfg, r.ledger, d), stop: stop, stopped: make(chan struct{})}
	r.mu.sinks[name] = s
	r.done.Go(func() {
		defer close(s.stopped)
		for attempt := 0; ctx.Err() == nil; attempt++ {
			err := s.delivery.run(ctx)
			if err == nil || errors.Is(err, context.Canceled) {
				return
			}
			s.delivery.status.fail(err.Error())
			select {
			case <-ctx.Done():
			case <-r.cfg.Clock.After(backoff(min(attempt, 6), 0)):
			}
		}
	})
}

// Close stops every sink and waits for what is being sent, until ctx ends.
func (r *Runtime) Close(ctx context.Context) error {
	r.mu.Lock()
	for _, s := range r.mu.sinks {
		s.stop()
	}
	r.mu.Unlock()
	r.done.Wait()
	return r.ledger.Close(ctx)
}

// ReplayDeadLetters sends every dead letter of a sink again and returns how many.
func (r *Runtime) ReplayDeadLetters(name string) (int, error) {
	r.mu.Lock()
	s, ok := r.mu.sinks[name]
	r.mu.Unlock()
	if !ok {
		return 0, fmt.Errorf("there is no sink %q", name)
	}
	return s.delivery.replay(), nil
}

// Status of every sink, by name.
func (r *Runtime) Status() []Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Status, 0, len(r.mu.sinks))
	for _, s := range r.mu.sinks {
		out = append(out, s.delivery.report())
	}
	slices.SortFunc(out, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Deliveries are the newest outcomes of a sink, newest first.
func (r *Runtime) Deliveries(name string, limit int) ([]Entry, bool) {
	r.mu.Lock()
	s, ok := r.mu.sinks[name]
	r.mu.Unlock()
	if !ok {
		return nil, false
	}
	return s.delivery.status.newest(limit), true
}
