package plan

import "slices"

// caseFilters makes count(DISTINCT CASE WHEN p THEN x END) what it is the same as: count(DISTINCT x) FILTER (WHERE p). The counts of one
// column under several conditions then share what they remember.
func caseFilters(n Node) Node {
	return rebuild(n, func(n Node) Node {
		a, ok := n.(*Aggregate)
		if !ok {
			return n
		}
		a.Calls = slices.Clone(a.Calls)
		for i := range a.Calls {
			c := &a.Calls[i]
			if c.Func != "count" || !c.Distinct || len(c.Args) != 1 {
				continue
			}
			x, when := onlyCase(c.Args[0])
			if x == nil {
				continue
			}
			c.Args, c.Filter = []Expr{x}, and(append(conjuncts(c.Filter), when))
		}
		return a
	})
}

// onlyCase parts an expression that is a column where a condition is true, and else NULL; nil: it is no such one.
func onlyCase(e Expr) (*Col, Expr) {
	c, ok := e.(*Case)
	if !ok || len(c.Whens) != 1 {
		return nil, nil
	}
	null := func(e Expr) bool {
		k, ok := e.(*Const)
		return e == nil || ok && k.Value.IsNull(0)
	}
	if x, ok := c.Thens[0].(*Col); ok && null(c.Else) {
		return x, c.Whens[0]
	}
	if x, ok := c.Else.(*Col); ok && null(c.Thens[0]) {
		return x, (&binder{}).call("is not true", 0, c.Whens[0])
	}
	return nil, nil
}
