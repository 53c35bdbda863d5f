package txn

import (
	"slices"
	"strings"
	"time"

	"myelin/internal/broker/partition"
)

// Description is a transactional id as the admin requests show it.
type Description struct {
	ID         string
	Producer   int64
	Epoch      int16
	State      State
	Timeout    time.Duration
	Started    time.Time // zero unless a transaction is open
	Partitions []*partition.Partition
}

func (t *Txn) describe() Description {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := Description{ID: t.ID, Producer: t.mu.producer, Epoch: t.mu.epoch, State: t.mu.state, Timeout: t.mu.timeout}
	if t.mu.state == Ongoing {
		d.Started = t.mu.started
		for p := range t.mu.parts {
			d.Partitions = append(d.Partitions, p)
		}
		slices.SortFunc(d.Partitions, func(a, b *partition.Partition) int {
			if n := strings.Compare(a.Topic, b.Topic); n != 0 {
				return n
			}
			return int(a.Index) - int(b.Index)
		})
	}
	return d
}

// Describe describes one transactional id; ok is false when it is not known.
func (c *Coordinator) Describe(id string) (d Description, ok bool) {
	t := c.find(id)
	if t == nil {
		return Description{}, false
	}
	if d = t.describe(); d.Epoch < 0 {
		return d, false
	}
	return d, true
}

// List describes all transactional ids, by id.
func (c *Coordinator) List() []Description {
	c.mu.Lock()
	txns := make([]*Txn, 0, len(c.mu.txns))
	for _, t := range c.mu.txns {
		txns = append(txns, t)
	}
	c.mu.Unlock()
	var out []Description
	for _, t := range txns {
		if d := t.describe(); d.Epoch >= 0 {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b Description) int { return strings.Compare(a.ID, b.ID) })
	return out
}
