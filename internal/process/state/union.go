package state

import (
	"math/rand/v2"
	"slices"
	"sync"

	"myelin/internal/vec"
)

// Union is a table whose rows are those of all parts, which have the same columns and key, and no key in common. It can be read, also by
// subscribers, but not be changed. Its steps are of its own: they count what changed in the parts, whose steps know nothing of each other.
func Union(parts ...*Table) *Table {
	p := parts[0]
	return &Table{pub: p.pub, types: p.types, key: p.key, rest: p.rest, order: p.order, at: p.at, parts: parts}
}

// tables are the tables that hold the rows.
func (t *Table) tables() []*Table {
	if t.parts != nil {
		return t.parts
	}
	return []*Table{t}
}

// lockAll locks the publications of tables and returns how to unlock them.
func lockAll(tables []*Table) (unlock func()) {
	var pubs []*Publication
	for _, t := range tables {
		for _, p := range t.tables() {
			if !slices.Contains(pubs, p.pub) {
				pubs = append(pubs, p.pub)
			}
		}
	}
	slices.SortFunc(pubs, byRank)
	for _, p := range pubs {
		p.mu.Lock()
	}
	return func() {
		for _, p := range pubs {
			p.mu.Unlock()
		}
	}
}

// firstStep is where the steps of a Union begin: elsewhere in each process, so that nobody takes a step for one from before a restart.
var firstStep = rand.Uint64N(1 << 50)

// union is freeze of a table with parts; all their publications are locked.
func (t *Table) union() *Version {
	v := &Version{Step: t.changes(), table: t}
	for _, p := range t.parts {
		x := p.freeze()
		v.parts, v.rows = append(v.parts, x), v.rows+x.rows
	}
	return v
}

// changes counts the changes of all parts. What a version holds is counted in its step, and what it does not makes a larger one: each part
// counts before it tells, and a version is taken while none of them changes.
func (t *Table) changes() uint64 {
	n := firstStep
	for _, p := range t.parts {
		n += p.counted.Load()
	}
	return n
}

// telling is held while a change is counted and told: else parts that change at once would tell of the same step.
var telling sync.Mutex

// stepFor is the step of a delta of part as a subscriber of t sees it.
func (t *Table) stepFor(step uint64) uint64 {
	if t.parts != nil {
		return t.changes()
	}
	return step
}

// get looks a key up in the parts.
func (v *Version) get(key []*vec.Vector) *vec.Batch {
	for _, p := range v.parts {
		if b := p.Get(key); b != nil {
			return b
		}
	}
	return nil
}

// scan yields the rows of the parts.
func (v *Version) scan(size int, yield func(*vec.Batch) bool) {
	for _, p := range v.parts {
		for b := range p.Scan(size) {
			if !yield(b) {
				return
			}
		}
	}
}
