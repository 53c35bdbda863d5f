package oracle

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// column is one of a kind; a literal if there is none.
func (m *Maker) column(k Kind, cols []Column) string {
	var fit []string
	for _, c := range cols {
		if c.Kind == k {
			fit = append(fit, c.Name)
		}
	}
	if len(fit) == 0 {
		return m.constant(k)
	}
	return m.Pick(fit...)
}

// expr is an expression of a kind.
func (m *Maker) expr(k Kind, cols []Column, depth int) string {
	if depth <= 0 || m.IntN(3) == 0 {
		if m.IntN(8) == 0 {
			return m.constant(k)
		}
		return m.column(k, cols)
	}
	e := func(k Kind) string { return m.expr(k, cols, depth-1) }
	switch m.IntN(9) {
	case 0:
		return "coalesce(" + e(k) + ", " + m.constant(k) + ")"
	case 1:
		return "CASE WHEN " + m.pred(cols, depth-1) + " THEN " + e(k) + m.Pick("", " ELSE "+e(k)) + " END"
	case 2:
		if k != JSON {
			return "nullif(" + e(k) + ", " + e(k) + ")"
		}
	}
	forms := exprForms[k]
	return m.fill(forms[m.IntN(len(forms))], e, cols, depth)
}

// fill replaces {int}, {txt}, … in a form by expressions.
func (m *Maker) fill(form string, e func(Kind) string, cols []Column, depth int) string {
	for {
		from := strings.IndexByte(form, '{')
		if from < 0 {
			return strings.NewReplacer("«", "{", "»", "}").Replace(form)
		}
		to := from + strings.IndexByte(form[from:], '}')
		name := form[from+1 : to]
		var x string
		if name == "pred" {
			x = m.pred(cols, depth-1)
		} else {
			x = e(formKinds[name])
		}
		form = form[:from] + strings.NewReplacer("{", "«", "}", "»").Replace(x) + form[to+1:]
	}
}

var formKinds = map[string]Kind{
	"int": Int, "num": Num, "flt": Flt, "txt": Txt, "bool": Bool, "date": Date, "ts": Stamp, "tz": Zoned, "iv": Span, "json": JSON, "ints": Ints, "texts": Texts,
	"uuid": UUID, "int4": Int4, "bytes": Bytes, "clock": Clock, "nums": Nums, "days": Days,
}

// exprForms are expressions of each kind that fail for no value that values can make, but for rare overflows.
var exprForms = [kinds][]string{
	Int: {"({int} + {int})", "({int} - {int})", "({int} * {int})", "abs({int})", "length({txt})::bigint", "cardinality({ints})::bigint", "({int} % 7)", "greatest({int}, {int})",
		"least({int}, {int}, {int})", "({bool})::int::bigint", "({ints})[1]", "({ints})[{int}::int]", "extract(day FROM {ts})::bigint", "extract(dow FROM {tz})::bigint", "({date} - {date})::bigint",
		"array_position({ints}, {int})::bigint", "strpos({txt}, {txt})::bigint", "floor({num})::bigint", "array_length({texts}, 1)::bigint", "ascii({txt})::bigint", "sign({num})::bigint",
		"num_nulls({txt}, {int})::bigint", "({int4})::bigint", "({int4} + {int})", "length({bytes})::bigint", "octet_length({bytes})::bigint", "cardinality({days})::bigint",
		"extract(minute FROM {clock})::bigint", "array_position({days}, {date})::bigint", "get_byte({bytes} || '\\x00'::bytea, 0)::bigint", "width_bucket({num}, 0, 10, 4)::bigint"},
	Num: {"({num} + {num})", "({num} - {num})", "({num} * {num})", "({num} / 4)", "round({num}, 1)", "trunc({num})", "abs({num})", "({int})::numeric", "extract(epoch FROM {ts})", "extract(epoch FROM {iv})",
		"mod({num}, 3)", "greatest({num}, {int})", "ceil({num})", "round({num})", "extract(epoch FROM {tz})", "extract(hour FROM {iv})", "({nums})[1]", "({int4} * {num})",
		"extract(epoch FROM {clock})", "extract(second FROM {clock})"},
	Flt: {"({flt} + {flt})", "({flt} - {flt})", "({flt} * 0.5::float8)", "abs({flt})", "({int})::float8", "floor({flt})", "least({flt}, {flt})", "(-{flt})"},
	Txt: {"upper({txt})", "lower({txt})", "({txt} || {txt})", "concat({txt}, {int})", "substr({txt}, 1, 1)", "replace({txt}, 'a', 'x')", "({json} ->> 'a')", "({json} #>> '«b,0»')", "({int})::text", "left({txt}, 1)",
		"reverse({txt})", "({texts})[1]", "array_to_string({ints}, ',')", "array_to_string({texts}, '-', '?')", "to_char({ts}, 'YYYY-MM-DD HH24:MI')", "split_part({txt}, ' ', 1)", "({bool})::text", "({num})::text", "({date})::text",
		"jsonb_typeof({json})", "btrim({txt})", "regexp_replace({txt}, '[ab]', 'z', 'g')", "concat_ws('/', {txt}, {txt})", "initcap({txt})", "format('%s-%s', {txt}, {int})", "md5({txt})", "to_char({num}, 'FM990.00')",
		"({ts})::text", "({iv})::text", "({uuid})::text", "lpad({txt}, 4, '*')", "translate({txt}, 'ab', 'ba')", "encode({bytes}, 'hex')", "({bytes})::text", "({clock})::text", "({tz})::text",
		"array_to_string({nums}, ' ')", "array_to_string({days}, ',', 'none')", "({int4})::text", "encode({bytes}, 'base64')", "({json})::text"},
	Bool:  {"{pred}", "({bool} AND {bool})", "({bool} OR {bool})", "(NOT {bool})", "({txt} LIKE 'a%')", "({json} ? 'a')"},
	Date:  {"({date} + 1)", "({ts})::date", "({date} - {int}::int)", "greatest({date}, {date})", "date_trunc('month', {ts})::date", "({days})[1]"},
	Stamp: {"({ts} + {iv})", "({ts} - {iv})", "date_trunc('hour', {ts})", "date_trunc('week', {ts})", "({date})::timestamp", "({tz} AT TIME ZONE 'Europe/Berlin')", "date_bin('15 minutes', {ts}, TIMESTAMP '2001-01-01')", "({tz} AT TIME ZONE 'UTC')", "({date} + {clock})"},
	Zoned: {"({tz} + {iv})", "({ts} AT TIME ZONE 'America/New_York')", "date_trunc('day', {tz}, 'Europe/Berlin')", "greatest({tz}, {tz})", "({ts} AT TIME ZONE 'Europe/Berlin')"},
	Span:  {"({iv} + {iv})", "({ts} - {ts})", "({iv} * 2)", "(-{iv})", "justify_hours({iv})", "age({ts}, {ts})", "({tz} - {tz})", "make_interval(0, 0, 0, {int}::int, 0, 0, 0)", "({clock} - {clock})", "({clock})::interval"},
	JSON: {"({json} -> 'a')", "({json} -> 0)", "jsonb_build_object('k', {int}, 't', {txt})", "to_jsonb({ints})", "jsonb_build_array({txt}, {bool})", "({json} || {json})", "jsonb_strip_nulls({json})", "({json} #> '«a,b»')", "to_jsonb({ts})",
		"jsonb_path_query_array({json}, '$.b[*]')", "to_jsonb({clock})", "to_jsonb({nums})", "to_jsonb({uuid})", "to_jsonb({num})"},
	Ints:  {"({ints} || {ints})", "array_append({ints}, {int})", "ARRAY[{int}, {int}]", "array_remove({ints}, 2)", "({ints})[1:2]", "array_prepend({int}, {ints})", "array_replace({ints}, {int}, {int})", "array_cat({ints}, {ints})"},
	Texts: {"({texts} || {txt})", "string_to_array({txt}, ' ')", "ARRAY[{txt}, {txt}]", "({texts})[2:]", "regexp_split_to_array({txt}, 'a')", "array_remove({texts}, {txt})"},
	UUID:  {"coalesce({uuid}, {uuid})"},
	Int4:  {"({int4} % 5)", "abs({int4})", "greatest({int4}, {int4})", "({int4} / 2)", "length({txt})", "({bool})::int", "cardinality({texts})", "(-{int4})", "({int4} & 3)"},
	Bytes: {"({bytes} || {bytes})", "substr({bytes}, 1, 1)", "decode(encode({bytes}, 'hex'), 'hex')", "decode(md5({txt}), 'hex')", "greatest({bytes}, {bytes})"},
	Clock: {"({ts})::time", "({clock} + INTERVAL '90 minutes')", "({clock} - {iv})", "least({clock}, {clock})", "({clock} + {iv})"},
	Nums:  {"({nums} || {num})", "array_append({nums}, {num})", "ARRAY[{num}, {num}]", "array_remove({nums}, 1.5)", "({nums})[2:3]"},
	Days:  {"array_append({days}, {date})", "ARRAY[{date}, {date}]", "({days} || {days})", "array_remove({days}, {date})"},
}

// pred is a condition.
func (m *Maker) pred(cols []Column, depth int) string {
	e := func(k Kind) string { return m.expr(k, cols, depth-1) }
	k := Kind(m.IntN(int(kinds)))
	switch m.IntN(14) {
	case 0:
		return "(" + e(k) + m.Pick(" IS NULL", " IS NOT NULL") + ")"
	case 1:
		return "(" + e(Txt) + " " + m.Pick("LIKE", "ILIKE", "NOT LIKE") + " " + m.Pick("'a%'", "'%b'", "'_'", "'%'") + ")"
	case 2:
		if depth > 0 {
			return "(" + m.pred(cols, depth-1) + m.Pick(" OR ", " AND ") + m.pred(cols, depth-1) + ")"
		}
	case 3:
		if depth > 0 {
			return "(NOT " + m.pred(cols, depth-1) + ")"
		}
	case 4:
		return "(" + e(Int) + m.Pick(" IN ", " NOT IN ") + "(1, 2" + m.Pick("", ", NULL") + "))"
	case 5:
		return "(" + e(Int) + m.Pick(" BETWEEN ", " NOT BETWEEN ", " BETWEEN SYMMETRIC ") + "0 AND " + e(Int) + ")"
	case 6:
		if k != JSON {
			return "(" + e(k) + m.Pick(" IS DISTINCT FROM ", " IS NOT DISTINCT FROM ") + e(k) + ")"
		}
	case 7:
		return "(" + e(Int) + " " + m.Pick("= ANY", "<> ALL", "< ANY", ">= ALL") + " (" + e(Ints) + "))"
	case 8:
		return "(" + e(Ints) + m.Pick(" @> ", " && ", " <@ ") + e(Ints) + ")"
	case 9:
		return "(" + e(JSON) + " @> " + m.Pick(`'{"a":1}'`, `'[1]'`, `'{}'`) + ")"
	case 10:
		return "((" + e(Int) + ", " + e(Txt) + ") " + m.Pick("=", "<", ">=", "<>") + " (" + e(Int) + ", " + e(Txt) + "))"
	case 11:
		return "(" + e(Bool) + m.Pick(" IS TRUE", " IS NOT FALSE", " IS UNKNOWN", "") + ")"
	case 12:
		return "(" + e(Txt) + " " + m.Pick("~", "!~", "~*") + " " + m.Pick("'^a'", "'b$'", "'[0-9]'") + ")"
	}
	return "(" + e(k) + " " + m.Pick("=", "<>", "<", "<=", ">", ">=") + " " + e(k) + ")"
}

// sub is a condition with a subquery.
func (m *Maker) sub(cols []Column) string {
	a := m.alias("u")
	in := m.columnsOf(a)
	where := " WHERE " + m.pred(in, 1)
	both := append(append([]Column(nil), in...), cols...)
	switch m.IntN(3) {
	case 0:
		where += " AND " + m.joinOn(in, cols)
	case 1:
		where += " AND " + m.pred(both, 1)
	}
	k := Kind(m.IntN(int(Span)))
	switch m.IntN(5) {
	case 0:
		return m.expr(k, cols, 1) + m.Pick(" IN ", " NOT IN ") + "(SELECT " + m.expr(k, in, 1) + " FROM r " + a + where + ")"
	case 1:
		return m.Pick("", "NOT ") + "EXISTS (SELECT 1 FROM r " + a + where + ")"
	case 2:
		return m.expr(k, cols, 1) + m.Pick(" < ", " >= ", " = ", " <> ") + m.Pick("ANY", "ALL") + " (SELECT " + m.expr(k, in, 0) + " FROM r " + a + where + ")"
	case 3:
		return "(" + m.expr(Int, cols, 1) + ", " + m.expr(Txt, cols, 0) + ")" + m.Pick(" IN ", " NOT IN ") + "(SELECT " + a + ".k, " + a + ".s FROM r " + a + where + ")"
	}
	return m.expr(Int, cols, 1) + m.Pick(" <= ", " > ") + "(SELECT " + m.Pick("max", "min", "count") + "(" + m.column(Int, in) + ") FROM r " + a + where + ")"
}

// scalar is a subquery as a value: an aggregate, or the first row.
func (m *Maker) scalar(cols []Column) string {
	a := m.alias("u")
	in := m.columnsOf(a)
	where := " WHERE " + m.pred(append(append([]Column(nil), in...), cols...), 1)
	if m.IntN(2) == 0 {
		where = " WHERE " + m.joinOn(in, cols)
	}
	if m.IntN(2) == 0 {
		return "(SELECT " + a + ".v FROM r " + a + where + " ORDER BY " + a + ".id LIMIT 1)"
	}
	return "(SELECT " + m.Pick("max", "min", "sum", "count") + "(" + a + ".v)::bigint FROM r " + a + where + ")"
}

// agg is an aggregate call and its kind.
func (m *Maker) agg(cols []Column) (string, Kind) {
	filter := ""
	if m.IntN(4) == 0 {
		filter = " FILTER (WHERE " + m.pred(cols, 1) + ")"
	}
	distinct := m.Pick("", "", "DISTINCT ")
	call := func(name string, k Kind, arg string) (string, Kind) {
		return name + "(" + distinct + arg + ")" + filter, k
	}
	k := []Kind{Int, Num, Flt, Txt, Date, Stamp, Zoned, Span, Int4, Clock}[m.IntN(10)]
	switch m.IntN(12) {
	case 0:
		return "count(*)" + filter, Int
	case 1:
		return call("count", Int, m.expr(Kind(m.IntN(int(kinds))), cols, 1))
	case 2:
		if m.IntN(3) == 0 {
			return call("sum", Int, m.column(Int4, cols))
		}
		return call("sum", Num, m.expr(Int, cols, 1))
	case 3:
		return call("sum", Num, m.expr(Num, cols, 1))
	case 4:
		return call("sum", Flt, m.column(Flt, cols))
	case 5, 6:
		return call(m.Pick("min", "max"), k, m.expr(k, cols, 1))
	case 7:
		return call(m.Pick("bool_and", "bool_or", "every"), Bool, m.expr(Bool, cols, 1))
	case 8:
		return call("avg", Num, m.expr([]Kind{Int, Num}[m.IntN(2)], cols, 1))
	case 9:
		x := m.expr(Txt, cols, 1)
		return "string_agg(" + distinct + x + ", ',' ORDER BY " + x + ")" + filter, Txt
	case 10:
		x := m.expr(Int, cols, 1)
		return "array_agg(" + distinct + x + " ORDER BY " + x + ")" + filter, Ints
	}
	switch m.IntN(7) {
	case 4:
		return call("sum", Span, m.column(Span, cols))
	case 5:
		x := m.column(Date, cols)
		return "array_agg(" + distinct + x + " ORDER BY " + x + ")" + filter, Days
	case 6:
		x := m.column(Bytes, cols)
		return "string_agg(" + distinct + x + ", '\\x2c'::bytea ORDER BY " + x + ")" + filter, Bytes
	case 0:
		return "percentile_disc(0.5) WITHIN GROUP (ORDER BY " + m.column(Int, cols) + ")" + filter, Int
	case 1:
		return "mode() WITHIN GROUP (ORDER BY " + m.column(Txt, cols) + ")" + filter, Txt
	case 2:
		return "bit_or(" + m.column(Int, cols) + ")" + filter, Int
	}
	x := m.expr(Int, cols, 1)
	return "jsonb_agg(" + distinct + x + " ORDER BY " + x + ")" + filter, JSON
}

// readsColumn finds the alias of a table in an expression.
var readsColumn = regexp.MustCompile(`\b[tlu][0-9]+`)

func (m *Maker) grouped(s source) (string, []Column) {
	var groups, items []string
	var cols []Column
	for i := range m.IntN(3) {
		k := Kind(m.IntN(int(kinds)))
		e := m.expr(k, s.cols, 1)
		if k == Span || !readsColumn.MatchString(e) {
			continue
		}
		groups, items = append(groups, e), append(items, fmt.Sprintf("%s AS g%d", e, i))
		cols = append(cols, Column{fmt.Sprintf("g%d", i), k})
	}
	for i := range 1 + m.IntN(2) {
		f, k := m.agg(s.cols)
		items, cols = append(items, fmt.Sprintf("%s AS a%d", f, i)), append(cols, Column{fmt.Sprintf("a%d", i), k})
	}
	tail := " FROM " + s.text + m.where(s.cols)
	if len(groups) > 0 {
		list := strings.Join(groups, ", ")
		switch {
		case m.IntN(6) == 0:
			list = m.Pick("ROLLUP", "CUBE") + " (" + list + ")"
			items = append(items, "GROUPING("+groups[0]+") AS gg")
			cols = append(cols, Column{"gg", Int})
		case m.IntN(10) == 0:
			list = "GROUPING SETS ((" + list + "), (" + groups[0] + "), ())"
		}
		tail += " GROUP BY " + list
	}
	if m.IntN(3) == 0 {
		tail += " HAVING count(*) " + m.Pick(">", "<=") + " 1"
	}
	if len(groups) > 0 && m.IntN(6) == 0 {
		items = append(items, "rank() OVER (ORDER BY count(*)) AS rk")
		cols = append(cols, Column{"rk", Int})
	}
	return "SELECT " + strings.Join(items, ", ") + tail, cols
}

// windowed makes a query with window functions; every order is total where that matters.
func (m *Maker) windowed(s source) (string, []Column) {
	var items []string
	var cols []Column
	total := strings.Join(s.key, ", ")
	for i := range 1 + m.IntN(2) {
		part := ""
		if m.IntN(3) > 0 {
			part = "PARTITION BY " + m.expr(Kind(m.IntN(int(kinds))), s.cols, 1) + " "
		}
		ok := Kind(m.IntN(int(Span)))
		by := m.expr(ok, s.cols, 1)
		order := "ORDER BY " + by + m.Pick("", " DESC", " NULLS FIRST", " DESC NULLS LAST")
		var f string
		k := Int
		switch m.IntN(8) {
		case 6:
			f, k = m.Pick("percent_rank()", "cume_dist()")+" OVER ("+part+order+")", Flt
		case 7:
			k = Kind(m.IntN(int(kinds)))
			x := m.expr(k, s.cols, 1)
			f = m.Pick("nth_value("+x+", "+m.Pick("1", "2", "3")+")", "lag("+x+", "+m.Pick("-1", "0", "3", s.key[0]+"::int")+")") + " OVER (" + part + order + ", " + total + m.frame(false) + ")"
		case 0:
			f = m.Pick("rank()", "dense_rank()", "count(*)") + " OVER (" + part + order + ")"
		case 1:
			f = m.Pick("row_number()", "ntile(3)::bigint") + " OVER (" + part + order + ", " + total + ")"
		case 2:
			k = Kind(m.IntN(int(kinds)))
			f = m.Pick("lag", "lead") + "(" + m.expr(k, s.cols, 1) + m.Pick("", ", 2") + ") OVER (" + part + order + ", " + total + ")"
		case 3:
			k = Kind(m.IntN(int(kinds)))
			f = m.Pick("first_value", "last_value") + "(" + m.expr(k, s.cols, 1) + ") OVER (" + part + order + ", " + total + m.frame(false) + ")"
		case 4:
			f, k = m.windowAgg(s.cols)
			f += " OVER (" + part + order + ", " + total + m.frame(false) + ")"
		default:
			f, k = m.windowAgg(s.cols)
			if m.IntN(4) == 0 {
				f += " OVER (" + part + "ORDER BY " + m.column([]Kind{Stamp, Zoned, Date}[m.IntN(3)], s.cols) + " RANGE BETWEEN INTERVAL '" + m.Pick("1 day", "2 hours", "1 month") + "' PRECEDING AND " +
					m.Pick("CURRENT ROW", "INTERVAL '1 day' FOLLOWING") + ")"
			} else if by = m.column(Int, s.cols); m.IntN(2) == 0 {
				f += " OVER (" + part + "ORDER BY " + by + m.Pick("", " DESC") + m.frame(true) + ")"
			} else {
				f += " OVER (" + part + order + m.Pick("", " GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW") + ")"
			}
		}
		items, cols = append(items, fmt.Sprintf("%s AS c%d", f, i)), append(cols, Column{fmt.Sprintf("c%d", i), k})
	}
	items = append(items, s.key[0]+" AS key")
	cols = append(cols, Column{"key", Int})
	q := "SELECT " + strings.Join(items, ", ") + " FROM " + s.text + m.where(s.cols)
	if m.IntN(4) == 0 {
		n := strconv.Itoa(1 + m.IntN(3))
		rank := m.Pick("row_number", "rank", "dense_rank")
		inner := "SELECT " + s.key[0] + " AS key, " + rank + "() OVER (PARTITION BY " + m.expr(Int, s.cols, 1) + " ORDER BY " + m.expr(Txt, s.cols, 1)
		if rank == "row_number" {
			inner += ", " + total
		}
		a := m.alias("w")
		return "SELECT key, rn FROM (" + inner + ") AS rn FROM " + s.text + m.where(s.cols) + ") " + a + " WHERE rn " + m.Pick("<= ", "= ", "< ") + n, []Column{{"key", Int}, {"rn", Int}}
	}
	if m.IntN(4) == 0 {
		cond := "row_number() OVER (PARTITION BY " + m.expr(Kind(m.IntN(int(kinds))), s.cols, 1) + " ORDER BY " + m.expr(Int, s.cols, 1) + ", " + total + ") <= " + m.Pick("1", "2")
		if m.IntN(2) == 0 {
			cond = "count(*) OVER (PARTITION BY " + m.expr(Txt, s.cols, 1) + ") " + m.Pick("> 1", "= 1", "< 3")
		}
		cond = Here(cond)
		var names []string
		for _, c := range cols {
			names = append(names, c.Name)
		}
		a := m.alias("w")
		head, where := "SELECT "+strings.Join(items, ", "), m.where(s.cols)
		return differ("", "SELECT "+strings.Join(names, ", ")+" FROM (") + head + differ("", ", "+cond+" AS qualify") + " FROM " + s.text + where +
			differ(" QUALIFY "+cond, ") "+a+" WHERE qualify"), cols
	}
	return q, cols
}

func (m *Maker) windowAgg(cols []Column) (string, Kind) {
	switch m.IntN(7) {
	case 5:
		return m.Pick("sum(", "avg(") + m.expr([]Kind{Int, Num}[m.IntN(2)], cols, 1) + ")", Num
	case 6:
		return m.Pick("sum(", "min(", "max(") + m.column(Flt, cols) + ")", Flt
	case 0:
		return "sum(" + m.expr(Int, cols, 1) + ")", Num
	case 1:
		k := []Kind{Int, Num, Txt, Date}[m.IntN(4)]
		return m.Pick("min", "max") + "(" + m.expr(k, cols, 1) + ")", k
	case 2:
		return "bool_or(" + m.expr(Bool, cols, 1) + ")", Bool
	case 3:
		return "count(" + m.expr(Txt, cols, 1) + ") FILTER (WHERE " + m.pred(cols, 1) + ")", Int
	}
	return "count(*)", Int
}

func (m *Maker) frame(byValue bool) string {
	exclude := m.Pick("", "", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES")
	if byValue {
		return " RANGE BETWEEN " + m.Pick("1 PRECEDING", "UNBOUNDED PRECEDING", "CURRENT ROW", "0 PRECEDING", "2 PRECEDING") + " AND " + m.Pick("CURRENT ROW", "2 FOLLOWING", "UNBOUNDED FOLLOWING") + exclude
	}
	return m.Pick("", " ROWS BETWEEN 2 PRECEDING AND CURRENT ROW", " ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING", " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
		" ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING", " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"+exclude, " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING"+exclude,
		" ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"+exclude, " ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING"+exclude,
		" GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING"+exclude, " GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"+exclude)
}
