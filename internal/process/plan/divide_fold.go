package plan

import (
	"slices"

	"myelin/internal/vec"
)

// A view that brings together rows of several partitions can be run in parts, too, if what brings them together is an aggregation whose
// calls can be computed from those over less: each part folds the rows of a step by group, and writes a row per group to a topic, which
// one task reads as a stream and aggregates once more. All that the query does with the groups is done there.

// Folded is a view that is run that way. Parts remember nothing: that is up to the task behind them.
type Folded struct {
	// Parts is what each part runs. Its root is a Fold.
	Parts *Query
	// Source is the stream that they read.
	Source *Relation
	// Stream is the topic that they write, as a relation. It has no name yet.
	Stream *Relation

	rest *Query
}

// Rest is the query of the task that reads what the parts write to a topic.
func (f *Folded) Rest(topic string) *Query {
	q, r := *f.rest, *f.Stream
	r.Name, r.Topic = topic, topic
	q.Root = rebuild(q.Root, func(n Node) Node {
		if s, ok := n.(*Scan); ok && s.Relation == f.Stream {
			c := *s
			c.Relation = &r
			return &c
		}
		return n
	})
	return &q
}

// Fold aggregates the rows of each step by themselves: a group is let out, and forgotten, when the step ends.
type Fold struct {
	Input  Node
	Groups []Expr
	Calls  []AggCall
	Names  []string
}

// Inputs implements Node.
func (n *Fold) Inputs() []Node { return []Node{n.Input} }

// Schema implements Node.
func (n *Fold) Schema() []Column { return n.aggregate().Schema() }

// Props implements Node.
func (n *Fold) Props() Props {
	p := none
	p.AppendOnly = true
	return p
}

func (n *Fold) aggregate() *Aggregate {
	return &Aggregate{Input: n.Input, Groups: n.Groups, Calls: n.Calls, Names: n.Names}
}

// Counted is the aggregate that adds up counts: 0 over no rows. It has no name in SQL.
const Counted = "sum of counts"

// Windowed says which columns of a relation are the start and the end of a window, and of which; -1: none is.
type Windowed struct {
	Window     *Window
	Start, End int
}

// WindowOf is the window behind a column of a scan, if it is the start or the end of one.
func (n *Scan) WindowOf(col int) (w *Window, isEnd bool) {
	r := n.Relation.Windowed
	if r == nil || col >= len(n.Columns) {
		return nil, false
	}
	switch n.Columns[col].Index {
	case r.Start:
		return r.Window, false
	case r.End:
		return r.Window, true
	}
	return nil, false
}

// folded finds out whether a query that cannot be divided as it is can be run in parts that fold its rows. Both results are nil where there is no
// more to say than why it cannot be divided.
func (b *binder) folded(q *Query, pos int) (*Folded, *hindrance) {
	at := foldedAt(q.Root)
	if at == nil {
		return nil, nil
	}
	agg, ok := at.(*Aggregate)
	if !ok { // DISTINCT groups by all columns
		in := at.Inputs()[0]
		agg = &Aggregate{Input: in}
		for i, c := range in.Schema() {
			agg.Groups, agg.Names = append(agg.Groups, &Col{Index: i, T: c.Type, Name: c.Name}), append(agg.Names, c.Name)
		}
	}
	if q.Emit == EmitOnWindowClose {
		return nil, &hindrance{"EMIT ON WINDOW CLOSE has to know how far all partitions are", "leave parallelism out, or EMIT ON WINDOW CLOSE"}
	}
	f := &folding{b: b, pos: pos, of: agg, stream: &Relation{Kind: Stream, Format: "json", AppendOnly: true, TimeCol: -1, Told: true}}
	f.fold = &Fold{Input: agg.Input}
	f.add("n", vec.Of(vec.Int64))
	rest, why := f.rest()
	if why != nil {
		return nil, why
	}
	scan := leaf(agg.Input)
	f.windows()
	if scan.Relation.TimeCol >= 0 {
		f.stream.TimeCol = len(f.stream.Columns)
		f.add("t", vec.Of(vec.Timestamptz))
	}
	out := *q
	out.Root = replace(q.Root, at, rest)
	return &Folded{Parts: &Query{Root: f.fold, SQL: q.SQL, AppendOnly: true, Relations: []*Relation{scan.Relation}}, Source: scan.Relation, Stream: f.stream, rest: &out}, nil
}

// replace copies a tree, with another node in the place of one.
func replace(root, old, by Node) Node {
	if root == old {
		return by
	}
	ins := root.Inputs()
	if len(ins) == 0 {
		return root
	}
	ins = slices.Clone(ins)
	for i, in := range ins {
		ins[i] = replace(in, old, by)
	}
	return withInputs(root, ins)
}

// foldedAt is the only aggregation of a query that brings together rows of several partitions, if nothing else reads a stream; nil: there is none.
func foldedAt(root Node) Node {
	var found []Node
	streams, known := 0, true
	Walk(root, func(n Node) {
		ins := n.Inputs()
		known = known && (len(ins) == 0 || withInputs(n, ins) != nil)
		switch x := n.(type) {
		case *Recursive:
			known = false
		case *Scan:
			if x.Relation.Kind != Table {
				streams++
			}
		case *Aggregate:
			if x.Session == nil && foldable(n) {
				found = append(found, n)
			}
		case *Distinct:
			if foldable(n) {
				found = append(found, n)
			}
		}
	})
	if len(found) != 1 || streams != 1 || !known {
		return nil
	}
	return found[0]
}

// foldable reports whether an operator is the first above a stream that has to bring rows together.
func foldable(n Node) bool {
	if leaf(n.Inputs()[0]) == nil {
		return false
	}
	_, why := dealt(n)
	return why != nil
}

// leaf is the stream that rows come from through operators without memory; nil: there are others.
func leaf(n Node) *Scan {
	switch n := n.(type) {
	case *Scan:
		if n.Relation.Kind == Stream {
			return n
		}
	case *Filter:
		return leaf(n.Input)
	case *Project:
		return leaf(n.Input)
	case *Unnest:
		return leaf(n.Input)
	case *Window:
		if n.Kind != Session {
			return leaf(n.Input)
		}
	}
	return nil
}
