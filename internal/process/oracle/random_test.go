package oracle_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"myelin/internal/process/oracle"
)

// source is something a random query reads: its alias and its columns, each a whole number or a text.
type source struct {
	text string
	cols []column
}

type column struct {
	name string
	text bool
}

// maker makes random queries over the tables r and q.
type maker struct {
	r *rand.Rand
	n int
}

func (m *maker) pick(words ...string) string { return words[m.r.IntN(len(words))] }

func (m *maker) alias(prefix string) string {
	m.n++
	return prefix + strconv.Itoa(m.n)
}

// table is a FROM item with a fresh alias.
func (m *maker) table(depth int) source {
	a := m.alias("t")
	if depth > 0 && m.r.IntN(3) == 0 {
		q, cols := m.query(depth - 1)
		for i := range cols {
			cols[i].name = a + "." + cols[i].name
		}
		return source{"(" + q + ") " + a, cols}
	}
	name := m.pick("r", "q")
	cols := []column{{a + ".k", false}, {a + ".v", false}, {a + ".s", true}}
	if name == "q" {
		cols = append(cols, column{a + ".w", false})
	}
	return source{name + " " + a, cols}
}

func (m *maker) from(depth int) source {
	s := m.table(depth)
	for m.r.IntN(3) == 0 {
		o := m.table(depth)
		both := append(slices.Clone(s.cols), o.cols...)
		kind := m.pick("JOIN", "LEFT JOIN", "RIGHT JOIN", "JOIN", "FULL JOIN", "CROSS JOIN")
		switch kind {
		case "CROSS JOIN":
			s.text += " CROSS JOIN " + o.text
		default:
			on := m.number(s.cols) + " = " + m.number(o.cols)
			if kind == "FULL JOIN" { // PostgreSQL needs columns here
				on = m.column(s.cols, false) + " = " + m.column(o.cols, false)
			} else {
				for m.r.IntN(3) == 0 {
					on += " AND " + m.pred(both)
				}
			}
			s.text += " " + kind + " " + o.text + " ON " + on
		}
		s.cols = both
	}
	return s
}

func (m *maker) column(cols []column, text bool) string {
	for range 20 {
		if c := cols[m.r.IntN(len(cols))]; c.text == text {
			return c.name
		}
	}
	if text {
		return "'x'"
	}
	return "1"
}

func (m *maker) number(cols []column) string {
	switch m.r.IntN(6) {
	case 0:
		return strconv.Itoa(m.r.IntN(5))
	case 1:
		return "(" + m.column(cols, false) + m.pick(" + ", " - ", " * ") + m.column(cols, false) + ")"
	case 2:
		return "coalesce(" + m.column(cols, false) + ", " + strconv.Itoa(m.r.IntN(4)) + ")"
	}
	return m.column(cols, false)
}

func (m *maker) word(cols []column) string {
	switch m.r.IntN(5) {
	case 0:
		return m.pick("'a'", "'b'", "'ab'")
	case 1:
		return "upper(" + m.column(cols, true) + ")"
	}
	return m.column(cols, true)
}

func (m *maker) pred(cols []column) string {
	switch m.r.IntN(10) {
	case 0:
		return m.column(cols, m.r.IntN(2) == 0) + m.pick(" IS NULL", " IS NOT NULL")
	case 1:
		return m.word(cols) + " " + m.pick("=", "<>", "<", "LIKE") + " " + m.word(cols)
	case 2:
		return "(" + m.pred(cols) + " OR " + m.pred(cols) + ")"
	case 3:
		return "NOT (" + m.pred(cols) + ")"
	case 4:
		return m.number(cols) + m.pick(" IN ", " NOT IN ") + "(1, 2" + m.pick("", ", NULL") + ")"
	case 5:
		return m.number(cols) + " BETWEEN 0 AND " + m.number(cols)
	case 6:
		return m.number(cols) + " IS NOT DISTINCT FROM " + m.number(cols)
	}
	return m.number(cols) + " " + m.pick("=", "<>", "<", "<=", ">", ">=") + " " + m.number(cols)
}

// sub is a predicate with a subquery.
func (m *maker) sub(cols []column) string {
	a := m.alias("u")
	in := []column{{a + ".k", false}, {a + ".v", false}, {a + ".s", true}}
	where := " WHERE " + m.pred(in)
	switch m.r.IntN(4) {
	case 0:
		return m.column(cols, false) + m.pick(" IN ", " NOT IN ") + "(SELECT " + m.column(in, false) + " FROM r " + a + where + ")"
	case 1:
		return m.pick("", "NOT ") + "EXISTS (SELECT 1 FROM q " + a + where + " AND " + a + ".k = " + m.column(cols, false) + ")"
	case 2:
		return m.number(cols) + m.pick(" < ", " >= ") + "(SELECT " + m.pick("max", "min", "count") + "(" + m.column(in, false) + ") FROM r " + a + where + ")"
	}
	return m.number(cols) + m.pick(" <= ", " > ") + "(SELECT " + m.pick("max", "sum", "count") + "(" + a + ".v) FROM q " + a + where + " AND " + a + ".k = " + m.column(cols, false) + ")"
}

func (m *maker) where(cols []column) string {
	if m.r.IntN(3) == 0 {
		return ""
	}
	parts := []string{m.pred(cols)}
	for m.r.IntN(3) == 0 {
		parts = append(parts, m.pred(cols))
	}
	if m.r.IntN(4) == 0 {
		parts = append(parts, m.sub(cols))
	}
	return " WHERE " + strings.Join(parts, " AND ")
}

// query makes a query whose columns have the names c0, c1, …
func (m *maker) query(depth int) (string, []column) {
	s := m.from(depth)
	if m.r.IntN(3) == 0 {
		return m.grouped(s)
	}
	var items []string
	var cols []column
	for i := range 1 + m.r.IntN(3) {
		text := m.r.IntN(3) == 0
		e := m.number(s.cols)
		switch {
		case text:
			e = m.word(s.cols)
		case m.r.IntN(6) == 0:
			e = "CASE WHEN " + m.pred(s.cols) + " THEN " + m.number(s.cols) + " END"
		}
		items, cols = append(items, fmt.Sprintf("%s AS c%d", e, i)), append(cols, column{fmt.Sprintf("c%d", i), text})
	}
	q := "SELECT " + m.pick("", "", "DISTINCT ") + strings.Join(items, ", ") + " FROM " + s.text + m.where(s.cols)
	if depth > 0 && m.r.IntN(5) == 0 {
		var same []string
		o := m.from(0)
		for _, c := range cols {
			if c.text {
				same = append(same, m.word(o.cols))
			} else {
				same = append(same, m.number(o.cols))
			}
		}
		q += m.pick(" UNION ", " UNION ALL ", " EXCEPT ", " INTERSECT ") + "SELECT " + strings.Join(same, ", ") + " FROM " + o.text + m.where(o.cols)
	}
	if m.r.IntN(5) == 0 {
		var all []string
		for i := range cols {
			all = append(all, strconv.Itoa(i+1)+m.pick("", " DESC", " NULLS FIRST", " DESC NULLS LAST"))
		}
		q += " ORDER BY " + strings.Join(all, ", ") + m.pick("", " LIMIT 3", " LIMIT 2 OFFSET 1")
	}
	return q, cols
}

func (m *maker) grouped(s source) (string, []column) {
	var groups, items []string
	var cols []column
	for i := range m.r.IntN(3) {
		text := m.r.IntN(3) == 0
		e := m.number(s.cols)
		if text {
			e = m.word(s.cols)
		}
		if !strings.ContainsAny(e, ".") {
			continue
		}
		groups, items = append(groups, e), append(items, fmt.Sprintf("%s AS g%d", e, i))
		cols = append(cols, column{fmt.Sprintf("g%d", i), text})
	}
	for i := range 1 + m.r.IntN(2) {
		f := m.pick("count", "sum", "min", "max", "count") + "(" + m.pick("", "", "DISTINCT ") + m.number(s.cols) + ")"
		if m.r.IntN(4) == 0 {
			f = "count(*)"
		}
		if m.r.IntN(4) == 0 {
			f += " FILTER (WHERE " + m.pred(s.cols) + ")"
		}
		items, cols = append(items, fmt.Sprintf("%s AS a%d", f, i)), append(cols, column{fmt.Sprintf("a%d", i), false})
	}
	q := "SELECT " + strings.Join(items, ", ") + " FROM " + s.text + m.where(s.cols)
	if len(groups) > 0 {
		q += " GROUP BY " + strings.Join(groups, ", ")
	}
	if m.r.IntN(3) == 0 {
		q += " HAVING count(*) " + m.pick(">", "<=") + " 1"
		if len(groups) > 0 && m.r.IntN(2) == 0 {
			q += " AND " + groups[0] + " IS NOT NULL"
		}
	}
	return q, cols
}

var setup = []string{
	"CREATE TABLE r (k int, v int, s text)", "CREATE TABLE q (k int, v int, s text, w int)",
	"INSERT INTO r VALUES (1, 10, 'a'), (1, 2, 'b'), (2, NULL, 'a'), (NULL, 3, 'ab'), (3, 0, NULL), (2, 2, 'a'), (1, 10, 'a')",
	"INSERT INTO q VALUES (1, 1, 'a', 5), (2, 3, 'A', NULL), (2, 2, 'b', 1), (NULL, NULL, NULL, NULL), (4, 0, 'ab', 2)",
}

// TestRandomQueriesLikePostgres compares random queries. MYELIN_SOAK sets how many.
func TestRandomQueriesLikePostgres(t *testing.T) {
	if pg == nil {
		t.Skip(oracle.ErrNotInstalled, "so answers are not compared with it")
	}
	n, seed := 500, uint64(1)
	if s := os.Getenv("MYELIN_SOAK"); s != "" {
		n, _ = strconv.Atoi(s)
		seed = rand.Uint64()
		t.Log("seed", seed)
	}
	d := database{}
	for _, s := range setup {
		compare(t, d, "setup", s)
	}
	m := &maker{r: rand.New(rand.NewPCG(seed, 2))}
	bad, errs := 0, 0
	for range n {
		q, _ := m.query(2)
		want, werr := pg.Ask(q)
		got, gerr := d.run(q)
		if werr != nil && (gerr != nil || strings.Contains(werr.Error(), "FULL JOIN is only supported")) {
			errs++
			continue
		}
		if i := strings.LastIndex(q, " LIMIT "); i < 0 || strings.Contains(q[i:], ")") {
			slices.SortFunc(want, slices.Compare)
			slices.SortFunc(got, slices.Compare)
		}
		if werr != nil || gerr != nil || !slices.EqualFunc(want, got, slices.Equal) {
			t.Errorf("%s\n  got  %s\n  want %s", q, flat(got, gerr), flat(want, werr))
			if bad++; bad > 12 {
				t.Fatal("too many differences")
			}
		}
	}
	t.Logf("%d queries, of which %d fail in both", n, errs)
}
