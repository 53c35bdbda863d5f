package eval

import (
	"slices"

	"myelin/internal/process/fn"
	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// rows returns sel, or all n rows in buf where sel is nil.
func rows(sel []int32, n int, buf *[]int32) []int32 {
	if sel != nil {
		return sel
	}
	*buf = appendAll((*buf)[:0], nil, n)
	return *buf
}

// at is the row of v that stands for row i of the batch.
func at(v *vec.Vector, i int32, n int) int {
	if v.Len() == 1 && n != 1 {
		return 0
	}
	return int(i)
}

// logic is AND and OR: an operand is computed only for the rows that the ones before it leave open.
type logic struct {
	or        bool
	args      []node
	out       vec.Vector
	all, open []int32
}

func (s *Scope) newLogic(e *plan.Logic) node {
	return &logic{or: e.Or, args: s.buildAll(e.Args), out: vec.Vector{Type: vec.Of(vec.Bool)}}
}

func (l *logic) run(env *fn.Env, b *vec.Batch, sel []int32) *vec.Vector {
	l.out.Resize(b.N)
	open := append(l.open[:0], rows(sel, b.N, &l.all)...)
	for _, i := range open {
		l.out.Bools[i] = !l.or
	}
	for _, a := range l.args {
		if len(open) == 0 {
			break
		}
		v := a.run(env, b, open)
		kept := open[:0]
		for _, i := range open {
			j := at(v, i, b.N)
			switch {
			case v.IsNull(j):
				l.out.SetNull(int(i))
			case v.Bools[j] == l.or:
				l.out.Bools[i] = l.or
				if l.out.Valid != nil {
					l.out.Valid.Set(int(i))
				}
				continue
			}
			kept = append(kept, i)
		}
		open = kept
	}
	l.open = open[:0]
	return &l.out
}

// caseNode is CASE: a branch is computed only for the rows that reach it.
type caseNode struct {
	whens, thens []node
	other        node
	out          vec.Vector
	all          []int32
	open, hit    []int32
}

func (s *Scope) newCase(e *plan.Case) node {
	c := &caseNode{whens: s.buildAll(e.Whens), thens: s.buildAll(e.Thens), out: vec.Vector{Type: e.T}}
	if e.Else != nil {
		c.other = s.build(e.Else)
	}
	return c
}

func (c *caseNode) run(env *fn.Env, b *vec.Batch, sel []int32) *vec.Vector {
	c.out.Resize(b.N)
	open := append(c.open[:0], rows(sel, b.N, &c.all)...)
	c.open = open
	for k, when := range c.whens {
		if len(open) == 0 {
			break
		}
		v := when.run(env, b, open)
		kept, hit := open[:0], c.hit[:0]
		for _, i := range open {
			if j := at(v, i, b.N); !v.IsNull(j) && v.Bools[j] {
				hit = append(hit, i)
				continue
			}
			kept = append(kept, i)
		}
		open, c.hit = kept, hit
		c.take(env, b, c.thens[k], hit)
	}
	c.take(env, b, c.other, open)
	return &c.out
}

// take computes a branch for its rows and copies them to the result; no branch gives NULL.
func (c *caseNode) take(env *fn.Env, b *vec.Batch, branch node, sel []int32) {
	if len(sel) == 0 {
		return
	}
	if branch == nil {
		for _, i := range sel {
			c.out.SetNull(int(i))
		}
		return
	}
	v := branch.run(env, b, sel)
	for _, i := range sel {
		c.out.CopyRow(int(i), v, at(v, i, b.N))
	}
}

// coalesce computes an argument only for the rows where all before it are NULL.
type coalesce struct {
	args []node
	out  vec.Vector
	all  []int32
	open []int32
}

func (s *Scope) newCoalesce(e *plan.Coalesce) node {
	return &coalesce{args: s.buildAll(e.Args), out: vec.Vector{Type: e.T}}
}

func (c *coalesce) run(env *fn.Env, b *vec.Batch, sel []int32) *vec.Vector {
	c.out.Resize(b.N)
	open := append(c.open[:0], rows(sel, b.N, &c.all)...)
	c.open = open
	for _, a := range c.args {
		if len(open) == 0 {
			break
		}
		v := a.run(env, b, open)
		kept := open[:0]
		for _, i := range open {
			j := at(v, i, b.N)
			if v.IsNull(j) {
				kept = append(kept, i)
				continue
			}
			c.out.CopyRow(int(i), v, j)
		}
		open = kept
	}
	for _, i := range open {
		c.out.SetNull(int(i))
	}
	return &c.out
}

// inList is x [NOT] IN (constants), through a hash table of the constants.
type inList struct {
	x       node
	list    *vec.Vector
	table   map[uint64][]int32
	hasNull bool
	not     bool
	out     vec.Vector
	all     []int32
}

func (s *Scope) newInList(e *plan.InList) node {
	l := &inList{x: s.build(e.X), list: e.List, not: e.Not, table: map[uint64][]int32{}, out: vec.Vector{Type: vec.Of(vec.Bool)}}
	for i := range e.List.Len() {
		if e.List.IsNull(i) {
			l.hasNull = true
			continue
		}
		h := vec.HashRow(e.List, i, 0)
		l.table[h] = append(l.table[h], int32(i))
	}
	return l
}

func (l *inList) run(env *fn.Env, b *vec.Batch, sel []int32) *vec.Vector {
	v := l.x.run(env, b, sel)
	l.out.Resize(b.N)
	for _, i := range rows(sel, b.N, &l.all) {
		j := at(v, i, b.N)
		switch {
		case v.IsNull(j):
			l.out.SetNull(int(i))
		case l.has(v, j):
			l.out.Bools[i] = !l.not
		case l.hasNull:
			l.out.SetNull(int(i))
		default:
			l.out.Bools[i] = l.not
		}
	}
	return &l.out
}

// fewInts is how many whole numbers are looked for one by one.
const fewInts = 8

func (l *inList) has(v *vec.Vector, j int) bool {
	if l.list.Type.Kind.InInts() && len(l.list.Ints) <= fewInts && !l.hasNull {
		return slices.Contains(l.list.Ints, v.Ints[j])
	}
	for _, k := range l.table[vec.HashRow(v, j, 0)] {
		if vec.Same(l.list, int(k), v, j) {
			return true
		}
	}
	return false
}
