package state

import (
	"cmp"
	"encoding/binary"
	"iter"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"myelin/internal/vec"
)

// Publication is the instant at which several tables change together: readers that pin versions through it see all tables
// after the same step.
type Publication struct {
	mu   sync.Mutex
	step atomic.Uint64
	rank atomic.Uint64 // in which order several are locked; given when it is needed first
}

var ranks atomic.Uint64

func (p *Publication) ranked() uint64 {
	if p.rank.Load() == 0 {
		p.rank.CompareAndSwap(0, ranks.Add(1))
	}
	return p.rank.Load()
}

func byRank(a, b *Publication) int { return cmp.Compare(a.ranked(), b.ranked()) }

// Pin returns a version of each table at one moment. Those of one publication are as of one step.
func Pin(tables ...*Table) []*Version {
	defer lockAll(tables)()
	out := make([]*Version, len(tables))
	for i, t := range tables {
		out[i] = t.freeze()
	}
	return out
}

// Apply runs f, which may change tables of this publication, as step.
func (p *Publication) Apply(step uint64, f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step.Store(step)
	f()
}

// Hold has readers of the tables see them as they are now, whatever is applied, until Release.
func (p *Publication) Hold(tables ...*Table) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range tables {
		t.held = t.freeze()
	}
}

// Release ends Hold: readers see the tables as they have become, and subscribers are told to read them anew.
func (p *Publication) Release(tables ...*Table) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range tables {
		if t.held == nil {
			continue
		}
		t.held = nil
		telling.Lock()
		t.counted.Add(1)
		for _, s := range t.subs {
			s.lose()
			s.send(Delta{Step: p.step.Load()})
		}
		telling.Unlock()
	}
}

// Step is the last step published.
func (p *Publication) Step() uint64 { return p.step.Load() }

// Pin returns a version of each table, all as of one step.
func (p *Publication) Pin(tables ...*Table) []*Version {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]*Version, len(tables))
	for i, t := range tables {
		out[i] = t.freeze()
	}
	return out
}

// Table is a hot materialized table: rows by key, or, without a key, a bag of rows with multiplicities. One goroutine
// changes it, inside Publication.Apply; any number read versions of it.
type Table struct {
	pub   *Publication
	types []vec.Type
	key   []int // columns of the key; nil: a bag
	rest  []int // the other columns
	order []vec.Type
	at    []int // where column i lies in the stored order

	tree   tree
	count  int // rows, with multiplicities
	frozen *Version
	held   *Version // what readers see instead, while the publication holds still
	dirty  *Map     // the keys that changed since the last Dirty, with their values; FlagUser: gone
	subs   []*Subscription
	staged staged
	parts  []*Table // of a Union; nothing else of the table counts then but its columns

	counted atomic.Uint64 // how often what readers see changed, for Union
}

// NewTable returns an empty table whose rows have the given types. key names the columns that identify a row; nil makes it
// a bag.
func NewTable(pub *Publication, types []vec.Type, key []int) *Table {
	t := &Table{pub: pub, types: types, key: key, at: make([]int, len(types)), dirty: newDirtyRows()}
	t.staged.index = NewMap(1, 16)
	t.tree.epoch = 1
	stored := slices.Clone(key)
	for i := range types {
		if !slices.Contains(key, i) {
			t.rest = append(t.rest, i)
			stored = append(stored, i)
		}
	}
	for pos, c := range stored {
		t.order = append(t.order, types[c])
		t.at[c] = pos
	}
	return t
}

// Types are the types of the columns.
func (t *Table) Types() []vec.Type { return t.types }

// Key are the columns that identify a row; nil for a bag.
func (t *Table) Key() []int { return t.key }

func pick(cols []*vec.Vector, idx []int) []*vec.Vector {
	out := make([]*vec.Vector, len(idx))
	for i, c := range idx {
		out[i] = cols[c]
	}
	return out
}

func keyHash(key []byte) uint64 { return vec.HashBytes(0, key) }

// Version is the table as of a step. It never changes and may be kept and read at the same time by many.
type Version struct {
	Step  uint64
	table *Table
	root  *node
	rows  int
	parts []*Version // of a Union
}

// Version pins the table as of the last published step.
func (t *Table) Version() *Version { return Pin(t)[0] }

func (t *Table) freeze() *Version {
	if t.parts != nil {
		return t.union()
	}
	if t.held != nil {
		return t.held
	}
	step := t.pub.step.Load()
	if t.frozen == nil {
		t.frozen = &Version{Step: step, table: t, root: t.tree.root, rows: t.count}
		t.tree.epoch++
	}
	if t.frozen.Step != step {
		v := *t.frozen
		v.Step = step
		t.frozen = &v
	}
	return t.frozen
}

// Rows is the number of rows, with multiplicities.
func (v *Version) Rows() int { return v.rows }

// Types are the types of the columns.
func (v *Version) Types() []vec.Type { return v.table.types }

// Scan yields all rows in batches of up to size rows (0: 1024), in no particular order. Each batch is the caller's to keep.
func (v *Version) Scan(size int) iter.Seq[*vec.Batch] {
	if size <= 0 {
		size = 1024
	}
	return func(yield func(*vec.Batch) bool) {
		if v.parts != nil {
			v.scan(size, yield)
			return
		}
		rows := NewRows(v.table.order)
		more := v.root.each(func(klen int, row []byte) bool {
			n := v.table.multiplicity(klen, row)
			for range n {
				v.table.mustAppend(rows, row)
				if rows.Len() >= size && !yield(v.table.arrange(rows.Detach())) {
					return false
				}
			}
			return true
		})
		if more && rows.Len() > 0 {
			yield(v.table.arrange(rows.Detach()))
		}
	}
}

// Get returns the row whose key equals the single row of key, one vector per key column, as a batch of one row; nil if
// there is none. It is for tables with a key.
func (v *Version) Get(key []*vec.Vector) *vec.Batch {
	if v.parts != nil {
		return v.get(key)
	}
	k := AppendKey(nil, key, 0)
	val, ok := v.root.find(keyHash(k), k)
	if !ok {
		return nil
	}
	rows := NewRows(v.table.order)
	v.table.mustAppend(rows, slices.Concat(k, val))
	return v.table.arrange(rows.Detach())
}

// stored is how many columns a row's key part holds.
func (t *Table) stored() int {
	if t.key == nil {
		return len(t.types)
	}
	return len(t.key)
}

// mustAppend decodes a row of the table; rows are checked when they are loaded.
func (t *Table) mustAppend(to *Rows, row []byte) {
	if _, err := to.AppendPair(t.stored(), row); err != nil {
		panic("state: table holds a corrupt row")
	}
}

// arrange brings columns from the stored order (key first) into the table's.
func (t *Table) arrange(b *vec.Batch) *vec.Batch {
	b.Cols = pick(b.Cols, t.at)
	return b
}

// multiplicity is how often a stored row counts: a bag keeps the number behind the row.
func (t *Table) multiplicity(klen int, row []byte) int {
	if t.key != nil {
		return 1
	}
	n, _ := binary.Uvarint(row[klen:])
	return int(n)
}

// Find returns the stored bytes of the row with a key as of the last published step, in the table's stored order (key
// first). It is for the engine's goroutine.
func (t *Table) Find(key []byte) (value []byte, ok bool) { return t.tree.root.find(keyHash(key), key) }

// publishRow applies one staged change to the tree.
func (t *Table) publishRow(key []byte, c *stagedRow) {
	h := keyHash(key)
	if c.after == 0 {
		t.noteGone(key)
		if t.tree.del(h, key) {
			t.count -= c.before
		}
		return
	}
	value := c.new
	if t.key == nil {
		value = binary.AppendUvarint(nil, uint64(c.after))
	}
	t.note(key, value)
	t.tree.set(h, key, value)
	t.count += c.after - c.before
}

// newDirtyRows returns an empty map of rows: its only word is a row's value.
func newDirtyRows() *Map { return NewMap(1, 0, 0) }

// note keeps what is to be told of a key, so that whoever tells need not look into the tree.
func (t *Table) note(key, value []byte) {
	id, fresh := t.dirty.Upsert(key)
	if !fresh {
		t.dirty.SetFlag(id, false)
	}
	t.dirty.overwrite(id, 0, value)
}

func (t *Table) noteGone(key []byte) {
	id, _ := t.dirty.Upsert(key)
	t.dirty.SetFlag(id, true)
}

// Clear removes all rows, and forgets what is staged; Dirty does not tell of it. It may be called only inside Publication.Apply.
func (t *Table) Clear() {
	t.tree = tree{epoch: t.tree.epoch + 1, region: t.tree.region.empty()}
	t.count, t.frozen = 0, nil
	t.counted.Add(1)
	t.Forget()
	for _, s := range t.subs {
		s.lose()
	}
}

// Forget makes the changes so far none of those that Dirty tells, and forgets what is staged.
func (t *Table) Forget() {
	t.dirty.Clear()
	t.Discard()
}

// Dirty implements Store.
func (t *Table) Dirty() Changes {
	if t.dirty.Len() == 0 {
		return Told(nil)
	}
	d := t.dirty
	t.dirty = newDirtyRows()
	t.dirty.Spill(d.region.share)
	return func(yield func(key, value []byte) bool) {
		for id := range d.next { // none was ever deleted
			value := []byte(nil)
			if !d.Flag(id) {
				if value = d.Blob(d.At(id)[0]); value == nil {
					value = []byte{}
				}
			}
			if !yield(d.Key(id), value) {
				return
			}
		}
	}
}

// Load implements Store.
func (t *Table) Load(key, value []byte) error {
	n, err := t.checkRow(key, value)
	if err != nil {
		return err
	}
	t.tree.load(keyHash(key), key, value)
	t.count += n
	t.frozen = nil
	return nil
}

// checkRow tells how often a stored row counts, or that it is none of this table.
func (t *Table) checkRow(key, value []byte) (int, error) {
	rest, err := skipRow(t.order[:t.stored()], key)
	if err != nil || len(rest) > 0 {
		return 0, ErrCorrupt
	}
	if t.key == nil {
		u, w := binary.Uvarint(value)
		if w != len(value) || u > math.MaxInt32 {
			return 0, ErrCorrupt
		}
		return int(u), nil
	}
	if rest, err = skipRow(t.order[t.stored():], value); err != nil || len(rest) > 0 {
		return 0, ErrCorrupt
	}
	return 1, nil
}

// Pending is how many keys Dirty would tell.
func (t *Table) Pending() int { return t.dirty.Len() }

// Len implements Store.
func (t *Table) Len() int { return t.tree.rows }

// Size implements Store.
func (t *Table) Size() int64 { return t.tree.size() + t.dirty.Size() }

// Spill implements Spiller.
func (t *Table) Spill(h *Share) {
	t.tree.region = NewRegion(h)
	t.dirty.Spill(h)
}

// Apart implements Spiller.
func (t *Table) Apart() int64 { return t.tree.apart + t.dirty.Apart() }

// Settle implements Spiller.
func (t *Table) Settle(hard bool) {
	if !t.tree.region.Wants(t.tree.bytes) {
		return
	}
	t.pub.mu.Lock()
	defer t.pub.mu.Unlock()
	if t.tree.settle(hard) {
		t.frozen = nil // it would keep what was moved
	}
}
