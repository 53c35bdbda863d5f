// Package group coordinates consumer groups: the classic rebalance protocol, that of KIP-848 (whose state package consumer is)
// and the committed offsets. What must survive a restart is kept as records of __consumer_offsets in Kafka's own format.
//
// Lock order: Coordinator.mu, Group.writing, Group.mu, then the partition's locks. The callbacks of appends take Group.mu, so
// nothing appends while it holds Group.mu.
package group

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/alarm"
	"myelin/internal/broker/group/consumer"
	"myelin/internal/broker/partition"
)

// Config bounds what groups may do. Zero fields take the defaults.
type Config struct {
	MinSession       time.Duration // 6 s, as Kafka
	MaxSession       time.Duration // 30 min
	InitialDelay     time.Duration // how long the first rebalance of an empty group waits for more members; 0
	MaxMembers       int           // of one group: 1,000
	MaxGroups        int           // 100,000
	MaxMetadataBytes int           // of a committed offset: 4,096
	OffsetsRetention time.Duration // how long an empty group keeps its offsets: 7 days
	CheckpointBytes  int64         // growth of __consumer_offsets that makes it be rewritten: 8 MiB

	// Of the members of KIP-848; a group may set its own.
	ConsumerSession      time.Duration // group.consumer.session.timeout.ms: 45 s
	ConsumerHeartbeat    time.Duration // group.consumer.heartbeat.interval.ms: 5 s
	MinConsumerSession   time.Duration // of what a group sets: 6 s; the largest is MaxSession
	MinConsumerHeartbeat time.Duration // 100 ms
}

func (c Config) withDefaults() Config {
	dur := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	num := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	dur(&c.MinSession, 6*time.Second)
	dur(&c.MaxSession, 30*time.Minute)
	dur(&c.OffsetsRetention, 7*24*time.Hour)
	dur(&c.ConsumerSession, 45*time.Second)
	dur(&c.ConsumerHeartbeat, 5*time.Second)
	dur(&c.MinConsumerSession, 6*time.Second)
	dur(&c.MinConsumerHeartbeat, 100*time.Millisecond)
	num(&c.MaxMembers, 1000)
	num(&c.MaxGroups, 100_000)
	num(&c.MaxMetadataBytes, 4096)
	if c.CheckpointBytes <= 0 {
		c.CheckpointBytes = 8 << 20
	}
	return c
}

// Topics is what the coordinator asks about topics.
type Topics interface {
	consumer.Topics
	// Partition is nil when there is no such partition.
	Partition(topic string, index int32) *partition.Partition
	// NameOf finds the name of a topic by its id.
	NameOf(id [16]byte) (string, bool)
}

// Coordinator holds all groups. All methods may be called at the same time.
type Coordinator struct {
	cfg     Config
	alarms  *alarm.Alarms
	topics  Topics
	offsets *partition.Partition // __consumer_offsets-0
	log     *slog.Logger

	// For Checkpoint, which one goroutine calls.
	replayed     int64 // bytes that Recover read
	checkpointed int64 // Offsets().BytesIn() at the last checkpoint
	liveBytes    int64 // size of the last checkpoint

	configuring sync.Mutex // held over a change of settings, which waits for the disk

	configMu sync.Mutex // the innermost of all
	configs  map[string]settings

	mu struct {
		sync.Mutex
		groups  map[string]*Group
		pending map[int64]map[string]bool // producer id → groups with offsets of its open transaction
	}
}

// New returns a coordinator without groups; Recover reads them from the offsets partition.
func New(cfg Config, alarms *alarm.Alarms, topics Topics, offsets *partition.Partition, log *slog.Logger) *Coordinator {
	c := &Coordinator{cfg: cfg.withDefaults(), alarms: alarms, topics: topics, offsets: offsets, log: log}
	c.mu.groups = make(map[string]*Group)
	c.mu.pending = make(map[int64]map[string]bool)
	c.configs = make(map[string]settings)
	return c
}

// Offsets is the partition that holds the committed offsets.
func (c *Coordinator) Offsets() *partition.Partition { return c.offsets }

// State is where a classic group stands. Its text is Kafka's.
type State string

// The states of a classic group.
const (
	Empty      State = "Empty"
	Preparing  State = "PreparingRebalance"
	Completing State = "CompletingRebalance"
	Stable     State = "Stable"
	Dead       State = "Dead"
)

// Group is one consumer group.
type Group struct {
	Name string

	c       *Coordinator
	writing sync.Mutex // makes the group's records come in the order of its states

	mu struct {
		sync.Mutex
		state        State
		since        time.Time // when the group became empty
		generation   int32
		protocolType string
		protocol     string
		leader       string
		members      map[string]*member
		pending      map[string]*alarm.Alarm // ids handed out that have not joined yet (KIP-394)
		static       map[string]string       // instance id → member id
		rebalance    *alarm.Alarm            // ends the phase in which members join, or sync
		offsets      map[spot]commit
		txns         map[int64]map[spot]commit // by producer id, not committed yet
		dirty        bool                      // the group's record no longer says what is so

		modern  *consumer.Group   // of the protocol of KIP-848; nil in a classic group, and members is empty otherwise
		watches map[string]*watch // of its members
		erase   []consumer.Record // to be written before anything else
		flight  *flight           // the last append of the group's records, if it is under way
	}
}

// member is one consumer of a group.
type member struct {
	id         string
	instance   *string
	clientID   string
	clientHost string
	session    time.Duration
	rebalance  time.Duration
	protocols  []kmsg.JoinGroupRequestProtocol
	assignment []byte
	deadline   time.Time
	alarm      *alarm.Alarm
	join       *waiter[*kmsg.JoinGroupResponse] // a JoinGroup that waits for the others
	sync       *waiter[*kmsg.SyncGroupResponse] // a SyncGroup that waits for the leader
}

// waiter is a request that waits for its answer.
type waiter[T any] struct {
	req kmsg.Request
	ch  chan T
}

func newWaiter[T any](req kmsg.Request) *waiter[T] { return &waiter[T]{req: req, ch: make(chan T, 1)} }

// await returns the answer, or the zero value when ctx ends first.
func (w *waiter[T]) await(ctx context.Context) (v T) {
	select {
	case v = <-w.ch:
	case <-ctx.Done():
	}
	return v
}

// Client is who asks.
type Client struct {
	ID   string // client.id
	Host string
}

// find returns the group, or nil.
func (c *Coordinator) find(name string) *Group {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.groups[name]
}

// findOrMake returns the group and creates it when it is missing, unless there are too many.
func (c *Coordinator) findOrMake(name string) *Group {
	c.mu.Lock()
	defer c.mu.Unlock()
	if g := c.mu.groups[name]; g != nil {
		return g
	}
	if len(c.mu.groups) >= c.cfg.MaxGroups {
		return nil
	}
	g := &Group{Name: name, c: c}
	g.mu.state = Empty
	g.mu.since = c.alarms.Now()
	g.mu.members = make(map[string]*member)
	g.mu.pending = make(map[string]*alarm.Alarm)
	g.mu.static = make(map[string]string)
	g.mu.offsets = make(map[spot]commit)
	g.mu.txns = make(map[int64]map[spot]commit)
	c.mu.groups[name] = g
	return g
}

// all lists the groups in no order.
func (c *Coordinator) all() []*Group {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]*Group, 0, len(c.mu.groups))
	for _, g := range c.mu.groups {
		out = append(out, g)
	}
	return out
}
