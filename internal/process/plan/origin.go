package plan

import (
	"cmp"
	"slices"
	"strings"
)

// Origin is a column of a relation that a result depends on. Column "*" stands for the rows as such: count(*) depends on which
// rows there are and on no value in them.
type Origin struct {
	Relation *Relation
	Column   string
	// Path is where in the record's JSON the column lies, joined by "/"; "" for stored columns and parts of the record.
	Path string
	// Events are the event names that count, sorted and joined by line breaks; "" for all.
	Events string
}

// Lineage says what each output column of a query is computed from, and what decides which rows there are.
type Lineage struct {
	Columns []ColumnLineage
	Rows    []Origin
}

// ColumnLineage is what one output column is computed from.
type ColumnLineage struct {
	Name     string
	Computes []Origin
}

type origins map[Origin]bool

func (o origins) add(more origins) {
	for x := range more {
		o[x] = true
	}
}

func (o origins) sorted() []Origin {
	out := make([]Origin, 0, len(o))
	for x := range o {
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b Origin) int {
		return cmp.Or(cmp.Compare(a.Relation.Name, b.Relation.Name), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Events, b.Events))
	})
	return out
}

// traced is a node's output: what each column is computed from, and what decides its rows.
type traced struct {
	columns []origins
	rows    origins
}

// TraceQuery follows the columns of a bound query back to the relations that it reads.
func TraceQuery(q *Query) Lineage {
	t := trace(q.Root)
	out := Lineage{Rows: t.rows.sorted()}
	for i, c := range q.Root.Schema() {
		l := ColumnLineage{Name: c.Name}
		if i < len(t.columns) {
			l.Computes = t.columns[i].sorted()
		}
		out.Columns = append(out.Columns, l)
	}
	return out
}

func trace(n Node) traced {
	var ins []traced
	all := traced{rows: origins{}}
	for _, in := range n.Inputs() {
		t := trace(in)
		ins = append(ins, t)
		all.columns = append(all.columns, t.columns...)
		all.rows.add(t.rows)
	}
	// of is what an expression over the inputs' columns is computed from.
	of := func(e Expr) origins {
		set, out := map[int]bool{}, origins{}
		columnsOf(e, set)
		for i := range set {
			if i < len(all.columns) {
				out.add(all.columns[i])
			}
		}
		return out
	}
	switch n := n.(type) {
	case *Scan:
		return traceScan(n)
	case *Filter:
		all.rows.add(of(n.Pred))
		return all
	case *Project:
		out := traced{rows: all.rows}
		for _, e := range n.Exprs {
			out.columns = append(out.columns, of(e))
		}
		return out
	case *Aggregate:
		return traceAggregate(n, all, of)
	case *Join:
		return traceJoin(n, ins, all, of)
	case *Expire:
		all.rows.add(all.columns[n.Time])
		return traced{columns: all.columns[:n.Width], rows: all.rows}
	case *SetOp:
		out := traced{rows: all.rows}
		for i := range ins[0].columns {
			set := origins{}
			set.add(ins[0].columns[i])
			if i < len(ins[1].columns) {
				set.add(ins[1].columns[i])
			}
			out.columns = append(out.columns, set)
		}
		return out
	}
	return tracePass(n, all)
}

func traceScan(n *Scan) traced {
	events := n.Events
	if len(events) == 0 {
		events = n.Relation.Events
	}
	names := slices.Clone(events)
	slices.Sort(names)
	joined := strings.Join(names, "\n")
	out := traced{rows: origins{{Relation: n.Relation, Column: "*", Events: joined}: true}}
	for _, c := range n.Columns {
		path := c.Path
		if c.From == FromUserKey {
			path = nil
		}
		out.columns = append(out.columns, origins{{Relation: n.Relation, Column: c.Name, Path: strings.Join(path, "/"), Events: joined}: true})
	}
	return out
}

func traceAggregate(n *Aggregate, all traced, of func(Expr) origins) traced {
	out := traced{rows: all.rows}
	for _, g := range n.Groups {
		from := of(g)
		out.columns = append(out.columns, from)
		out.rows.add(from)
	}
	for _, c := range n.Calls {
		set := origins{}
		for _, a := range c.Args {
			set.add(of(a))
		}
		set.add(of(c.Filter))
		if c.Star || len(c.Args) == 0 {
			for x := range all.rows {
				if x.Column == "*" {
					set[x] = true
				}
			}
		}
		out.columns = append(out.columns, set)
	}
	return out
}

func traceJoin(n *Join, ins []traced, all traced, of func(Expr) origins) traced {
	side := func(t traced, keys []Expr) {
		for _, k := range keys {
			set := map[int]bool{}
			columnsOf(k, set)
			for i := range set {
				if i < len(t.columns) {
					all.rows.add(t.columns[i])
				}
			}
		}
	}
	side(ins[0], n.LeftKeys)
	side(ins[1], n.RightKeys)
	all.rows.add(of(n.On))
	if n.Kind == Semi || n.Kind == Anti {
		return traced{columns: ins[0].columns, rows: all.rows}
	}
	return all
}

// tracePass is for nodes that hand their input on and may add columns: those are computed from any of the input's.
func tracePass(n Node, all traced) traced {
	out := traced{rows: all.rows}
	any := origins{}
	for _, c := range all.columns {
		any.add(c)
	}
	switch n.(type) {
	case *Distinct:
		out.rows.add(any)
	case *Window:
		any = origins{}
		if w, ok := n.(*Window); ok && w.Time >= 0 && w.Time < len(all.columns) {
			any.add(all.columns[w.Time])
		}
	}
	for i := range n.Schema() {
		if i < len(all.columns) {
			out.columns = append(out.columns, all.columns[i])
			continue
		}
		out.columns = append(out.columns, any)
	}
	return out
}
