// Package broker is the embedded log: a single-node broker that Kafka clients cannot tell from Kafka, with one difference,
// that nothing is acknowledged before it is on disk.
//
// The parts: store (bytes on disk), partition (idempotence, transactions, waiting readers), topic (names and configurations),
// group and txn (the coordinators), api (one file per request), wire (connections). This package opens and closes them
// together and runs their upkeep.
package broker

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sync/errgroup"

	"myelin/internal/broker/access"
	"myelin/internal/broker/alarm"
	"myelin/internal/broker/api"
	"myelin/internal/broker/compact"
	"myelin/internal/broker/group"
	"myelin/internal/broker/journal"
	"myelin/internal/broker/partition"
	"myelin/internal/broker/quota"
	"myelin/internal/broker/store"
	"myelin/internal/broker/topic"
	"myelin/internal/broker/txn"
	"myelin/internal/broker/wire"
	"myelin/internal/clock"
	"myelin/internal/telemetry"
)

// Config says where the broker lives and what it allows. Every field but Dir has a usable zero value.
type Config struct {
	Dir   string      // data folder, made when missing
	FS    vfs.FS      // nil: the machine's file system
	Clock clock.Clock // nil: the machine's clock

	// Advertised is the host:port that clients are told to connect to; empty means the address they came to.
	Advertised        string
	NodeID            int32             // 1
	AutoCreateTopics  bool              // a client that asks for a missing topic creates it
	DefaultPartitions int32             // of topics whose creator does not say: 1
	MaxPartitions     int               // of all topics together: 50,000
	MaxFetchBytes     int               // of one fetch response: 64 MiB
	FetchBudget       int64             // of all fetch responses that are being sent: 256 MiB
	TopicDefaults     map[string]string // defaults of topic settings that differ from Kafka's

	// Reserved names the topics that only in-process connections may write; nil: none.
	Reserved func(topic string) bool
	// Protected names the topics that outsiders do not delete, and whose records and settings only privacy officers and admins take
	// away or change: what was acknowledged must not vanish by a slip. nil: none.
	Protected func(topic string) bool

	// Admit is told how many records of a topic came from outside, and says how long the client has to wait before it sends more: it is
	// told so, and not read meanwhile. nil: not at all.
	Admit func(topic string, records int) time.Duration

	// Access says who gets in; its zero value lets everybody do everything.
	Access access.Config
	// TLS is spoken by what Serve listens on; nil: plain TCP.
	TLS *tls.Config

	// ProducerRetention is how long the sequence numbers of a producer that sends nothing are kept: 24 h.
	ProducerRetention time.Duration

	Limits Limits
	Groups group.Config
	Txns   txn.Config
	Store  store.Config // Dir, FS and Clock are set from the above

	Compact compact.Config // Clock, Log and Save are set by the broker

	Log       *slog.Logger        // nil: silent
	Telemetry *telemetry.Registry // nil: a private one
}

// Limits bound what clients can make the broker hold.
type Limits = wire.Limits

func (c Config) withDefaults() Config {
	if c.FS == nil {
		c.FS = vfs.Default
	}
	if c.Clock == nil {
		c.Clock = clock.Real{}
	}
	if c.NodeID == 0 {
		c.NodeID = 1
	}
	if c.DefaultPartitions <= 0 {
		c.DefaultPartitions = 1
	}
	if c.MaxPartitions <= 0 {
		c.MaxPartitions = 50_000
	}
	if c.MaxFetchBytes <= 0 {
		c.MaxFetchBytes = 64 << 20
	}
	if c.FetchBudget <= 0 {
		c.FetchBudget = 256 << 20
	}
	if c.ProducerRetention <= 0 {
		c.ProducerRetention = 24 * time.Hour
	}
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if c.Telemetry == nil {
		c.Telemetry = telemetry.New()
	}
	return c
}

// Broker is a running broker. All methods may be called at the same time.
type Broker struct {
	cfg    Config
	store  *store.Store
	topics *topic.Registry
	groups *group.Coordinator
	txns   *txn.Coordinator
	alarms *alarm.Alarms
	wire   *wire.Server
	access *access.Access
	quotas *quota.Quotas
	api    *api.Server

	cleaner   *compact.Cleaner
	compacted atomic.Int64  // records removed
	saving    chan struct{} // holds one token: who writes the producer snapshot

	ctx     context.Context // ends when the broker closes
	stop    context.CancelFunc
	tasks   sync.WaitGroup
	closing sync.Once
	err     error
}

// Open recovers the data folder and starts the broker. It serves nobody before Serve or Dial.
func Open(cfg Config) (*Broker, error) {
	cfg = cfg.withDefaults()
	apiCfg := api.Config{
		NodeID: cfg.NodeID, Dir: cfg.Dir, Reserved: cfg.Reserved, Protected: cfg.Protected, Admit: cfg.Admit, AutoCreate: cfg.AutoCreateTopics, DefaultPartitions: cfg.DefaultPartitions,
		MaxFetchBytes: cfg.MaxFetchBytes, FetchBudget: cfg.FetchBudget,
	}
	if cfg.Advertised != "" {
		host, port, err := net.SplitHostPort(cfg.Advertised)
		if err != nil {
			return nil, fmt.Errorf("reading advertised address %q: %w", cfg.Advertised, err)
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("reading advertised address %q: %w", cfg.Advertised, err)
		}
		apiCfg.AdvertisedHost, apiCfg.AdvertisedPort = host, int32(n)
	}
	sc := cfg.Store
	sc.Dir, sc.FS, sc.Clock = cfg.Dir, cfg.FS, cfg.Clock
	syncs := cfg.Telemetry.Histogram("myelin_log_fsync_seconds", "How long an fdatasync of the write-ahead log took.")
	sc.Synced = syncs.Observe
	st, err := store.Open(sc)
	if err != nil {
		return nil, fmt.Errorf("opening the log in %s: %w", cfg.Dir, err)
	}
	b := &Broker{cfg: cfg, store: st, alarms: alarm.New(cfg.Clock), saving: make(chan struct{}, 1)}
	cfg.Compact.Clock, cfg.Compact.Log, cfg.Compact.Save = cfg.Clock, cfg.Log, b.saveSnapshot
	b.cleaner = compact.New(cfg.Compact)
	if err := b.recover(); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	server := &api.Server{
		Config: apiCfg, Topics: b.topics, Groups: b.groups, Txns: b.txns, Store: st, Alarms: b.alarms, Log: cfg.Log,
		Access: b.access, Quotas: b.quotas,
	}
	b.api = server
	// The offsets topic is made once with a random id and never deleted: its id serves as the cluster's.
	server.Prepare(b.topics.Name(topic.OffsetsName).ID)
	b.wire = wire.NewServer(server, cfg.Limits, cfg.Log)
	b.ctx, b.stop = context.WithCancel(context.Background())
	b.measure()
	b.tasks.Go(func() { b.alarms.Run(b.ctx) })
	b.tasks.Go(func() { b.upkeep(b.ctx) })
	b.tasks.Go(func() { b.compaction(b.ctx) })
	return b, nil
}

// recover rebuilds in memory what the log says.
func (b *Broker) recover() error {
	var err error
	if b.topics, err = topic.Open(b.store, b.cfg.Clock, b.cfg.TopicDefaults, b.cfg.MaxPartitions); err != nil {
		return fmt.Errorf("opening topics: %w", err)
	}
	internal := map[string]string{"cleanup.policy": "compact", "segment.bytes": "16777216", "max.message.bytes": "8388608"}
	offsets, err := b.topics.Ensure(topic.OffsetsName, 1, internal)
	if err != nil {
		return fmt.Errorf("opening topic %s: %w", topic.OffsetsName, err)
	}
	transactions, err := b.topics.Ensure(topic.TransactionsName, 1, internal)
	if err != nil {
		return fmt.Errorf("opening topic %s: %w", topic.TransactionsName, err)
	}
	settings, err := b.topics.Ensure(topic.SettingsName, 1, internal)
	if err != nil {
		return fmt.Errorf("opening topic %s: %w", topic.SettingsName, err)
	}
	all := b.partitions()
	if err := b.recoverPartitions(all); err != nil {
		return err
	}
	if err := b.openSettings(settings.Partition(0)); err != nil {
		return err
	}
	b.groups = group.New(b.cfg.Groups, b.alarms, b.topics, offsets.Partition(0), b.cfg.Log)
	if err := b.groups.Recover(); err != nil {
		return fmt.Errorf("recovering consumer groups: %w", err)
	}
	b.topics.OnDelete(func(t *topic.Topic) { b.groups.TopicDeleted(t.Name) })
	b.txns = txn.New(b.cfg.Txns, b.alarms, b.store, transactions.Partition(0), b.groups, b.cfg.Log)
	if err := b.txns.Recover(b.topics.Partition, all); err != nil {
		return fmt.Errorf("recovering transactions: %w", err)
	}
	return nil
}

func (b *Broker) partitions() []*partition.Partition {
	var all []*partition.Partition
	for _, t := range b.topics.All() {
		all = append(all, t.Partitions()...)
	}
	return all
}

// recoverPartitions gives every partition its producers and transactions: from the last snapshot and what came after it.
func (b *Broker) recoverPartitions(all []*partition.Partition) error {
	states := readSnapshot(b.cfg.FS, b.cfg.Dir, b.cfg.Log)
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, p := range all {
		g.Go(func() error {
			from := int64(0)
			if s, ok := states[partitionKey{p.ID, p.Index}]; ok && s.Next <= p.Log().HighWatermark() && p.Restore(s) == nil {
				from = s.Next
			}
			if err := p.Recover(from); err != nil {
				return fmt.Errorf("recovering producers of %s-%d: %w", p.Topic, p.Index, err)
			}
			p.Trim()
			return nil
		})
	}
	return g.Wait()
}

// openSettings reads who may do what, and how much.
func (b *Broker) openSettings(p *partition.Partition) error {
	j, err := journal.Open(p, b.cfg.Clock)
	if err != nil {
		return err
	}
	if b.quotas, err = quota.Open(j, b.cfg.Clock); err != nil {
		return err
	}
	var secret [32]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return fmt.Errorf("reading random bytes: %w", err)
	}
	b.access = access.New(b.cfg.Access, j, b.cfg.Clock, secret)
	return nil
}

// Serve accepts connections on ln until ctx ends or the broker closes. It closes ln.
func (b *Broker) Serve(ctx context.Context, ln net.Listener) error {
	if b.cfg.TLS != nil {
		ln = tls.NewListener(ln, b.cfg.TLS)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	unlink := context.AfterFunc(b.ctx, stop)
	defer unlink()
	if err := b.wire.Serve(ctx, b.ctx, ln); err != nil {
		return fmt.Errorf("serving Kafka clients on %s: %w", ln.Addr(), err)
	}
	return nil
}

// ErrClosed is returned by Dial once the broker is closing.
var ErrClosed = errors.New("broker closed")

// Dial connects to the broker within the process.
func (b *Broker) Dial(context.Context) (net.Conn, error) {
	if b.ctx.Err() != nil {
		return nil, ErrClosed
	}
	client, server := wire.Pipe()
	b.wire.Start(b.ctx, server)
	return client, nil
}

// Store is the store under the broker, for its statistics and problems.
func (b *Broker) Store() *store.Store { return b.store }

// Topics is the registry of topics.
func (b *Broker) Topics() *topic.Registry { return b.topics }

// Groups is the coordinator of consumer groups.
func (b *Broker) Groups() *group.Coordinator { return b.groups }

// Failed is closed when the store has stopped on an error; nothing is accepted from then on. Err says which.
func (b *Broker) Failed() <-chan struct{} { return b.store.Failed() }

// Err is the error that stopped the store, or nil.
func (b *Broker) Err() error { return b.store.Err() }

// Close ends all connections, saves what makes the next start fast and closes the store. What was acknowledged is on disk
// already.
func (b *Broker) Close() error {
	b.closing.Do(func() {
		b.stop()
		b.wire.Wait()
		b.tasks.Wait()
		err := b.saveSnapshot()
		if err != nil && b.store.Err() != nil {
			err = nil // the store's own error says it
		}
		b.err = errors.Join(err, b.store.Close())
	})
	return b.err
}

// Transactions describes all transactional ids.
func (b *Broker) Transactions() []txn.Description { return b.txns.List() }

// Panics counts the requests that made the broker panic: each is a bug.
func (b *Broker) Panics() int64 { return b.wire.Stats().Panics.Load() }

// LoginsRefused counts the logins that were not looked at because too many before were wrong.
func (b *Broker) LoginsRefused() int64 { return b.access.Guard().Refused() }

// ConnectionsMade counts the connections so far.
func (b *Broker) ConnectionsMade() int64 { return b.wire.Made() }

// Muted counts the answers that told a client to wait because of a quota, and how long in all.
func (b *Broker) Muted() (answers int64, waits time.Duration) { return b.quotas.Muted() }
