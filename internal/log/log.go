// Package log is the waist of the river: topics, producers and consumers over the Kafka protocol, on the embedded broker
// (through in-process connections) or on any Kafka-compatible cluster. Records are franz-go's kgo.Record.
package log

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/clock"
)

// Config says where the brokers are.
type Config struct {
	// Brokers are host:port addresses to start from.
	Brokers []string
	// Dial replaces TCP, for example by the embedded broker's in-process connections. nil: TCP.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Compress records before they are sent. Off for in-process connections, where CPU is the scarce thing.
	Compress bool
	// Replication of topics that we create; 0 asks for the cluster's default.
	Replication int16
	// TLS is spoken to the brokers; nil: plain TCP. Not with Dial.
	TLS *tls.Config
	// SASL is how to log in; nil: not at all.
	SASL *SASL
	// Options are appended to every client's.
	Options []kgo.Opt
	// Log is told of brokers that hang; nil: nobody is.
	Log *slog.Logger
}

// Cluster is a handle on the brokers. It may be used at the same time from many goroutines.
type Cluster struct {
	cfg     Config
	client  *kgo.Client
	admin   *kadm.Client
	lookout *lookout // nil with Config.Dial
}

// Open connects lazily: it fails only on bad options, not on absent brokers.
func Open(cfg Config) (*Cluster, error) {
	if len(cfg.Brokers) == 0 {
		return nil, errors.New("opening the log: no broker address given")
	}
	if cfg.SASL != nil && cfg.SASL.mechanism() == nil {
		return nil, fmt.Errorf("opening the log: there is no mechanism %q; use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", cfg.SASL.Mechanism)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c := &Cluster{cfg: cfg}
	if cfg.Dial == nil {
		c.lookout = newLookout(cfg.dial, cfg.Log)
	}
	client, err := c.NewClient()
	if err != nil {
		return nil, err
	}
	c.client, c.admin = client, kadm.NewClient(client)
	return c, nil
}

// NewClient returns a franz-go client of its own for one stage; the caller closes it.
func (c *Cluster) NewClient(opts ...kgo.Opt) (*kgo.Client, error) {
	client, err := kgo.NewClient(c.options(opts)...)
	if err != nil {
		return nil, fmt.Errorf("making a log client: %w", err)
	}
	return client, nil
}

// NewSession returns a member of a consumer group whose outputs and consumed offsets become visible together; the caller
// closes it.
func (c *Cluster) NewSession(opts ...kgo.Opt) (*kgo.GroupTransactSession, error) {
	s, err := kgo.NewGroupTransactSession(c.options(opts)...)
	if err != nil {
		return nil, fmt.Errorf("making a log session: %w", err)
	}
	return s, nil
}

// options are those that all our clients share, then opts.
func (c *Cluster) options(opts []kgo.Opt) []kgo.Opt {
	base := []kgo.Opt{kgo.SeedBrokers(c.cfg.Brokers...), kgo.ClientID("myelin"), kgo.ProducerLinger(0),
		// New topics and moved leaders are noticed at once; a refresh happens only where something asked for it.
		kgo.MetadataMinAge(100 * time.Millisecond)}
	base = append(base, kgo.Dialer(c.dialer()))
	if c.cfg.Dial == nil {
		base = append(base, overLosses()...)
	}
	if c.cfg.Compress {
		base = append(base, kgo.ProducerBatchCompression(kgo.SnappyCompression(), kgo.NoCompression()))
	} else {
		base = append(base, kgo.ProducerBatchCompression(kgo.NoCompression()))
	}
	if c.cfg.SASL != nil {
		base = append(base, kgo.SASL(c.cfg.SASL.mechanism()))
	}
	base = append(base, c.cfg.Options...)
	return append(base, opts...)
}

// dialer is how clients connect to brokers.
func (c *Cluster) dialer() dialer {
	if c.cfg.Dial != nil {
		return c.cfg.Dial
	}
	return c.lookout.connect
}

// How clients on a cluster get over the loss of a broker. One that was killed refuses connections at once; one that hangs, or whose
// machine is gone, answers nothing, and only time tells: see lookout.
const (
	dialPatience    = 3 * time.Second // for a connection
	answerPatience  = 4 * time.Second // for an answer, beyond what the request itself lets the broker wait
	producePatience = 3 * time.Second // for the other replicas
	lastBackoff     = 500 * time.Millisecond
	// A broker that hangs is given up by the cluster itself. What still waits for it then fails, and goes to its successor, as soon as
	// the client hears of that.
	metadataMaxAge = 2 * time.Second
	manyRetries    = 1000 // it is the time that ends them, 30 s, or the session of a group
)

// overLosses are the options of clients whose brokers may be lost. Requests are idempotent, or looked into, so that one given up too
// early is only sent again. Waiting longer after each failure, as clients do by default, up to 5 s, would add to every pause what the
// last wait lasts beyond the moment at which another broker has taken over.
func overLosses() []kgo.Opt {
	return []kgo.Opt{
		kgo.RequestTimeoutOverhead(answerPatience), kgo.ProduceRequestTimeout(producePatience),
		kgo.MetadataMaxAge(metadataMaxAge), kgo.RetryBackoffFn(backoff), kgo.RequestRetries(manyRetries),
	}
}

// dial connects to a broker over TCP, and TLS where that is configured.
func (cfg *Config) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	plain := &net.Dialer{Timeout: dialPatience}
	if cfg.TLS == nil {
		return plain.DialContext(ctx, network, addr)
	}
	secure := &tls.Dialer{NetDialer: plain, Config: cfg.TLS.Clone()}
	return secure.DialContext(ctx, network, addr)
}

// backoff is how long a client waits after so many failures in a row.
func backoff(failures int) time.Duration {
	d := min(50*time.Millisecond<<min(max(failures-1, 0), 10), lastBackoff)
	return d*4/5 + rand.N(d*2/5)
}

// Client is the shared client for plain requests. It is closed by Close.
func (c *Cluster) Client() *kgo.Client { return c.client }

// Admin lists, creates and changes topics and groups.
func (c *Cluster) Admin() *kadm.Client { return c.admin }

// Close ends the shared client. Clients from NewClient are their callers' to close.
func (c *Cluster) Close() {
	c.client.Close()
	if c.lookout != nil {
		c.lookout.close()
	}
}

// Ping reports whether a broker answers.
func (c *Cluster) Ping(ctx context.Context) error { return c.client.Ping(ctx) }

// TopicSpec is a topic that must exist.
type TopicSpec struct {
	Name       string
	Partitions int32
	Config     map[string]string // retention.ms, cleanup.policy, …
}

// EnsureTopics creates the topics that are missing and returns the partition count of each. Existing topics keep their
// partitions; they are never changed here.
func (c *Cluster) EnsureTopics(ctx context.Context, specs ...TopicSpec) (map[string]int32, error) {
	names := make([]string, len(specs))
	for i, s := range specs {
		names[i] = s.Name
	}
	counts, err := c.partitions(ctx, names)
	if err != nil {
		return nil, err
	}
	for _, s := range specs {
		if _, ok := counts[s.Name]; ok {
			continue
		}
		replication := c.cfg.Replication
		if replication == 0 {
			replication = -1
		}
		cfg := map[string]*string{}
		for k, v := range s.Config {
			cfg[k] = &v
		}
		resp, err := c.admin.CreateTopic(ctx, s.Partitions, replication, cfg, s.Name)
		if err == nil {
			err = resp.Err
		}
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return nil, fmt.Errorf("creating topic %s with %d partitions: %w", s.Name, s.Partitions, err)
		}
	}
	return c.awaitTopics(ctx, names)
}

// awaitTopics asks until every topic has a leader for every partition: creation is not visible at once on a cluster.
func (c *Cluster) awaitTopics(ctx context.Context, names []string) (map[string]int32, error) {
	for {
		counts, err := c.partitions(ctx, names)
		if err != nil {
			return nil, err
		}
		missing := slices.DeleteFunc(slices.Clone(names), func(n string) bool { _, ok := counts[n]; return ok })
		if len(missing) == 0 {
			return counts, nil
		}
		if err := clock.Pause(ctx, topicPollEvery); err != nil {
			return nil, fmt.Errorf("waiting for topics %s: %w", strings.Join(missing, ", "), err)
		}
	}
}

// partitions maps each topic that exists, and whose partitions all have leaders, to its partition count.
func (c *Cluster) partitions(ctx context.Context, names []string) (map[string]int32, error) {
	counts := map[string]int32{}
	if len(names) == 0 {
		return counts, nil
	}
	details, err := c.admin.ListTopicsWithInternal(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("listing topics: %w", err)
	}
	for _, d := range details {
		if d.Err != nil || len(d.Partitions) == 0 {
			continue
		}
		led := true
		for _, p := range d.Partitions {
			led = led && p.Err == nil && p.Leader >= 0
		}
		if led {
			counts[d.Topic] = int32(len(d.Partitions))
		}
	}
	return counts, nil
}
