package plan

import (
	"slices"
	"strings"

	"myelin/internal/process/fn"
	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

// BindInsert binds INSERT INTO a table: the query gives rows with all columns of the table, in their order and types. Columns that
// are not named are NULL.
func BindInsert(s *sql.Insert, text string, r *Relation, cat Catalog, opt Options) (q *Query, err error) {
	b := &binder{text: text, cat: cat, opt: opt, params: slices.Clone(opt.Params)}
	err = b.guard(func() {
		at := b.insertColumns(s, r)
		var in Node
		if s.Query == nil {
			in, at = &Values{Rows: [][]Expr{{}}}, nil
		} else if v, ok := s.Query.Body.(*sql.ValuesBody); ok && len(s.Query.With) == 0 && s.Query.OrderBy == nil && s.Query.Limit == nil {
			in = b.insertValues(v, r, at)
		} else {
			in, _ = b.query(s.Query, nil)
		}
		cols := in.Schema()
		if s.Query != nil && len(cols) != len(at) && !(s.Columns == nil && len(cols) < len(at)) {
			b.fail(int(s.At0), sql.CodeSyntax, "give one value for each column", "INSERT has %d expressions for %d columns", len(cols), len(at))
		}
		p := &Project{Input: in}
		for k, c := range r.Columns {
			var e Expr = &Const{vec.NullOf(c.Type)}
			if i := slices.Index(at, k); i >= 0 && i < len(cols) {
				e = b.coerce(&Col{i, cols[i].Type, cols[i].Name}, c.Type, fn.AssignmentCast, int(s.At0))
			} else if c.NotNull {
				b.fail(int(s.At0), "23502", "give it a value", "column %q must not be NULL", c.Name)
			}
			p.Exprs, p.Names = append(p.Exprs, e), append(p.Names, c.Name)
		}
		b.settleParams()
		q = b.finish(&sql.Query{At0: s.At0}, p)
	})
	if err != nil {
		return nil, err
	}
	return q, nil
}

// insertColumns gives the table column of each inserted value.
func (b *binder) insertColumns(s *sql.Insert, r *Relation) []int {
	var at, all []int
	var names []string
	for i, c := range r.Columns {
		all, names = append(all, i), append(names, c.Name)
	}
	if s.Columns == nil {
		return all
	}
	for _, n := range s.Columns {
		i := slices.Index(names, n)
		if i < 0 {
			hint := "the columns are " + strings.Join(names, ", ")
			if g := sql.Suggest(n, names); g != "" {
				hint = "did you mean " + g + "?"
			}
			b.fail(int(s.Table.At0), sql.CodeUndefinedColumn, hint, "column %q of %q does not exist", n, r.Name)
		}
		if slices.Contains(at, i) {
			b.fail(int(s.Table.At0), "42701", "name it once", "column %q specified more than once", n)
		}
		at = append(at, i)
	}
	return at
}

// insertValues binds VALUES with each value read as the type of its column.
func (b *binder) insertValues(v *sql.ValuesBody, r *Relation, at []int) Node {
	n := &Values{}
	for i, row := range v.Rows {
		if len(row) > len(at) || i > 0 && len(row) != len(v.Rows[0]) {
			b.fail(row[0].Pos(), sql.CodeSyntax, "give one value for each column", "the row has %d values for %d columns", len(row), len(at))
		}
		var out []Expr
		for k, e := range row {
			out = append(out, b.coerce(b.expr0(e, &env{scope: &scope{}, clause: "VALUES"}), r.Columns[at[k]].Type, fn.AssignmentCast, e.Pos()))
		}
		n.Rows = append(n.Rows, out)
	}
	for k := range v.Rows[0] {
		c := r.Columns[at[k]]
		n.Columns = append(n.Columns, Column{Name: c.Name, Type: c.Type})
	}
	return n
}
