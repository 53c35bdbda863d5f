package plan

import (
	"fmt"
	"slices"

	"myelin/internal/process/fn"
	"myelin/internal/vec"
)

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
	out := &Aggregate{Names: f.of.Names, Lag: f.of.Lag, TTL: f.of.TTL}
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
		from := c.Args[0]
		if c.Filter != nil { // none of them takes NULL, and what the filter leaves out is not to be computed
			from = &Case{Whens: []Expr{c.Filter}, Thens: []Expr{from}, T: from.Type()}
		}
		arg, why := f.group(from)
		if why != nil {
			return nil, why
		}
		m.Args = []Expr{arg}
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
