package plan

import (
	"fmt"
	"slices"

	"myelin/internal/process/fn"
	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

// from binds the FROM clause: the tree and the names in it. Without FROM there is one row of no columns.
func (b *binder) from(items []sql.TableExpr, outer *scope) (Node, *scope) {
	s := &scope{outer: outer}
	if len(items) == 0 {
		return &Values{Rows: [][]Expr{{}}}, s
	}
	var node Node
	for _, it := range items {
		if l := (left{node, s.cols}); node != nil && isLateral(it) {
			node, s.cols = b.beside(it, l, outer)
			continue
		}
		n, cols := b.table(it, outer)
		if node == nil {
			node, s.cols = n, cols
			continue
		}
		b.checkNames(s.cols, cols, it.Pos())
		s.cols = append(s.cols, shifted(cols, len(node.Schema()))...)
		node = &Join{Kind: Cross, Left: node, Right: n}
	}
	return node, s
}

// checkNames refuses two tables of one name.
func (b *binder) checkNames(left, right []scopeCol, pos int) {
	have := map[string]bool{}
	for _, c := range left {
		have[c.table] = true
	}
	for _, c := range right {
		if c.table != "" && have[c.table] {
			b.fail(pos, sql.CodeDuplicate, "give one of them another name: "+c.table+" AS t2", "table name %q specified more than once", c.table)
		}
	}
}

func (b *binder) table(t sql.TableExpr, outer *scope) (Node, []scopeCol) {
	defer b.enter(t.Pos())()
	b.part(t.Pos())
	switch t := t.(type) {
	case *sql.TableRef:
		return b.tableRef(t, outer)
	case *sql.SubqueryRef:
		n, _ := b.query(t.Query, outer)
		return n, b.aliased(n, t.Alias, t.Alias.Name, "", int(t.At0))
	case *sql.FuncRef:
		return b.tableFunc(t, outer)
	case *sql.JoinRef:
		l, lcols := b.table(t.L, outer)
		return b.join(t, left{l, lcols}, outer)
	}
	b.fail(t.Pos(), sql.CodeNotSupported, "", "this table expression is not supported")
	return nil, nil
}

// cteOnly is a scope in which the names of WITH are visible, but no columns.
func cteOnly(s *scope) *scope {
	var out *scope
	for ; s != nil; s = s.outer {
		if len(s.ctes) == 0 {
			continue
		}
		if out == nil {
			out = &scope{ctes: map[string]*cte{}}
		}
		for name, c := range s.ctes {
			if out.ctes[name] == nil {
				out.ctes[name] = c
			}
		}
	}
	return out
}

// aliased names the columns of a node after its alias.
func (b *binder) aliased(n Node, a sql.Alias, table, schema string, pos int) []scopeCol {
	cols := n.Schema()
	if len(a.Columns) > len(cols) {
		b.fail(pos, sql.CodeSyntax, fmt.Sprintf("it has %d columns", len(cols)), "table %q has fewer columns than the alias names", table)
	}
	if a.Name != "" {
		table, schema = a.Name, ""
	}
	return scopeOf(table, schema, cols, a.Columns)
}

func (b *binder) tableRef(t *sql.TableRef, outer *scope) (Node, []scopeCol) {
	if t.AsOf != nil && !asOfNow(t.AsOf) {
		b.fail(t.AsOf.Pos(), sql.CodeNotSupported, "write a JOIN b FOR SYSTEM_TIME AS OF a.ts ON …", "FOR SYSTEM_TIME AS OF belongs to the right side of a join")
	}
	if t.Schema == "" {
		if c := outer.findCTE(t.Name); c != nil {
			n := b.item(c)
			b.checkLevel(n, outer, c.scope, int(t.At0))
			if len(c.def.Columns) > len(n.Schema()) {
				b.fail(int(c.def.At0), sql.CodeSyntax, "", "WITH query %q has fewer columns than it names", t.Name)
			}
			a := t.Alias
			if a.Columns == nil {
				a.Columns = c.def.Columns
			}
			return n, b.aliased(n, a, t.Name, "", int(t.At0))
		}
	}
	r := b.relation(t)
	if r.Definition != nil {
		n := b.plainView(r, int(t.At0))
		return n, b.aliased(n, t.Alias, r.Name, t.Schema, int(t.At0))
	}
	n := newScan(r)
	return n, b.aliased(n, t.Alias, r.Name, t.Schema, int(t.At0))
}

// newScan reads all columns of a relation.
func newScan(r *Relation) *Scan {
	n := &Scan{Relation: r, Events: r.Events}
	for i, c := range r.Columns {
		sc := ScanColumn{Column: c, From: FromColumn, Index: i}
		if r.Kind == Stream && i < len(r.Scan) {
			sc = r.Scan[i]
			sc.Column = c
			sc.Index = i
		}
		n.Columns = append(n.Columns, sc)
	}
	return n
}

var windowKinds = map[string]WindowKind{"tumble": Tumble, "hop": Hop, "cumulate": Cumulate, "session": Session, "sliding": Hop}

var windowUsage = map[string]string{
	"tumble":   "tumble(stream, ts, INTERVAL '1 minute')",
	"hop":      "hop(stream, ts, INTERVAL '1 minute', INTERVAL '10 minutes'): the step, then the size",
	"cumulate": "cumulate(stream, ts, INTERVAL '1 hour', INTERVAL '1 day'): the step, then the size",
	"session":  "session(stream PARTITION BY user_key, ts, INTERVAL '30 minutes')",
}

// tableFunc binds a function in FROM.
func (b *binder) tableFunc(f *sql.FuncRef, outer *scope) (Node, []scopeCol) {
	kind, ok := windowKinds[f.Name]
	if !ok {
		fc := b.fromFunc(f, &scope{outer: outer})
		return fc.node(&Values{Rows: [][]Expr{{}}}, false), fc.cols
	}
	want := 3
	if kind == Hop || kind == Cumulate {
		want = 4
	}
	more := f.Args[min(want, len(f.Args)):]
	if len(f.Args) < want || len(more) > 0 && (kind == Session || len(more) > 2) {
		b.fail(int(f.At0), sql.CodeUndefinedFunc, "write "+windowUsage[f.Name], "%s needs %d arguments, not %d", f.Name, want, len(f.Args))
	}
	in, cols := b.windowInput(f, outer)
	w := &Window{Input: in, Kind: kind, Time: b.timeColumn(f, in, cols)}
	sizes := f.Args[2:want]
	w.Size = b.windowSize(sizes[len(sizes)-1], f.Name)
	if len(sizes) == 2 {
		w.Slide = b.windowSize(sizes[0], f.Name)
		if w.Slide.Cmp(w.Size) > 0 {
			b.fail(sizes[0].Pos(), sql.CodeInvalidParameter, "write "+windowUsage[f.Name], "the step of %s is longer than its size", f.Name)
		}
		if kind == Cumulate && w.Size.Approx()%w.Slide.Approx() != 0 {
			b.fail(sizes[1].Pos(), sql.CodeInvalidParameter, "take a size that is a multiple of the step", "the size of cumulate is no multiple of its step")
		}
	}
	b.windowPlace(w, f, more)
	w.Partition = b.windowPartition(f, kind, cols)
	n := Node(w)
	return n, b.windowScope(f, n, cols)
}

// windowScope names the columns of a window: those of its input under the input's name or the alias, and the two new ones.
func (b *binder) windowScope(f *sql.FuncRef, n Node, cols []scopeCol) []scopeCol {
	all := n.Schema()
	out := append([]scopeCol(nil), cols...)
	table := ""
	if len(cols) > 0 {
		table = cols[0].table
	}
	for i := len(all) - 2; i < len(all); i++ {
		out = append(out, scopeCol{table: table, name: all[i].Name, expr: &Col{i, all[i].Type, all[i].Name}})
	}
	if f.Alias.Name != "" {
		if len(f.Alias.Columns) > len(out) {
			b.fail(int(f.At0), sql.CodeSyntax, fmt.Sprintf("it has %d columns", len(out)), "table %q has fewer columns than the alias names", f.Alias.Name)
		}
		for i := range out {
			out[i].table, out[i].schema = f.Alias.Name, ""
			if i < len(f.Alias.Columns) {
				out[i].name = f.Alias.Columns[i]
			}
		}
	}
	return out
}

// windowInput binds the first argument: a table by name, or a query.
func (b *binder) windowInput(f *sql.FuncRef, outer *scope) (Node, []scopeCol) {
	switch a := f.Args[0].(type) {
	case *sql.Name:
		t := &sql.TableRef{At0: a.At0, Name: a.Parts[len(a.Parts)-1]}
		if len(a.Parts) > 1 {
			t.Schema = a.Parts[len(a.Parts)-2]
		}
		return b.tableRef(t, outer)
	case *sql.Subquery:
		n, _ := b.query(a.Query, cteOnly(outer))
		return n, b.aliased(n, sql.Alias{}, f.Name, "", int(a.At0))
	}
	b.fail(f.Args[0].Pos(), sql.CodeSyntax, "write "+windowUsage[f.Name], "the first argument of %s must be a stream, view or query", f.Name)
	return nil, nil
}

// timeColumn binds the second argument: the event time.
func (b *binder) timeColumn(f *sql.FuncRef, in Node, cols []scopeCol) int {
	e := b.expr(f.Args[1], &env{scope: &scope{cols: cols}, clause: f.Name})
	c, ok := e.(*Col)
	if !ok {
		b.fail(f.Args[1].Pos(), sql.CodeSyntax, "name a column; compute it in a query first: "+f.Name+"((SELECT …), ts, …)", "the second argument of %s must be a column", f.Name)
	}
	if k := c.T.Kind; k != vec.Timestamp && k != vec.Timestamptz {
		hint := "name a column of type timestamp or timestamptz"
		if t := in.Props().TimeCol; t >= 0 {
			hint = "use " + in.Schema()[t].Name
		}
		b.fail(f.Args[1].Pos(), sql.CodeType, hint, "column %q of type %v is no time", c.Name, c.T)
	}
	if p := in.Props(); b.opt.Continuous && p.TimeCol >= 0 && !slices.Contains(p.Times, c.Index) {
		t := p.TimeCol
		b.fail(f.Args[1].Pos(), sql.CodeNotSupported, "use "+in.Schema()[t].Name+", which has a watermark", "column %q has no watermark, so its windows would never close", c.Name)
	}
	return c.Index
}

func (b *binder) windowSize(e sql.Expr, name string) vec.IntervalValue {
	x := b.coerce(b.expr0(e, &env{scope: &scope{}, clause: name}), vec.Of(vec.Interval), fn.ImplicitCast, e.Pos())
	c, ok := x.(*Const)
	if !ok || c.Value.IsNull(0) {
		b.fail(e.Pos(), sql.CodeInvalidParameter, "write INTERVAL '1 minute'", "the size of %s must be a constant interval", name)
	}
	v := c.Value.Intervals[0]
	if v.Approx() <= 0 || v.Months < 0 || v.Days < 0 || v.Micros < 0 {
		b.fail(e.Pos(), sql.CodeInvalidParameter, "write INTERVAL '1 minute'", "the size of %s must be longer than zero", name)
	}
	if v.Months > 0 && (v.Days != 0 || v.Micros != 0 || name == "session") {
		b.fail(e.Pos(), sql.CodeInvalidParameter, "use months alone, or days and times", "months cannot be mixed with days in the size of %s", name)
	}
	return v
}

func (b *binder) windowPartition(f *sql.FuncRef, kind WindowKind, cols []scopeCol) []int {
	if kind != Session {
		if len(f.PartitionBy) > 0 {
			b.fail(f.PartitionBy[0].Pos(), sql.CodeSyntax, "leave it out and use GROUP BY", "PARTITION BY belongs to session windows only")
		}
		return nil
	}
	out := []int{}
	for _, p := range f.PartitionBy {
		c, ok := b.expr(p, &env{scope: &scope{cols: cols}, clause: "PARTITION BY"}).(*Col)
		if !ok {
			b.fail(p.Pos(), sql.CodeSyntax, "name a column; compute it in a query first: session((SELECT …) PARTITION BY key, ts, …)", "PARTITION BY needs a column")
		}
		if !slices.Contains(out, c.Index) {
			out = append(out, c.Index)
		}
	}
	return out
}
