package query

import (
	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// lookups finds the scans of a query that can read one row by its key instead of all: the values that a filter right above
// demands of every key column, by scan.
func lookups(root plan.Node) map[*plan.Scan][]plan.Expr {
	var out map[*plan.Scan][]plan.Expr
	plan.Walk(root, func(n plan.Node) {
		f, ok := n.(*plan.Filter)
		if !ok {
			return
		}
		scan, ok := f.Input.(*plan.Scan)
		if !ok || len(scan.Relation.Key) == 0 {
			return
		}
		wanted := map[int]plan.Expr{}
		equations(f.Pred, scan, wanted)
		key := make([]plan.Expr, len(scan.Relation.Key))
		for i, k := range scan.Relation.Key {
			if key[i] = wanted[k]; key[i] == nil {
				return
			}
		}
		if out == nil {
			out = map[*plan.Scan][]plan.Expr{}
		}
		out[scan] = key
	})
	return out
}

// equations collects column = constant or parameter, by position in the relation.
func equations(pred plan.Expr, scan *plan.Scan, into map[int]plan.Expr) {
	switch x := pred.(type) {
	case *plan.Logic:
		if !x.Or {
			for _, a := range x.Args {
				equations(a, scan, into)
			}
		}
	case *plan.Call:
		if x.Func.Name != "=" || len(x.Args) != 2 {
			return
		}
		col, value := x.Args[0], x.Args[1]
		if _, ok := col.(*plan.Col); !ok {
			col, value = value, col
		}
		c, ok := col.(*plan.Col)
		if !ok || scan.Columns[c.Index].From != plan.FromColumn {
			return
		}
		switch value.(type) {
		case *plan.Const, *plan.Param:
			// Only values of the column's own kind are looked up as they are.
			if value.Type().Kind == c.T.Kind {
				into[scan.Columns[c.Index].Index] = value
			}
		}
	}
}

// keyOf gives the values of a key; ok is false where one is NULL, which equals nothing.
func keyOf(exprs []plan.Expr, args []*vec.Vector) (key []*vec.Vector, ok bool) {
	for _, x := range exprs {
		v := (*vec.Vector)(nil)
		switch x := x.(type) {
		case *plan.Const:
			v = x.Value
		case *plan.Param:
			v = args[x.Index]
		}
		if v.IsNull(0) {
			return nil, false
		}
		key = append(key, v)
	}
	return key, true
}
