// Package topic keeps the topics of the broker: their names, ids, partitions and configurations. The store is the durable
// truth; this package is what requests look things up in.
package topic

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"

	"myelin/internal/broker/partition"
	"myelin/internal/broker/store"
	"myelin/internal/clock"
)

// The broker's own topics, the first two as Kafka has them. Other names may begin with underscores too: Debezium's and Cruise
// Control's do.
const (
	OffsetsName      = "__consumer_offsets"
	TransactionsName = "__transaction_state"
	SettingsName     = "__settings" // Myelin's own: docs/formats/settings.md
)

var internal = map[string]bool{OffsetsName: true, TransactionsName: true, SettingsName: true}

// Topic is one topic. Partitions and Config may change at any time; a request takes them once.
type Topic struct {
	Name string
	ID   store.TopicID
	// Internal topics are the broker's own; clients may read but not write them.
	Internal bool

	parts  atomic.Pointer[[]*partition.Partition]
	config atomic.Pointer[Config]
}

// Partitions are the partitions by index. The slice must not be changed.
func (t *Topic) Partitions() []*partition.Partition { return *t.parts.Load() }

// Partition is one partition, or nil.
func (t *Topic) Partition(i int32) *partition.Partition {
	ps := t.Partitions()
	if i < 0 || int(i) >= len(ps) {
		return nil
	}
	return ps[i]
}

// Config is the effective configuration.
func (t *Topic) Config() *Config { return t.config.Load() }

// meta is what the registry keeps in store.TopicConfig.Meta.
type meta struct {
	Version int               `json:"version"`
	Configs map[string]string `json:"configs,omitempty"`
}

// Registry holds all topics. All methods may be called at the same time.
type Registry struct {
	store    *store.Store
	clock    clock.Clock
	defaults map[string]string // the broker's defaults of topic settings
	max      int               // partitions of all topics together

	version atomic.Uint64

	admin sync.Mutex // held over a change, which waits for the disk; before mu

	mu struct {
		sync.RWMutex
		byName     map[string]*Topic
		byID       map[store.TopicID]*Topic
		partitions int
		onDelete   []func(*Topic)
	}
}

// Errors for callers that branch on them are Kafka's: they are sent as they are.
var (
	errExists  = kerr.TopicAlreadyExists
	errUnknown = kerr.UnknownTopicOrPartition
)

// Open reads the topics of the store. Their partitions are not recovered yet.
func Open(s *store.Store, c clock.Clock, defaults map[string]string, maxPartitions int) (*Registry, error) {
	r := &Registry{store: s, clock: c, defaults: defaults, max: maxPartitions}
	r.mu.byName = make(map[string]*Topic)
	r.mu.byID = make(map[store.TopicID]*Topic)
	for _, info := range s.Topics() {
		var m meta
		if len(info.Config.Meta) > 0 {
			if err := json.Unmarshal(info.Config.Meta, &m); err != nil {
				return nil, fmt.Errorf("reading configuration of topic %s: %w", info.Name, err)
			}
		}
		c, err := Parse(m.Configs, defaults)
		if err != nil {
			return nil, fmt.Errorf("reading configuration of topic %s: %w", info.Name, err)
		}
		r.add(r.build(info.Name, info.ID, info.Partitions, c))
	}
	return r, nil
}

func (r *Registry) build(name string, id store.TopicID, n int32, c *Config) *Topic {
	t := &Topic{Name: name, ID: id, Internal: internal[name]}
	ps := make([]*partition.Partition, n)
	for i := range ps {
		ps[i] = partition.New(name, id, int32(i), r.store.Partition(id, int32(i)), r.clock)
	}
	t.parts.Store(&ps)
	t.config.Store(c)
	return t
}

func (r *Registry) add(t *Topic) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.byName[t.Name] = t
	r.mu.byID[t.ID] = t
	r.mu.partitions += len(t.Partitions())
	r.version.Add(1)
}

// Name finds a topic by name, or returns nil.
func (r *Registry) Name(name string) *Topic {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.mu.byName[name]
}

// ID finds a topic by id, or returns nil.
func (r *Registry) ID(id store.TopicID) *Topic {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.mu.byID[id]
}

// Version changes whenever topics come, go or grow.
func (r *Registry) Version() uint64 { return r.version.Load() }

// Describe finds the id and the number of partitions of a topic.
func (r *Registry) Describe(name string) (id [16]byte, partitions int32, ok bool) {
	t := r.Name(name)
	if t == nil {
		return id, 0, false
	}
	return t.ID, int32(len(t.Partitions())), true
}

// NameOf finds the name of a topic by its id.
func (r *Registry) NameOf(id [16]byte) (string, bool) {
	if t := r.ID(id); t != nil {
		return t.Name, true
	}
	return "", false
}

// Names lists the topics, in no order.
func (r *Registry) Names() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]string, 0, len(r.mu.byName))
	for name := range r.mu.byName {
		out = append(out, name)
	}
	return out
}

// Partition finds a partition by topic name, or returns nil.
func (r *Registry) Partition(name string, i int32) *partition.Partition {
	if t := r.Name(name); t != nil {
		return t.Partition(i)
	}
	return nil
}

// All lists the topics by name.
func (r *Registry) All() []*Topic {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.SortedFunc(maps.Values(r.mu.byName), func(a, b *Topic) int { return cmp.Compare(a.Name, b.Name) })
}

// Defaults are the broker's defaults of topic settings.
func (r *Registry) Defaults() map[string]string { return r.defaults }

// OnDelete makes f run after each deletion of a topic.
func (r *Registry) OnDelete(f func(*Topic)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.onDelete = append(r.mu.onDelete, f)
}

// CheckCreate says why a topic could not be created, or nil. The error is a *kerr.Error or *InvalidError.
func (r *Registry) CheckCreate(name string, partitions int32, configs map[string]string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.mu.byName[name] != nil {
		return errExists
	}
	for other := range r.mu.byName {
		if clash(name, other) {
			return &InvalidError{Code: kerr.InvalidTopicException, Reason: fmt.Sprintf("Topic '%s' collides with existing topic: %s", name, other)}
		}
	}
	if partitions <= 0 {
		return &InvalidError{Code: kerr.InvalidPartitions, Reason: "Number of partitions was set to an invalid non-positive value."}
	}
	if int(partitions) > r.max-r.mu.partitions {
		return &InvalidError{Code: kerr.InvalidPartitions, Reason: fmt.Sprintf("The broker holds at most %d partitions, and has %d.", r.max, r.mu.partitions)}
	}
	if _, err := Parse(configs, r.defaults); err != nil {
		return &InvalidError{Code: kerr.InvalidConfig, Reason: err.Error()}
	}
	return nil
}

// Create makes a topic, durable when it returns.
func (r *Registry) Create(name string, partitions int32, configs map[string]string) (*Topic, error) {
	r.admin.Lock()
	defer r.admin.Unlock()
	if err := r.CheckCreate(name, partitions, configs); err != nil {
		return nil, err
	}
	c, err := Parse(configs, r.defaults)
	if err != nil {
		return nil, &InvalidError{Code: kerr.InvalidConfig, Reason: err.Error()}
	}
	sc, err := r.toStore(c)
	if err != nil {
		return nil, err
	}
	id := newID()
	if err := r.store.CreateTopic(id, name, partitions, sc); err != nil {
		if errors.Is(err, store.ErrTopicExists) {
			return nil, errExists
		}
		return nil, fmt.Errorf("creating topic %s: %w", name, err)
	}
	t := r.build(name, id, partitions, c)
	r.add(t)
	return t, nil
}

func (r *Registry) toStore(c *Config) (store.TopicConfig, error) {
	sc := c.stored(r.defaults)
	var err error
	sc.Meta, err = json.Marshal(meta{Version: 1, Configs: c.Set})
	return sc, err
}

// Ensure returns the topic and creates it when it is missing.
func (r *Registry) Ensure(name string, partitions int32, configs map[string]string) (*Topic, error) {
	if t := r.Name(name); t != nil {
		return t, nil
	}
	t, err := r.Create(name, partitions, configs)
	if errors.Is(err, errExists) {
		if t = r.Name(name); t != nil {
			return t, nil
		}
	}
	return t, err
}

// Delete removes a topic with its data.
func (r *Registry) Delete(t *Topic) error {
	r.admin.Lock()
	defer r.admin.Unlock()
	if r.ID(t.ID) != t {
		return errUnknown
	}
	if err := r.store.DeleteTopic(t.ID); err != nil && !errors.Is(err, store.ErrUnknownTopic) {
		return fmt.Errorf("deleting topic %s: %w", t.Name, err)
	}
	r.mu.Lock()
	delete(r.mu.byName, t.Name)
	delete(r.mu.byID, t.ID)
	r.mu.partitions -= len(t.Partitions())
	hooks := r.mu.onDelete
	r.mu.Unlock()
	r.version.Add(1)
	for _, p := range t.Partitions() {
		p.Close()
	}
	for _, f := range hooks {
		f(t)
	}
	return nil
}

// Grow gives a topic more partitions.
func (r *Registry) Grow(t *Topic, total int32) error {
	r.admin.Lock()
	defer r.admin.Unlock()
	old := t.Partitions()
	r.mu.RLock()
	room := r.max - r.mu.partitions
	r.mu.RUnlock()
	if int(total)-len(old) > room {
		return &InvalidError{Code: kerr.InvalidPartitions, Reason: fmt.Sprintf("The broker holds at most %d partitions.", r.max)}
	}
	if err := r.store.AddPartitions(t.ID, total); err != nil {
		return fmt.Errorf("adding partitions to topic %s: %w", t.Name, err)
	}
	ps := slices.Clone(old)
	for i := int32(len(old)); i < total; i++ {
		ps = append(ps, partition.New(t.Name, t.ID, i, r.store.Partition(t.ID, i), r.clock))
	}
	t.parts.Store(&ps)
	r.mu.Lock()
	r.mu.partitions += len(ps) - len(old)
	r.mu.Unlock()
	r.version.Add(1)
	return nil
}

// Configure replaces what a topic sets itself.
func (r *Registry) Configure(t *Topic, configs map[string]string) error {
	r.admin.Lock()
	defer r.admin.Unlock()
	c, err := Parse(configs, r.defaults)
	if err != nil {
		return &InvalidError{Code: kerr.InvalidConfig, Reason: err.Error()}
	}
	sc, err := r.toStore(c)
	if err != nil {
		return err
	}
	if err := r.store.SetTopicConfig(t.ID, sc); err != nil {
		return fmt.Errorf("configuring topic %s: %w", t.Name, err)
	}
	t.config.Store(c)
	return nil
}

// newID makes a random topic id. Ids that start with a dash in base64 are avoided, as Kafka's own are, because they look
// like flags on a command line.
func newID() store.TopicID {
	for {
		var id store.TopicID
		rand.Read(id[:])
		id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
		if id[0]>>2 != 62 {
			return id
		}
	}
}
