package op

import (
	"encoding/binary"
	"math"
	"slices"

	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// closing is what panes need that are kept until the windows which they are parts of have closed. A window is put together of its panes
// when it closes, and let out; a pane goes with the last window that it is a part of.
//
// Key of a pane's entry: the group without the window, and the pane's start. Payload: as that of a group; the word of its due time
// holds the next entry of the pane plus one, which is made anew after a restart.
type closing struct {
	slide, size int64
	lists       []paneList // by start
	at          int        // the list that was used last
	plain       []*vec.Vector
	decoded     []*vec.Vector
}

// paneList is the entries of a pane.
type paneList struct {
	start int64
	head  uint64 // the first entry plus one
}

// closing makes the panes ones that are kept. It returns the types of their keys.
func (p *panes) closing(types []vec.Type, g grid) []vec.Type {
	p.close = &closing{slide: g.slide.micros, size: g.size.micros}
	keys := []vec.Type{vec.Of(vec.Timestamp)}
	for i, edge := range p.edges {
		if edge == 0 {
			keys = append(keys, types[i])
		}
	}
	p.close.plain = make([]*vec.Vector, len(keys)-1)
	p.close.decoded = make([]*vec.Vector, len(keys)-1)
	return keys
}

// punctual tells of the windows that rows come too late for, and leaves out the rows that come too late for all.
func (p *panes) punctual(b *vec.Batch) {
	w, wm := p.win, p.to.closed(p.ctx.Watermark)
	late := false
	for _, i := range w.base {
		f := w.first[i]
		late = late || f > 1<<62 || f < -1<<62 || f+p.close.slide <= wm
	}
	if !late {
		return
	}
	kept := w.base[:0]
	for _, i := range w.base {
		f := w.first[i]
		if f > 1<<62 || f < -1<<62 {
			continue // near infinity there are no windows
		}
		for n := w.count - 1; n >= 0 && f-n*p.close.slide+p.close.size <= wm; n-- {
			w.start.Ints[i], w.end.Ints[i] = w.grid.window(f, n)
			if p.ctx.Late != nil {
				p.ctx.Late(&vec.Batch{Cols: w.cols, N: b.N, Sel: w.base, Diff: b.Diff}, int(i))
			}
		}
		if f+p.close.size > wm {
			kept = append(kept, i)
		}
	}
	w.base = kept
}

// pane is the entry of row i's group in the pane with a start.
func (p *panes) pane(start int64, i int) uint32 {
	c := p.close
	n := 0
	for k, edge := range p.edges {
		if edge == 0 {
			c.plain[n] = p.cols[k]
			n++
		}
	}
	p.keyBuf = state.AppendKey(p.keyBuf[:0], c.plain, i)
	p.keyBuf = binary.LittleEndian.AppendUint64(p.keyBuf, uint64(start))
	id, fresh := p.groups.upsert(p.keyBuf)
	if fresh {
		p.link(start, id)
	}
	p.groups.m.Mark(id)
	return id
}

func (p *panes) link(start int64, id uint32) {
	c := p.close
	if c.at >= len(c.lists) || c.lists[c.at].start != start {
		at, ok := slices.BinarySearchFunc(c.lists, start, func(l paneList, s int64) int {
			switch {
			case l.start < s:
				return -1
			case l.start > s:
				return 1
			}
			return 0
		})
		if !ok {
			c.lists = slices.Insert(c.lists, at, paneList{start: start})
		}
		c.at = at
	}
	l := &c.lists[c.at]
	p.groups.m.At(id)[aggDue] = l.head
	l.head = uint64(id) + 1
}

// next is the end of the first window that ends behind wm; math.MaxInt64 if there is none.
func (p *panes) next(wm int64) int64 {
	c := p.close
	if len(c.lists) == 0 {
		return math.MaxInt64
	}
	end := c.lists[0].start + c.slide
	if wm != NoTime && end <= wm {
		end += ((wm-end)/c.slide + 1) * c.slide
	}
	return end
}

// let lets out the windows that end by wm.
func (p *panes) let(wm int64) {
	c, a, after := p.close, p.to, p.to.closed(p.ctx.Watermark)
	for end := p.next(after); end <= wm && len(c.lists) > 0; end = p.next(after) {
		for _, l := range c.lists {
			if l.start >= end {
				break
			}
			p.gather(l)
		}
		p.emit(end)
		a.groups.m.Clear()
		for len(c.lists) > 0 && c.lists[0].start+c.size <= end {
			for at := c.lists[0].head; at != 0; {
				id := uint32(at - 1)
				at = p.groups.m.At(id)[aggDue]
				p.groups.m.Delete(id)
			}
			c.lists = c.lists[1:]
		}
		after = end
	}
	a.let()
	p.groups.m.Compact()
}

// gather folds a pane into the window in hand.
func (p *panes) gather(l paneList) {
	a := p.to
	for at := l.head; at != 0; {
		pane := uint32(at - 1)
		src := p.groups.m.At(pane)
		at = src[aggDue]
		key := p.groups.m.Key(pane)
		id, fresh := a.groups.m.Upsert(key[:len(key)-8])
		if fresh {
			copy(a.groups.m.At(id), src)
			continue
		}
		a.groups.m.At(id)[payRows] += src[payRows]
		for i := range a.groups.calls {
			k := &a.groups.calls[i]
			if err := k.acc.merge(a.groups, k.at, id, src); err != nil {
				a.ctx.Env.Fail(0, err)
			}
		}
	}
}

// emit lets out the groups of the window with an end.
func (p *panes) emit(end int64) {
	c, a := p.close, p.to
	a.groups.m.Each(func(id uint32) {
		src := a.groups.m.At(id)
		if int64(src[payRows]) <= 0 {
			return
		}
		row := a.rows.Len()
		cols := a.rows.Open(1)
		n := 0
		for k, edge := range p.edges {
			switch edge {
			case 0:
				c.decoded[n] = cols[k]
				n++
			case 1:
				cols[k].AppendInt(end - c.size)
			case 2:
				cols[k].AppendInt(end)
			}
		}
		if _, err := state.DecodeRow(c.decoded, a.groups.m.Key(id)); err != nil {
			panic("op: state holds a corrupt key")
		}
		a.groups.results(src, cols[len(p.edges):], row)
		if a.rows.Len() >= letRows {
			a.let()
		}
	})
}

// restored makes the lists anew.
func (p *panes) restored() {
	p.groups.restored()
	p.close.lists, p.close.at = nil, 0
	p.groups.m.Each(func(id uint32) {
		key := p.groups.m.Key(id)
		p.link(int64(binary.LittleEndian.Uint64(key[len(key)-8:])), id)
	})
}
