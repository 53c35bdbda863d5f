package sql

import "strings"

// session reads the statements that steer a session: transactions, settings, cursors, prepared statements. nil: none of them.
func (p *parser) session() Statement {
	at := p.pos()
	switch w := p.cur().text; w {
	case "begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release":
		return p.transaction()
	case "set", "reset":
		return p.set()
	case "show":
		return p.show()
	case "explain", "describe":
		return p.explain()
	case "prepare":
		return p.prepare()
	case "execute":
		p.i++
		e := &Execute{At0: at, Name: p.name("a prepared statement")}
		if p.accept("(") {
			e.Args = p.exprs()
			p.expect(")")
		}
		return e
	case "declare":
		return p.declare()
	case "fetch", "move":
		return p.fetch()
	case "copy":
		return p.copy()
	case "comment":
		return p.comment()
	case "deallocate", "close", "discard", "listen", "unlisten", "notify", "analyze", "vacuum", "checkpoint", "lock", "refresh", "grant",
		"revoke":
		p.i++
		u := &Utility{At0: at, Verb: w}
		start := p.i
		for p.cur().kind != tEOF {
			p.i++
		}
		u.Name = strings.TrimSpace(p.textFrom(start))
		return u
	}
	return nil
}

func (p *parser) transaction() Statement {
	t := &Transaction{At0: p.pos()}
	switch w := p.take().text; w {
	case "begin", "start":
		t.Kind = "begin"
		if w == "start" {
			p.expect("transaction")
		} else if p.acceptAny("work", "transaction") == "" {
			p.accept("tran")
		}
		t.Modes = p.modes()
	case "commit", "end":
		t.Kind = "commit"
		p.acceptAny("work", "transaction")
		p.accept("and", "no", "chain")
	case "rollback", "abort":
		t.Kind = "rollback"
		p.acceptAny("work", "transaction")
		if p.accept("to") {
			p.accept("savepoint")
			t.Kind, t.Name = "rollback to", p.name("a savepoint")
		}
		p.accept("and", "no", "chain")
	case "savepoint":
		t.Kind, t.Name = "savepoint", p.name("a savepoint")
	case "release":
		p.accept("savepoint")
		t.Kind, t.Name = "release", p.name("a savepoint")
	}
	return t
}

// modes reads transaction modes up to the end of the statement.
func (p *parser) modes() []string {
	var out []string
	var words []string
	for p.cur().kind != tEOF {
		t := p.take()
		if t.is(",") {
			out, words = append(out, strings.Join(words, " ")), nil
			continue
		}
		if t.kind != tIdent {
			p.i--
			p.unexpected("a transaction mode such as READ ONLY")
		}
		words = append(words, t.text)
	}
	if words != nil {
		out = append(out, strings.Join(words, " "))
	}
	return out
}

func (p *parser) set() Statement {
	s := &Set{At0: p.pos()}
	if p.accept("reset") {
		s.Default = true
		s.Name = p.settingName()
		return s
	}
	p.expect("set")
	if p.words("session", "characteristics") {
		for !p.cur().is("transaction") && p.cur().kind != tEOF {
			p.i++
		}
	}
	if p.accept("transaction") {
		return &Transaction{At0: s.At0, Kind: "set transaction", Modes: p.modes()}
	}
	if p.accept("local") {
		s.Local = true
	} else {
		p.accept("session")
	}
	if p.accept("time", "zone") {
		s.Name = "timezone"
	} else {
		s.Name = p.settingName()
		if s.Name == "names" {
			s.Name = "client_encoding"
		} else if !p.accept("to") {
			p.expect("=")
		}
	}
	if p.accept("default") {
		s.Default = true
		return s
	}
	p.accept("interval")
	for {
		neg := p.accept("-")
		t := p.cur()
		if t.kind == tEOF || t.kind == tOp {
			p.unexpected("a value")
		}
		p.i++
		if neg {
			t.text = "-" + t.text
		}
		s.Values = append(s.Values, t.text)
		if !p.accept(",") {
			return s
		}
	}
}

// settingName reads a setting: one name, dotted, in lower case.
func (p *parser) settingName() string {
	n := p.label("a setting")
	for p.accept(".") {
		n += "." + p.label("a setting")
	}
	return strings.ToLower(n)
}

func (p *parser) show() Statement {
	s := &Show{At0: p.pos()}
	p.expect("show")
	switch {
	case p.accept("time", "zone"):
		s.Name = "timezone"
	case p.accept("transaction", "isolation", "level"):
		s.Name = "transaction_isolation"
	case p.accept("materialized", "views"):
		s.Name = "views"
	case p.accept("create"):
		kind := p.objectKind()
		n := p.objectName("a name")
		s.Name = "create " + kind + " " + n.Name
	default:
		s.Name = p.settingName()
	}
	return s
}

func (p *parser) explain() Statement {
	e := &Explain{At0: p.pos(), Format: "text"}
	p.i++
	if p.cur().is("(") && !p.startsQuery() {
		p.i++
		for {
			switch w := p.label("an option"); w {
			case "analyze":
				e.Analyze = !p.accept("off") && !p.accept("false")
				p.acceptAny("on", "true")
			case "format":
				e.Format = p.label("TEXT or JSON")
			default:
				if t := p.cur(); !t.is(",") && !t.is(")") {
					p.i++
				}
			}
			if !p.accept(",") {
				break
			}
		}
		p.expect(")")
	} else {
		e.Analyze = p.accept("analyze")
		p.accept("verbose")
	}
	e.Stmt = p.statement()
	return e
}

func (p *parser) prepare() Statement {
	s := &Prepare{At0: p.pos()}
	p.expect("prepare")
	s.Name = p.name("a name")
	if p.accept("(") {
		for {
			s.Types = append(s.Types, p.typeName())
			if !p.accept(",") {
				break
			}
		}
		p.expect(")")
	}
	p.expect("as")
	start := p.i
	s.Stmt = p.statement()
	s.Text = p.textFrom(start)
	return s
}

func (p *parser) declare() Statement {
	d := &Declare{At0: p.pos()}
	p.expect("declare")
	d.Name = p.name("a cursor")
	for p.acceptAny("binary", "asensitive", "insensitive", "no", "scroll") != "" {
	}
	p.expect("cursor")
	switch {
	case p.accept("with", "hold"):
		d.Hold = true
	case p.accept("without", "hold"):
	}
	p.expect("for")
	start := p.i
	d.Query = p.query()
	d.Text = p.textFrom(start)
	return d
}

func (p *parser) fetch() Statement {
	f := &Fetch{At0: p.pos(), Count: 1, Move: p.cur().is("move")}
	p.i++
	switch {
	case p.accept("next"):
	case p.accept("prior"):
		f.Backward = true
	case p.accept("first"), p.accept("last"), p.accept("absolute"), p.accept("relative"):
		p.failAt(int(f.At0), "use FETCH n FROM cursor", "cursors only go forward")
	case p.accept("all"):
		f.Count = -1
	default:
		if p.accept("backward") {
			f.Backward = true
		} else {
			p.accept("forward")
		}
		if p.accept("all") {
			f.Count = -1
		} else if p.cur().kind == tInt || p.cur().is("-") {
			f.Count = p.integer("a number")
		}
	}
	if f.Count < -1 {
		f.Backward, f.Count = true, -f.Count
	}
	p.acceptAny("from", "in")
	f.Cursor = p.name("a cursor")
	return f
}

func (p *parser) copy() Statement {
	c := &Copy{At0: p.pos(), Options: map[string]string{}}
	p.expect("copy")
	if p.cur().is("(") {
		p.i++
		start := p.i
		c.Query = p.query()
		c.Text = p.textFrom(start)
		p.expect(")")
	} else {
		n := p.objectName("a table or (query)")
		c.Table = &n
		if p.cur().is("(") {
			c.Columns = p.nameList("a column")
		}
	}
	if p.accept("from") {
		c.From = true
		p.expect("stdin")
	} else {
		p.expect("to")
		if p.cur().kind == tString || p.cur().is("program") {
			p.failAt(p.cur().pos, "use TO STDOUT and write the file at the client", "COPY to a file of the server is not supported")
		}
		p.expect("stdout")
	}
	p.copyOptions(c)
	return c
}

func (p *parser) copyOptions(c *Copy) {
	p.accept("with")
	if !p.accept("(") {
		for p.cur().kind == tIdent { // the old spelling: COPY … CSV HEADER
			switch w := p.take().text; w {
			case "csv", "binary":
				c.Options["format"] = w
			case "header":
				c.Options[w] = "true"
			default:
				p.accept("as")
				c.Options[w] = p.str("a text in single quotes")
			}
		}
		return
	}
	for {
		key := p.label("an option")
		value := "true"
		if t := p.cur(); !t.is(",") && !t.is(")") {
			value = p.take().text
		}
		c.Options[key] = value
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
}

func (p *parser) comment() Statement {
	c := &Comment{At0: p.pos()}
	p.expect("comment", "on")
	c.Kind = p.objectKind()
	c.Name = p.objectName("a name")
	if c.Kind == "column" {
		if c.Name.Schema == "" {
			p.unexpected("'.' and a column")
		}
		c.Name, c.Column = ObjectName{At0: c.Name.At0, Name: c.Name.Schema}, c.Name.Name
	}
	p.expect("is")
	if !p.accept("null") {
		c.Text = p.str("a text in single quotes")
	}
	return c
}
