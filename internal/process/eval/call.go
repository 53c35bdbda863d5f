package eval

import (
	"myelin/internal/process/fn"
	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// call applies a kernel. Strict functions see only rows without NULL arguments.
type call struct {
	f    *fn.Func
	args []node
	vals []*vec.Vector
	out  vec.Vector
	sel  []int32
}

func (s *Scope) newCall(e *plan.Call) node {
	return &call{f: e.Func, args: s.buildAll(e.Args), vals: make([]*vec.Vector, len(e.Args)), out: vec.Vector{Type: e.T}}
}

func (c *call) run(env *fn.Env, b *vec.Batch, sel []int32) *vec.Vector {
	constant := !c.f.Volatile
	for i, a := range c.args {
		c.vals[i] = a.run(env, b, sel)
		if constant && c.vals[i].Len() != 1 {
			constant = false
		}
	}
	n := b.N
	if constant && n != 1 {
		if n == 0 || sel != nil && len(sel) == 0 {
			// Nothing asks for the value: computing it could raise an error of no row.
			c.out.Resize(n)
			return &c.out
		}
		return c.runConstant(env, sel)
	}
	c.out.Resize(n)
	if c.f.Strict {
		sel = c.notNull(sel, n)
	}
	if sel == nil || len(sel) > 0 {
		c.f.Eval(env, c.vals, sel, n, &c.out)
	}
	return &c.out
}

// runConstant computes the only row of a call whose arguments are all constant. An error counts for the first row asked for.
func (c *call) runConstant(env *fn.Env, sel []int32) *vec.Vector {
	c.out.Resize(1)
	if c.f.Strict {
		if s := c.notNull(nil, 1); s != nil && len(s) == 0 {
			return &c.out
		}
	}
	errs := len(env.Errs)
	c.f.Eval(env, c.vals, nil, 1, &c.out)
	if sel != nil {
		for i := errs; i < len(env.Errs); i++ {
			env.Errs[i].Row = sel[0]
		}
	}
	return &c.out
}

// notNull narrows sel to the rows where no argument is NULL and makes the result NULL in the others.
func (c *call) notNull(sel []int32, n int) []int32 {
	nulls := false
	for _, v := range c.vals {
		if v.Valid != nil {
			nulls = true
		}
	}
	if !nulls {
		return sel
	}
	kept := c.sel[:0]
	keep := func(i int) {
		for _, v := range c.vals {
			if v.Valid == nil {
				continue
			}
			j := i
			if v.Len() == 1 {
				j = 0
			}
			if !v.Valid.Has(j) {
				c.out.SetNull(i)
				return
			}
		}
		kept = append(kept, int32(i))
	}
	if sel == nil {
		for i := range n {
			keep(i)
		}
	} else {
		for _, i := range sel {
			keep(int(i))
		}
	}
	if kept == nil {
		kept = []int32{}
	}
	c.sel = kept
	if len(kept) == n {
		return nil
	}
	return kept
}
