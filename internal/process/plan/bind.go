package plan

import (
	"errors"
	"slices"
	"strings"
	"time"

	"myelin/internal/process/fn"
	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

// Options say what a query is bound for.
type Options struct {
	// Continuous: the query runs for ever (a view or a sink). Functions that give another answer each time are refused.
	Continuous bool
	// TTL is the ttl of a view, in microseconds, and TTLAt where it is written; 0: none.
	TTL   int64
	TTLAt int
	// Parts: it may read views that are run in parts, as a sink of the whole view does.
	Parts bool
	// Without are rewrites that are left out. Explain notes those that change something (Query.Fired).
	Without Rewrites
	Explain bool
	// Params are the types of $1, $2, … as far as the client gave them; Unknown ones are found out.
	Params []vec.Type
	// Zone is the time zone in which literals without one are read; nil is UTC.
	Zone *time.Location
	// Funcs gives functions of the caller's own, for example those of the system catalog. It may be nil.
	Funcs func(name string) []*fn.Func
}

// Lister is implemented by catalogs that can name all their relations; they are offered where a name is misspelt.
type Lister interface{ RelationNames() []string }

// maxDepth bounds nested queries.
const maxDepth = 60

// Bind resolves the names, types and functions of a query and gives the tree of operators, optimized. text is what the query was
// parsed from. Errors are *sql.Error.
func Bind(q *sql.Query, text string, cat Catalog, opt Options) (out *Query, err error) {
	b := &binder{text: text, cat: cat, opt: opt, params: slices.Clone(opt.Params)}
	err = b.guard(func() {
		root, _ := b.query(q, nil)
		b.settleParams()
		out = b.finish(q, root)
		out.Faults = b.faults
		b.manyRows(out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// BindText parses and binds one SELECT.
func BindText(text string, cat Catalog, opt Options) (*Query, error) {
	stmt, err := sql.ParseOne(text)
	if err != nil {
		return nil, err
	}
	s, ok := stmt.(*sql.SelectStmt)
	if !ok {
		return nil, sql.At(text, 0, sql.CodeSyntax, "a SELECT is expected here")
	}
	return Bind(s.Query, text, cat, opt)
}

// binder binds one statement. It fails by panicking with a *sql.Error, which guard turns into a result.
type binder struct {
	text   string
	cat    Catalog
	opt    Options
	params []vec.Type
	depth  int
	rels   []*Relation
	used   budget
	// waiting are subqueries that were bound and then found to need another form.
	waiting map[*sql.Query]Node
	// faults are where constant expressions failed, by message.
	faults map[string]Fault
	sets   map[int]bool // where set-returning functions stand; -1: in a plain view
	inView int          // how many plain views are being bound
	// paramPos is where each parameter occurs first, for errors.
	paramPos []int
}

func (b *binder) guard(f func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*sql.Error)
			if !ok {
				panic(r)
			}
			err = e
		}
	}()
	f()
	return nil
}

// fail stops with an error at a byte offset.
func (b *binder) fail(pos int, code, hint, format string, args ...any) {
	e := sql.At(b.text, pos, code, format, args...)
	if hint != "" {
		e.Hint = hint
	}
	panic(e)
}

func (b *binder) enter(pos int) func() {
	b.depth++
	if b.depth > maxDepth {
		b.fail(pos, sql.CodeTooComplex, "make views of its parts", "the query is nested too deeply")
	}
	return func() { b.depth-- }
}

// settleParams gives parameters that nothing decided the type text.
func (b *binder) settleParams() {
	for i, t := range b.params {
		if t.Kind == vec.Unknown {
			b.params[i] = vec.Of(vec.Text)
		}
	}
}

// finish optimizes the tree and derives what the query as a whole is.
func (b *binder) finish(q *sql.Query, root Node) *Query {
	out := &Query{Params: b.params, SQL: b.text, Relations: b.rels}
	if q.Emit == sql.EmitWindowClose {
		out.Emit = EmitOnWindowClose
	}
	settle := func(e Expr) Expr {
		if p, ok := e.(*Param); ok && p.T.Kind == vec.Unknown {
			return &Param{Index: p.Index, T: b.params[p.Index]}
		}
		return e
	}
	mapNodeExprs(root, settle)
	mapNodeExprs(root, func(e Expr) Expr {
		switch e := e.(type) {
		case *subRef:
			b.fail(e.sub.pos, sql.CodeNotSupported, "join the query in FROM instead", "a subquery cannot be used here")
		case *outerRef, *depRef, *groupingRef, *aggRef, *overRef, *setRef, *untyped:
			b.fail(int(q.At0), sql.CodeNotSupported, "join the tables in FROM instead", "this use of a subquery is not supported")
		}
		return e
	})
	o := optimizer{opt: b.opt}
	out.Root = o.optimize(root)
	out.Without, out.Fired = b.opt.Without, o.fired
	Walk(out.Root, func(n Node) {
		w, ok := n.(*Window)
		if !ok || w.Kind != Session {
			return
		}
		at := int(q.At0) + max(strings.Index(strings.ToLower(b.text[q.At0:]), "session("), 0)
		keys := ""
		in := w.Input.Schema()
		for _, p := range w.Partition {
			keys += in[p].Name + ", "
		}
		b.fail(at, sql.CodeNotSupported, "write GROUP BY "+keys+"window_start, window_end", "session(…) must be grouped by its keys and its window")
	})
	if out.Emit == EmitOnWindowClose {
		b.checkClose(q, out.Root)
	}
	if b.opt.TTL > 0 {
		b.forget(out)
	}
	p := out.Root.Props()
	out.Key = p.Key
	out.AppendOnly = p.AppendOnly || out.Emit == EmitOnWindowClose && out.TTL == 0
	if b.opt.Continuous {
		b.checkContinuous(q, out.Root)
	}
	return out
}

// forget makes the query forget what is older than its ttl.
func (b *binder) forget(q *Query) {
	f := forgetter{ttl: b.opt.TTL, onClose: q.Emit == EmitOnWindowClose}
	q.Root, q.TTL = f.forget(q.Root), f.ttl
	switch {
	case f.untimed != nil && f.onClose && f.untimed == q.Root:
		b.fail(b.opt.TTLAt, sql.CodeNotSupported, "select window_end, too", "a ttl needs the time of each row; those of the view do not tell when their window ends")
	case f.untimed != nil:
		b.fail(b.opt.TTLAt, sql.CodeNotSupported, "give the source a WATERMARK FOR its time, or leave the ttl out",
			"a ttl needs the time of each row; those of %s have none", Describe(f.untimed))
	case !f.does:
		b.fail(b.opt.TTLAt, sql.CodeNotSupported, "leave the ttl out, or give it to the views that are read",
			"the view would forget nothing: it remembers only rows of tables and of views that take them back, or a single group")
	}
}

// checkClose makes sure that a window decides when rows are final.
func (b *binder) checkClose(q *sql.Query, root Node) {
	found := false
	Walk(root, func(n Node) {
		if a, ok := n.(*Aggregate); ok && windowed(a) {
			found = true
		}
	})
	if !found {
		b.fail(q.EmitPos, sql.CodeNotSupported,
			"group by window_start or window_end of tumble(…), hop(…), cumulate(…) or session(…), or use EMIT CHANGES",
			"EMIT ON WINDOW CLOSE needs a window")
	}
}

// windowed reports whether an aggregation groups by a window.
func windowed(a *Aggregate) bool {
	if a.Session != nil {
		return true
	}
	for _, g := range a.Groups {
		if c, ok := g.(*Col); ok && isWindowCol(a.Input, c.Index) {
			return true
		}
	}
	return false
}

// isWindowCol traces a column down to the window_start or window_end of a window.
func isWindowCol(n Node, col int) bool {
	switch n := n.(type) {
	case *Filter:
		return isWindowCol(n.Input, col)
	case *Project:
		c, ok := n.Exprs[col].(*Col)
		return ok && isWindowCol(n.Input, c.Index)
	case *Join:
		if left := len(n.Left.Schema()); col >= left {
			return n.Kind != Semi && n.Kind != Anti && isWindowCol(n.Right, col-left)
		}
		return isWindowCol(n.Left, col)
	case *Window:
		if in := len(n.Input.Schema()); col < in {
			return isWindowCol(n.Input, col)
		}
		return true
	case *Aggregate:
		if col >= len(n.Groups) {
			return false
		}
		c, ok := n.Groups[col].(*Col)
		return ok && (isWindowCol(n.Input, c.Index) || n.Session != nil && (col == n.Session.Start || col == n.Session.End))
	}
	return false
}

// checkContinuous refuses what cannot run for ever.
func (b *binder) checkContinuous(q *sql.Query, root Node) {
	Walk(root, func(n Node) {
		if s, ok := n.(*Sort); ok && (s.LimitExpr != nil || s.OffsetExpr != nil) {
			b.fail(int(q.At0), sql.CodeNotSupported, "write the number", "LIMIT of a view cannot be a parameter")
		}
		_, filter := n.(*Filter)
		_, join := n.(*Join)
		mapExprs(n, func(e Expr) Expr {
			c, ok := e.(*Call)
			if !ok {
				return e
			}
			at := int(q.At0) + max(strings.Index(strings.ToLower(b.text[q.At0:]), c.Func.Name), 0)
			if c.Func.Volatile {
				b.fail(at, sql.CodeNotSupported, "a view must give the same answer when it is computed again", "%s() cannot be used in a view", c.Func.Name)
			}
			if (filter || join) && c.Func.Clock {
				b.fail(at, sql.CodeNotSupported, "time passes, but a row of a view only changes when events come: use a window such as tumble(…), or compare with "+
					c.Func.Name+" in the query that reads the view", "%s cannot be used in a condition of a view", c.Func.Name)
			}
			return e
		})
	})
	if len(b.params) > 0 {
		b.fail(b.paramPos[0], sql.CodeNotSupported, "write the value", "a view cannot have parameters")
	}
}

// relation finds a relation by name.
func (b *binder) relation(t *sql.TableRef) *Relation {
	r, err := b.cat.Relation(t.Schema, t.Name)
	if r == nil {
		var own *sql.Error
		if errors.As(err, &own) {
			panic(own)
		}
		name := t.Name
		if t.Schema != "" {
			name = t.Schema + "." + t.Name
		}
		hint := ""
		if l, ok := b.cat.(Lister); ok {
			names := l.RelationNames()
			if s := sql.Suggest(name, names); s != "" {
				hint = "did you mean " + s + "?"
			} else if len(names) > 0 {
				slices.Sort(names)
				hint = "there are " + strings.Join(names[:min(len(names), 12)], ", ")
			}
		}
		if hint == "" {
			hint = "create it first, or check the spelling"
		}
		b.fail(int(t.At0), sql.CodeUndefinedTable, hint, "relation %q does not exist", name)
	}
	b.undivided(r, int(t.At0))
	if r.Definition == nil && !slices.Contains(b.rels, r) {
		b.rels = append(b.rels, r)
	}
	return r
}
