package plan

import (
	"myelin/internal/process/sql"
)

// maxRecursive bounds the rows of WITH RECURSIVE.
const maxRecursive = 100_000

// recursiveItem binds a WITH item that reads itself: the part before UNION, then the part behind it over the rows found before.
func (b *binder) recursiveItem(c *cte) Node {
	d := c.def
	if b.opt.Continuous {
		b.fail(int(d.At0), sql.CodeNotSupported, "join the table with itself as often as needed", "WITH RECURSIVE cannot run for ever")
	}
	q := d.Query
	u, ok := q.Body.(*sql.SetOp)
	if !ok || u.Kind != "union" {
		b.fail(int(d.At0), "42P19", "write WITH RECURSIVE "+d.Name+" AS (SELECT … UNION ALL SELECT … FROM "+d.Name+")",
			"recursive query %q does not have the form non-recursive-term UNION [ALL] recursive-term", d.Name)
	}
	if len(q.OrderBy) > 0 || q.Limit != nil || q.Offset != nil || len(q.With) > 0 {
		b.fail(int(d.At0), sql.CodeNotSupported, "write them in the query that reads "+d.Name, "ORDER BY, LIMIT and WITH in a recursive query are not supported")
	}
	first := &sql.Query{At0: q.At0, Body: u.L}
	if mentions(first, d.Name) {
		b.fail(int(d.At0), "42P19", "exchange the two parts", "recursive reference to query %q must not appear within its non-recursive term", d.Name)
	}
	base := b.body(u.L, c.scope)
	work := &Work{Of: new(int), Name: d.Name, Columns: base.Schema()}
	for i := range work.Columns {
		work.Columns[i].NotNull = false
	}
	inner := &scope{cols: c.scope.cols, outer: c.scope.outer, ctes: map[string]*cte{}}
	for name, known := range c.scope.ctes {
		inner.ctes[name] = known
	}
	inner.ctes[d.Name] = &cte{def: d, scope: inner, work: work}
	step := b.body(u.R, inner)
	have, want := step.Schema(), base.Schema()
	if len(have) != len(want) {
		b.fail(int(u.At0), sql.CodeSyntax, "select as many columns in both parts", "each UNION query must have the same number of columns")
	}
	for i := range want {
		if openType(step, i) != want[i].Type && have[i].Type.Kind != want[i].Type.Kind && openType(step, i).Kind != 0 {
			b.fail(int(u.At0), sql.CodeType, "cast the column in the first part to the type that it gets",
				"recursive query %q column %d has type %v in non-recursive term but type %v overall", d.Name, i+1, want[i].Type, have[i].Type)
		}
	}
	types := typesOfColumns(want)
	return &Recursive{Name: d.Name, Base: base, Step: b.convert(step, types, int(u.At0)), Distinct: !u.All, MaxRows: maxRecursive}
}

// item binds a WITH item where it is used.
func (b *binder) item(c *cte) Node {
	switch {
	case c.work != nil:
		w := *c.work
		return &w
	case c.self:
		return b.recursiveItem(c)
	}
	n, _ := b.query(c.def.Query, c.scope)
	return n
}
