package plan

import (
	"fmt"
	"slices"
	"strings"

	"myelin/internal/process/fn"
	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

// overItem is one window function call of a SELECT.
type overItem struct {
	call      OverCall
	name      string
	partition []Expr
	order     []SortKey
	pos       int
}

// overRef stands for the result of a window function until it is computed.
type overRef struct {
	index int
	t     vec.Type
}

// Type implements Expr.
func (e *overRef) Type() vec.Type { return e.t }

// overCalls collects the window function calls of one SELECT, with the windows that it names.
type overCalls struct {
	items []*overItem
	named []sql.NamedWindow
	used  map[string]bool // names being looked up, against cycles
}

// windowCall binds f(…) OVER (…).
func (b *binder) windowCall(e *sql.Call, name string, x *env) Expr {
	if x.overs == nil {
		hint := "compute it in a query of its own in FROM, or use QUALIFY"
		b.fail(e.Pos(), "42P20", hint, "window functions are not allowed in %s", x.clause)
	}
	inner := *x
	inner.overs, inner.sets, inner.clause = nil, nil, "a window function"
	it := &overItem{name: name, pos: e.Pos()}
	spec := b.windowSpec(e.Over, x.overs)
	for _, p := range spec.PartitionBy {
		it.partition = append(it.partition, b.expr(p, &inner))
	}
	for _, o := range spec.OrderBy {
		it.order = append(it.order, b.sortKey(b.orderable(b.expr(o.X, &inner), o.X.Pos()), o))
	}
	it.call = OverCall{Func: name, Star: e.Star}
	if e.Distinct {
		b.fail(e.Pos(), sql.CodeNotSupported, "count the distinct values in a query of its own in FROM", "DISTINCT is not implemented for window functions")
	}
	if len(e.OrderBy) > 0 || len(e.Within) > 0 {
		b.fail(e.Pos(), sql.CodeNotSupported, "give the order in OVER (… ORDER BY …)", "ORDER BY inside the call is not implemented for window functions")
	}
	if w := fn.Window(name); w != nil {
		if e.Filter != nil {
			b.fail(e.Filter.Pos(), sql.CodeNotSupported, "filter the rows in a query of its own in FROM", "FILTER is not implemented for window functions that are no aggregates")
		}
		b.windowArgs(e, w, it, &inner)
	} else {
		b.windowAggregate(e, name, it, &inner)
	}
	it.call.Frame = b.frame(spec.Frame, it)
	for i, have := range x.overs.items {
		if have.same(it) {
			return &overRef{i, it.call.Type}
		}
	}
	x.overs.items = append(x.overs.items, it)
	return &overRef{len(x.overs.items) - 1, it.call.Type}
}

// orderable refuses to order by a type that has no order.
func (b *binder) orderable(e Expr, pos int) Expr {
	if m, _ := fn.Resolve("<", []vec.Type{e.Type(), e.Type()}); m == nil {
		b.fail(pos, sql.CodeUndefinedFunc, "order by a part of it", "could not identify an ordering operator for type %v", e.Type())
	}
	return e
}

func (o *overItem) same(p *overItem) bool { return o.text() == p.text() }

func (o *overItem) text() string {
	s := o.call.Func + "(" + strings.Join(keysOf(o.call.Args), ",") + ")"
	if o.call.Filter != nil {
		s += " filter " + keyOf(o.call.Filter)
	}
	return s + o.window() + o.call.Frame.String()
}

// window tells windows apart that need a pass of their own.
func (o *overItem) window() string {
	s := " by " + strings.Join(keysOf(o.partition), ",") + " order"
	for _, k := range o.order {
		s += fmt.Sprintf(" %s %v %v,", keyOf(k.Expr), k.Desc, k.NullsFirst)
	}
	return s
}

// windowSpec follows the names in a window specification.
func (b *binder) windowSpec(w *sql.WindowSpec, all *overCalls) *sql.WindowSpec {
	if w.Name == "" {
		return w
	}
	var base *sql.WindowSpec
	var names []string
	for _, n := range all.named {
		names = append(names, n.Name)
		if n.Name == w.Name {
			base = n.Spec
		}
	}
	if base == nil || all.used[w.Name] {
		hint := "define it: WINDOW " + w.Name + " AS (PARTITION BY … ORDER BY …)"
		if s := sql.Suggest(w.Name, names); s != "" {
			hint = "did you mean " + s + "?"
		}
		b.fail(w.Pos(), sql.CodeUndefinedObject, hint, "window %q does not exist", w.Name)
	}
	if all.used == nil {
		all.used = map[string]bool{}
	}
	all.used[w.Name] = true
	base = b.windowSpec(base, all)
	delete(all.used, w.Name)
	if !w.Copied {
		return base
	}
	if len(w.PartitionBy) > 0 {
		b.fail(w.Pos(), "42P20", "leave PARTITION BY out, or the name", "cannot override PARTITION BY clause of window %q", w.Name)
	}
	if len(w.OrderBy) > 0 && len(base.OrderBy) > 0 {
		b.fail(w.Pos(), "42P20", "leave ORDER BY out, or the name", "cannot override ORDER BY clause of window %q", w.Name)
	}
	if base.Frame != nil {
		b.fail(w.Pos(), "42P20", "leave the frame to whoever uses the window", "cannot copy window %q because it has a frame clause", w.Name)
	}
	out := *w
	out.PartitionBy = base.PartitionBy
	if len(w.OrderBy) == 0 {
		out.OrderBy = base.OrderBy
	}
	return &out
}

// windowArgs binds the arguments of row_number, lag and their like.
func (b *binder) windowArgs(e *sql.Call, w *fn.WindowFunc, it *overItem, x *env) {
	if e.Star || len(e.Args) > len(w.Args) || len(e.Args) < len(w.Args)-w.Optional {
		b.fail(e.Pos(), sql.CodeUndefinedFunc, "write "+w.Example, "%s does not take %d arguments", w.Name, len(e.Args))
	}
	args, pos := b.args(e, x)
	elem := vec.Type{}
	var ofElem, elemPos []int
	for i := range args {
		if w.Args[i] == fn.AnyElement {
			ofElem, elemPos = append(ofElem, i), append(elemPos, pos[i])
			continue
		}
		args[i] = b.coerce(args[i], vec.Of(w.Args[i]), fn.ImplicitCast, pos[i])
	}
	if len(ofElem) > 0 {
		es := make([]Expr, len(ofElem))
		for i, k := range ofElem {
			es[i] = args[k]
		}
		es, elem = b.common(es, elemPos, w.Name)
		for i, k := range ofElem {
			args[k] = es[i]
		}
	}
	if w.Name == "lag" || w.Name == "lead" {
		if len(args) == 1 {
			args = append(args, &Const{vec.IntOf(vec.Int32, 1)})
		}
		args[1] = b.coerce(args[1], vec.Of(vec.Int64), fn.ImplicitCast, e.Pos())
		if len(args) == 2 {
			args = append(args, &Const{vec.NullOf(elem)})
		}
	}
	it.call.Args, it.call.Type = args, w.Return(elem)
}

// windowAggregate binds an aggregate function with OVER.
func (b *binder) windowAggregate(e *sql.Call, name string, it *overItem, x *env) {
	if !fn.IsAgg(name) {
		names := fn.AggNames()
		for _, w := range fn.Windows() {
			names = append(names, w.Name)
		}
		hint := "OVER belongs to aggregate functions such as sum and to window functions such as row_number"
		if s := sql.Suggest(name, names); s != "" {
			hint = "did you mean " + s + "()?"
		}
		b.fail(e.Pos(), sql.CodeType, hint, "%s is not a window function nor an aggregate function", name)
	}
	plain := *e
	plain.Over = nil
	c := b.aggCall(&plain, name, x)
	it.call.Agg, it.call.Args, it.call.Filter, it.call.Type = true, c.Args, c.Filter, c.Type
}

// frame binds a frame clause.
func (b *binder) frame(f *sql.Frame, it *overItem) Frame {
	out := Frame{End: Bound{Kind: CurrentRow}}
	if f == nil {
		return out
	}
	out.Mode = map[string]FrameMode{"range": Range, "rows": Rows, "groups": Groups}[f.Mode]
	out.Exclude = map[string]Exclusion{"current row": ExcludeCurrentRow, "group": ExcludeGroup, "ties": ExcludeTies}[f.Exclude]
	kinds := [...]BoundKind{sql.UnboundedPreceding: UnboundedPreceding, sql.Preceding: Preceding, sql.CurrentRow: CurrentRow, sql.Following: Following,
		sql.UnboundedFollowing: UnboundedFollowing}
	out.Start.Kind, out.End.Kind = kinds[f.Start.Kind], kinds[f.End.Kind]
	fail := func(hint, msg string) { b.fail(f.Pos(), "42P20", hint, "%s", msg) }
	switch {
	case out.Start.Kind == UnboundedFollowing:
		fail("start with UNBOUNDED PRECEDING", "frame start cannot be UNBOUNDED FOLLOWING")
	case out.End.Kind == UnboundedPreceding:
		fail("end with CURRENT ROW or UNBOUNDED FOLLOWING", "frame end cannot be UNBOUNDED PRECEDING")
	case out.Start.Kind == CurrentRow && out.End.Kind == Preceding:
		fail("exchange the bounds", "frame starting from current row cannot have preceding rows")
	case out.Start.Kind == Following && out.End.Kind < Following:
		fail("exchange the bounds", "frame starting from following row cannot have preceding rows")
	case out.Mode == Groups && len(it.order) == 0:
		fail("add ORDER BY to the window", "GROUPS mode requires an ORDER BY clause")
	}
	b.bound(&out.Start, f.Start, out.Mode, it, f.Pos())
	b.bound(&out.End, f.End, out.Mode, it, f.Pos())
	return out
}

// bound binds the distance of one end of a frame.
func (b *binder) bound(out *Bound, s sql.Bound, mode FrameMode, it *overItem, pos int) {
	if s.Offset == nil {
		return
	}
	t := vec.Of(vec.Int64)
	if mode == Range {
		if len(it.order) != 1 {
			b.fail(pos, "42P20", "order by one column, or use ROWS", "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column")
		}
		t = it.order[0].Expr.Type()
		switch t.Kind {
		case vec.Int32:
			t = vec.Of(vec.Int64)
		case vec.Int64, vec.Float64:
		case vec.Numeric:
			t = vec.Of(vec.Numeric)
		case vec.Date, vec.Time, vec.Timestamp, vec.Timestamptz, vec.Interval:
			t = vec.Of(vec.Interval)
		default:
			b.fail(s.Offset.Pos(), "0A000", "order by a number or a time, or use ROWS", "RANGE with offset PRECEDING/FOLLOWING is not supported for column type %v", t)
		}
	}
	x := b.coerce(b.expr0(s.Offset, &env{scope: &scope{}, clause: "a frame"}), t, fn.ImplicitCast, s.Offset.Pos())
	c, ok := x.(*Const)
	if !ok {
		b.fail(s.Offset.Pos(), sql.CodeNotSupported, "write the value", "the distance of a frame must be a constant")
	}
	if c.Value.IsNull(0) {
		b.fail(s.Offset.Pos(), "22013", "write the value", "frame offset must not be null")
	}
	zero := vec.New(t, 1)
	if t.Kind == vec.Interval && c.Value.Intervals[0].Approx() < 0 || t.Kind != vec.Interval && vec.Compare(c.Value, 0, zero, 0) < 0 {
		b.fail(s.Offset.Pos(), "22013", "write a positive distance", "invalid preceding or following size in window function")
	}
	if mode == Range {
		out.Value = c.Value
		return
	}
	out.Rows = c.Value.Ints[0]
}

// over puts the window functions on the node, one operator for each window, and gives the columns of their results.
func (s *selection) over() []Expr {
	out := make([]Expr, len(s.overs.items))
	done := map[int]bool{}
	for i, it := range s.overs.items {
		if done[i] {
			continue
		}
		n := &Over{Input: s.node, Partition: it.partition, Order: it.order}
		width := len(s.node.Schema())
		for k, o := range s.overs.items {
			if o.window() == it.window() {
				done[k] = true
				out[k] = &Col{width + len(n.Calls), o.call.Type, o.name}
				n.Calls, n.Names = append(n.Calls, o.call), append(n.Names, o.name)
			}
		}
		s.node = n
	}
	return out
}

// exprs lists all expressions of the window functions, for rewriting; setExprs puts them back.
func (o *overCalls) exprs() (es []Expr, pos []int) {
	add := func(e Expr, p int) { es, pos = append(es, e), append(pos, p) }
	for _, it := range o.items {
		for _, e := range it.partition {
			add(e, it.pos)
		}
		for _, k := range it.order {
			add(k.Expr, it.pos)
		}
		for _, e := range it.call.Args {
			add(e, it.pos)
		}
		if it.call.Filter != nil {
			add(it.call.Filter, it.pos)
		}
	}
	return es, pos
}

func (o *overCalls) setExprs(es []Expr) {
	next := func() Expr { e := es[0]; es = es[1:]; return e }
	for _, it := range o.items {
		for i := range it.partition {
			it.partition[i] = next()
		}
		for i := range it.order {
			it.order[i].Expr = next()
		}
		for i := range it.call.Args {
			it.call.Args[i] = next()
		}
		if it.call.Filter != nil {
			it.call.Filter = next()
		}
	}
}

func hasOver(e Expr) bool {
	found := false
	visit(e, func(x Expr) {
		if _, ok := x.(*overRef); ok {
			found = true
		}
	})
	return found
}

// windows makes the names of the WINDOW clause known.
func (s *selection) windows() {
	seen := map[string]bool{}
	for _, w := range s.s.Windows {
		if seen[w.Name] {
			s.b.fail(w.Spec.Pos(), "42P20", "give one of them another name", "window %q is already defined", w.Name)
		}
		seen[w.Name] = true
	}
	s.overs.named = s.s.Windows
}

// overResults replaces the references to window functions by their columns.
func overResults(e Expr, results []Expr) Expr {
	return mapExpr(e, func(x Expr) Expr {
		if r, ok := x.(*overRef); ok {
			return results[r.index]
		}
		return x
	})
}

// qualify binds QUALIFY, a condition on window functions, which may name output columns.
func (s *selection) qualify(e sql.Expr) Expr {
	x := s.env("QUALIFY")
	x.output = func(name string) Expr {
		if o := s.output(name); o != nil {
			return o.expr
		}
		return nil
	}
	pred := s.b.cond(e, x)
	if len(s.overs.items) == 0 {
		s.b.fail(e.Pos(), sql.CodeSyntax, "use WHERE, or HAVING with GROUP BY", "QUALIFY needs a window function")
	}
	return pred
}

// distinctOn finds the output columns that DISTINCT ON names.
func (s *selection) distinctOn(extra []output) (on []int, _ []output) {
	for _, e := range s.s.DistinctOn {
		var at int
		at, extra = s.outputOf(e, extra, "DISTINCT ON")
		on = append(on, at)
	}
	return on, extra
}

// firstOf keeps the first row of each group of equal columns, in the order of keys.
func (b *binder) firstOf(n Node, on []int, keys []SortKey, s *sql.Select) Node {
	left := map[int]bool{}
	t := &TopN{Input: n, Limit: 1}
	cols := n.Schema()
	for _, at := range on {
		if !left[at] {
			t.Partition = append(t.Partition, &Col{at, cols[at].Type, cols[at].Name})
		}
		left[at] = true
	}
	for _, k := range keys {
		if left[k.Expr.(*Col).Index] {
			continue
		}
		if !leads(keys, on) {
			b.fail(s.DistinctOn[0].Pos(), "42P10", "order by them first", "SELECT DISTINCT ON expressions must match initial ORDER BY expressions")
		}
		t.Order = append(t.Order, k)
	}
	return t
}

// leads reports whether an order starts with the columns in on, in any order.
func leads(keys []SortKey, on []int) bool {
	seen := map[int]bool{}
	for _, k := range keys {
		at := k.Expr.(*Col).Index
		if !slices.Contains(on, at) {
			break
		}
		seen[at] = true
	}
	for _, at := range on {
		if !seen[at] {
			return false
		}
	}
	return true
}

func windowNames() []string {
	var out []string
	for _, w := range fn.Windows() {
		out = append(out, w.Name)
	}
	return out
}
