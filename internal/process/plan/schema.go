package plan

import "myelin/internal/vec"

// Inputs implements Node.
func (n *Scan) Inputs() []Node { return nil }

// Inputs implements Node.
func (n *Values) Inputs() []Node { return nil }

// Inputs implements Node.
func (n *Filter) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Project) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Window) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Aggregate) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Join) Inputs() []Node { return []Node{n.Left, n.Right} }

// Inputs implements Node.
func (n *Sort) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Distinct) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *SetOp) Inputs() []Node { return []Node{n.Left, n.Right} }

// Schema implements Node.
func (n *Scan) Schema() []Column {
	out := make([]Column, len(n.Columns))
	for i, c := range n.Columns {
		out[i] = c.Column
	}
	return out
}

// Schema implements Node.
func (n *Values) Schema() []Column { return n.Columns }

// Schema implements Node.
func (n *Filter) Schema() []Column { return n.Input.Schema() }

// Schema implements Node.
func (n *Project) Schema() []Column {
	in := n.Input.Schema()
	out := make([]Column, len(n.Exprs))
	for i, e := range n.Exprs {
		out[i] = Column{Name: n.Names[i], Type: e.Type(), NotNull: notNull(e, in)}
	}
	return out
}

// Schema implements Node.
func (n *Window) Schema() []Column {
	in := n.Input.Schema()
	out := append(make([]Column, 0, len(in)+2), in...)
	t := in[n.Time].Type
	return append(out, Column{Name: "window_start", Type: t, NotNull: true}, Column{Name: "window_end", Type: t, NotNull: true})
}

// Schema implements Node.
func (n *Aggregate) Schema() []Column {
	in := n.Input.Schema()
	out := make([]Column, 0, len(n.Groups)+len(n.Calls))
	for i, g := range n.Groups {
		out = append(out, Column{Name: n.Names[i], Type: g.Type(), NotNull: notNull(g, in)})
	}
	for i, c := range n.Calls {
		out = append(out, Column{Name: n.Names[len(n.Groups)+i], Type: c.Type, NotNull: c.Func == "count" || c.Func == Counted})
	}
	return out
}

// Schema implements Node.
func (n *Join) Schema() []Column {
	left := n.Left.Schema()
	if n.Kind == Semi || n.Kind == Anti {
		return left
	}
	right := n.Right.Schema()
	out := make([]Column, 0, len(left)+len(right))
	for _, c := range left {
		c.NotNull = c.NotNull && n.Kind != Right && n.Kind != Full
		out = append(out, c)
	}
	for _, c := range right {
		c.NotNull = c.NotNull && n.Kind != Left && n.Kind != Full
		out = append(out, c)
	}
	return out
}

// Schema implements Node.
func (n *Sort) Schema() []Column { return n.Input.Schema() }

// Schema implements Node.
func (n *Distinct) Schema() []Column { return n.Input.Schema() }

// Schema implements Node.
func (n *SetOp) Schema() []Column {
	left, right := n.Left.Schema(), n.Right.Schema()
	out := append([]Column(nil), left...)
	for i := range out {
		out[i].NotNull = left[i].NotNull && (n.Kind != Union || right[i].NotNull)
	}
	return out
}

// notNull reports whether an expression over in can never be NULL.
func notNull(e Expr, in []Column) bool {
	switch e := e.(type) {
	case *Col:
		return e.Index < len(in) && in[e.Index].NotNull
	case *Const:
		return !e.Value.IsNull(0)
	case *Coalesce:
		for _, a := range e.Args {
			if notNull(a, in) {
				return true
			}
		}
	case *Logic:
		for _, a := range e.Args {
			if !notNull(a, in) {
				return false
			}
		}
		return true
	case *Call:
		switch e.Func.Name {
		case "is null", "is not null", "is true", "is not true", "is false", "is not false", "is distinct from", "is not distinct from":
			return true
		case "=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "not", "||", "lower", "upper":
			// A failing row gives NULL too (overflow), but only of numbers.
			if e.T.Kind.Numeric() || !e.Func.Strict {
				return false
			}
			for _, a := range e.Args {
				if !notNull(a, in) {
					return false
				}
			}
			return e.Args[0].Type().Kind != vec.JSONB
		}
	}
	return false
}
