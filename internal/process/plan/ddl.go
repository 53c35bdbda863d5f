package plan

import (
	"slices"
	"strings"

	"myelin/internal/process/fn"
	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

// BindRelation turns CREATE SOURCE or CREATE TABLE into the relation it declares. What connector and path mean is the caller's.
func BindRelation(c *sql.CreateRelation, text string) (r *Relation, err error) {
	b := &binder{text: text}
	err = b.guard(func() { r = b.relationOf(c) })
	if err != nil {
		return nil, err
	}
	return r, nil
}

// options checks WITH (…).
func (b *binder) options(given []sql.Option, what string, rules []OptionRule) {
	if err := CheckOptions(b.text, what, given, rules); err != nil {
		panic(err)
	}
}

// Option finds an option of WITH (…); case does not count.
func Option(options []sql.Option, key string) (sql.Option, bool) {
	for _, o := range options {
		if strings.EqualFold(o.Key, key) {
			return o, true
		}
	}
	return sql.Option{}, false
}

func (b *binder) relationOf(c *sql.CreateRelation) *Relation {
	r := &Relation{Schema: c.Name.Schema, Name: c.Name.Name, Kind: Table, TimeCol: -1, Format: "json"}
	if c.Source {
		r.Kind, r.AppendOnly = Stream, true
		r.Topic = r.Name
		if o, ok := Option(c.With, "topic"); ok {
			r.Topic = o.Value
		}
	}
	b.options(c.With, map[bool]string{true: "a source", false: "a table"}[c.Source], map[bool][]OptionRule{true: SourceOptions, false: TableOptions}[c.Source])
	if c.Query != nil {
		b.fail(int(c.Query.At0), sql.CodeNotSupported, "write CREATE MATERIALIZED VIEW "+r.Name+" AS SELECT …, which is kept up to date", "a table's rows cannot come from a query")
	}
	if len(c.Columns) == 0 {
		b.fail(int(c.At0), sql.CodeSyntax, "list its columns: (id BIGINT, name TEXT, …)", "%s has no columns", r.Name)
	}
	names := map[string]bool{}
	for i, d := range c.Columns {
		if names[d.Name] {
			b.fail(int(d.At0), "42701", "give one of them another name", "column %q specified more than once", d.Name)
		}
		names[d.Name] = true
		col := Column{Name: d.Name, Type: b.typeOf(d.Type), NotNull: d.NotNull && !c.Source}
		r.Columns = append(r.Columns, col)
		if c.Source {
			r.Scan = append(r.Scan, sourceColumn(col, d, i))
		}
	}
	for _, k := range c.PrimaryKey {
		at := slices.IndexFunc(r.Columns, func(x Column) bool { return x.Name == k })
		if at < 0 {
			b.fail(int(c.At0), sql.CodeUndefinedColumn, "name one of its columns", "column %q named in key does not exist", k)
		}
		r.Columns[at].NotNull = true
		r.Key = append(r.Key, at)
	}
	if c.Watermark != nil {
		b.watermark(c, r)
	}
	return r
}

// sourceColumn says where a column of a source lies: its own name in the value, the path of FROM, or a part of the record.
func sourceColumn(col Column, d sql.ColumnDef, i int) ScanColumn {
	s := ScanColumn{Column: col, From: FromValue, Path: []string{d.Name}, Index: i}
	switch d.Path {
	case "":
	case "$key":
		s.From, s.Path = FromKey, nil
	case "$timestamp":
		s.From, s.Path = FromTime, nil
	case "$offset":
		s.From, s.Path = FromOffset, nil
	case "$partition":
		s.From, s.Path = FromPartition, nil
	default:
		s.Path = strings.Split(d.Path, ".")
	}
	return s
}

// watermark reads WATERMARK FOR ts AS ts - INTERVAL '5 seconds'.
func (b *binder) watermark(c *sql.CreateRelation, r *Relation) {
	w := c.Watermark
	usage := "write WATERMARK FOR " + w.Column + " AS " + w.Column + " - INTERVAL '5 seconds'"
	at := slices.IndexFunc(r.Columns, func(x Column) bool { return x.Name == w.Column })
	if at < 0 {
		var names []string
		for _, col := range r.Columns {
			names = append(names, col.Name)
		}
		hint := "name one of its columns"
		if s := sql.Suggest(w.Column, names); s != "" {
			hint = "did you mean " + s + "?"
		}
		b.fail(int(w.At0), sql.CodeUndefinedColumn, hint, "column %q of the watermark does not exist", w.Column)
	}
	if k := r.Columns[at].Type.Kind; k != vec.Timestamp && k != vec.Timestamptz {
		b.fail(int(w.At0), sql.CodeType, "make the column TIMESTAMP or TIMESTAMPTZ", "a watermark needs a time, %q is %v", w.Column, r.Columns[at].Type)
	}
	r.TimeCol = at
	switch x := w.X.(type) {
	case *sql.Name:
		if len(x.Parts) == 1 && x.Parts[0] == w.Column {
			return
		}
	case *sql.Binary:
		n, ok := x.L.(*sql.Name)
		if !ok || x.Op != "-" || len(n.Parts) != 1 || n.Parts[0] != w.Column {
			break
		}
		e := b.coerce(b.expr0(x.R, &env{scope: &scope{}, clause: "WATERMARK"}), vec.Of(vec.Interval), fn.ImplicitCast, x.R.Pos())
		if k, ok := e.(*Const); ok && !k.Value.IsNull(0) {
			r.Delay = k.Value.Intervals[0].Approx()
			if r.Delay < 0 {
				b.fail(x.R.Pos(), sql.CodeInvalidParameter, usage, "the delay of a watermark must not be negative")
			}
			return
		}
	}
	b.fail(w.X.Pos(), sql.CodeNotSupported, usage, "the watermark must trail its column by a constant interval")
}

// BindView binds the query of CREATE MATERIALIZED VIEW and gives the relation that others read it as.
func BindView(v *sql.CreateView, text string, cat Catalog) (q *Query, r *Relation, err error) {
	return BindViewFor(v, text, cat, Options{})
}

// BindViewFor is BindView with the rewrites that the options say, besides those of WITH (…).
func BindViewFor(v *sql.CreateView, text string, cat Catalog, opt Options) (q *Query, r *Relation, err error) {
	b := &binder{text: text}
	opt = Options{Continuous: true, Without: opt.Without, Explain: opt.Explain}
	err = b.guard(func() {
		b.options(v.With, "a view", ViewOptions)
		opt.TTL, opt.TTLAt = b.ttl(v.With)
		if o, ok := Option(v.With, "rewrites"); ok && strings.EqualFold(o.Value, "off") {
			opt.Without = AllRewrites &^ PushConditions // how long windows wait for joined rows is read off the joins' conditions
		}
	})
	if err != nil {
		return nil, nil, err
	}
	q, err = Bind(v.Query, text, cat, opt)
	if err != nil {
		return nil, nil, err
	}
	err = b.guard(func() {
		b.noParams(q, v.Query, "a view")
		cols := b.viewColumns(v, q.Root.Schema())
		p := q.Root.Props()
		r = &Relation{
			Schema: v.Name.Schema, Name: v.Name.Name, Kind: View, Columns: cols, Key: q.Key, AppendOnly: q.AppendOnly, TimeCol: p.TimeCol,
			Timing: p.Timing, Parallelism: b.parallelism(v.With, q),
		}
		r.Merged = q.Folded != nil
	})
	if err != nil {
		return nil, nil, err
	}
	return q, r, nil
}

// ttl reads the option ttl, in microseconds; 0: it is not given.
func (b *binder) ttl(with []sql.Option) (micros int64, at int) {
	o, ok := Option(with, "ttl")
	if !ok {
		return 0, 0
	}
	v, err := vec.ParseInterval([]byte(o.Value), "")
	if err != nil {
		b.fail(int(o.ValueAt), sql.CodeInvalidParameter, "write ttl = '30 days'", "%q is no time span", o.Value)
	}
	if micros = v.Approx(); micros <= 0 {
		b.fail(int(o.ValueAt), sql.CodeInvalidParameter, "write ttl = '30 days', or leave it out", "a ttl must be longer than nothing")
	}
	return micros, int(o.At0)
}

// noParams refuses $1 where nobody could give its value.
func (b *binder) noParams(q *Query, written *sql.Query, what string) {
	if len(q.Params) > 0 {
		b.fail(int(written.At0), sql.CodeNotSupported, "write the value", "%s cannot have parameters", what)
	}
}

// BindPlainView binds CREATE VIEW: a query under a name, which stands for it wherever it is read.
func BindPlainView(v *sql.CreateView, text string, cat Catalog) (*Relation, error) {
	q, err := Bind(v.Query, text, cat, Options{})
	if err != nil {
		return nil, err
	}
	b := &binder{text: text}
	r := &Relation{Schema: v.Name.Schema, Name: v.Name.Name, Kind: View, TimeCol: -1, Definition: v.Query, Text: text}
	err = b.guard(func() {
		b.options(v.With, "a view", nil)
		b.noParams(q, v.Query, "a view")
		if v.Query.Emit != sql.EmitUnset {
			b.fail(v.Query.EmitPos, sql.CodeNotSupported, "write CREATE MATERIALIZED VIEW", "EMIT belongs to a view that is kept up to date")
		}
		r.Columns = b.viewColumns(v, q.Root.Schema())
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// plainView binds the query of a plain view where the view is read.
func (b *binder) plainView(r *Relation, pos int) Node {
	defer b.enter(pos)()
	text := b.text
	b.text = r.Text
	b.inView++
	n, _ := b.query(r.Definition, nil)
	b.inView--
	b.text = text
	p := &Project{Input: n}
	for i, c := range n.Schema() {
		p.Exprs, p.Names = append(p.Exprs, &Col{i, c.Type, c.Name}), append(p.Names, r.Columns[i].Name)
	}
	return p
}

// viewColumns names the columns of a view.
func (b *binder) viewColumns(v *sql.CreateView, cols []Column) []Column {
	if len(v.Columns) > len(cols) {
		b.fail(int(v.Name.At0), sql.CodeSyntax, "leave the extra names out", "the view names %d columns, its query has %d", len(v.Columns), len(cols))
	}
	names := map[string]bool{}
	for i := range cols {
		if i < len(v.Columns) {
			cols[i].Name = v.Columns[i]
		}
		if cols[i].Name == "?column?" || names[cols[i].Name] {
			b.fail(int(v.Query.At0), "42701", "give each column a name of its own with AS", "column %d of the view has the name %q, which is taken or missing", i+1, cols[i].Name)
		}
		names[cols[i].Name] = true
	}
	return cols
}

// BindSink binds CREATE SINK. For FROM it is a query of all columns. upsert says whether the sink can take rows back; without,
// a query that does so is refused.
func BindSink(s *sql.CreateSink, text string, cat Catalog, upsert bool) (*Query, error) {
	query := s.Query
	if s.From != nil {
		query = &sql.Query{At0: s.From.At0, Body: &sql.Select{
			At0: s.From.At0, Items: []sql.SelectItem{{X: &sql.Star{At0: s.From.At0}}},
			From: []sql.TableExpr{&sql.TableRef{At0: s.From.At0, Schema: s.From.Schema, Name: s.From.Name}},
		}}
	}
	q, err := Bind(query, text, cat, Options{Continuous: true, Parts: s.From != nil})
	if err != nil {
		return nil, err
	}
	b := &binder{text: text}
	err = b.guard(func() {
		b.noParams(q, query, "a sink")
		if !upsert && !q.AppendOnly {
			b.fail(int(s.Name.At0), sql.CodeNotSupported,
				"add EMIT ON WINDOW CLOSE to the query, or use a connector that can update and delete",
				"the sink can only append, but rows of the query change later")
		}
		names := map[string]bool{}
		for i, c := range q.Root.Schema() {
			if c.Name == "?column?" || names[c.Name] {
				b.fail(int(query.At0), "42701", "give each column a name of its own with AS", "column %d of the sink has the name %q, which is taken or missing", i+1, c.Name)
			}
			names[c.Name] = true
		}
		if o, ok := Option(s.With, "key"); ok {
			for k := range strings.SplitSeq(o.Value, ",") {
				if !names[strings.TrimSpace(k)] {
					var have []string
					for _, c := range q.Root.Schema() {
						have = append(have, c.Name)
					}
					hint := "the columns are " + strings.Join(have, ", ")
					b.fail(int(o.At0), sql.CodeUndefinedColumn, hint, "the key %q is no column of the sink", strings.TrimSpace(k))
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return q, nil
}

// HasOption reports whether an option of WITH (…) is given.
func HasOption(options []sql.Option, key string) bool {
	_, ok := Option(options, key)
	return ok
}
