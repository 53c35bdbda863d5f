package catalog

import (
	"strings"

	"myelin/internal/process/sql"
	"myelin/internal/serve/query"
	"myelin/internal/vec"
)

// call compiles a function call of any kind.
func (c *compiler) call(x *sql.Call, s *scope) node {
	name := x.Name[len(x.Name)-1]
	if len(x.Name) > 1 && x.Name[0] != "pg_catalog" && x.Name[0] != "information_schema" {
		failAt(x.Pos(), "3F000", "schema \"%s\" does not exist", x.Name[0])
	}
	if x.Over != nil {
		return c.window(x, name, s)
	}
	if isAggregate(name) {
		return c.aggregate(x, name, s)
	}
	if sf, ok := setFuncs[name]; ok {
		return c.setInList(x, name, sf, s)
	}
	args := make([]node, len(x.Args))
	for i, a := range x.Args {
		args[i] = c.expr(a, s)
	}
	var n node
	switch name {
	case "coalesce":
		list, t := c.common(args)
		n = node{t: t, eval: func(e *env) any {
			for _, a := range list {
				if v := a.eval(e); v != nil {
					return v
				}
			}
			return nil
		}}
	case "nullif":
		if len(args) != 2 {
			failAt(x.Pos(), query.CodeSyntax, "NULLIF needs two arguments")
		}
		eq, l := c.compareOp("=", args[0], args[1], x.Pos()), args[0]
		if l.t == unknown {
			l = c.to(l, tText)
		}
		n = node{t: l.t, eval: func(e *env) any {
			if eq.eval(e) == true {
				return nil
			}
			return l.eval(e)
		}}
	case "greatest", "least":
		list, t := c.common(args)
		n = node{t: t, eval: func(e *env) any {
			var best any
			for _, a := range list {
				v := a.eval(e)
				if v != nil && (best == nil || (compare(v, best) > 0) == (name == "greatest")) {
					best = v
				}
			}
			return best
		}}
	default:
		if f, ok := systemFuncs[name]; ok && f.takes(len(args)) {
			n = c.systemCall(f, args)
		} else {
			n = c.engineCall(name, args, x.Pos())
		}
	}
	n.name = name
	return n
}

// systemFunc is a function of the catalog.
type systemFunc struct {
	// args are the types of the arguments; unknown takes any. Those from least on may be missing.
	args  []typ
	least int
	ret   typ
	retOf func(args []typ) typ // where ret depends on the arguments
	lax   bool                 // called with NULLs too
	list  bool                 // the last argument repeats
	eval  func(rt *runtime, args []any) any
	typed func(rt *runtime, args []any, types []typ) any // where eval needs the types
}

func (f *systemFunc) takes(n int) bool { return n >= f.least && (f.list || n <= len(f.args)) }

func (c *compiler) systemCall(f *systemFunc, args []node) node {
	types := make([]typ, len(args))
	for i := range args {
		want := f.args[min(i, len(f.args)-1)]
		if want == unknown && args[i].t == unknown {
			want = tText
		}
		args[i] = c.to(args[i], want)
		types[i] = args[i].t
	}
	t := f.ret
	if f.retOf != nil {
		t = f.retOf(types)
	}
	return node{t: t, eval: func(e *env) any {
		vals := make([]any, len(args))
		for i, a := range args {
			if vals[i] = a.eval(e); vals[i] == nil && !f.lax {
				return nil
			}
		}
		if f.typed != nil {
			return f.typed(e.rt, vals, types)
		}
		return f.eval(e.rt, vals)
	}}
}

// aggCall is an aggregate of a SELECT.
type aggCall struct {
	name     string
	args     []node
	star     bool
	distinct bool
	filter   *node
	order    []sortKey
	t        typ
}

func isAggregate(name string) bool {
	switch name {
	case "count", "sum", "min", "max", "avg", "array_agg", "string_agg", "bool_and", "bool_or", "every", "json_agg", "jsonb_agg":
		return true
	}
	return false
}

// aggregate registers the call with its SELECT and reads the result from there.
func (c *compiler) aggregate(x *sql.Call, name string, s *scope) node {
	if s == nil || s.group == nil || !s.group.allow.aggs {
		failAt(x.Pos(), "42803", "aggregate functions are not allowed here")
	}
	g := s.group
	allowed := g.allow
	g.allow.aggs, g.allow.wins, g.allow.sets = false, false, false
	call := c.aggregateOf(x, name, s)
	g.allow = allowed
	i := len(g.aggs)
	g.aggs = append(g.aggs, call)
	return node{t: call.t, name: name, eval: func(e *env) any { return e.aggs[i] }}
}

func (c *compiler) aggregateOf(x *sql.Call, name string, s *scope) aggCall {
	call := aggCall{name: name, star: x.Star, distinct: x.Distinct}
	for _, a := range x.Args {
		n := c.expr(a, s)
		if n.t == unknown {
			n = c.to(n, tText)
		}
		call.args = append(call.args, n)
	}
	if x.Filter != nil {
		f := c.to(c.expr(x.Filter, s), tBool)
		call.filter = &f
	}
	for _, o := range x.OrderBy {
		call.order = append(call.order, sortKeyOf(c.expr(o.X, s), o))
	}
	if len(call.args) == 0 && !call.star {
		failAt(x.Pos(), "42883", "function %s() does not exist", name)
	}
	switch name {
	case "count":
		call.t = tInt8
	case "bool_and", "bool_or", "every":
		call.t = tBool
	case "array_agg":
		call.t = arrayOf(call.args[0].t)
	case "string_agg":
		call.t = tText
		call.args[0] = c.to(call.args[0], tText)
	case "json_agg", "jsonb_agg":
		call.t = tJSON
	case "sum":
		switch call.t = call.args[0].t; call.t {
		case tInt2, tInt4:
			call.t = tInt8
		case tInt8:
			call.t = tNumeric
		}
	case "avg":
		if call.t = tNumeric; call.args[0].t == tFloat8 || call.args[0].t == tFloat4 {
			call.t = tFloat8
		}
	default:
		call.t = call.args[0].t
	}
	return call
}

// run folds the rows of one group.
func (a *aggCall) run(rt *runtime, rows [][]any, parent *env) any {
	type item struct {
		vals, keys []any
	}
	var items []item
	seen := map[string]bool{}
	for _, row := range rows {
		e := &env{rt: rt, row: row, parent: parent}
		if a.filter != nil && a.filter.eval(e) != true {
			continue
		}
		it := item{}
		for _, n := range a.args {
			it.vals = append(it.vals, n.eval(e))
		}
		if a.distinct {
			k := string(keyOf(nil, it.vals))
			if seen[k] {
				continue
			}
			seen[k] = true
		}
		for _, k := range a.order {
			it.keys = append(it.keys, k.n.eval(e))
		}
		items = append(items, it)
	}
	if len(a.order) > 0 {
		stable(items, func(x, y item) int { return compareKeys(a.order, x.keys, y.keys) })
	}
	if a.star {
		return int64(len(items))
	}
	var vals []any // without NULLs, which only array_agg and json_agg keep
	for _, it := range items {
		if it.vals[0] != nil || a.name == "array_agg" || strings.HasPrefix(a.name, "json") {
			vals = append(vals, it.vals[0])
		}
	}
	if a.name == "count" {
		return int64(len(vals))
	}
	if len(vals) == 0 {
		return nil
	}
	switch a.name {
	case "array_agg":
		return vals
	case "json_agg", "jsonb_agg":
		return rt.jsonOf(vals, arrayOf(a.args[0].t))
	case "string_agg":
		var b strings.Builder
		for i, v := range vals {
			if sep, ok := separator(a, items[0].vals); ok && i > 0 {
				b.WriteString(sep)
			}
			b.WriteString(v.(string))
		}
		return b.String()
	case "bool_and", "every":
		return !containsValue(vals, false)
	case "bool_or":
		return containsValue(vals, true)
	case "min", "max":
		best := vals[0]
		for _, v := range vals[1:] {
			if (compare(v, best) > 0) == (a.name == "max") {
				best = v
			}
		}
		return best
	}
	return a.total(rt, vals)
}

func separator(a *aggCall, vals []any) (string, bool) {
	if len(a.args) < 2 {
		return "", false
	}
	s, ok := vals[1].(string)
	return s, ok
}

func containsValue(vals []any, want bool) bool {
	for _, v := range vals {
		if v == want {
			return true
		}
	}
	return false
}

// total is sum or avg.
func (a *aggCall) total(rt *runtime, vals []any) any {
	from := a.args[0].t
	if a.t == tFloat8 || a.t == tFloat4 {
		sum := 0.0
		for _, v := range vals {
			sum += number(v)
		}
		if a.name == "avg" {
			sum /= float64(len(vals))
		}
		return sum
	}
	sum := vec.Decimal{}
	for _, v := range vals {
		d, ok := rt.cast(v, from, tNumeric).(vec.Decimal)
		if !ok {
			fail("42883", "function %s(%s) does not exist", a.name, formatType(from, -1))
		}
		var err error
		if sum, err = sum.Add(d); err != nil {
			failWith(err)
		}
	}
	if a.name == "avg" {
		q, err := sum.Div(vec.DecimalFromInt(int64(len(vals))))
		if err != nil {
			failWith(err)
		}
		return q
	}
	return rt.cast(sum, tNumeric, a.t)
}

// winCall is a window function of a SELECT.
type winCall struct {
	name      string
	agg       *aggCall
	args      []node
	partition []node
	order     []sortKey
}

func (c *compiler) window(x *sql.Call, name string, s *scope) node {
	if s == nil || s.group == nil || !s.group.allow.wins {
		failAt(x.Pos(), "42P20", "window functions are not allowed here")
	}
	w := winCall{name: name}
	t := tInt8
	switch {
	case isAggregate(name):
		a := c.aggregateOf(x, name, s)
		w.agg, t = &a, a.t
	case name == "row_number" || name == "rank" || name == "dense_rank":
	default:
		failAt(x.Pos(), query.CodeFeatureNotSupported, "window function %s is not supported in catalog queries", name)
	}
	for _, p := range x.Over.PartitionBy {
		w.partition = append(w.partition, c.expr(p, s))
	}
	for _, o := range x.Over.OrderBy {
		w.order = append(w.order, sortKeyOf(c.expr(o.X, s), o))
	}
	i := len(s.group.wins)
	s.group.wins = append(s.group.wins, w)
	return node{t: t, name: name, eval: func(e *env) any { return e.wins[i] }}
}

// run gives each row its value.
func (w *winCall) run(rt *runtime, envs []*env) []any {
	out := make([]any, len(envs))
	groups := map[string][]int{}
	var names []string
	keys := make([][]any, len(envs))
	for i, e := range envs {
		var part []any
		for _, p := range w.partition {
			part = append(part, p.eval(e))
		}
		for _, o := range w.order {
			keys[i] = append(keys[i], o.n.eval(e))
		}
		k := string(keyOf(nil, part))
		if groups[k] == nil {
			names = append(names, k)
		}
		groups[k] = append(groups[k], i)
	}
	for _, k := range names {
		idx := groups[k]
		stable(idx, func(a, b int) int { return compareKeys(w.order, keys[a], keys[b]) })
		rank, dense := int64(0), int64(0)
		for n, i := range idx {
			if n == 0 || compareKeys(w.order, keys[idx[n-1]], keys[i]) != 0 {
				rank, dense = int64(n+1), dense+1
			}
			switch w.name {
			case "row_number":
				out[i] = int64(n + 1)
			case "rank":
				out[i] = rank
			case "dense_rank":
				out[i] = dense
			}
		}
		if w.agg == nil {
			continue
		}
		rows := make([][]any, 0, len(idx))
		for n := 0; n < len(idx); {
			end := len(idx)
			if len(w.order) > 0 { // the default frame ends with the row's peers
				for end = n + 1; end < len(idx) && compareKeys(w.order, keys[idx[n]], keys[idx[end]]) == 0; end++ {
				}
			}
			for _, i := range idx[n:end] {
				rows = append(rows, envs[i].row)
			}
			v := w.agg.run(rt, rows, envs[idx[n]].parent)
			for _, i := range idx[n:end] {
				out[i] = v
			}
			n = end
		}
	}
	return out
}
