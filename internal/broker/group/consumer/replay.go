package consumer

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kbin"
)

// GroupOf reads the name of the group from a record's key.
func GroupOf(key []byte) (string, bool) {
	r := kbin.Reader{Src: key}
	r.Int16()
	name := r.String()
	return name, r.Ok()
}

// Replay applies a record that Changes or Tombstones listed. Restored must be called after the last one.
func (g *Group) Replay(key, value []byte) error {
	k := kbin.Reader{Src: key}
	kind := k.Int16()
	_ = k.String() // the group
	v := kbin.Reader{Src: value}
	if version := v.Int16(); value != nil && version != 0 && Kind(kind) && kind != keySubscribed && kind != keyRegex {
		return fmt.Errorf("reading a record of a consumer group: version %d of kind %d", version, kind)
	}
	switch kind {
	case KeyEpoch:
		if value == nil {
			return nil
		}
		if g.Epoch = v.Int32(); v.Uvarint() == 1 && v.Uvarint() == 0 && v.Uvarint() == 8 {
			g.hash = uint64(v.Int64())
		}
		return wrap(v.Ok())
	case KeyTargetEpoch:
		if value == nil {
			return nil
		}
		g.TargetEpoch = v.Int32()
		return wrap(v.Ok())
	case KeyMember, KeyTarget, KeyCurrent:
	default:
		return nil
	}
	id := k.String()
	if !k.Ok() {
		return wrap(false)
	}
	if kind == KeyMember && value == nil {
		delete(g.members, id)
		delete(g.target, id)
		return nil
	}
	if value == nil {
		if m := g.members[id]; m != nil && kind == KeyCurrent {
			m.Epoch, m.Previous, m.Progress, m.Assigned, m.Revoking = 0, 0, Settled, Partitions{}, Partitions{}
		} else if kind == KeyTarget {
			delete(g.target, id)
		}
		return nil
	}
	if kind == KeyTarget {
		g.target[id] = readPartitions(&v)
		return wrap(v.Ok())
	}
	m := g.members[id]
	if m == nil {
		m = newMember(id)
		g.members[id] = m
	}
	if kind == KeyMember {
		return m.decode(value)
	}
	m.Epoch, m.Previous, m.Progress = v.Int32(), v.Int32(), Progress(v.Int8())
	m.Assigned, m.Revoking = readPartitions(&v), readPartitions(&v)
	return wrap(v.Ok())
}

func wrap(ok bool) error {
	if !ok {
		return fmt.Errorf("reading a record of a consumer group: %w", kbin.ErrNotEnoughData)
	}
	return nil
}

// Restored ends the replay: it rebuilds what the records imply.
func (g *Group) Restored() {
	clear(g.static)
	clear(g.holders)
	for _, m := range g.Members() {
		if m.Instance != nil {
			g.static[*m.Instance] = m.ID
		}
		m.since = make(map[spot]int32)
		free := func(t TopicID, p int32) bool { _, held := g.holders[spot{t, p}]; return !held }
		assigned, revoking := m.Assigned.where(free), m.Revoking.where(free)
		m.Assigned, m.Revoking = Partitions{}, Partitions{}
		g.settle(m, assigned, revoking)
	}
	clear(g.changed)
	g.changedEpoch, g.changedTarget = false, false
	old := g.hash
	if g.refresh() && old != g.hash { // topics changed while nobody looked
		g.bump()
		g.retarget()
	}
}
