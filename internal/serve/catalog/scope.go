package catalog

import (
	"context"

	"myelin/internal/process/sql"
	"myelin/internal/serve/query"
	"myelin/internal/serve/view"
)

// maxWork bounds how many rows one query may look at, maxHeld how many values it may hold (16 bytes each, and what they
// point to).
const (
	maxWork = 20_000_000
	maxHeld = 8_000_000
)

// compiler turns the syntax tree of one statement into closures. It is not changed once compilation is over.
type compiler struct {
	cat    *Catalog
	sess   *query.Session
	snap   *view.Snapshot
	text   string
	params []typ
	ctes   map[string]*cte
}

// cte is a WITH item: compiled once, run once per execution.
type cte struct {
	plan *program
}

// runtime is one execution.
type runtime struct {
	*compiler
	ctx  context.Context
	args []any
	memo map[*program][][]any  // answers of sub-queries that do not depend on the rows around them
	made map[*relation][][]any // rows of the catalog's relations
	work int
}

// step counts n rows of work and looks whether the query is still wanted.
func (rt *runtime) step(n int) {
	before := rt.work
	rt.work += n
	if rt.work>>12 == before>>12 {
		return
	}
	if rt.ctx.Err() != nil {
		failWith(context.Cause(rt.ctx))
	}
	if rt.work > maxWork {
		panic(failure{&query.Error{Code: query.CodeTooManyRows, Message: "this catalog query looks at too many rows",
			Hint: "Join on object identifiers, or name the relation you want."}})
	}
}

// hold checks how much is kept: n rows of some width.
func (rt *runtime) hold(n, width int) {
	if n*(width+2) > maxHeld {
		panic(failure{&query.Error{Code: query.CodeOutOfMemory, Message: "this catalog query holds too many rows",
			Hint: "Join on object identifiers, or name the relation you want."}})
	}
}

// env is the row that expressions look at, and the rows around it.
type env struct {
	rt     *runtime
	row    []any
	aggs   []any
	wins   []any
	sets   []any
	parent *env
}

// scopeColumn is a column that a name can mean.
type scopeColumn struct {
	column
	table string
	// merged columns were joined by USING: they are found by table only.
	merged bool
}

// scope is the names of one query level.
type scope struct {
	cols   []scopeColumn
	parent *scope
	refs   map[int]bool // columns that were named since the last collect; nil: nobody collects
	group  *grouping    // of the SELECT that the scope belongs to
}

// collect runs f and returns which of the scope's columns it named, also from within sub-queries.
func (s *scope) collect(f func()) map[int]bool {
	outer := s.refs
	s.refs = map[int]bool{}
	f()
	mine := s.refs
	if s.refs = outer; outer != nil {
		for i := range mine {
			outer[i] = true
		}
	}
	return mine
}

// grouping gathers what a SELECT computes before its output columns: aggregates, window functions and sets.
type grouping struct {
	aggs  []aggCall
	wins  []winCall
	sets  []setCall
	allow struct{ aggs, wins, sets bool } // whether such calls may stand where is being compiled
}

// node is a compiled expression.
type node struct {
	t      typ
	fields []column // of a record
	eval   func(e *env) any
	// literal is set for untyped string literals and NULL, which take the type that is wanted of them.
	literal bool
	// param is the parameter (from 1) that this is, while its type is unknown.
	param int
	// name is what an output column is called; a weak one, of a cast, gives way where a CASE takes its name from within.
	name string
	weak bool
}

// column finds the meaning of a name.
func (c *compiler) column(n *sql.Name, s *scope) node {
	parts := n.Parts
	name, table, schema := parts[len(parts)-1], "", ""
	if len(parts) > 1 {
		table = parts[len(parts)-2]
	}
	if len(parts) > 2 {
		schema = parts[len(parts)-3]
	}
	depth := 0
	for at := s; at != nil; at, depth = at.parent, depth+1 {
		found := -1
		for i, col := range at.cols {
			if col.name != name || table != "" && col.table != table || table == "" && col.merged {
				continue
			}
			if found >= 0 {
				failAt(n.Pos(), "42702", "column reference \"%s\" is ambiguous", name)
			}
			found = i
		}
		if found >= 0 {
			return at.read(found, depth)
		}
		if table == "" {
			if w, ok := at.whole(name, depth); ok {
				return w
			}
		}
	}
	if table != "" {
		label := table + "." + name
		if schema != "" {
			label = schema + "." + label
		}
		if !s.hasTable(table) {
			failAt(n.Pos(), query.CodeUndefinedTable, "missing FROM-clause entry for table \"%s\"", table)
		}
		failAt(n.Pos(), "42703", "column %s does not exist", label)
	}
	failAt(n.Pos(), "42703", "column \"%s\" does not exist", name)
	return node{}
}

func (s *scope) hasTable(table string) bool {
	for at := s; at != nil; at = at.parent {
		for _, c := range at.cols {
			if c.table == table {
				return true
			}
		}
	}
	return false
}

func (s *scope) read(i, depth int) node {
	if s.refs != nil {
		s.refs[i] = true
	}
	col := s.cols[i]
	n := node{t: col.t, fields: col.fields, name: col.name}
	switch depth {
	case 0:
		n.eval = func(e *env) any { return e.row[i] }
	case 1:
		n.eval = func(e *env) any { return e.parent.row[i] }
	default:
		n.eval = func(e *env) any {
			for range depth {
				e = e.parent
			}
			return e.row[i]
		}
	}
	return n
}

// whole is a row of a table as one value, named by the table.
func (s *scope) whole(table string, depth int) (node, bool) {
	var at []int
	var fields []column
	for i, c := range s.cols {
		if c.table == table {
			at, fields = append(at, i), append(fields, c.column)
		}
	}
	if at == nil {
		return node{}, false
	}
	if s.refs != nil {
		for _, i := range at {
			s.refs[i] = true
		}
	}
	return node{t: tRecord, fields: fields, name: table, eval: func(e *env) any {
		for range depth {
			e = e.parent
		}
		row, some := make([]any, len(at)), false
		for k, i := range at {
			row[k] = e.row[i]
			some = some || row[k] != nil
		}
		if !some {
			return nil
		}
		return row
	}}, true
}

// to converts a node to a type.
func (c *compiler) to(n node, t typ) node {
	if n.t == t || t == unknown {
		return n
	}
	if n.param > 0 && n.t == unknown {
		c.params[n.param-1] = t
		return node{t: t, eval: n.eval, name: n.name, weak: n.weak}
	}
	from, eval := n.t, n.eval
	if n.literal {
		v := (&runtime{compiler: c}).cast(eval(nil), from, t)
		return node{t: t, name: n.name, weak: n.weak, eval: func(*env) any { return v }}
	}
	return node{t: t, fields: n.fields, name: n.name, weak: n.weak, eval: func(e *env) any { return e.rt.cast(eval(e), from, t) }}
}

// common converts nodes to one type: the one that most easily holds them all.
func (c *compiler) common(ns []node) (out []node, t typ) {
	t = unknown
	for _, n := range ns {
		t = unify(t, n.t)
	}
	out = make([]node, len(ns))
	for i, n := range ns {
		out[i] = c.to(n, t)
	}
	return out, t
}

func unify(a, b typ) typ {
	rank := map[typ]int{tInt2: 1, tInt4: 2, tInt8: 3, tNumeric: 4, tFloat4: 5, tFloat8: 6}
	switch {
	case a == b || b == unknown:
		return a
	case a == unknown:
		return b
	case isReg(a) && isInt(b):
		return tOid
	case isReg(b) && isInt(a):
		return tOid
	case a == tOid && isInt(b) || b == tOid && isInt(a):
		return tOid
	case rank[a] > 0 && rank[b] > 0:
		if rank[a] > rank[b] {
			return a
		}
		return b
	case isText(a) && isText(b):
		return tText
	case isText(a):
		return b
	case isText(b):
		return a
	}
	return a
}
