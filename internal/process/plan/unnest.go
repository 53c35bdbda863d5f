package plan

import (
	"slices"

	"myelin/internal/process/fn"
	"myelin/internal/vec"
)

// Unnest joins each input row with the rows that set-returning functions make of it: the input's columns, then the functions'. A
// function in FROM that reads no other item has an input of one row without columns.
type Unnest struct {
	Input Node
	// Calls stand side by side: row n of the result takes the n-th row of each; those that have fewer rows give NULLs.
	Calls []SetCall
	// Ordinality adds the number of the row, from 1, as the last column (BIGINT).
	Ordinality bool
	// Outer keeps an input row for which the calls give no row, once, with NULLs (LEFT JOIN LATERAL … ON true).
	Outer bool
	// OrdName is the name of the ordinality column.
	OrdName string
}

// SetCall is a call of a set-returning function. A NULL argument gives no rows.
type SetCall struct {
	Func    *fn.SetFunc
	Args    []Expr // over Input
	Columns []Column
}

// Recursive is WITH RECURSIVE of a query that runs once: the rows of Base, then those of Step over them, then those of Step over
// these, until there are none. With Distinct a row that was there before is dropped. More than MaxRows rows in total are an error
// (54001).
type Recursive struct {
	Name       string
	Base, Step Node
	Distinct   bool
	MaxRows    int64
}

// Work is the leaf of Recursive.Step that gives the rows of the round before.
type Work struct {
	Of      *int // the same pointer in all leaves of one Recursive; what it points to means nothing
	Name    string
	Columns []Column
}

// Inputs implements Node.
func (n *Unnest) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Recursive) Inputs() []Node { return []Node{n.Base, n.Step} }

// Inputs implements Node.
func (n *Work) Inputs() []Node { return nil }

// Schema implements Node.
func (n *Unnest) Schema() []Column {
	out := slices.Clone(n.Input.Schema())
	for _, c := range n.Calls {
		for _, col := range c.Columns {
			col.NotNull = col.NotNull && !n.Outer && len(n.Calls) == 1
			out = append(out, col)
		}
	}
	if n.Ordinality {
		out = append(out, Column{Name: n.OrdName, Type: vec.Of(vec.Int64), NotNull: !n.Outer})
	}
	return out
}

// Schema implements Node.
func (n *Recursive) Schema() []Column {
	out := slices.Clone(n.Base.Schema())
	step := n.Step.Schema()
	for i := range out {
		out[i].NotNull = out[i].NotNull && step[i].NotNull
	}
	return out
}

// Schema implements Node.
func (n *Work) Schema() []Column { return n.Columns }

// Props implements Node.
func (n *Unnest) Props() Props {
	p := n.Input.Props()
	if p.Key != nil && n.Ordinality && !n.Outer {
		p.Key = append(slices.Clone(p.Key), len(n.Schema())-1)
	} else {
		p.Key = nil
	}
	return p
}

// Props implements Node.
func (n *Recursive) Props() Props { return none }

// Props implements Node.
func (n *Work) Props() Props { return none }
