package store

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// topic is one topic in memory.
type topic struct {
	id    TopicID
	name  string
	cfg   atomic.Pointer[TopicConfig]
	parts atomic.Pointer[[]*Partition]
}

func (t *topic) info() TopicInfo {
	return TopicInfo{ID: t.id, Name: t.name, Partitions: int32(len(*t.parts.Load())), Config: *t.cfg.Load()}
}

// topics is the catalogue: what is durable. Changes are admitted one at a time (turn), each as a control frame that the
// committer applies once it is on disk.
type topics struct {
	turn chan struct{} // holds one token
	mu   struct {
		sync.RWMutex
		byID    map[TopicID]*topic
		byName  map[string]*topic
		leaving map[TopicID]*topic // deleted, but their folders are not gone yet
	}
}

func newTopics() *topics {
	t := &topics{turn: make(chan struct{}, 1)}
	t.mu.byID = map[TopicID]*topic{}
	t.mu.byName = map[string]*topic{}
	t.mu.leaving = map[TopicID]*topic{}
	return t
}

func (t *topics) id(id TopicID) *topic {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.mu.byID[id]
}

func (t *topics) name(name string) *topic {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.mu.byName[name]
}

// CreateTopic makes a topic with empty partitions 0..partitions-1, durable when it returns. ErrTopicExists when the name
// or id is taken.
func (s *Store) CreateTopic(id TopicID, name string, partitions int32, cfg TopicConfig) error {
	if err := checkTopic(id, name, partitions); err != nil {
		return err
	}
	s.topics.turn <- struct{}{}
	defer func() { <-s.topics.turn }()
	if s.topics.id(id) != nil || s.topics.name(name) != nil {
		return fmt.Errorf("%w: %s", ErrTopicExists, name)
	}
	return s.changeTopic(TopicInfo{ID: id, Name: name, Partitions: partitions, Config: withDefaults(cfg)})
}

// AddPartitions grows a topic to total partitions, durable when it returns.
func (s *Store) AddPartitions(id TopicID, total int32) error {
	return s.alterTopic(id, func(t *TopicInfo) error {
		if total < t.Partitions {
			return fmt.Errorf("%w: %s has %d partitions, which cannot shrink to %d", ErrBadTopic, t.Name, t.Partitions, total)
		}
		t.Partitions = total
		return checkTopic(t.ID, t.Name, total)
	})
}

// SetTopicConfig replaces a topic's configuration, durable when it returns.
func (s *Store) SetTopicConfig(id TopicID, cfg TopicConfig) error {
	return s.alterTopic(id, func(t *TopicInfo) error {
		t.Config = withDefaults(cfg)
		return nil
	})
}

func (s *Store) alterTopic(id TopicID, change func(*TopicInfo) error) error {
	s.topics.turn <- struct{}{}
	defer func() { <-s.topics.turn }()
	t := s.topics.id(id)
	if t == nil {
		return ErrUnknownTopic
	}
	info := t.info()
	if err := change(&info); err != nil {
		return err
	}
	return s.changeTopic(info)
}

func (s *Store) changeTopic(info TopicInfo) error {
	return s.control(frameTopic, appendTopic(nil, info), func() { s.applyTopic(info) })
}

// DeleteTopic removes a topic and its data. It works on a full disk. Batches still queued for it answer ErrUnknownTopic
// or succeed; reads of its partitions answer ErrUnknownTopic from then on.
func (s *Store) DeleteTopic(id TopicID) error {
	s.topics.turn <- struct{}{}
	defer func() { <-s.topics.turn }()
	t := s.topics.id(id)
	if t == nil {
		return ErrUnknownTopic
	}
	parts := *t.parts.Load()
	s.setGone(parts, true)
	if err := s.control(frameDelete, id[:], func() { s.applyDelete(t) }); err != nil {
		s.setGone(parts, false)
		return err
	}
	// The name is free again only when the folders have left it: a topic of the same name may then be told from this one.
	return s.flusher.do(func() error { return s.flusher.removeTopic(t) })
}

func (s *Store) setGone(parts []*Partition, gone bool) {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	for _, p := range parts {
		p.gone = gone
	}
}

// Topics lists all topics, by name.
func (s *Store) Topics() []TopicInfo {
	var infos []TopicInfo
	for _, t := range s.topicList() {
		infos = append(infos, t.info())
	}
	return infos
}

func (s *Store) topicList() []*topic {
	list, _ := s.topics.list()
	return list
}

// list returns the topics by name, and those that are leaving.
func (t *topics) list() (live, leaving []*topic) {
	t.mu.RLock()
	live = slices.AppendSeq(make([]*topic, 0, len(t.mu.byID)), maps.Values(t.mu.byID))
	leaving = slices.Collect(maps.Values(t.mu.leaving))
	t.mu.RUnlock()
	slices.SortFunc(live, func(a, b *topic) int { return cmp.Compare(a.name, b.name) })
	return live, leaving
}

// Topic describes the topic of that id.
func (s *Store) Topic(id TopicID) (TopicInfo, bool) {
	if t := s.topics.id(id); t != nil {
		return t.info(), true
	}
	return TopicInfo{}, false
}

// TopicByName describes the topic of that name.
func (s *Store) TopicByName(name string) (TopicInfo, bool) {
	if t := s.topics.name(name); t != nil {
		return t.info(), true
	}
	return TopicInfo{}, false
}

// Partition is the partition's handle, or nil when there is none. A handle outlives the deletion of its topic: it then
// answers ErrUnknownTopic.
func (s *Store) Partition(id TopicID, partition int32) *Partition {
	t := s.topics.id(id)
	if t == nil {
		return nil
	}
	parts := *t.parts.Load()
	if partition < 0 || int(partition) >= len(parts) {
		return nil
	}
	return parts[partition]
}

// control admits a control frame and waits until it is durable and applied.
func (s *Store) control(kind frameKind, payload []byte, apply func()) error {
	n := frameBytes(int64(len(payload)))
	if n > s.maxFrame {
		return fmt.Errorf("%w: description of %d bytes", ErrTooLarge, len(payload))
	}
	result := make(chan error, 1)
	q := s.queue
	q.mu.Lock()
	err := q.admit(n, true)
	if err == nil {
		q.push(entry{kind: kind, bytes: n, control: payload, apply: apply, doneAll: func(err error) { result <- err }})
	}
	q.mu.Unlock()
	if err != nil {
		return err
	}
	return <-result
}

// applyTopic brings the catalogue to a durable description: the topic is new, has grown, or is configured anew.
func (s *Store) applyTopic(info TopicInfo) {
	ts := s.topics
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.mu.byID[info.ID]
	if t == nil {
		t = &topic{id: info.ID, name: info.Name}
		t.parts.Store(&[]*Partition{})
		ts.mu.byID[info.ID] = t
		ts.mu.byName[info.Name] = t
	}
	t.cfg.Store(&info.Config)
	parts := slices.Clone(*t.parts.Load())
	for n := int32(len(parts)); n < info.Partitions; n++ {
		parts = append(parts, newPartition(s, t, n))
	}
	t.parts.Store(&parts)
}

// applyDelete takes a topic out of the catalogue.
func (s *Store) applyDelete(t *topic) {
	s.topics.mu.Lock()
	delete(s.topics.mu.byID, t.id)
	if s.topics.mu.byName[t.name] == t {
		delete(s.topics.mu.byName, t.name)
	}
	s.topics.mu.leaving[t.id] = t
	s.topics.mu.Unlock()
	for _, p := range *t.parts.Load() {
		p.mu.Lock()
		p.mu.deleted = true
		p.notify()
		p.mu.Unlock()
	}
}

func checkTopic(id TopicID, name string, partitions int32) error {
	switch {
	case id == TopicID{}:
		return fmt.Errorf("%w: no id", ErrBadTopic)
	case partitions < 1 || partitions > 1<<17:
		return fmt.Errorf("%w: %d partitions", ErrBadTopic, partitions)
	case name == "" || len(name) > 249 || name == "." || name == "..":
		return fmt.Errorf("%w: name %q", ErrBadTopic, name)
	}
	for _, c := range []byte(name) { // the name becomes a folder
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return fmt.Errorf("%w: name %q has %q", ErrBadTopic, name, c)
		}
	}
	return nil
}

func withDefaults(cfg TopicConfig) TopicConfig {
	if cfg.SegmentBytes <= 0 {
		cfg.SegmentBytes = 1 << 30
	}
	cfg.SegmentBytes = min(cfg.SegmentBytes, maxSegmentBytes)
	if cfg.SegmentAge <= 0 {
		cfg.SegmentAge = 7 * 24 * time.Hour
	}
	cfg.Meta = slices.Clone(cfg.Meta)
	return cfg
}
