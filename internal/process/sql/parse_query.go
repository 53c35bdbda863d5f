package sql

// startsQuery reports whether a query comes next, possibly in parentheses.
func (p *parser) startsQuery() bool {
	for n := 0; ; n++ {
		t := p.ahead(n)
		if t.is("(") {
			continue
		}
		return t.kind == tIdent && (t.text == "select" || t.text == "with" || t.text == "values" || t.text == "table" && p.ahead(n+1).kind == tIdent)
	}
}

// query reads [WITH] body [ORDER BY] [LIMIT] [OFFSET] [EMIT].
func (p *parser) query() *Query {
	defer p.enter()()
	q := &Query{At0: p.pos()}
	if p.accept("with") {
		q.Recursive = p.accept("recursive")
		for {
			q.With = append(q.With, p.cte())
			if !p.accept(",") {
				break
			}
		}
	}
	q.Body = p.body(0)
	if p.accept("order", "by") {
		q.OrderBy = p.orderItems()
	}
	p.limits(q)
	q.EmitPos = p.cur().pos
	if p.accept("emit") {
		switch {
		case p.accept("changes"):
			q.Emit = EmitChanges
		case p.accept("on", "window", "close"):
			q.Emit = EmitWindowClose
		case p.foreignEmit(q):
		default:
			p.failAt(p.cur().pos, "write EMIT CHANGES, or EMIT ON WINDOW CLOSE for each window once, when it is over", "syntax error at or near %q", p.text[p.cur().pos:p.cur().end])
		}
	}
	return q
}

func (p *parser) cte() CTE {
	c := CTE{At0: p.pos(), Name: p.name("a name")}
	if p.cur().is("(") {
		c.Columns = p.nameList("a column")
	}
	p.expect("as")
	if p.accept("not") {
		p.expect("materialized")
	} else {
		p.accept("materialized")
	}
	p.expect("(")
	c.Query = p.query()
	p.expect(")")
	return c
}

func (p *parser) limits(q *Query) {
	for {
		at := p.cur().pos
		switch {
		case p.words("limit"):
			p.once(q.Limit, at, "LIMIT")
			p.i++
			if !p.accept("all") {
				q.Limit = p.expr()
				if q.Offset == nil && p.accept(",") { // MySQL: LIMIT offset, count
					q.Offset, q.Limit = q.Limit, p.expr()
				}
			}
		case p.words("offset"):
			p.once(q.Offset, at, "OFFSET")
			p.i++
			q.Offset = p.expr()
			if p.acceptAny("row", "rows") == "" {
				continue
			}
		case p.words("fetch"):
			p.once(q.Limit, at, "LIMIT")
			p.fetchFirst(q)
		case p.accept("for"):
			if p.acceptAny("update", "share") == "" {
				p.unexpected("UPDATE or SHARE")
			}
			q.Locking = true
		default:
			return
		}
	}
}

func (p *parser) once(have Expr, at int, what string) {
	if have != nil {
		p.failAt(at, "remove one of them", "%s is given twice", what)
	}
}

// fetchFirst reads FETCH FIRST n ROWS ONLY.
func (p *parser) fetchFirst(q *Query) {
	at := p.pos()
	p.expect("fetch")
	if p.acceptAny("first", "next") == "" {
		p.unexpected("FIRST or NEXT")
	}
	q.Limit = &Literal{at, IntLit, "1"}
	if !p.words("row") && !p.words("rows") {
		q.Limit = p.primary()
	}
	if p.acceptAny("row", "rows") == "" {
		p.unexpected("ROWS")
	}
	p.expect("only")
}

func (p *parser) orderItems() []OrderItem {
	var out []OrderItem
	for {
		o := OrderItem{X: p.expr()}
		if p.accept("desc") {
			o.Desc = true
		} else {
			p.accept("asc")
		}
		if p.accept("nulls") {
			first := p.accept("first")
			if !first {
				p.expect("last")
			}
			o.NullsFirst = &first
		}
		out = append(out, o)
		if !p.accept(",") {
			return out
		}
	}
}

// body reads set operations: INTERSECT binds tighter than UNION and EXCEPT.
func (p *parser) body(minPow int) Body {
	defer p.enter()()
	left := p.bodyPrimary()
	for {
		t := p.cur()
		pow := 1
		switch {
		case t.is("intersect"):
			pow = 2
		case !t.is("union") && !t.is("except"):
			return left
		}
		if pow <= minPow {
			return left
		}
		p.i++
		p.count()
		all := p.accept("all")
		if !all {
			p.accept("distinct")
		}
		left = &SetOp{At0(t.pos), t.text, all, left, p.body(pow)}
	}
}

func (p *parser) bodyPrimary() Body {
	at := p.pos()
	switch {
	case p.accept("("):
		q := p.query()
		p.expect(")")
		return &Paren{at, q}
	case p.accept("values"):
		v := &ValuesBody{At0: at}
		for {
			p.expect("(")
			v.Rows = append(v.Rows, p.exprs())
			p.expect(")")
			if !p.accept(",") {
				return v
			}
		}
	case p.accept("table"):
		n := p.objectName("a table")
		return &Select{At0: at, Items: []SelectItem{{X: &Star{At0: at}}},
			From: []TableExpr{&TableRef{At0: n.At0, Schema: n.Schema, Name: n.Name}}}
	}
	return p.selectBody()
}

func (p *parser) selectBody() *Select {
	s := &Select{At0: p.pos()}
	p.expect("select")
	switch {
	case p.accept("distinct", "on"):
		p.expect("(")
		s.DistinctOn = p.exprs()
		p.expect(")")
	case p.accept("distinct"):
		s.Distinct = true
	default:
		p.accept("all")
	}
	if t := p.cur(); t.kind != tEOF && !t.is("from") && !t.is(")") {
		s.Items = p.selectItems()
	} else {
		p.unexpected("a column or *")
	}
	if p.accept("from") {
		for {
			s.From = append(s.From, p.tableExpr())
			if !p.accept(",") {
				break
			}
		}
	}
	if p.accept("where") {
		s.Where = p.expr()
	}
	if p.accept("group", "by") {
		if p.accept("all") {
			s.GroupAll = true
		} else {
			s.GroupBy = p.groupItems()
		}
	}
	s.HavingPos = p.cur().pos
	if p.accept("having") {
		s.Having = p.expr()
	}
	if p.accept("window") {
		p.ksqlWindow()
		for {
			w := NamedWindow{Name: p.name("a window")}
			p.expect("as")
			w.Spec = p.windowSpec()
			s.Windows = append(s.Windows, w)
			if !p.accept(",") {
				break
			}
		}
	}
	if p.accept("qualify") {
		s.Qualify = p.expr()
	}
	return s
}

func (p *parser) groupItems() []Expr {
	var out []Expr
	for {
		out = append(out, p.groupItem())
		if !p.accept(",") {
			return out
		}
	}
}

// groupItem reads an expression, (a, b), (), ROLLUP (…), CUBE (…) or GROUPING SETS (…).
func (p *parser) groupItem() Expr {
	defer p.enter()()
	at := p.pos()
	kind := ""
	switch {
	case p.words("rollup", "("), p.words("cube", "("):
		kind = p.take().text
	case p.accept("grouping", "sets"):
		kind = "grouping sets"
	case p.words("(", ")"):
		p.i += 2
		return &Row{At0: at}
	default:
		return p.expr()
	}
	g := &Grouping{At0: at, Kind: kind}
	p.expect("(")
	for {
		g.Items = append(g.Items, p.groupItem())
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	return g
}

func (p *parser) selectItems() []SelectItem {
	var out []SelectItem
	for {
		item := SelectItem{X: p.expr()}
		if p.accept("as") {
			item.Alias = p.label("a name")
		} else if t := p.cur(); t.kind == tQuoted || t.kind == tIdent && !reserved[t.text] && !notAlias[t.text] {
			item.Alias = t.text
			p.i++
		}
		out = append(out, item)
		if !p.accept(",") {
			return out
		}
		if t := p.cur(); t.is("from") || t.kind == tEOF {
			p.failAt(p.toks[p.i-1].pos, "remove the comma", "there is nothing behind this comma")
		}
	}
}

// notAlias are words that start a clause without being reserved in PostgreSQL.
var notAlias = wordSet("filter over within between operator at")

func (p *parser) tableExpr() TableExpr {
	defer p.enter()()
	left := p.tablePrimary()
	for {
		at := p.pos()
		natural := p.accept("natural")
		kind := ""
		switch {
		case p.accept("join"), p.accept("inner", "join"):
			kind = "inner"
		case p.accept("cross", "join"):
			kind = "cross"
		case p.accept("left", "outer", "join"), p.accept("left", "join"):
			kind = "left"
		case p.accept("right", "outer", "join"), p.accept("right", "join"):
			kind = "right"
		case p.accept("full", "outer", "join"), p.accept("full", "join"):
			kind = "full"
		case natural:
			p.unexpected("JOIN")
		default:
			return left
		}
		p.count()
		j := &JoinRef{At0: at, Kind: kind, L: left, Natural: natural, R: p.joinOperand(kind == "cross" || natural)}
		if kind != "cross" && !natural {
			switch {
			case p.accept("on"):
				j.On = p.expr()
			case p.accept("using"):
				j.Using = p.nameList("a column")
			default:
				p.noCondition()
			}
		}
		left = j
	}
}

// joinOperand reads the right side of a join: one table, or a nested join whose own ON comes before ours.
func (p *parser) joinOperand(plain bool) TableExpr {
	r := p.tablePrimary()
	if plain || p.words("on") || p.words("using") || !p.startsJoin() {
		return r
	}
	at := p.pos()
	kind := "inner"
	if k := p.acceptAny("left", "right", "full", "inner"); k != "" {
		kind = k
		p.accept("outer")
	}
	p.expect("join")
	j := &JoinRef{At0: at, Kind: kind, L: r, R: p.joinOperand(false)}
	switch {
	case p.accept("on"):
		j.On = p.expr()
	case p.accept("using"):
		j.Using = p.nameList("a column")
	default:
		p.noCondition()
	}
	return j
}

// noCondition stops at a join that does not say which rows belong together.
func (p *parser) noCondition() {
	t := p.cur()
	hint := "say which rows belong together: ON a.id = b.id; or write CROSS JOIN for all pairs"
	if h := p.keywordHint("ON or USING"); h != "" {
		hint = h
	}
	if t.kind == tEOF {
		p.failAt(t.pos, hint, "the join has no condition")
	}
	p.failAt(t.pos, hint, "the join has no condition before %q", p.text[t.pos:t.end])
}

func (p *parser) startsJoin() bool {
	for _, w := range []string{"join", "inner", "left", "right", "full"} {
		if p.cur().is(w) {
			return true
		}
	}
	return false
}

func (p *parser) tablePrimary() TableExpr {
	at := p.pos()
	lateral := p.accept("lateral")
	if p.cur().is("(") {
		if p.startsQuery() && !p.joinInParens() {
			p.i++
			q := p.query()
			p.expect(")")
			return &SubqueryRef{At0: at, Query: q, Lateral: lateral, Alias: p.alias()}
		}
		p.i++
		t := p.tableExpr()
		p.expect(")")
		return t
	}
	if p.words("table", "(") && p.ahead(2).kind == tIdent && p.ahead(3).is("(") { // Flink: TABLE(TUMBLE(…))
		p.i += 2
		f := p.tableFunc(p.objectName("a function"), lateral)
		p.expect(")")
		if a := p.alias(); a.Name != "" {
			f.Alias = a
		}
		return f
	}
	p.accept("only")
	if t := p.cur(); t.is("values") {
		p.failAt(t.pos, "write FROM (VALUES …) AS t(a, b)", "VALUES needs parentheses here")
	}
	if t := p.cur(); t.kind == tString {
		p.failAt(t.pos, "names are written without quotes, or in double quotes", "syntax error at or near %q", p.text[t.pos:t.end])
	}
	n := p.objectName("a table, view or stream")
	if p.cur().is(".") { // database.schema.table
		p.i++
		n.Schema, n.Name = n.Name, p.label("a table")
	}
	if p.cur().is("(") {
		return p.tableFunc(n, lateral)
	}
	t := &TableRef{At0: n.At0, Schema: n.Schema, Name: n.Name}
	if p.accept("for", "system_time", "as", "of") {
		t.AsOf = p.expr()
	}
	t.Alias = p.alias()
	return t
}

// joinInParens tells ((SELECT …) a JOIN b …) from ((SELECT …) UNION …): what follows the inner parentheses decides.
func (p *parser) joinInParens() bool {
	if !p.ahead(1).is("(") {
		return false
	}
	depth := 0
	for n := 1; ; n++ {
		t := p.ahead(n)
		switch {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
		}
		if t.kind == tEOF {
			return false
		}
		if depth > 0 {
			continue
		}
		switch next := p.ahead(n + 1); {
		case next.kind == tQuoted:
			return true
		case next.kind != tIdent:
			return false
		default:
			switch next.text {
			case "union", "intersect", "except", "order", "limit", "offset", "fetch", "emit", "for":
				return false
			}
			return true
		}
	}
}

func (p *parser) tableFunc(n ObjectName, lateral bool) *FuncRef {
	f := &FuncRef{At0: n.At0, Name: n.Name, Lateral: lateral}
	p.expect("(")
	if !p.cur().is(")") {
		for {
			p.accept("table") // Flink: TUMBLE(TABLE t, DESCRIPTOR(ts), …)
			f.Args = append(f.Args, described(p.expr()))
			if len(f.Args) == 1 && p.accept("partition", "by") {
				p.partitionBy(f)
				break
			}
			if !p.accept(",") {
				break
			}
		}
	}
	p.expect(")")
	if p.accept("with", "ordinality") {
		f.Ordinality = true
	}
	f.Alias = p.alias()
	return f
}

// described takes the column out of Flink's DESCRIPTOR(ts).
func described(x Expr) Expr {
	if c, ok := x.(*Call); ok && len(c.Name) == 1 && c.Name[0] == "descriptor" && len(c.Args) == 1 {
		return c.Args[0]
	}
	return x
}

// partitionBy reads what follows PARTITION BY inside a window function: the keys, then the time column and the gap.
func (p *parser) partitionBy(f *FuncRef) {
	at := p.cur().pos
	rest := p.exprs()
	if len(rest) < 3 {
		p.failAt(at, "write "+f.Name+"(stream PARTITION BY key, time column, INTERVAL '30 minutes')",
			"after PARTITION BY, %s needs the key, the time column and an interval", f.Name)
	}
	for i, x := range rest {
		rest[i] = described(x)
	}
	n := len(rest) - 2
	f.PartitionBy = rest[:n]
	f.Args = append(f.Args, rest[n:]...)
}

func (p *parser) alias() Alias {
	var a Alias
	if p.accept("as") {
		a.Name = p.name("a name")
	} else if t := p.cur(); t.kind == tQuoted || t.kind == tIdent && !reserved[t.text] {
		a.Name = t.text
		p.i++
	}
	if a.Name != "" && p.cur().is("(") {
		p.i++
		for {
			a.Columns = append(a.Columns, p.label("a column"))
			if t := p.cur(); t.kind == tIdent && !t.is(",") { // t(a int, b text)
				p.typeName()
			}
			if !p.accept(",") {
				break
			}
		}
		p.expect(")")
	}
	return a
}
