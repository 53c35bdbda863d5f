package state

import (
	"bytes"

	"myelin/internal/vec"
)

// staged is the net effect of a step on a table, kept aside until the step is durable and may be published.
type staged struct {
	index *Map // key → position in rows
	rows  []stagedRow
	arena []byte
}

// stagedRow is one key: how many rows it had and has, and their values. old lies in the tree, key and new in the arena's
// memory at the time (an arena that grows leaves them valid where they are).
type stagedRow struct {
	key, old, new []byte
	before, after int
}

func (s *staged) keep(b []byte) []byte {
	at := len(s.arena)
	s.arena = append(s.arena, b...)
	return s.arena[at:len(s.arena):len(s.arena)]
}

func (s *staged) reset() {
	s.index.Clear()
	clear(s.rows)
	s.rows, s.arena = s.rows[:0], s.arena[:0]
	const keepBytes = 4 << 20
	if cap(s.arena) > keepBytes {
		s.arena, s.rows = nil, nil
	}
}

// Stage takes added and taken-back rows of the step that is being computed. Nobody sees them before Publish. It returns the rows that were
// added, but are longer than state can hold (MaxBytes): there is none under their key then.
func (t *Table) Stage(b *vec.Batch) (tooLong []int) {
	keyCols, restCols := b.Cols, []*vec.Vector(nil)
	if t.key != nil {
		keyCols, restCols = pick(b.Cols, t.key), pick(b.Cols, t.rest)
	}
	var kbuf, vbuf []byte
	for k := range b.Rows() {
		i := k
		if b.Sel != nil {
			i = int(b.Sel[k])
		}
		if t.key == nil {
			if kbuf = AppendRow(kbuf[:0], keyCols, i); len(kbuf) > MaxBytes {
				tooLong = added(tooLong, b, i)
				continue
			}
			r := t.stagedRow(kbuf)
			r.after = max(r.after+int(b.Sign(i)), 0)
			continue
		}
		kbuf = AppendKey(kbuf[:0], keyCols, i)
		vbuf = AppendRow(vbuf[:0], restCols, i)
		if len(kbuf) > MaxBytes || len(vbuf) > MaxBytes {
			if tooLong = added(tooLong, b, i); b.Sign(i) > 0 && len(kbuf) <= MaxBytes {
				t.StageDelete(kbuf)
			}
			continue
		}
		t.stageKeyed(kbuf, vbuf, b.Sign(i) > 0)
	}
	return tooLong
}

func added(rows []int, b *vec.Batch, i int) []int {
	if b.Sign(i) > 0 {
		rows = append(rows, i)
	}
	return rows
}

func (t *Table) stageKeyed(key, value []byte, add bool) {
	r := t.stagedRow(key)
	if add {
		r.after = 1
		if !bytes.Equal(r.new, value) || r.new == nil {
			r.new = t.staged.keep(value)
		}
		return
	}
	// A row is taken back only if it is still the current one: its replacement may have come first.
	if r.after == 1 && bytes.Equal(r.new, value) {
		r.after, r.new = 0, nil
	}
}

// Current is Find with what is staged in it.
func (t *Table) Current(key []byte) (value []byte, ok bool) {
	if len(t.staged.rows) > 0 {
		if id, ok := t.staged.index.Find(key); ok {
			r := &t.staged.rows[t.staged.index.At(id)[0]]
			return r.new, r.after > 0
		}
	}
	return t.Find(key)
}

// stagedRow finds or makes the staged state of a key.
func (t *Table) stagedRow(key []byte) *stagedRow {
	id, fresh := t.staged.index.Upsert(key)
	at := &t.staged.index.At(id)[0]
	if !fresh {
		return &t.staged.rows[*at]
	}
	*at = uint64(len(t.staged.rows))
	r := stagedRow{key: t.staged.keep(key)}
	if val, ok := t.Find(key); ok {
		r.old, r.new = val, val
		r.before = t.multiplicity(0, val)
		r.after = r.before
	}
	t.staged.rows = append(t.staged.rows, r)
	return &t.staged.rows[len(t.staged.rows)-1]
}

func (t *Table) changed(r *stagedRow) bool {
	return r.before != r.after || t.key != nil && !bytes.Equal(r.old, r.new)
}

// Net returns what the staged step changes in all: rows taken back and rows added. nil if nothing.
func (t *Table) Net() *vec.Batch {
	out := NewRows(t.order)
	var row []byte
	add := func(key, value []byte, n int, sign int8) {
		for range n {
			row = append(append(row[:0], key...), value...)
			t.mustAppend(out, row)
			out.Sign(sign)
		}
	}
	for i := range t.staged.rows {
		r := &t.staged.rows[i]
		switch {
		case !t.changed(r):
		case t.key == nil:
			add(r.key, nil, r.before-r.after, -1)
			add(r.key, nil, r.after-r.before, +1)
		default:
			add(r.key, r.old, r.before, -1)
			add(r.key, r.new, r.after, +1)
		}
	}
	if out.Len() == 0 {
		return nil
	}
	return t.arrange(out.Batch())
}

// Publish makes the staged step visible and tells the subscribers. It reports whether anything changed, and may be called only
// inside Publication.Apply.
func (t *Table) Publish() bool {
	if len(t.staged.rows) == 0 {
		return false
	}
	var d Delta
	if len(t.subs) > 0 && t.held == nil { // else they read anew in the end
		d = t.delta()
	}
	changed := false
	for i := range t.staged.rows {
		r := &t.staged.rows[i]
		if !t.changed(r) {
			continue
		}
		if !changed {
			changed = true
			t.frozen = nil
		}
		t.publishRow(r.key, r)
	}
	t.staged.reset()
	if !changed {
		return false
	}
	if d.Upserts == nil || d.Upserts.N+d.Deletes.N == 0 {
		t.counted.Add(1)
		return true
	}
	telling.Lock()
	defer telling.Unlock()
	t.counted.Add(1)
	for _, s := range t.subs {
		s.send(d)
	}
	return true
}

// Discard forgets the staged step.
func (t *Table) Discard() { t.staged.reset() }

// delta splits the net change into what is there now and what went for good.
func (t *Table) delta() Delta {
	up, del := NewRows(t.order), NewRows(t.order)
	var row []byte
	add := func(to *Rows, key, value []byte, n int) {
		for range n {
			row = append(append(row[:0], key...), value...)
			t.mustAppend(to, row)
		}
	}
	for i := range t.staged.rows {
		r := &t.staged.rows[i]
		switch {
		case !t.changed(r):
		case t.key == nil:
			add(del, r.key, nil, r.before-r.after)
			add(up, r.key, nil, r.after-r.before)
		case r.after == 1:
			add(up, r.key, r.new, 1)
		default:
			add(del, r.key, r.old, 1)
		}
	}
	return Delta{Step: t.pub.step.Load(), Upserts: t.arrange(up.Batch()), Deletes: t.arrange(del.Batch())}
}

// StageDelete stages the end of the row with a key, and reports whether there is one.
func (t *Table) StageDelete(key []byte) bool {
	r := t.stagedRow(key)
	was := r.after > 0
	r.after, r.new = 0, nil
	return was
}
