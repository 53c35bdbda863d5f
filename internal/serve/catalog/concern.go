package catalog

import (
	"slices"

	"myelin/internal/process/sql"
	"myelin/internal/serve/query"
	"myelin/internal/serve/view"
)

// concerns reports whether a query is about the catalog: it reads one of its relations, calls one of its functions,
// casts to one of its types, or needs a set-returning function.
func concerns(q *sql.Query, snap *view.Snapshot) bool {
	w := &walker{}
	found, asks, reads := false, false, false
	w.table = func(t sql.TableExpr) {
		switch t := t.(type) {
		case *sql.TableRef:
			if slices.Contains(w.ctes, t.Name) && t.Schema == "" {
				return
			}
			if _, user := snap.Lookup(t.Schema, t.Name); user && lookup(t.Schema, t.Name) == nil {
				reads = true
				return
			}
			found = found || lookup(t.Schema, t.Name) != nil
		case *sql.FuncRef: // the engine has generate_series too
			_, set := setFuncs[t.Name]
			found = found || set && t.Name != "generate_series"
		}
	}
	w.expr = func(x sql.Expr) {
		switch x := x.(type) {
		case *sql.Call:
			if query.SessionFunctions[x.Name[len(x.Name)-1]] {
				asks = true
				return
			}
			found = found || systemCall(x.Name)
		case *sql.Cast:
			switch x.Type.Name {
			case "regclass", "regtype", "regproc", "regprocedure", "regnamespace", "regrole", "oid", "name", "xid", "int2vector", "oidvector", "aclitem":
				found = true
			}
		case *sql.Field:
			found = true
		}
	}
	w.query(q)
	return found || asks && !reads
}

// refersTo reports whether a query reads a relation of that name.
func refersTo(q *sql.Query, name string) bool {
	found := false
	w := &walker{expr: func(sql.Expr) {}}
	w.table = func(t sql.TableExpr) {
		if r, ok := t.(*sql.TableRef); ok && r.Schema == "" && r.Name == name {
			found = true
		}
	}
	w.query(q)
	return found
}

// walker visits every table and expression of a query.
type walker struct {
	table func(sql.TableExpr)
	expr  func(sql.Expr)
	ctes  []string
}

func (w *walker) query(q *sql.Query) {
	if q == nil {
		return
	}
	n := len(w.ctes)
	for _, c := range q.With {
		w.query(c.Query)
		w.ctes = append(w.ctes, c.Name)
	}
	w.body(q.Body)
	w.order(q.OrderBy)
	w.exprs(q.Limit, q.Offset)
	w.ctes = w.ctes[:n]
}

func (w *walker) order(items []sql.OrderItem) {
	for _, o := range items {
		w.exprs(o.X)
	}
}

func (w *walker) body(b sql.Body) {
	switch b := b.(type) {
	case *sql.Select:
		for _, it := range b.Items {
			w.exprs(it.X)
		}
		for _, t := range b.From {
			w.from(t)
		}
		w.exprs(b.Where, b.Having, b.Qualify)
		w.exprs(b.GroupBy...)
		w.exprs(b.DistinctOn...)
	case *sql.ValuesBody:
		for _, row := range b.Rows {
			w.exprs(row...)
		}
	case *sql.SetOp:
		w.body(b.L)
		w.body(b.R)
	case *sql.Paren:
		w.query(b.Query)
	}
}

func (w *walker) from(t sql.TableExpr) {
	w.table(t)
	switch t := t.(type) {
	case *sql.SubqueryRef:
		w.query(t.Query)
	case *sql.FuncRef:
		w.exprs(t.Args...)
	case *sql.JoinRef:
		w.from(t.L)
		w.from(t.R)
		w.exprs(t.On)
	}
}

func (w *walker) exprs(xs ...sql.Expr) {
	for _, x := range xs {
		if x == nil {
			continue
		}
		w.expr(x)
		switch x := x.(type) {
		case *sql.Unary:
			w.exprs(x.X)
		case *sql.Binary:
			w.exprs(x.L, x.R, x.Escape)
		case *sql.Is:
			w.exprs(x.X, x.Y)
		case *sql.Between:
			w.exprs(x.X, x.Lo, x.Hi)
		case *sql.In:
			w.exprs(x.X)
			w.exprs(x.List...)
			w.query(x.Query)
		case *sql.Quantified:
			w.exprs(x.X, x.Array)
			w.query(x.Query)
		case *sql.Exists:
			w.query(x.Query)
		case *sql.Subquery:
			w.query(x.Query)
		case *sql.ArrayExpr:
			w.exprs(x.Elems...)
			w.query(x.Query)
		case *sql.Row:
			w.exprs(x.Elems...)
		case *sql.Case:
			w.exprs(x.Operand, x.Else)
			for _, wh := range x.Whens {
				w.exprs(wh.Cond, wh.Then)
			}
		case *sql.Cast:
			w.exprs(x.X)
		case *sql.Call:
			w.exprs(x.Args...)
			w.exprs(x.Filter)
			w.order(x.OrderBy)
		case *sql.Index:
			w.exprs(x.X, x.I, x.Lo, x.Hi)
		case *sql.Field:
			w.exprs(x.X)
		}
	}
}
