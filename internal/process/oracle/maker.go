package oracle

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Kind is a type of column in random queries.
type Kind uint8

// The kinds of columns.
const (
	Int Kind = iota
	Num
	Flt
	Txt
	Bool
	Date
	Stamp
	Zoned
	Span
	JSON
	Ints
	Texts
	UUID
	Int4
	Bytes
	Clock
	Nums
	Days
	kinds
)

// Names of the kinds in SQL.
var kindNames = [kinds]string{"bigint", "numeric", "float8", "text", "boolean", "date", "timestamp", "timestamptz", "interval", "jsonb", "bigint[]", "text[]", "uuid",
	"integer", "bytea", "time", "numeric[]", "date[]"}

// Column is a column that a random query can read or gives.
type Column struct {
	Name string
	Kind Kind
}

// Maker makes random queries over the tables r and q, and random rows for them. The same seed makes the same.
type Maker struct {
	*rand.Rand
	// Continuous leaves out what cannot run for ever.
	Continuous bool
	n          int
	with       []source // common table expressions that may be read: their text is the name
}

// NewMaker returns a maker.
func NewMaker(seed uint64) *Maker { return &Maker{Rand: rand.New(rand.NewPCG(seed, 2))} }

// source is something a query reads: its text, its columns, and the columns that together tell its rows apart; nil: none do.
type source struct {
	text string
	cols []Column
	key  []string
}

var tableColumns = []Column{
	{"id", Int}, {"k", Int}, {"v", Int}, {"x", Num}, {"f", Flt}, {"s", Txt}, {"b", Bool}, {"d", Date}, {"a", Stamp}, {"z", Zoned}, {"i", Span},
	{"j", JSON}, {"ns", Ints}, {"ts", Texts}, {"u", UUID}, {"e", Int4}, {"y", Bytes}, {"c", Clock}, {"xs", Nums}, {"ds", Days},
}

// DDL makes the tables.
func (m *Maker) DDL() []string {
	var cols []string
	for _, c := range tableColumns {
		cols = append(cols, c.Name+" "+kindNames[c.Kind])
	}
	list := strings.Join(cols, ", ")
	return []string{"CREATE TABLE r (" + list + ")", "CREATE TABLE q (" + list + ", w bigint)"}
}

// Rows makes the rows of a table, each a list of literals.
func (m *Maker) Rows(table string, n int) []string {
	var out []string
	for id := range n {
		vals := []string{strconv.Itoa(id + 1)}
		for _, c := range tableColumns[1:] {
			vals = append(vals, m.value(c.Kind))
		}
		if table == "q" {
			vals = append(vals, m.value(Int))
		}
		out = append(out, strings.Join(vals, ", "))
	}
	return out
}

var values = [kinds][]string{
	Int: {"0", "1", "2", "3", "-1", "4", "1", "2"}, Num: {"0", "1.5", "2.50", "2.5", "-3.125", "100", "0.001"}, Flt: {"0", "0.5", "-1.25", "3", "1024", "-0.5"},
	Txt: {"'a'", "'b'", "'ab'", "''", "'A'", "'é'", "'a b'", "'10'"}, Bool: {"true", "false"},
	Date:  {"DATE '2026-01-31'", "DATE '2024-02-29'", "DATE '1999-12-31'", "DATE '2026-03-29'"},
	Stamp: {"TIMESTAMP '2026-01-01 10:00'", "TIMESTAMP '2026-01-01 10:05:30.25'", "TIMESTAMP '2024-02-29 23:59:59'", "TIMESTAMP '1969-12-31 12:00'"},
	Zoned: {"TIMESTAMPTZ '2026-03-29 00:30+00'", "TIMESTAMPTZ '2026-03-29 01:30+00'", "TIMESTAMPTZ '2026-10-25 01:00+02'", "TIMESTAMPTZ '2000-01-01 00:00+00'"},
	Span:  {"INTERVAL '1 day'", "INTERVAL '24 hours'", "INTERVAL '1 month'", "INTERVAL '-90 minutes'", "INTERVAL '1 year 2 days 03:00'"},
	JSON:  {`'{"a":1,"b":[1,2]}'`, `'[1,"x",null]'`, `'"t"'`, `'null'`, `'{"a":{"b":"c"},"n":2.5}'`, `'3'`, `'[]'`, `'{"k":true}'`},
	Ints:  {"'{1,2,3}'", "'{}'", "'{NULL,2}'", "'{3,3}'"}, Texts: {"'{a,b}'", "'{}'", `'{ab,NULL,a}'`, `'{"a b"}'`},
	UUID: {"'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "'00000000-0000-0000-0000-000000000001'"},
	Int4: {"0", "1", "2", "-7", "1", "40000"}, Bytes: {`'\x'`, `'\x00'`, `'\x6162'`, `'\xff00ff'`, `'\x61'`},
	Clock: {"TIME '00:00'", "TIME '10:30:15.5'", "TIME '23:59:59.999999'", "TIME '10:30'"}, Nums: {"'{1.5,2.75,NULL}'", "'{}'", "'{0.001,-3,1.5}'"},
	Days: {"'{2026-01-31,2024-02-29}'", "'{}'", "'{NULL}'", "'{1999-12-31}'"},
}

// value is a literal of a kind, often NULL.
func (m *Maker) value(k Kind) string {
	if m.IntN(5) == 0 {
		return "NULL"
	}
	return m.constant(k)
}

// constant is a literal that says its type itself.
func (m *Maker) constant(k Kind) string {
	v := m.Pick(values[k]...)
	switch k {
	case JSON, Ints, Texts, UUID, Txt, Flt, Num, Int4, Bytes, Nums, Days:
		return v + "::" + kindNames[k]
	}
	return v
}

// Pick chooses one of several words.
func (m *Maker) Pick(words ...string) string { return words[m.IntN(len(words))] }

func (m *Maker) alias(prefix string) string {
	m.n++
	return prefix + strconv.Itoa(m.n)
}

// table is a FROM item with a fresh alias.
func (m *Maker) table(depth int) source {
	a := m.alias("t")
	if depth > 0 && m.IntN(3) == 0 {
		q, cols := m.query(depth - 1)
		for i := range cols {
			cols[i].Name = a + "." + cols[i].Name
		}
		return source{text: "(" + q + ") " + a, cols: cols}
	}
	if len(m.with) > 0 && m.IntN(2) == 0 {
		w := m.with[m.IntN(len(m.with))]
		s := source{text: w.text + " " + a}
		for _, c := range w.cols {
			s.cols = append(s.cols, Column{a + "." + c.Name, c.Kind})
		}
		return s
	}
	if m.IntN(8) == 0 {
		return m.timeWindow(a)
	}
	name := m.Pick("r", "q")
	s := source{text: name + " " + a, key: []string{a + ".id"}}
	for _, c := range tableColumns {
		s.cols = append(s.cols, Column{a + "." + c.Name, c.Kind})
	}
	if name == "q" {
		s.cols = append(s.cols, Column{a + ".w", Int})
	}
	return s
}

// from is the whole FROM clause.
func (m *Maker) from(depth int) source {
	s := m.table(depth)
	for m.IntN(3) == 0 && len(s.cols) < 60 {
		if m.IntN(3) == 0 {
			s = m.lateral(s)
			continue
		}
		o := m.table(depth)
		both := append(slices.Clone(s.cols), o.cols...)
		kind := m.Pick("JOIN", "LEFT JOIN", "RIGHT JOIN", "JOIN", "FULL JOIN", "CROSS JOIN")
		if kind == "CROSS JOIN" {
			s.text += " CROSS JOIN " + o.text
		} else {
			on := m.joinOn(s.cols, o.cols)
			for kind != "FULL JOIN" && m.IntN(3) == 0 {
				on += " AND " + m.pred(both, 1)
			}
			s.text += " " + kind + " " + o.text + " ON " + on
		}
		s.cols = both
		if s.key != nil && o.key != nil {
			s.key = append(slices.Clone(s.key), o.key...)
		} else {
			s.key = nil
		}
	}
	return s
}

// joinOn equates columns of one kind.
func (m *Maker) joinOn(l, r []Column) string {
	for range 20 {
		a, b := l[m.IntN(len(l))], r[m.IntN(len(r))]
		if a.Kind == b.Kind && a.Kind != JSON {
			return a.Name + " = " + b.Name
		}
	}
	return "1 = 1"
}

// lateral joins a function or a query that reads the items before it.
func (m *Maker) lateral(s source) source {
	a := m.alias("l")
	join := m.Pick(" CROSS JOIN ", " LEFT JOIN ")
	on := ""
	if join == " LEFT JOIN " {
		on = " ON true"
	}
	s.key = nil
	switch m.IntN(6) {
	case 0:
		s.text += join + "unnest(" + m.expr(Ints, s.cols, 1) + ") " + a + on
		s.cols = append(slices.Clone(s.cols), Column{a, Int})
	case 1:
		s.text += join + "unnest(" + m.expr(Texts, s.cols, 1) + ") WITH ORDINALITY AS " + a + "(v, o)" + on
		s.cols = append(slices.Clone(s.cols), Column{a + ".v", Txt}, Column{a + ".o", Int})
	case 2:
		s.text += join + "generate_series(1, " + m.expr(Int, s.cols, 0) + ") " + a + on
		s.cols = append(slices.Clone(s.cols), Column{a, Int})
	case 3:
		j := m.expr(JSON, s.cols, 0)
		s.text += join + "jsonb_each_text(CASE jsonb_typeof(" + j + ") WHEN 'object' THEN " + j + " END) " + a + on
		s.cols = append(slices.Clone(s.cols), Column{a + ".key", Txt}, Column{a + ".value", Txt})
	default:
		u := m.alias("u")
		in := m.columnsOf(u)
		where := " WHERE " + m.pred(append(slices.Clone(in), s.cols...), 1)
		if m.IntN(2) == 0 {
			where += " AND " + m.joinOn(in, s.cols)
		}
		q := "SELECT " + u + ".v AS c, " + u + ".s AS t FROM r " + u + where + " ORDER BY " + u + ".v, " + u + ".id LIMIT " + m.Pick("1", "2")
		if m.IntN(2) == 0 {
			q = "SELECT count(*) AS c, max(" + u + ".s) AS t FROM r " + u + where
		}
		s.text += join + "LATERAL (" + q + ") " + a + on
		s.cols = append(slices.Clone(s.cols), Column{a + ".c", Int}, Column{a + ".t", Txt})
	}
	return s
}

// columnsOf are those of table r under an alias.
func (m *Maker) columnsOf(alias string) []Column {
	var out []Column
	for _, c := range tableColumns {
		out = append(out, Column{alias + "." + c.Name, c.Kind})
	}
	return out
}

func (m *Maker) where(cols []Column) string {
	if m.IntN(3) == 0 {
		return ""
	}
	parts := []string{m.pred(cols, 2)}
	for m.IntN(3) == 0 {
		parts = append(parts, m.pred(cols, 1))
	}
	if m.IntN(4) == 0 {
		parts = append(parts, m.sub(cols))
	}
	return " WHERE " + strings.Join(parts, " AND ")
}

// Query makes a query whose columns have names of their own.
func (m *Maker) Query() string {
	q, _ := m.query(2)
	return q
}

func (m *Maker) query(depth int) (string, []Column) {
	if m.IntN(16) == 0 && !m.Continuous {
		return m.recursive()
	}
	if depth > 0 && m.IntN(10) == 0 {
		return m.cte(depth)
	}
	s := m.from(depth)
	switch m.IntN(6) {
	case 0, 1:
		return m.grouped(s)
	case 2:
		if s.key != nil {
			return m.windowed(s)
		}
	}
	return m.plain(s, depth)
}

// cte makes a query over a query with a name, which it may read more than once.
func (m *Maker) cte(depth int) (string, []Column) {
	q, cols := m.query(depth - 1)
	name := m.alias("w")
	m.with = append(m.with, source{text: name, cols: cols})
	over, out := m.query(depth - 1)
	m.with = m.with[:len(m.with)-1]
	if strings.HasPrefix(over, "WITH ") { // one list, in which the later may read the earlier
		if strings.HasPrefix(over, "WITH RECURSIVE ") {
			return "WITH RECURSIVE " + name + " AS (" + q + "), " + strings.TrimPrefix(over, "WITH RECURSIVE "), out
		}
		return "WITH " + name + " AS (" + q + "), " + strings.TrimPrefix(over, "WITH "), out
	}
	return "WITH " + name + " AS (" + q + ") " + over, out
}

// differ is a piece of SQL that is written in one way here and in another in PostgreSQL.
func differ(here, there string) string { return "\x01" + here + "\x02" + there + "\x03" }

var differs = regexp.MustCompile("\x01([^\x01-\x03]*)\x02([^\x01-\x03]*)\x03")

// Here is a query that the maker made as it is written here, There as it is in PostgreSQL.
func Here(query string) string { return differs.ReplaceAllString(query, "$1") }

// There is a query that the maker made as it is written in PostgreSQL.
func There(query string) string { return differs.ReplaceAllString(query, "$2") }

// timeWindow is a table whose rows are in windows of time.
func (m *Maker) timeWindow(a string) source {
	name := m.Pick("r", "q")
	s := source{}
	for _, c := range tableColumns {
		s.cols = append(s.cols, Column{a + "." + c.Name, c.Kind})
	}
	t := Column{"a", Stamp}
	epoch := "TIMESTAMP '1970-01-01'"
	if m.IntN(2) == 0 {
		t, epoch = Column{"z", Zoned}, "TIMESTAMPTZ '1970-01-01 00:00+00'"
	}
	switch m.IntN(3) {
	case 0:
		size := "INTERVAL '" + m.Pick("15 minutes", "1 hour", "1 day") + "'"
		bin := fmt.Sprintf("date_bin(%s, %s, %s)", size, t.Name, epoch)
		s.text = differ(fmt.Sprintf("tumble(%s, %s, %s)", name, t.Name, size),
			fmt.Sprintf("(SELECT *, %s AS window_start, %s + %s AS window_end FROM %s WHERE %s IS NOT NULL)", bin, bin, size, name, t.Name)) + " " + a
		s.key = []string{a + ".id"}
	case 1:
		s.text = differ(fmt.Sprintf("hop(%s, %s, INTERVAL '1 hour', INTERVAL '3 hours')", name, t.Name),
			fmt.Sprintf("(SELECT %s.*, window_start, window_start + INTERVAL '3 hours' AS window_end FROM %s CROSS JOIN generate_series(date_bin('1 hour', %s, %s) - INTERVAL '2 hours', date_bin('1 hour', %s, %s), '1 hour') window_start)",
				name, name, t.Name, epoch, t.Name, epoch)) + " " + a
		s.key = []string{a + ".id", a + ".window_start"}
	default:
		by := []Column{{"k", Int}, {"v", Int}, {"b", Bool}}[m.IntN(3)]
		begun := fmt.Sprintf("SELECT *, coalesce(%s - lag(%s) OVER (PARTITION BY %s ORDER BY %s) >= INTERVAL '1 day', true)::int AS begun FROM %s WHERE %s IS NOT NULL",
			t.Name, t.Name, by.Name, t.Name, name, t.Name)
		nth := fmt.Sprintf("SELECT *, sum(begun) OVER (PARTITION BY %s ORDER BY %s) AS nth FROM (%s) b1", by.Name, t.Name, begun)
		of := differ(fmt.Sprintf("session(%s PARTITION BY %s, %s, INTERVAL '1 day')", name, by.Name, t.Name),
			fmt.Sprintf("(SELECT *, min(%s) OVER (PARTITION BY %s, nth) AS window_start, max(%s) OVER (PARTITION BY %s, nth) + INTERVAL '1 day' AS window_end FROM (%s) b2)",
				t.Name, by.Name, t.Name, by.Name, nth))
		s.text = fmt.Sprintf("(SELECT %s, window_start, window_end, count(*) AS n, %s(%s) AS x FROM %s s GROUP BY %s, window_start, window_end) %s", by.Name, m.Pick("max", "min", "sum"), "x", of, by.Name, a)
		s.cols = []Column{{a + "." + by.Name, by.Kind}, {a + ".n", Int}, {a + ".x", Num}}
	}
	s.cols = append(s.cols, Column{a + ".window_start", t.Kind}, Column{a + ".window_end", t.Kind})
	return s
}

func (m *Maker) plain(s source, depth int) (string, []Column) {
	var items []string
	var cols []Column
	distinct := m.Pick("", "", "DISTINCT ")
	combine := depth > 0 && m.IntN(5) == 0
	for i := range 1 + m.IntN(3) {
		k := Kind(m.IntN(int(kinds)))
		if k == Span && (combine || distinct != "") {
			k = Int // of equal intervals any may stay, and they are not alike to arithmetic
		}
		e := m.expr(k, s.cols, 2)
		if m.IntN(12) == 0 {
			k, e = Int, m.scalar(s.cols)
		}
		items, cols = append(items, fmt.Sprintf("%s AS c%d", e, i)), append(cols, Column{fmt.Sprintf("c%d", i), k})
	}
	q := "SELECT " + distinct + strings.Join(items, ", ") + " FROM " + s.text + m.where(s.cols)
	if s.key != nil && m.IntN(8) == 0 {
		e := m.expr(Kind(m.IntN(int(Span))), s.cols, 1)
		return "SELECT DISTINCT ON (" + e + ") " + strings.Join(items, ", ") + " FROM " + s.text + m.where(s.cols) + " ORDER BY " + e + m.Pick("", " DESC") + ", " + strings.Join(s.key, ", "), cols
	}
	if combine {
		var same []string
		o := m.from(0)
		for _, c := range cols {
			same = append(same, m.expr(c.Kind, o.cols, 1))
		}
		q += m.Pick(" UNION ", " UNION ALL ", " EXCEPT ", " INTERSECT ", " EXCEPT ALL ", " INTERSECT ALL ") + "SELECT " + strings.Join(same, ", ") + " FROM " + o.text + m.where(o.cols)
	}
	return q + m.orderBy(cols), cols
}

func (m *Maker) orderBy(cols []Column) string {
	if m.IntN(5) > 0 {
		return ""
	}
	var all []string
	for i := range cols {
		all = append(all, strconv.Itoa(i+1)+m.Pick("", " DESC", " NULLS FIRST", " DESC NULLS LAST"))
	}
	return " ORDER BY " + strings.Join(all, ", ") + m.Pick(" LIMIT 5", " LIMIT 3", " LIMIT 2 OFFSET 1")
}

func (m *Maker) recursive() (string, []Column) {
	n := strconv.Itoa(1 + m.IntN(9))
	set := m.Pick("UNION ALL", "UNION")
	return "WITH RECURSIVE w(n, t) AS (SELECT k, s FROM r WHERE k > 0 " + set + " SELECT n + 1, t || 'x' FROM w WHERE n < " + n + ") SELECT n AS c0, max(t) AS c1, count(*) AS c2 FROM w GROUP BY n",
		[]Column{{"c0", Int}, {"c1", Txt}, {"c2", Int}}
}
