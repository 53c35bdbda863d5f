package plan

import "slices"

// clone copies a tree: nodes and their lists; expressions, which never change, are shared.
func clone(n Node) Node {
	keys := func(k []SortKey) []SortKey { return slices.Clone(k) }
	switch x := n.(type) {
	case *Scan:
		c := *x
		c.Columns, c.Events = slices.Clone(x.Columns), slices.Clone(x.Events)
		return &c
	case *Values:
		c := *x
		c.Rows = make([][]Expr, len(x.Rows))
		for i, r := range x.Rows {
			c.Rows[i] = slices.Clone(r)
		}
		return &c
	case *Filter:
		return &Filter{clone(x.Input), x.Pred}
	case *Project:
		return &Project{clone(x.Input), slices.Clone(x.Exprs), slices.Clone(x.Names)}
	case *Window:
		c := *x
		c.Input = clone(x.Input)
		return &c
	case *Aggregate:
		c := *x
		c.Input, c.Groups, c.Names, c.Calls = clone(x.Input), slices.Clone(x.Groups), slices.Clone(x.Names), slices.Clone(x.Calls)
		for i := range c.Calls {
			c.Calls[i].Args, c.Calls[i].OrderBy = slices.Clone(c.Calls[i].Args), keys(c.Calls[i].OrderBy)
		}
		return &c
	case *Join:
		c := *x
		c.Left, c.Right = clone(x.Left), clone(x.Right)
		c.LeftKeys, c.RightKeys = slices.Clone(x.LeftKeys), slices.Clone(x.RightKeys)
		if x.AsOf != nil {
			a := *x.AsOf
			c.AsOf = &a
		}
		return &c
	case *Sort:
		c := *x
		c.Input, c.Keys = clone(x.Input), keys(x.Keys)
		return &c
	case *Distinct:
		return &Distinct{clone(x.Input)}
	case *SetOp:
		c := *x
		c.Left, c.Right = clone(x.Left), clone(x.Right)
		return &c
	case *Over:
		c := *x
		c.Input, c.Partition, c.Order, c.Calls = clone(x.Input), slices.Clone(x.Partition), keys(x.Order), slices.Clone(x.Calls)
		for i := range c.Calls {
			c.Calls[i].Args = slices.Clone(c.Calls[i].Args)
		}
		return &c
	case *TopN:
		c := *x
		c.Input, c.Partition, c.Order = clone(x.Input), slices.Clone(x.Partition), keys(x.Order)
		return &c
	case *Unnest:
		c := *x
		c.Input, c.Calls = clone(x.Input), slices.Clone(x.Calls)
		for i := range c.Calls {
			c.Calls[i].Args = slices.Clone(c.Calls[i].Args)
		}
		return &c
	case *Recursive:
		c := *x
		c.Base, c.Step = clone(x.Base), clone(x.Step)
		return &c
	}
	return n
}
