package store_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"myelin/internal/broker/store"
)

// model is what a workload knows: everything it asked for, and what of it was acknowledged.
type model struct {
	mu struct {
		sync.Mutex
		topics map[store.TopicID]*modelTopic
		groups []*modelGroup
		nextID uint16
	}
}

type modelTopic struct {
	id                     store.TopicID
	name                   string
	created                bool // acknowledged
	deleting, deleted      bool // asked for, acknowledged
	parts                  []*modelPartition
	partsAcked, partsAsked int32
}

type modelPartition struct {
	batches    []modelBatch // all admitted, by offset
	acked      int          // of them, acknowledged
	start      int64        // acknowledged log start
	startAsked int64        // highest asked for
}

type modelBatch struct {
	base, last int64
	sum        []byte // the whole batch as stored
	group      *modelGroup
}

// modelGroup is a group append: where its batches lie.
type modelGroup struct {
	members []groupMember
}

type groupMember struct {
	topic store.TopicID
	part  int32
	base  int64
}

func newModel() *model {
	m := &model{}
	m.mu.topics = map[store.TopicID]*modelTopic{}
	return m
}

// modelOf is the model of a store that has been verified: all of it is acknowledged.
func modelOf(s *store.Store) (*model, error) {
	m := newModel()
	m.mu.nextID = 100
	for _, info := range s.Topics() {
		m.mu.nextID = max(m.mu.nextID, uint16(info.ID[0])|uint16(info.ID[1])<<8)
		t := &modelTopic{id: info.ID, name: info.Name, created: true, partsAcked: info.Partitions, partsAsked: info.Partitions}
		for n := range info.Partitions {
			p := s.Partition(info.ID, n)
			mp := &modelPartition{start: p.LogStart(), startAsked: p.LogStart()}
			batches, err := readAll(p, mp.start)
			if err != nil {
				return nil, err
			}
			for _, b := range batches {
				mp.batches = append(mp.batches, modelBatch{base: b.BaseOffset(), last: b.LastOffset(), sum: b})
			}
			mp.acked = len(batches)
			t.parts = append(t.parts, mp)
		}
		m.mu.topics[t.id] = t
	}
	return m, nil
}

// state is a copy of the model at one moment.
type state struct {
	topics []modelTopic
	groups []*modelGroup
}

// acked copies what is acknowledged; call it before the crash. asked copies everything; call it after the crash.
func (m *model) copy() state {
	m.mu.Lock()
	defer m.mu.Unlock()
	var st state
	for _, t := range m.mu.topics {
		c := *t
		c.parts = nil
		for _, p := range t.parts {
			cp := *p
			cp.batches = slices.Clone(p.batches)
			c.parts = append(c.parts, &cp)
		}
		st.topics = append(st.topics, c)
	}
	st.groups = slices.Clone(m.mu.groups)
	return st
}

func (m *model) topic(id store.TopicID) *modelTopic {
	return m.mu.topics[id]
}

// createTopic runs a CreateTopic through the store and the model.
func (m *model) createTopic(s *store.Store, name string, parts int32, cfg store.TopicConfig) (store.TopicID, error) {
	m.mu.Lock()
	m.mu.nextID++
	t := &modelTopic{id: store.TopicID{byte(m.mu.nextID), byte(m.mu.nextID >> 8), 7}, name: name, partsAsked: parts}
	for range parts {
		t.parts = append(t.parts, &modelPartition{})
	}
	m.mu.topics[t.id] = t
	m.mu.Unlock()
	err := s.CreateTopic(t.id, name, parts, cfg)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		t.created, t.partsAcked = true, parts
	} else if errors.Is(err, store.ErrTopicExists) || errors.Is(err, store.ErrDiskFull) {
		delete(m.mu.topics, t.id)
	}
	return t.id, err
}

func (m *model) addPartitions(s *store.Store, id store.TopicID, total int32) error {
	m.mu.Lock()
	t := m.topic(id)
	for int32(len(t.parts)) < total {
		t.parts = append(t.parts, &modelPartition{})
	}
	t.partsAsked = max(t.partsAsked, total)
	m.mu.Unlock()
	err := s.AddPartitions(id, total)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		t.partsAcked = max(t.partsAcked, total)
	}
	return err
}

func (m *model) deleteTopic(s *store.Store, id store.TopicID) error {
	m.mu.Lock()
	t := m.topic(id)
	t.deleting = true
	m.mu.Unlock()
	err := s.DeleteTopic(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	t.deleted = err == nil
	return err
}

// append runs an Append; acked is told when it is done. Appends to one partition must come from one goroutine at a time.
func (m *model) append(p *store.Partition, b []byte, acked func(error)) error {
	m.mu.Lock()
	mp := m.topic(p.Topic()).parts[p.Index()]
	// Noted before it is admitted, so that a crash in between finds it among what was asked for.
	base := p.NextOffset()
	last := base + int64(binary.BigEndian.Uint32(b[23:]))
	stored := slices.Clone(b)
	binary.BigEndian.PutUint64(stored, uint64(base))
	binary.BigEndian.PutUint32(stored[12:], 3)
	mp.batches = append(mp.batches, modelBatch{base: base, last: last, sum: stored})
	m.mu.Unlock()
	got, err := p.Append(b, 3, func(_ int64, err error) {
		if err == nil {
			m.mu.Lock()
			mp.acked++
			m.mu.Unlock()
		}
		acked(err)
	})
	if err == nil && got != base {
		panic(fmt.Sprintf("append got offset %d, want %d", got, base))
	}
	if err != nil {
		m.mu.Lock()
		mp.batches = mp.batches[:len(mp.batches)-1]
		m.mu.Unlock()
	}
	return err
}

// appendGroup runs an AppendGroup. Its partitions must not be appended to meanwhile.
func (m *model) appendGroup(s *store.Store, items []store.GroupItem, acked func(error)) error {
	m.mu.Lock()
	g := &modelGroup{}
	next := map[*store.Partition]int64{}
	for i := range items {
		it := &items[i]
		it.LeaderEpoch = 3
		base, ok := next[it.Partition]
		if !ok {
			base = it.Partition.NextOffset()
		}
		last := base + int64(binary.BigEndian.Uint32(it.Batch[23:]))
		next[it.Partition] = last + 1
		stored := slices.Clone(it.Batch)
		binary.BigEndian.PutUint64(stored, uint64(base))
		binary.BigEndian.PutUint32(stored[12:], 3)
		mp := m.topic(it.Partition.Topic()).parts[it.Partition.Index()]
		mp.batches = append(mp.batches, modelBatch{base: base, last: last, sum: stored, group: g})
		g.members = append(g.members, groupMember{it.Partition.Topic(), it.Partition.Index(), base})
	}
	m.mu.groups = append(m.mu.groups, g)
	m.mu.Unlock()
	err := s.AppendGroup(items, func(err error) {
		if err == nil {
			m.mu.Lock()
			for _, it := range items {
				m.topic(it.Partition.Topic()).parts[it.Partition.Index()].acked++
			}
			m.mu.Unlock()
		}
		acked(err)
	})
	if err != nil {
		m.mu.Lock()
		for _, it := range items {
			mp := m.topic(it.Partition.Topic()).parts[it.Partition.Index()]
			mp.batches = mp.batches[:len(mp.batches)-1]
		}
		m.mu.groups = m.mu.groups[:len(m.mu.groups)-1]
		m.mu.Unlock()
	}
	return err
}

func (m *model) deleteRecords(p *store.Partition, before int64) error {
	m.mu.Lock()
	mp := m.topic(p.Topic()).parts[p.Index()]
	mp.startAsked = max(mp.startAsked, before)
	m.mu.Unlock()
	_, err := p.DeleteRecords(before)
	if err == nil {
		m.mu.Lock()
		mp.start = max(mp.start, before)
		m.mu.Unlock()
	}
	return err
}

// verify compares a recovered store with what was acknowledged before the crash and asked for until after it.
func verify(s *store.Store, before, after state) error {
	if p := s.Problems(); len(p) > 0 {
		return fmt.Errorf("problems after a plain crash: %+v", p)
	}
	acked := map[store.TopicID]modelTopic{}
	for _, t := range before.topics {
		acked[t.id] = t
	}
	ends := map[groupMember]int64{} // base 0: the partition's high watermark
	for _, asked := range after.topics {
		was := acked[asked.id]
		info, exists := s.Topic(asked.id)
		switch {
		case was.deleted && exists:
			return fmt.Errorf("topic %s is back after it was deleted", asked.name)
		case was.created && !asked.deleting && !exists:
			return fmt.Errorf("topic %s is lost", asked.name)
		case !exists:
			continue
		}
		if info.Name != asked.name || info.Partitions < was.partsAcked || info.Partitions > asked.partsAsked {
			return fmt.Errorf("topic %s: recovered as %+v, want %d to %d partitions", asked.name, info, was.partsAcked, asked.partsAsked)
		}
		for n := range info.Partitions {
			p := s.Partition(asked.id, n)
			wasP := &modelPartition{}
			if int(n) < len(was.parts) {
				wasP = was.parts[n]
			}
			if err := verifyPartition(p, wasP, asked.parts[n]); err != nil {
				return fmt.Errorf("%s-%d: %w", asked.name, n, err)
			}
			ends[groupMember{topic: asked.id, part: n}] = p.HighWatermark()
		}
	}
	for _, g := range after.groups {
		there, all := 0, 0
		for _, mb := range g.members {
			hw, ok := ends[groupMember{topic: mb.topic, part: mb.part}]
			if !ok {
				continue // deleted
			}
			all++
			if mb.base < hw {
				there++
			}
		}
		if there != 0 && there != all {
			return fmt.Errorf("group torn: %d of %d batches are there", there, all)
		}
	}
	return nil
}

func verifyPartition(p *store.Partition, acked, asked *modelPartition) error {
	start, hw := p.LogStart(), p.HighWatermark()
	if start < acked.start || start > max(asked.startAsked, acked.start) {
		return fmt.Errorf("log start %d, want %d to %d", start, acked.start, asked.startAsked)
	}
	if n := acked.acked; n > 0 && hw <= acked.batches[n-1].last {
		return fmt.Errorf("acknowledged batches lost: end %d, acknowledged to %d", hw, acked.batches[n-1].last)
	}
	if p.NextOffset() != hw {
		return fmt.Errorf("next offset %d, high watermark %d", p.NextOffset(), hw)
	}
	got, err := readAll(p, start)
	if err != nil {
		return fmt.Errorf("reading from %d to %d: %w", start, hw, err)
	}
	var want []modelBatch
	for _, b := range asked.batches {
		if b.last >= start && b.base < hw {
			want = append(want, b)
		}
	}
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Errorf("batch at %d is not there (start %d, end %d)", want[i].base, start, hw)
		case i >= len(want):
			return fmt.Errorf("batch at %d was never appended", got[i].BaseOffset())
		case !bytes.Equal(got[i], want[i].sum):
			return fmt.Errorf("batch at %d differs from what was appended at %d", got[i].BaseOffset(), want[i].base)
		}
	}
	if n := len(got); n > 0 && got[n-1].LastOffset()+1 != hw {
		return fmt.Errorf("last batch ends at %d, high watermark %d", got[n-1].LastOffset(), hw)
	}
	return nil
}

// randomBatch makes a batch of 1 to 4 offsets and up to maxBytes.
func randomBatch(rng *rand.Rand, ts int64, maxBytes int) []byte {
	n := rng.IntN(maxBytes)
	if rng.IntN(4) > 0 {
		n = rng.IntN(min(maxBytes, 300))
	}
	payload := make([]byte, n)
	for i := range payload {
		payload[i] = byte(rng.Uint32())
	}
	return makeBatch(1+rng.IntN(4), ts, payload)
}
