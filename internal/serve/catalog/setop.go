package catalog

import (
	"slices"

	"myelin/internal/process/sql"
	"myelin/internal/serve/query"
)

// operand compiles one side of a set operation.
func (c *compiler) operand(b sql.Body, outer *scope) *program {
	switch b := b.(type) {
	case *sql.Select:
		p := &program{}
		c.selectBody(b, nil, outer, p)
		return p
	case *sql.Paren:
		return c.query(b.Query, outer)
	case *sql.ValuesBody:
		return c.values(b, outer)
	case *sql.SetOp:
		return c.setOp(b, outer)
	}
	failAt(b.Pos(), query.CodeFeatureNotSupported, "this query is not supported over the catalog")
	return nil
}

func (c *compiler) values(b *sql.ValuesBody, outer *scope) *program {
	width := len(b.Rows[0])
	columns := make([][]node, width)
	for _, row := range b.Rows {
		if len(row) != width {
			failAt(b.Pos(), query.CodeSyntax, "VALUES lists must all be the same length")
		}
		for i, x := range row {
			columns[i] = append(columns[i], c.expr(x, &scope{parent: outer}))
		}
	}
	p := &program{}
	for i := range columns {
		var t typ
		if columns[i], t = c.common(columns[i]); t == unknown {
			t = tText
			for k := range columns[i] {
				columns[i][k] = c.to(columns[i][k], t)
			}
		}
		p.cols = append(p.cols, column{name: "column" + itoa(int64(i+1)), t: t})
	}
	p.run = func(e *env) [][]any {
		out := make([][]any, len(b.Rows))
		inner := &env{rt: e.rt, parent: e}
		for r := range out {
			for i := range columns {
				out[r] = append(out[r], columns[i][r].eval(inner))
			}
		}
		return out
	}
	return p
}

func (c *compiler) setOp(b *sql.SetOp, outer *scope) *program {
	l, r := c.operand(b.L, outer), c.operand(b.R, outer)
	if len(l.cols) != len(r.cols) {
		failAt(b.Pos(), query.CodeSyntax, "each %s query must have the same number of columns", b.Kind)
	}
	p := &program{}
	for i := range l.cols {
		t := unify(l.cols[i].t, r.cols[i].t)
		p.cols = append(p.cols, column{name: l.cols[i].name, t: t})
	}
	p.run = func(e *env) [][]any {
		left, right := convert(e.rt, l.run(e), l.cols, p.cols), convert(e.rt, r.run(e), r.cols, p.cols)
		if b.Kind == "union" {
			out := slices.Concat(left, right)
			if !b.All {
				out = distinct(out)
			}
			return out
		}
		count := map[string]int{}
		for _, row := range right {
			count[string(keyOf(nil, row))]++
		}
		var out [][]any
		for _, row := range left {
			k := string(keyOf(nil, row))
			in := count[k] > 0
			if b.All && in {
				count[k]--
			}
			if in == (b.Kind == "intersect") {
				out = append(out, row)
			}
		}
		if !b.All {
			out = distinct(out)
		}
		return out
	}
	return p
}

func convert(rt *runtime, rows [][]any, from, to []column) [][]any {
	for i := range from {
		if from[i].t == to[i].t {
			continue
		}
		for r, row := range rows {
			row = slices.Clone(row)
			row[i] = rt.cast(row[i], from[i].t, to[i].t)
			rows[r] = row
		}
	}
	return rows
}

func distinct(rows [][]any) [][]any {
	seen := map[string]bool{}
	var out [][]any
	for _, row := range rows {
		k := string(keyOf(nil, row))
		if !seen[k] {
			seen[k] = true
			out = append(out, row)
		}
	}
	return out
}
