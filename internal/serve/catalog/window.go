package catalog

import (
	"myelin/internal/process/sql"
	"myelin/internal/serve/query"
)

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
