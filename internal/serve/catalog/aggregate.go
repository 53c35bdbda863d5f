package catalog

import (
	"strings"

	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

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
