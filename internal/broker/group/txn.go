package group

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"myelin/internal/broker/batch"
)

// PrepareTxn checks offsets that are to be committed with a transaction and makes their batch, or returns nil when there is
// nothing to append. Once the batch is durable, Pending makes them wait for the transaction's end.
func (c *Coordinator) PrepareTxn(who Committer, producer int64, epoch int16, wanted []Wanted) (batch.View, *kerr.Error) {
	g, e := c.admit(who, false, wanted)
	if e != nil {
		return nil, e
	}
	b := c.encode(g.Name, wanted)
	if b.Count() == 0 {
		return nil, nil
	}
	b.ProducerID, b.ProducerEpoch, b.Transactional = producer, epoch, true
	return b.Build(), nil
}

// Pending notes offsets that became durable in a batch at base as part of the producer's open transaction.
func (c *Coordinator) Pending(group string, producer int64, wanted []Wanted, ms, base int64) {
	g := c.findOrMake(group)
	if g == nil {
		return
	}
	c.mu.Lock()
	if c.mu.pending[producer] == nil {
		c.mu.pending[producer] = make(map[string]bool)
	}
	c.mu.pending[producer][g.Name] = true
	c.mu.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range wanted {
		w := &wanted[i]
		if w.Err != nil {
			continue
		}
		v := w.value(ms)
		v.at = base
		base++
		g.hold(producer, spot{strings.Clone(w.Topic), w.Partition}, v)
	}
}

// hold keeps an offset until the producer's transaction ends. It is called with the lock held.
func (g *Group) hold(producer int64, s spot, v commit) {
	if g.mu.txns[producer] == nil {
		g.mu.txns[producer] = make(map[spot]commit)
	}
	g.mu.txns[producer][s] = v
}

// EndTxn is called once the end of a producer's transaction is durable: its offsets count from now on, or never.
func (c *Coordinator) EndTxn(producer int64, commit bool) {
	c.mu.Lock()
	names := c.mu.pending[producer]
	delete(c.mu.pending, producer)
	groups := make([]*Group, 0, len(names))
	for name := range names {
		if g := c.mu.groups[name]; g != nil {
			groups = append(groups, g)
		}
	}
	c.mu.Unlock()
	for _, g := range groups {
		g.mu.Lock()
		if commit {
			for s, v := range g.mu.txns[producer] {
				g.put(s, v)
			}
		}
		delete(g.mu.txns, producer)
		g.mu.Unlock()
	}
}
