// Package topic shows what is in the log to people: topics, who reads them and how far behind, and single messages. It asks
// through the Kafka protocol only, so it shows a cluster as well as the embedded broker.
package topic

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/clock"
)

// ErrUnknown says that there is no topic or group of that name.
var ErrUnknown = errors.New("there is none of that name")

// Config says where the brokers are. Zero values mean the defaults named.
type Config struct {
	// Admin asks the cluster (log.Cluster.Admin); NewClient makes a client that reads messages (log.Cluster.NewClient).
	Admin     *kadm.Client
	NewClient func(opts ...kgo.Opt) (*kgo.Client, error)
	// Purpose says in a few words what a topic is for; "" where it is nobody's in particular. nil: never known.
	Purpose func(topic string) string
	// Fresh is how long an answer is given again before the cluster is asked anew (1 s).
	Fresh time.Duration
	// MaxReads is how many people may read messages at the same time (4); more wait.
	MaxReads int
	// Patience is how long one answer may take (10 s).
	Patience time.Duration
	Clock    clock.Clock
}

// Browser answers. Its methods may be called at the same time.
type Browser struct {
	cfg    Config
	reads  chan struct{}
	topics memory[Topics]
	groups memory[Groups]
}

// New returns a browser.
func New(cfg Config) (*Browser, error) {
	if cfg.Admin == nil || cfg.NewClient == nil {
		return nil, errors.New("a topic browser needs a cluster")
	}
	if cfg.Purpose == nil {
		cfg.Purpose = func(string) string { return "" }
	}
	if cfg.Fresh == 0 {
		cfg.Fresh = time.Second
	}
	if cfg.MaxReads == 0 {
		cfg.MaxReads = 4
	}
	if cfg.Patience == 0 {
		cfg.Patience = 10 * time.Second
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.Real{}
	}
	return &Browser{cfg: cfg, reads: make(chan struct{}, cfg.MaxReads)}, nil
}

// Internal reports whether a topic is plumbing of Myelin or Kafka rather than somebody's data.
func Internal(topic string) bool {
	return strings.HasPrefix(topic, "__") || strings.HasPrefix(topic, "myelin.")
}

// memory keeps one answer for a moment, so that ten open pages ask the cluster once.
type memory[T any] struct {
	mu struct {
		sync.Mutex
		at    time.Time
		value T
	}
}

// get answers from memory while it is fresh. Whoever asks meanwhile waits for the answer that is on its way; the lock is held
// over the request on purpose, and the request is bounded by its context.
func (m *memory[T]) get(ctx context.Context, now func() time.Time, fresh time.Duration, ask func(context.Context) (T, error)) (T, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.mu.at.IsZero() && now().Sub(m.mu.at) < fresh {
		return m.mu.value, nil
	}
	v, err := ask(ctx)
	if err == nil {
		m.mu.value, m.mu.at = v, now()
	}
	return v, err
}

func sortedPartitions(ps kadm.PartitionDetails) []kadm.PartitionDetail {
	out := make([]kadm.PartitionDetail, 0, len(ps))
	for _, p := range ps {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b kadm.PartitionDetail) int { return int(a.Partition) - int(b.Partition) })
	return out
}
