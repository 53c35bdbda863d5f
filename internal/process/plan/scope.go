package plan

import (
	"fmt"
	"strings"

	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

// scope is what names mean inside one SELECT: its columns are those of the node below.
type scope struct {
	cols  []scopeCol
	outer *scope // of the query around, for correlated subqueries
	ctes  map[string]*cte
}

// scopeCol is one visible column.
type scopeCol struct {
	table, schema, name string
	expr                Expr // over the node below
	hidden              bool // found by table.name only: the merged copy of USING stands for it
	scalar              bool // the only column of a function: the function's name means it, too
}

// cte is a WITH item with what was visible where it was written.
type cte struct {
	def   sql.CTE
	scope *scope
	self  bool  // it reads itself (WITH RECURSIVE)
	work  *Work // inside its recursive part: the rows of the round before
}

// findCTE looks a WITH item up, from the inside out.
func (s *scope) findCTE(name string) *cte {
	for ; s != nil; s = s.outer {
		if c := s.ctes[name]; c != nil {
			return c
		}
	}
	return nil
}

// outerRef is a column of the query around a correlated subquery.
type outerRef struct {
	Index int
	T     vec.Type
	Name  string
	Up    int // 1: the query right around, 2: the one around that, …
}

// Type implements Expr.
func (e *outerRef) Type() vec.Type { return e.T }

// column resolves a name.
func (b *binder) column(n *sql.Name, s *scope) Expr {
	if e := b.lookup(n, s); e != nil {
		return e
	}
	for up, o := 1, s.outer; o != nil; up, o = up+1, o.outer {
		if e := b.lookup(n, o); e != nil {
			c, ok := e.(*Col)
			if !ok {
				b.fail(int(n.At0), sql.CodeNotSupported, "name the table of the column", "column %q of the outer query is merged by USING", n.Parts[len(n.Parts)-1])
			}
			return &outerRef{c.Index, c.T, c.Name, up}
		}
	}
	for i := range s.cols {
		if c := &s.cols[i]; c.scalar && len(n.Parts) == 1 && c.table == n.Parts[0] {
			return c.expr
		}
	}
	b.unknownColumn(n, s)
	return nil
}

// lookup finds the one column that a name means in a scope; nil if there is none.
func (b *binder) lookup(n *sql.Name, s *scope) Expr {
	var found *scopeCol
	name := n.Parts[len(n.Parts)-1]
	for i := range s.cols {
		c := &s.cols[i]
		if c.name != name || !c.in(n.Parts[:len(n.Parts)-1]) || c.hidden && len(n.Parts) == 1 {
			continue
		}
		if found != nil {
			hint := fmt.Sprintf("write %s.%s or %s.%s", found.table, name, c.table, name)
			if found.table == c.table {
				hint = "give each of them a name of its own with AS"
			}
			b.fail(int(n.At0), sql.CodeAmbiguousColumn, hint, "column reference %q is ambiguous", name)
		}
		found = c
	}
	if found == nil {
		return nil
	}
	return found.expr
}

// in reports whether the column belongs to [schema.]table.
func (c *scopeCol) in(qualifier []string) bool {
	switch len(qualifier) {
	case 0:
		return true
	case 1:
		return c.table == qualifier[0]
	case 2:
		return c.table == qualifier[1] && (c.schema == qualifier[0] || c.schema == "" && qualifier[0] == "public")
	case 3: // database.schema.table
		return c.table == qualifier[2] && c.schema == qualifier[1]
	}
	return false
}

// unknownColumn explains why a name means nothing.
func (b *binder) unknownColumn(n *sql.Name, s *scope) {
	full := strings.Join(n.Parts, ".")
	name := n.Parts[len(n.Parts)-1]
	var names []string
	tables := map[string]bool{}
	for _, c := range s.cols {
		if !c.hidden {
			names = append(names, c.name)
		}
		tables[c.table] = true
		if len(n.Parts) == 2 && c.name == n.Parts[0] && c.expr.Type().Kind == vec.JSONB {
			b.fail(int(n.At0), sql.CodeUndefinedColumn, fmt.Sprintf("%s is JSON: write %s->>'%s' for text or %s->'%s' for JSON", c.name, c.name, name, c.name, name),
				"column %q does not exist", full)
		}
		if len(n.Parts) == 1 && c.table == name {
			b.fail(int(n.At0), sql.CodeUndefinedColumn, "name one of its columns", "column %q does not exist; %q is a table", full, name)
		}
	}
	if len(n.Parts) > 1 && !tables[n.Parts[len(n.Parts)-2]] {
		var list []string
		for t := range tables {
			if t != "" {
				list = append(list, t)
			}
		}
		hint := "name it in FROM"
		if g := sql.Suggest(n.Parts[len(n.Parts)-2], list); g != "" {
			hint = "did you mean " + g + "." + name + "?"
		}
		b.fail(int(n.At0), sql.CodeUndefinedTable, hint, "missing FROM-clause entry for table %q", n.Parts[len(n.Parts)-2])
	}
	hint := ""
	switch g := sql.Suggest(name, names); {
	case int(n.At0) < len(b.text) && b.text[n.At0] == '"' && len(n.Parts) == 1:
		if hint = "texts are written in single quotes: '" + name + "'"; g != "" {
			hint += "; names are " + strings.Join(unique(names)[:min(len(unique(names)), 16)], ", ")
		}
	case g != "":
		hint = "did you mean " + g + "?"
	case len(names) == 0:
		hint = "the query has no FROM clause; texts are written in single quotes"
	default:
		hint = "there are " + strings.Join(unique(names)[:min(len(unique(names)), 16)], ", ")
	}
	b.fail(int(n.At0), sql.CodeUndefinedColumn, hint, "column %q does not exist", full)
}

func unique(names []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, n := range names {
		if !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}

// scopeOf makes the scope of a node whose columns all belong to one table name.
func scopeOf(table, schema string, cols []Column, names []string) []scopeCol {
	out := make([]scopeCol, len(cols))
	for i, c := range cols {
		name := c.Name
		if i < len(names) {
			name = names[i]
		}
		out[i] = scopeCol{table: table, schema: schema, name: name, expr: &Col{Index: i, T: c.Type, Name: name}}
	}
	return out
}

// shifted moves the columns of a scope behind n others.
func shifted(cols []scopeCol, n int) []scopeCol {
	out := make([]scopeCol, len(cols))
	for i, c := range cols {
		c.expr = mapExpr(c.expr, func(e Expr) Expr {
			if x, ok := e.(*Col); ok {
				return &Col{Index: x.Index + n, T: x.T, Name: x.Name}
			}
			return e
		})
		out[i] = c
	}
	return out
}
