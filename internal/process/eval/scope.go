package eval

import (
	"reflect"

	"myelin/internal/process/fn"
	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// Scope makes expressions that compute the same rows of the same batch compute what they have in common once.
type Scope struct {
	memos []*memo
	pass  uint64
}

// maxCommon is how many calls are compared with each other.
const maxCommon = 64

// NewScope finds what is common to some expressions. Begin is to be called before each batch.
func NewScope(exprs []plan.Expr) *Scope {
	s := &Scope{pass: 1}
	var calls []*plan.Call
	for _, e := range exprs {
		plan.WalkExpr(e, func(e plan.Expr) {
			if c, ok := e.(*plan.Call); ok && len(calls) < maxCommon && !volatile(c) {
				calls = append(calls, c)
			}
		})
	}
	for i, c := range calls {
		if s.find(c) != nil {
			continue
		}
		for _, other := range calls[:i] {
			if other.Func == c.Func && reflect.DeepEqual(other, c) {
				s.memos = append(s.memos, &memo{scope: s, call: c})
				break
			}
		}
	}
	return s
}

// volatile reports whether an expression may have another value each time, for a function in it has.
func volatile(e plan.Expr) bool {
	found := false
	plan.WalkExpr(e, func(e plan.Expr) {
		c, ok := e.(*plan.Call)
		found = found || ok && c.Func.Volatile
	})
	return found
}

// Begin says that the expressions have another batch before them, or are to compute this one again.
func (s *Scope) Begin() { s.pass++ }

// New prepares one of the expressions.
func (s *Scope) New(e plan.Expr) *Eval { return &Eval{node: s.build(e), t: e.Type()} }

// NewFilter prepares one of the expressions as a predicate.
func (s *Scope) NewFilter(pred plan.Expr) *Filter { return &Filter{s.New(pred)} }

func (s *Scope) find(c *plan.Call) *memo {
	for _, m := range s.memos {
		if m.call.Func == c.Func && reflect.DeepEqual(m.call, c) {
			return m
		}
	}
	return nil
}

// shared is the node of a call that the scope has more than once; nil for others.
func (s *Scope) shared(c *plan.Call) node {
	m := s.find(c)
	if m == nil {
		return nil
	}
	if m.node == nil {
		m.node = s.newCall(c)
	}
	return m
}

// memo keeps the result of a call for as long as the batch is the same.
type memo struct {
	scope *Scope
	call  *plan.Call
	node  node
	pass  uint64
	out   *vec.Vector
	all   bool
	have  vec.Bitmap // rows that out has; without all
	sel   []int32
}

func (m *memo) run(env *fn.Env, b *vec.Batch, sel []int32) *vec.Vector {
	if m.pass != m.scope.pass {
		m.pass, m.all = m.scope.pass, false
		words := (b.N + 63) / 64
		if cap(m.have) < words {
			m.have = make(vec.Bitmap, words)
		}
		m.have = m.have[:words]
		clear(m.have)
		m.note(sel)
		m.out = m.node.run(env, b, sel)
		m.all = m.all || m.out.Len() == 1 && b.N != 1
		return m.out
	}
	if m.all || sel != nil && m.has(sel) {
		return m.out
	}
	// Rows that were not asked for before: compute them with those that were.
	m.note(sel)
	if sel != nil {
		m.sel = m.sel[:0]
		for i := range b.N {
			if m.have.Has(i) {
				m.sel = append(m.sel, int32(i))
			}
		}
		sel = m.sel
	}
	m.out = m.node.run(env, b, sel)
	return m.out
}

func (m *memo) note(sel []int32) {
	m.all = sel == nil
	for _, i := range sel {
		m.have.Set(int(i))
	}
}

func (m *memo) has(sel []int32) bool {
	for _, i := range sel {
		if !m.have.Has(int(i)) {
			return false
		}
	}
	return true
}
