package plan

import (
	"fmt"
	"slices"

	"myelin/internal/process/fn"
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

// withInputs copies a node, with other inputs.
func withInputs(n Node, ins []Node) Node {
	switch x := n.(type) {
	case *Filter:
		return &Filter{ins[0], x.Pred}
	case *Project:
		return &Project{ins[0], x.Exprs, x.Names}
	case *Window:
		c := *x
		c.Input = ins[0]
		return &c
	case *Aggregate:
		c := *x
		c.Input = ins[0]
		return &c
	case *Join:
		c := *x
		c.Left, c.Right = ins[0], ins[1]
		return &c
	case *Sort:
		c := *x
		c.Input = ins[0]
		return &c
	case *Distinct:
		return &Distinct{ins[0]}
	case *SetOp:
		c := *x
		c.Left, c.Right = ins[0], ins[1]
		return &c
	case *Over:
		c := *x
		c.Input = ins[0]
		return &c
	case *TopN:
		c := *x
		c.Input = ins[0]
		return &c
	case *Unnest:
		c := *x
		c.Input = ins[0]
		return &c
	}
	return nil
}

// foldedAt is the only aggregation of a query that brings together rows of several partitions, if nothing else reads a stream; nil: there is none.
func foldedAt(root Node) Node {
	var found []Node
	streams, known := 0, true
	Walk(root, func(n Node) {
		ins := slices.Clone(n.Inputs())
		known = known && (len(ins) == 0 || withInputs(n, ins) != nil)
		switch x := n.(type) {
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

// folding makes the plans of the parts and of what is behind them.
type folding struct {
	b      *binder
	pos    int
	of     *Aggregate
	fold   *Fold
	stream *Relation
	casts  []vec.Type // of the columns of stream: what they stand for
}

// carried is how a type is written to the topic and read again; false: it cannot be.
func carried(t vec.Type) (vec.Type, bool) {
	switch t.Kind {
	case vec.Bool, vec.Int32, vec.Int64, vec.Text, vec.Numeric, vec.Timestamp, vec.Timestamptz, vec.Date, vec.UUID:
		return t, true
	case vec.Float64, vec.JSONB: // NaN is no number in JSON, and null in a document is not NULL
		return vec.Of(vec.Text), true
	}
	return t, false
}

// add adds a column to what the parts write.
func (f *folding) add(name string, t vec.Type) *Col {
	wire, _ := carried(t)
	i := len(f.stream.Columns)
	c := Column{Name: name, Type: wire}
	f.stream.Columns = append(f.stream.Columns, c)
	f.stream.Scan = append(f.stream.Scan, ScanColumn{Column: c, From: FromValue, Path: []string{name}, Index: i})
	f.casts = append(f.casts, t)
	return &Col{Index: i, T: t, Name: name}
}

// group has the parts group by an expression, too, and returns it as a column of what they write.
func (f *folding) group(e Expr) (*Col, *hindrance) {
	if _, ok := carried(e.Type()); !ok {
		return nil, &hindrance{fmt.Sprintf("its parts cannot pass on values of type %v", e.Type()), "leave parallelism out, or cast them to text"}
	}
	c := f.add(fmt.Sprintf("g%d", len(f.fold.Groups)), e.Type())
	f.fold.Groups, f.fold.Names = append(f.fold.Groups, e), append(f.fold.Names, c.Name)
	return c, nil
}

// rest is the aggregation over what the parts write.
func (f *folding) rest() (Node, *hindrance) {
	out := &Aggregate{Names: f.of.Names, TTL: f.of.TTL}
	// Groups come before calls in what a fold lets out: first all that parts group by.
	for _, e := range f.of.Groups {
		c, why := f.group(e)
		if why != nil {
			return nil, why
		}
		out.Groups = append(out.Groups, c)
	}
	distinct := map[int]AggCall{}
	for i, c := range f.of.Calls {
		if !c.Distinct && c.Func != "approx_count_distinct" {
			continue
		}
		if len(c.OrderBy) > 0 || c.Func == "array_agg" || c.Func == "string_agg" || len(c.Args) != 1 {
			return nil, unfoldable(c)
		}
		m := AggCall{Func: c.Func, Distinct: c.Distinct, Type: c.Type}
		arg, why := f.group(c.Args[0])
		if why != nil {
			return nil, why
		}
		m.Args = []Expr{arg}
		if c.Filter != nil {
			if m.Filter, why = f.group(c.Filter); why != nil {
				return nil, why
			}
		}
		distinct[i] = m
	}
	f.call(AggCall{Func: "count", Star: true, Type: vec.Of(vec.Int64)})
	results := make([]Expr, 0, len(f.of.Calls))
	names := slices.Clone(f.of.Names[:len(out.Groups)])
	plain := true
	for i, c := range f.of.Calls {
		merged, isDistinct := distinct[i]
		if !isDistinct {
			m, why := f.merge(c)
			if why != nil {
				return nil, why
			}
			if len(m) == 2 { // a sum and a count
				col := len(out.Groups) + len(out.Calls)
				sum, count := &Col{Index: col, T: m[0].Type, Name: "sum"}, &Col{Index: col + 1, T: m[1].Type, Name: "count"}
				out.Calls, names = append(out.Calls, m...), append(names, "sum", "count")
				results, plain = append(results, f.b.call("/", f.pos, sum, count)), false
				continue
			}
			merged = m[0]
		}
		col := &Col{Index: len(out.Groups) + len(out.Calls), T: merged.Type, Name: f.of.Names[len(out.Groups)+i]}
		out.Calls, names, results = append(out.Calls, merged), append(names, col.Name), append(results, col)
	}
	out.Input, out.Names = f.input(), names
	if plain {
		return out, nil
	}
	p := &Project{Input: out, Names: f.of.Names}
	for i, e := range out.Groups {
		p.Exprs = append(p.Exprs, &Col{Index: i, T: e.Type(), Name: names[i]})
	}
	p.Exprs = append(p.Exprs, results...)
	return p, nil
}

// call has the parts compute a call. The first one, the number of rows, already has its column.
func (f *folding) call(c AggCall) *Col {
	name := "n"
	col := &Col{Index: 0, T: c.Type, Name: name}
	if len(f.fold.Calls) > 0 {
		name = fmt.Sprintf("c%d", len(f.fold.Calls))
		col = f.add(name, c.Type)
	}
	f.fold.Calls, f.fold.Names = append(f.fold.Calls, c), append(f.fold.Names, name)
	return col
}

func unfoldable(c AggCall) *hindrance {
	return &hindrance{
		fmt.Sprintf("%s cannot be computed from what it gives for parts of the rows", c.Func),
		"leave parallelism out, or put user_key (of a source: a TEXT column with FROM '$key') into GROUP BY",
	}
}

// merge has the parts compute a call for their rows, and gives those that compute it from that: one, or a sum and a count.
func (f *folding) merge(c AggCall) ([]AggCall, *hindrance) {
	part := func(name string, t vec.Type) *Col {
		p := c
		p.Func, p.Type = name, t
		return f.call(p)
	}
	switch c.Func {
	case "count":
		return []AggCall{{Func: Counted, Args: []Expr{part("count", c.Type)}, Type: c.Type}}, nil
	case "min", "max", "bool_and", "bool_or", "every":
		if _, ok := carried(c.Type); !ok {
			return nil, unfoldable(c)
		}
		return []AggCall{{Func: c.Func, Args: []Expr{part(c.Func, c.Type)}, Type: c.Type}}, nil
	case "sum", "avg":
		switch c.Args[0].Type().Kind {
		case vec.Int32, vec.Int64, vec.Numeric:
		case vec.Float64:
			return nil, &hindrance{"sums of DOUBLE PRECISION would depend on the parts", "leave parallelism out, or cast the values to NUMERIC, whose sums are exact"}
		default:
			return nil, unfoldable(c)
		}
		if c.Func == "sum" {
			return []AggCall{{Func: "sum", Args: []Expr{part("sum", c.Type)}, Type: c.Type}}, nil
		}
		exact, n := vec.Of(vec.Numeric), vec.Of(vec.Int64)
		sum := AggCall{Func: "sum", Args: []Expr{part("sum", exact)}, Type: exact}
		return []AggCall{sum, {Func: Counted, Args: []Expr{part("count", n)}, Type: n}}, nil
	}
	return nil, unfoldable(c)
}

// input reads what the parts write. Records without a number of rows only tell how far the part is.
func (f *folding) input() Node {
	scan := &Scan{Relation: f.stream, Columns: slices.Clone(f.stream.Scan)}
	rows := &Col{Index: 0, T: vec.Of(vec.Int64), Name: "n"}
	in := Node(&Filter{Input: scan, Pred: f.b.call("is not null", f.pos, rows)})
	p := &Project{Input: in}
	cast := false
	for i, c := range f.stream.Columns {
		e := Expr(&Col{Index: i, T: c.Type, Name: c.Name})
		if t := f.casts[i]; t != c.Type {
			e, cast = f.b.coerce(e, t, fn.ExplicitCast, f.pos), true
		}
		p.Exprs, p.Names = append(p.Exprs, e), append(p.Names, c.Name)
	}
	if cast {
		return p
	}
	return in
}

// windows notes which of the columns are those of a window.
func (f *folding) windows() {
	w := &Windowed{Start: -1, End: -1}
	for i, e := range f.of.Groups {
		c, ok := e.(*Col)
		if !ok {
			continue
		}
		win, end := windowBehind(f.of.Input, c.Index)
		switch {
		case win == nil:
			continue
		case end:
			w.End = 1 + i
		default:
			w.Start = 1 + i
		}
		w.Window = win
		f.stream.Windowed = w
	}
}

// windowBehind traces a column down to the start or the end of a window.
func windowBehind(n Node, col int) (w *Window, end bool) {
	switch n := n.(type) {
	case *Filter:
		return windowBehind(n.Input, col)
	case *Project:
		if c, ok := n.Exprs[col].(*Col); ok {
			return windowBehind(n.Input, c.Index)
		}
	case *Unnest:
		if col < len(n.Input.Schema()) {
			return windowBehind(n.Input, col)
		}
	case *Window:
		switch width := len(n.Input.Schema()); {
		case col == width:
			return n, false
		case col == width+1:
			return n, true
		}
		return windowBehind(n.Input, col)
	}
	return nil, false
}
