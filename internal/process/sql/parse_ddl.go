package sql

import "strings"

// statement reads any statement.
func (p *parser) statement() Statement {
	at := p.pos()
	t := p.cur()
	if t.kind != tIdent && !t.is("(") {
		p.unexpected("a statement such as SELECT or CREATE")
	}
	if p.startsQuery() {
		return &SelectStmt{at, p.query()}
	}
	switch t.text {
	case "create":
		return p.create()
	case "drop":
		return p.drop()
	case "alter":
		if p.ahead(1).is("materialized") {
			return p.alterView()
		}
	case "insert":
		return p.insert()
	case "update":
		return p.update()
	case "delete":
		return p.deleteFrom()
	}
	if s := p.session(); s != nil {
		return s
	}
	known := []string{"select", "create", "drop", "insert", "update", "delete", "explain", "show", "set", "begin", "commit", "rollback",
		"with", "values", "copy", "alter", "comment", "declare", "fetch", "prepare", "execute"}
	hint := "statements start with SELECT, CREATE SOURCE, CREATE TABLE, CREATE MATERIALIZED VIEW, CREATE SINK, DROP, EXPLAIN or SHOW"
	switch s := Suggest(t.text, known); {
	case t.text == "alter":
		hint = "ALTER MATERIALIZED VIEW name PAUSE or RESUME is all there is; otherwise drop the object and create it anew; a file-owned one is changed by editing its file"
	case s != "":
		hint = "did you mean " + strings.ToUpper(s) + " instead of " + t.text + "?"
	}
	p.failAt(t.pos, hint, "syntax error at or near %q", p.text[t.pos:t.end])
	return nil
}

func (p *parser) create() Statement {
	at := p.pos()
	p.expect("create")
	replace := p.accept("or", "replace")
	switch {
	case p.accept("source"), p.accept("stream"):
		return p.createRelation(at, true)
	case p.accept("table"):
		return p.createRelation(at, false)
	case p.accept("materialized"):
		p.expect("view")
		return p.createView(at, true, replace)
	case p.accept("view"):
		return p.createView(at, false, replace)
	case p.accept("sink"):
		return p.createSink(at)
	}
	if t := p.cur(); t.is("index") || t.is("unique") {
		p.failAt(t.pos, "views are indexed by their keys; remove the statement", "CREATE INDEX is not needed here")
	}
	if t := p.cur(); t.is("temp") || t.is("temporary") {
		p.failAt(t.pos, "use WITH name AS (…) inside the query", "temporary tables are not supported")
	}
	p.unexpected("SOURCE, TABLE, MATERIALIZED VIEW or SINK")
	return nil
}

func (p *parser) ifNotExists() bool { return p.accept("if", "not", "exists") }

func (p *parser) createRelation(at At0, source bool) Statement {
	c := &CreateRelation{At0: at, Source: source, IfNotExists: p.ifNotExists()}
	c.Name = p.objectName("a name")
	if p.accept("(") {
		for {
			p.columnItem(c)
			if !p.accept(",") {
				break
			}
			if p.cur().is(")") {
				p.failAt(p.toks[p.i-1].pos, "remove the comma", "there is nothing behind this comma")
			}
		}
		p.expect(")")
	}
	c.With = p.with(c.With)
	if p.accept("as") {
		c.Query = p.query()
		c.With = p.with(c.With)
	}
	if source && len(c.Columns) == 0 {
		p.failAt(p.cur().pos, "list its columns: CREATE SOURCE name (id BIGINT, …) WITH (topic = '…')", "a source needs columns")
	}
	return c
}

func (p *parser) columnItem(c *CreateRelation) {
	at := p.pos()
	switch {
	case p.accept("watermark"):
		p.expect("for")
		w := &Watermark{At0: at, Column: p.name("a column")}
		p.expect("as")
		w.X = p.expr()
		if c.Watermark != nil {
			p.failAt(int(at), "remove one of them", "WATERMARK is given twice")
		}
		c.Watermark = w
		return
	case p.accept("primary"):
		p.expect("key")
		c.PrimaryKey = p.nameList("a column")
		return
	case p.words("unique", "("), p.words("foreign", "key"), p.words("check", "("), p.words("constraint"):
		p.failAt(int(at), "remove it; the tracking plan is the place for rules about values", "this constraint is not supported")
	}
	d := ColumnDef{At0: at, Name: p.label("a column")}
	if t := p.cur(); t.is(",") || t.is(")") {
		p.unexpected("the type of column " + d.Name)
	}
	d.Type = p.typeName()
	for {
		switch {
		case p.accept("not", "null"):
			d.NotNull = true
		case p.accept("null"):
		case p.accept("primary"):
			p.expect("key")
			d.PrimaryKey, d.NotNull = true, true
			c.PrimaryKey = append(c.PrimaryKey, d.Name)
		case p.accept("from"):
			d.Path = p.str("a JSON path in single quotes")
		case p.words("default"), p.words("unique"), p.words("references"), p.words("check"), p.words("generated"):
			p.failAt(p.cur().pos, "remove it", "%s is not supported on columns", strings.ToUpper(p.cur().text))
		default:
			c.Columns = append(c.Columns, d)
			return
		}
	}
}

// with reads WITH (key = value, …) if it comes next.
func (p *parser) with(have []Option) []Option {
	if !p.words("with", "(") {
		return have
	}
	p.i += 2
	for !p.cur().is(")") {
		have = append(have, p.option())
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	return have
}

func (p *parser) option() Option {
	o := Option{At0: p.pos()}
	if p.cur().kind == tString {
		o.Key = p.take().text
	} else {
		o.Key = p.label("an option name")
		for p.accept(".") {
			o.Key += "." + p.label("an option name")
		}
	}
	if !p.cur().is("=") {
		p.unexpected("'=' and the value of " + o.Key)
	}
	p.i++
	o.ValueAt = p.pos()
	neg := p.accept("-")
	t := p.cur()
	switch t.kind {
	case tString, tInt, tNumber, tIdent:
		o.Value = t.text
		if neg {
			o.Value = "-" + o.Value
		}
		p.i++
	default:
		p.unexpected("the value of " + o.Key + " in single quotes")
	}
	return o
}

func (p *parser) createView(at At0, materialized, replace bool) Statement {
	v := &CreateView{At0: at, Materialized: materialized, OrReplace: replace, IfNotExists: p.ifNotExists()}
	v.Name = p.objectName("a name")
	if p.cur().is("(") {
		v.Columns = p.nameList("a column")
	}
	v.With = p.with(nil)
	p.expect("as")
	start := p.i
	v.Query = p.query()
	v.QueryText = p.textFrom(start)
	if p.accept("with") {
		if !p.accept("no", "data") {
			p.expect("data")
		}
	}
	return v
}

func (p *parser) createSink(at At0) Statement {
	s := &CreateSink{At0: at, IfNotExists: p.ifNotExists()}
	s.Name = p.objectName("a name")
	switch {
	case p.accept("from"):
		n := p.objectName("a view, table or source")
		s.From = &n
	case p.accept("as"):
		start := p.i
		s.Query = p.query()
		s.QueryText = p.textFrom(start)
	default:
		p.unexpected("FROM view or AS SELECT")
	}
	if !p.words("with", "(") {
		p.unexpected("WITH (connector = '…') or WITH (topic = '…')")
	}
	s.With = p.with(nil)
	return s
}

// objectKind reads SOURCE, TABLE, MATERIALIZED VIEW, VIEW or SINK.
func (p *parser) objectKind() string {
	if p.accept("materialized") {
		p.expect("view")
		return "materialized view"
	}
	kind := p.acceptAny("source", "table", "view", "sink", "stream", "column", "database", "schema")
	if kind == "" {
		p.unexpected("SOURCE, TABLE, MATERIALIZED VIEW or SINK")
	}
	if kind == "stream" {
		return "source"
	}
	return kind
}

func (p *parser) drop() Statement {
	d := &Drop{At0: p.pos()}
	p.expect("drop")
	d.Kind = p.objectKind()
	d.IfExists = p.accept("if", "exists")
	for {
		d.Names = append(d.Names, p.objectName("a name"))
		if !p.accept(",") {
			break
		}
	}
	d.Cascade = p.accept("cascade")
	if !d.Cascade {
		p.accept("restrict")
	}
	return d
}

// alterView reads ALTER MATERIALIZED VIEW name PAUSE | RESUME.
func (p *parser) alterView() Statement {
	a := &AlterView{At0: p.pos()}
	p.expect("alter", "materialized", "view")
	a.Name = p.objectName("a view")
	if a.Action = p.acceptAny("pause", "resume"); a.Action == "" {
		p.unexpected("PAUSE or RESUME")
	}
	return a
}

func (p *parser) insert() Statement {
	s := &Insert{At0: p.pos()}
	p.expect("insert", "into")
	s.Table = p.objectName("a table")
	if p.cur().is("(") && !p.startsQuery() {
		s.Columns = p.nameList("a column")
	}
	if !p.accept("default", "values") {
		if !p.startsQuery() {
			p.unexpected("VALUES or SELECT")
		}
		s.Query = p.query()
	}
	if t := p.cur(); t.is("on") {
		p.failAt(t.pos, "a row with an existing key replaces the old one", "ON CONFLICT is not supported")
	}
	s.Returning = p.returning()
	return s
}

func (p *parser) returning() []SelectItem {
	if p.accept("returning") {
		return p.selectItems()
	}
	return nil
}

func (p *parser) update() Statement {
	s := &Update{At0: p.pos()}
	p.expect("update")
	s.Table = p.objectName("a table")
	s.Alias = p.dmlAlias()
	p.expect("set")
	for {
		a := Assignment{At0: p.pos(), Column: p.label("a column")}
		p.expect("=")
		a.X = p.expr()
		s.Set = append(s.Set, a)
		if !p.accept(",") {
			break
		}
	}
	if p.accept("where") {
		s.Where = p.expr()
	}
	s.Returning = p.returning()
	return s
}

func (p *parser) dmlAlias() string {
	if p.accept("as") {
		return p.name("a name")
	}
	if t := p.cur(); t.kind == tIdent && !reserved[t.text] && t.text != "set" {
		p.i++
		return t.text
	}
	return ""
}

func (p *parser) deleteFrom() Statement {
	s := &Delete{At0: p.pos()}
	p.expect("delete", "from")
	s.Table = p.objectName("a table")
	s.Alias = p.dmlAlias()
	if p.accept("where") {
		s.Where = p.expr()
	}
	s.Returning = p.returning()
	return s
}
