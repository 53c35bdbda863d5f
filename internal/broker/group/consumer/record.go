package consumer

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The records are Kafka's (group-coordinator: ConsumerGroup…Key and …Value). Their keys begin with a number that says the kind.
const (
	KeyEpoch       = 3 // the group's epoch
	keySubscribed  = 4 // topics subscribed to: no longer written since Kafka 4.1, and not needed
	KeyMember      = 5 // what a member said of itself
	KeyTargetEpoch = 6
	KeyTarget      = 7 // what a member is to have
	KeyCurrent     = 8 // what a member has
	keyRegex       = 16
)

// Record is one record; a nil Value deletes.
type Record struct{ Key, Value []byte }

// Kind reports whether a record of __consumer_offsets is one of this package.
func Kind(kind int16) bool { return kind >= KeyEpoch && kind <= KeyCurrent || kind == keyRegex }

func key(kind int16, group string, member ...string) []byte {
	k := kbin.AppendString(kbin.AppendInt16(nil, kind), group)
	for _, m := range member {
		k = kbin.AppendString(k, m)
	}
	return k
}

// newValue begins a value: with its version.
func newValue() []byte { return kbin.AppendInt16(nil, 0) }

// Changes lists the records of what has changed since the last call.
func (g *Group) Changes(group string) []Record {
	var out []Record
	add := func(k, v []byte) { out = append(out, Record{k, v}) }
	if g.changedEpoch {
		v := kbin.AppendInt32(newValue(), g.Epoch)
		v = kbin.AppendUvarint(v, 1) // one tagged field: the hash of the topics
		v = kbin.AppendUvarint(v, 0)
		v = kbin.AppendUvarint(v, 8)
		add(key(KeyEpoch, group), kbin.AppendInt64(v, int64(g.hash)))
	}
	ids := slices.Sorted(maps.Keys(g.changed))
	for _, id := range ids {
		m, c := g.members[id], g.changed[id]
		if c&gone != 0 || m == nil {
			add(key(KeyCurrent, group, id), nil)
			add(key(KeyTarget, group, id), nil)
			add(key(KeyMember, group, id), nil)
			continue
		}
		if c&metadata != 0 {
			add(key(KeyMember, group, id), m.encode())
		}
		if c&target != 0 {
			add(key(KeyTarget, group, id), append(appendPartitions(newValue(), g.target[id]), 0))
		}
	}
	if g.changedTarget {
		add(key(KeyTargetEpoch, group), append(kbin.AppendInt32(newValue(), g.TargetEpoch), 0))
	}
	for _, id := range ids {
		if m := g.members[id]; m != nil && g.changed[id]&current != 0 {
			v := kbin.AppendInt32(newValue(), m.Epoch)
			v = kbin.AppendInt32(v, m.Previous)
			v = append(v, byte(m.Progress))
			v = appendPartitions(v, m.Assigned)
			v = appendPartitions(v, m.Revoking)
			add(key(KeyCurrent, group, id), append(v, 0))
		}
	}
	clear(g.changed)
	g.changedEpoch, g.changedTarget = false, false
	return out
}

// ChangedAll makes the next Changes list everything.
func (g *Group) ChangedAll() {
	g.changedEpoch, g.changedTarget = true, true
	for id := range g.members {
		g.note(id, everything)
	}
}

// Tombstones lists the records that delete the group.
func (g *Group) Tombstones(group string) []Record {
	var out []Record
	gones := maps.Clone(g.changed) // members that are gone and not deleted yet
	for id := range g.members {
		gones[id] = gone
	}
	for id := range gones {
		for _, kind := range []int16{KeyCurrent, KeyTarget, KeyMember} {
			out = append(out, Record{Key: key(kind, group, id)})
		}
	}
	return append(out, Record{Key: key(KeyTargetEpoch, group)}, Record{Key: key(KeyEpoch, group)})
}

func appendPartitions(dst []byte, ps Partitions) []byte {
	dst = kbin.AppendCompactArrayLen(dst, len(ps))
	for _, id := range slices.SortedFunc(maps.Keys(ps), compareIDs) {
		dst = append(dst, id[:]...)
		dst = kbin.AppendCompactArrayLen(dst, len(ps[id]))
		for _, p := range ps[id] {
			dst = kbin.AppendInt32(dst, p)
		}
		dst = append(dst, 0)
	}
	return dst
}

func (m *Member) encode() []byte {
	v := kbin.AppendCompactNullableString(newValue(), m.Instance)
	v = kbin.AppendCompactNullableString(v, m.Rack)
	v = kbin.AppendCompactString(v, m.ClientID)
	v = kbin.AppendCompactString(v, m.ClientHost)
	v = kbin.AppendCompactArrayLen(v, len(m.Names))
	for _, n := range m.Names {
		v = kbin.AppendCompactString(v, n)
	}
	v = kbin.AppendCompactNullableString(v, nilIfEmpty(m.Regex))
	v = kbin.AppendInt32(v, int32(m.Rebalance.Milliseconds()))
	v = kbin.AppendCompactNullableString(v, nilIfEmpty(m.Assignor))
	if m.Classic == nil {
		return append(v, 0)
	}
	c := []byte{1} // not null
	c = kbin.AppendInt32(c, int32(m.Classic.Session.Milliseconds()))
	c = kbin.AppendCompactArrayLen(c, len(m.Classic.Protocols))
	for _, p := range m.Classic.Protocols {
		c = kbin.AppendCompactString(c, p.Name)
		c = kbin.AppendCompactBytes(c, p.Metadata)
		c = append(c, 0)
	}
	c = append(c, 0)
	v = kbin.AppendUvarint(v, 1) // one tagged field
	v = kbin.AppendUvarint(v, 0)
	v = kbin.AppendUvarint(v, uint32(len(c)))
	return append(v, c...)
}

func nilIfEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (m *Member) decode(b []byte) error {
	r := kbin.Reader{Src: b}
	if version := r.Int16(); version != 0 {
		return fmt.Errorf("reading a member of a consumer group: version %d", version)
	}
	m.Instance, m.Rack = clonePtr(r.CompactNullableString()), clonePtr(r.CompactNullableString())
	m.ClientID, m.ClientHost = r.CompactString(), r.CompactString()
	m.Names = nil
	for range boundedLen(&r) {
		m.Names = append(m.Names, r.CompactString())
	}
	regex := r.CompactNullableString()
	m.Rebalance = time.Duration(r.Int32()) * time.Millisecond
	assignor := r.CompactNullableString()
	m.Regex, m.pattern, m.Assignor, m.Classic = "", nil, "", nil
	if assignor != nil {
		m.Assignor = *assignor
	}
	for range r.Uvarint() {
		tag, size := r.Uvarint(), r.Uvarint()
		body := kbin.Reader{Src: r.Span(int(size))}
		if !r.Ok() {
			break
		}
		if tag == 0 && body.Int8() == 1 {
			m.Classic = readClassic(&body)
		}
	}
	if err := r.Complete(); err != nil {
		return fmt.Errorf("reading a member of a consumer group: %w", err)
	}
	if regex != nil {
		if _, e := m.match(*regex); e != nil {
			return fmt.Errorf("reading a member of a consumer group: %w", e)
		}
	}
	return nil
}

// boundedLen is the length of an array, no longer than what follows could be.
func boundedLen(r *kbin.Reader) int { return max(0, min(int(r.CompactArrayLen()), len(r.Src))) }

func readClassic(r *kbin.Reader) *Classic {
	c := &Classic{Session: time.Duration(r.Int32()) * time.Millisecond}
	for range boundedLen(r) {
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name, p.Metadata = r.CompactString(), slices.Clone(r.CompactBytes())
		skipTags(r)
		c.Protocols = append(c.Protocols, p)
	}
	return c
}

func readPartitions(r *kbin.Reader) Partitions {
	var ids []TopicID
	var parts [][]int32
	for range boundedLen(r) {
		id := r.Uuid()
		var list []int32
		for range boundedLen(r) {
			list = append(list, r.Int32())
		}
		skipTags(r)
		ids, parts = append(ids, id), append(parts, list)
	}
	return NewPartitions(ids, func(i int) []int32 { return parts[i] })
}

func skipTags(r *kbin.Reader) {
	for range min(int(r.Uvarint()), len(r.Src)) {
		r.Uvarint()
		r.Span(int(r.Uvarint()))
	}
}

// Records lists the records of the whole group, whatever Changes has listed.
func (g *Group) Records(group string) []Record {
	changed, epoch, targets := maps.Clone(g.changed), g.changedEpoch, g.changedTarget
	g.ChangedAll()
	out := g.Changes(group)
	g.changed, g.changedEpoch, g.changedTarget = changed, epoch, targets
	return out
}
