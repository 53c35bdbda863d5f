package op

import (
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// shown is for an aggregation whose groups can be read off the rows that its view shows: nothing but those rows is kept, in memory and
// in flushes, and the groups are a cache of the rows that came up lately. That takes a view that shows every group and every
// call's result just as they are, over rows that are never taken back.
type shown struct {
	find  func(key []byte) (value []byte, ok bool)
	limit int
	calls []int // of the columns that a row has behind its key: the call that it shows
	cols  []*vec.Vector
	types []vec.Type
}

// rememberedGroups is how many groups the cache holds between two steps.
const rememberedGroups = 1 << 15

// reviver is an accumulator whose words can be made from its result. It must be one that always has a result.
type reviver interface {
	// revivable reports whether that holds for results of a type.
	revivable(t vec.Type) bool
	revive(g *groups, id uint32, at int, v *vec.Vector)
}

// newShown returns nil where the rows do not tell all.
func newShown(p *Pipeline, q *plan.Query, n *plan.Aggregate, g *groups) *shown {
	if n.TTL > 0 || p.Ctx.Shown == nil || n != p.replaced || len(n.Groups) == 0 || p.Ctx.OnClose || !n.Input.Props().AppendOnly {
		return nil
	}
	cols := passed(q.Root, n)
	if cols == nil || len(q.Key) != len(n.Groups) {
		return nil
	}
	s := &shown{find: p.Ctx.Shown, limit: p.Ctx.Remember}
	if s.limit == 0 {
		s.limit = rememberedGroups
	}
	isKey := make([]bool, len(cols))
	for i, c := range q.Key {
		if cols[c] != i {
			return nil
		}
		isKey[c] = true
	}
	seen := make([]bool, len(g.calls))
	for c, from := range cols {
		if isKey[c] {
			continue
		}
		call := from - len(n.Groups)
		if call < 0 {
			call = -1 // a group shown twice
		} else {
			seen[call] = true
		}
		s.calls = append(s.calls, call)
		s.types = append(s.types, q.Root.Schema()[c].Type)
	}
	for i := range g.calls {
		if r := reviverOf(g.calls[i].acc); !seen[i] || r == nil || !r.revivable(g.calls[i].t) {
			return nil
		}
	}
	s.cols = vectors(len(s.types))
	return s
}

// reviverOf gives the accumulator if it is one; those that are built on one are not.
func reviverOf(a acc) reviver {
	switch a := a.(type) {
	case countAcc:
		return a
	case wordExtreme:
		return a
	case *extreme:
		return a
	case decSum:
		return a
	}
	return nil
}

// passed tells which columns of n the columns of a tree above it are, if they are nothing else.
func passed(root plan.Node, n *plan.Aggregate) []int {
	if root == plan.Node(n) {
		out := make([]int, len(n.Schema()))
		for i := range out {
			out[i] = i
		}
		return out
	}
	p, ok := root.(*plan.Project)
	if !ok {
		return nil
	}
	below := passed(p.Input, n)
	if below == nil {
		return nil
	}
	out := make([]int, len(p.Exprs))
	for i, e := range p.Exprs {
		c, ok := e.(*plan.Col)
		if !ok {
			return nil
		}
		out[i] = below[c.Index]
	}
	return out
}

// recall makes a new entry of the cache what the row that is shown says.
func (s *shown) recall(a *aggregate, id uint32) {
	value, ok := s.find(a.keyBuf)
	if !ok {
		return
	}
	for i, v := range s.cols {
		v.Reset(s.types[i])
	}
	if _, err := state.DecodeRow(s.cols, value); err != nil {
		panic("op: a view holds a corrupt row")
	}
	p := a.groups.m.At(id)
	p[payRows], p[aggEmitted] = 1, 1
	for i, call := range s.calls {
		if call >= 0 && !s.cols[i].IsNull(0) {
			c := &a.groups.calls[call]
			reviverOf(c.acc).revive(a.groups, id, c.at, s.cols[i])
		}
	}
}

// forget keeps the cache small. All that it holds is in the rows of the view.
func (s *shown) forget(a *aggregate) {
	if a.groups.m.Len() > s.limit {
		a.groups.m.Clear()
	}
}

func (countAcc) revivable(vec.Type) bool { return true }

func (countAcc) revive(g *groups, id uint32, at int, v *vec.Vector) {
	g.m.At(id)[at] = uint64(v.Ints[0])
}

func (wordExtreme) revivable(vec.Type) bool { return true }

func (wordExtreme) revive(g *groups, id uint32, at int, v *vec.Vector) {
	p := g.m.At(id)[at:]
	p[0], p[1] = 1, uint64(v.Ints[0])
}

func (x *extreme) revivable(t vec.Type) bool { return t.Kind != vec.Numeric || t.Precision == 0 }

func (x *extreme) revive(g *groups, id uint32, at int, v *vec.Vector) {
	x.buf = state.AppendRow(x.buf[:0], []*vec.Vector{v}, 0)
	g.m.At(id)[at] = 1
	g.m.SetBlob(id, at+1, x.buf)
}

// revivable: a sum that is shown as a whole number can be too large for that.
func (a decSum) revivable(t vec.Type) bool {
	return !a.avg && !a.track && t.Kind == vec.Numeric && t.Precision == 0
}

func (decSum) revive(g *groups, id uint32, at int, v *vec.Vector) {
	p := g.m.At(id)[at:]
	p[0] = 1
	storeDec(p, v.Decs[0])
}
