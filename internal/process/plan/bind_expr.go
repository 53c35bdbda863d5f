package plan

import (
	"slices"
	"strings"

	"myelin/internal/process/fn"
	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

// untyped is a literal in quotes, or NULL, whose type is still to be decided.
type untyped struct {
	text string
	null bool
	pos  int
}

// Type implements Expr.
func (*untyped) Type() vec.Type { return vec.Type{} }

// aggRef stands for the result of an aggregate call until the aggregation is built.
type aggRef struct {
	index int
	t     vec.Type
}

// Type implements Expr.
func (e *aggRef) Type() vec.Type { return e.t }

// env is what an expression is bound in.
type env struct {
	scope  *scope
	clause string    // for messages: "WHERE"
	aggs   *aggCalls // where aggregate calls go; nil: none are allowed here
	inAgg  bool
	subs   *[]*subquery // where subqueries in expressions go; nil: none are allowed here
	overs  *overCalls   // where window functions go; nil: none are allowed here
	sets   *setCalls    // where set-returning functions go; nil: none are allowed here
	// output finds an output column of the SELECT by its name, where that is allowed behind the input columns.
	output func(name string) Expr
	// written: expressions that constants reduce to one of their parts stay apart from it, as grouping sets tell them apart.
	written bool
}

// aggCalls collects the aggregate calls of one SELECT.
type aggCalls struct {
	calls []AggCall
	names []string
	keys  []string
	// groupings are the arguments of the GROUPING(…) calls.
	groupings   [][]Expr
	groupingPos []int
}

// expr binds an expression whose type must be known: what is still open becomes text.
func (b *binder) expr(e sql.Expr, x *env) Expr { return b.typed(b.expr0(e, x)) }

// typed decides the type of an untyped literal: text.
func (b *binder) typed(e Expr) Expr {
	if u, ok := e.(*untyped); ok {
		return b.literal(u, vec.Of(vec.Text))
	}
	if p, ok := e.(*Param); ok && p.T.Kind == vec.Unknown && b.params[p.Index].Kind != vec.Unknown {
		return &Param{p.Index, b.params[p.Index]}
	}
	return e
}

// cond binds a condition.
func (b *binder) cond(e sql.Expr, x *env) Expr {
	c := b.expr0(e, x)
	if k := c.Type().Kind; k != vec.Bool && k != vec.Unknown {
		b.fail(e.Pos(), sql.CodeType, "compare it with something", "the argument of %s must be true or false, not %v", x.clause, c.Type())
	}
	return b.coerce(c, vec.Of(vec.Bool), fn.ImplicitCast, e.Pos())
}

// expr0 binds an expression; untyped literals stay so.
func (b *binder) expr0(e sql.Expr, x *env) Expr {
	if b.used.exprs++; b.used.exprs > maxExprs {
		b.tooComplex(e.Pos())
	}
	switch e := e.(type) {
	case *sql.Name:
		return b.name(e, x)
	case *sql.Literal:
		return b.constant(e)
	case *sql.Param:
		return b.param(e)
	case *sql.Unary:
		return b.unary(e, x)
	case *sql.Binary:
		return b.binary(e, x)
	case *sql.Is:
		return b.is(e, x)
	case *sql.Between:
		return b.between(e, x)
	case *sql.In:
		return b.in(e, x)
	case *sql.Quantified:
		return b.quantified(e, x)
	case *sql.Case:
		return b.caseExpr(e, x)
	case *sql.Cast:
		return b.cast(e, x)
	case *sql.Call:
		return b.callExpr(e, x)
	case *sql.ArrayExpr:
		return b.array(e, x)
	case *sql.Index:
		return b.index(e, x)
	case *sql.Exists:
		return b.exists(e, x)
	case *sql.Subquery:
		return b.scalar(e, x)
	case *sql.Grouping:
		b.fail(e.Pos(), sql.CodeSyntax, "it stands in GROUP BY", "%s cannot be used here", e.Kind)
	case *sql.Row:
		b.fail(e.Pos(), sql.CodeNotSupported, "write the parts one by one", "a row cannot be used as a value here")
	case *sql.Star:
		b.fail(e.Pos(), sql.CodeSyntax, "name the columns", "* cannot be used here")
	case *sql.Field:
		b.fail(e.Pos(), sql.CodeNotSupported, "use -> and ->> for the members of JSON values", "there are no composite types")
	}
	b.fail(e.Pos(), sql.CodeNotSupported, "", "this expression is not supported")
	return nil
}

// name binds a column. The names of values that PostgreSQL writes without parentheses are functions in the tree already.
func (b *binder) name(e *sql.Name, x *env) Expr {
	if x.output != nil && len(e.Parts) == 1 && b.lookup(e, x.scope) == nil {
		if o := x.output(e.Parts[0]); o != nil {
			return o
		}
	}
	return b.column(e, x.scope)
}

func (b *binder) constant(e *sql.Literal) Expr {
	switch e.Kind {
	case sql.NullLit:
		return &untyped{null: true, pos: e.Pos()}
	case sql.BoolLit:
		return &Const{vec.BoolOf(e.Text == "true")}
	case sql.StringLit:
		return &untyped{text: e.Text, pos: e.Pos()}
	}
	d, err := vec.ParseDecimal([]byte(e.Text))
	if f, ferr := vec.ParseFloat([]byte(e.Text)); err != nil && ferr == nil && strings.ContainsAny(e.Text, "eE") {
		return &Const{vec.FloatOf(f)} // too large for NUMERIC
	}
	if err != nil {
		b.fail(e.Pos(), "22003", "numbers have up to 38 digits; write e.g. '1e100'::double precision for larger ones", "the number %s is out of range", e.Text)
	}
	if e.Kind == sql.IntLit {
		if n, ok := d.Int64(); ok {
			if int64(int32(n)) == n {
				return &Const{vec.IntOf(vec.Int32, n)}
			}
			return &Const{vec.IntOf(vec.Int64, n)}
		}
	}
	return &Const{vec.DecimalOf(d)}
}

func (b *binder) param(e *sql.Param) Expr {
	for len(b.params) < e.N {
		b.params = append(b.params, vec.Type{})
	}
	for len(b.paramPos) < e.N {
		b.paramPos = append(b.paramPos, e.Pos())
	}
	return &Param{e.N - 1, b.params[e.N-1]}
}

// literal reads an untyped literal as a value of type t.
func (b *binder) literal(u *untyped, t vec.Type) Expr {
	if u.null {
		return &Const{vec.NullOf(t)}
	}
	v := vec.New(t, 0)
	if err := vec.ParseTextIn(v, []byte(u.text), b.opt.Zone); err != nil {
		b.fail(u.pos, sql.CodeInvalidText, literalHint(t), "%v", err)
	}
	return &Const{v}
}

func literalHint(t vec.Type) string {
	switch t.Kind {
	case vec.Timestamp, vec.Timestamptz:
		return "write it like '2026-05-01 12:00:00'"
	case vec.Date:
		return "write it like '2026-05-01'"
	case vec.Time:
		return "write it like '12:30:00'"
	case vec.Interval:
		return "write it like '1 day 2 hours'"
	case vec.JSONB:
		return "JSON texts need double quotes inside: '\"text\"'"
	case vec.Bool:
		return "write true or false"
	case vec.Array:
		return "write it like '{a,b}'"
	}
	return "check the value, or cast the other side to text"
}

// coerce converts an expression to a type, or fails at pos.
func (b *binder) coerce(e Expr, t vec.Type, ctx fn.CastContext, pos int) Expr {
	switch x := e.(type) {
	case *untyped:
		return b.literal(x, t)
	case *Param:
		if x.T.Kind == vec.Unknown {
			if b.params[x.Index].Kind == vec.Unknown {
				b.params[x.Index] = t
			}
			x = &Param{x.Index, b.params[x.Index]}
			e = x
		}
	}
	from := e.Type()
	if from == t || from.Kind == t.Kind && t.Kind == vec.Numeric && t.Precision == 0 {
		return e
	}
	if !fn.Castable(from, t, ctx) {
		hint := ""
		if fn.Castable(from, t, fn.ExplicitCast) {
			hint = "write CAST(… AS " + t.String() + ") if that is meant"
		} else {
			hint = "check the types of both sides"
		}
		b.fail(pos, sql.CodeType, hint, "a value of type %v cannot be used as %v", from, t)
	}
	f := fn.Cast(from, t)
	if f == nil {
		return retyped(e, t)
	}
	return b.fold(&Call{Func: f, Args: []Expr{e}, T: t}, pos)
}

// retyped gives a constant another type of the same storage.
func retyped(e Expr, t vec.Type) Expr {
	if c, ok := e.(*Const); ok && c.Value.Type.Kind == t.Kind {
		v := *c.Value
		v.Type = t
		return &Const{&v}
	}
	return e
}

// fold computes a call of constants now, unless it depends on the clock or fails. Where it fails is kept for when a row needs it.
func (b *binder) fold(c *Call, pos int) Expr {
	if c.Func.Volatile {
		return c
	}
	for _, a := range c.Args {
		if k, ok := a.(*Const); ok && c.Func.Strict && k.Value.IsNull(0) {
			return &Const{vec.NullOf(c.T)}
		}
	}
	if c.Func.Stable {
		return c
	}
	args := make([]*vec.Vector, len(c.Args))
	for i, a := range c.Args {
		k, ok := a.(*Const)
		if !ok {
			return c
		}
		args[i] = k.Value
	}
	env := &fn.Env{}
	out := vec.New(c.T, 1)
	c.Func.Eval(env, args, nil, 1, out)
	if len(env.Errs) > 0 {
		b.faulty(env.Errs[0].Err, Fault{Pos: pos})
		return c
	}
	if len(out.Buf) > 1<<20 {
		return c
	}
	return &Const{out}
}

// typesOf lists the types of expressions.
func typesOf(es []Expr) []vec.Type {
	out := make([]vec.Type, len(es))
	for i, e := range es {
		out[i] = e.Type()
	}
	return out
}

// call resolves a function or operator by the types of its arguments.
func (b *binder) call(name string, pos int, args ...Expr) Expr {
	types := typesOf(args)
	m, ambiguous := fn.Resolve(name, types)
	if m == nil && b.opt.Funcs != nil {
		m, ambiguous = fn.ResolveIn(b.opt.Funcs(name), types)
	}
	if m == nil {
		b.noFunction(name, pos, types, ambiguous)
	}
	out := make([]Expr, len(args))
	for i, a := range args {
		out[i] = b.coerce(a, m.Args[i], fn.ImplicitCast, pos)
	}
	c := &Call{Func: m.Func, Args: out, T: m.Func.Return(typesOf(out))}
	b.checkWords(name, c, args, pos)
	return b.bounded(b.fold(c, pos), pos)
}

func isOperator(name string) bool {
	c := name[0]
	return !(c >= 'a' && c <= 'z') || strings.Contains(name, " ") || name == "like" || name == "ilike"
}

// noFunction explains why no function fits.
func (b *binder) noFunction(name string, pos int, types []vec.Type, ambiguous bool) {
	words := make([]string, len(types))
	for i, t := range types {
		words[i] = t.String()
	}
	what, list := "function", name+"("+strings.Join(words, ", ")+")"
	if isOperator(name) {
		what, list = "operator", strings.Join(words, " "+name+" ")
		if len(words) == 1 {
			list = name + " " + words[0]
		}
	}
	if ambiguous {
		b.fail(pos, "42725", "write the types with CAST or ::", "%s %s is not unique", what, list)
	}
	hint := ""
	overloads := fn.Overloads(name)
	switch {
	case len(overloads) > 0:
		hint = "the types do not fit; there is " + signatures(overloads)
		if what == "operator" {
			hint = operatorHint(name, types)
		}
	case what == "function" && fn.IsAgg(name):
		hint = "the types do not fit this aggregate function"
	case what == "function":
		hint = "see the list of functions in the SQL reference"
		if s := sql.Suggest(name, slices.Concat(fn.Names(), fn.AggNames(), fn.SetNames(), windowNames())); s != "" {
			hint = "did you mean " + s + "()?"
		}
	default:
		if hint = operatorHint(name, types); len(types) == 2 && strings.HasPrefix(hint, "cast one") {
			hint = "see the list of operators in the SQL reference"
		}
	}
	b.fail(pos, sql.CodeUndefinedFunc, hint, "%s %s does not exist", what, list)
}

func operatorHint(name string, types []vec.Type) string {
	switch name {
	case "&&":
		return "conditions are joined with AND"
	case "<=>":
		return "write IS NOT DISTINCT FROM"
	case "!":
		return "write NOT"
	}
	if len(types) == 2 {
		if t := types[0].Kind; (t == vec.Timestamp || t == vec.Timestamptz) && types[1].Kind.Integer() {
			return "write ts " + name + " INTERVAL '1 day'"
		}
		if name == "||" {
			return "conditions are joined with OR, texts with ||"
		}
		for i, t := range types {
			other := types[1-i]
			if t.Kind == vec.JSONB && other.Kind != vec.JSONB {
				return "take a text out of JSON with ->>, then cast it if need be"
			}
			if t.Kind == vec.Text && other.Kind.Numeric() {
				return "cast the text: x::" + other.Kind.String()
			}
		}
		if name == "+" && types[0].Kind == vec.Text {
			return "texts are joined with ||"
		}
	}
	return "cast one side so that the types fit"
}

func signatures(fs []*fn.Func) string {
	var out []string
	for _, f := range fs {
		out = append(out, f.Signature())
		if len(out) == 4 && len(fs) > 4 {
			out = append(out, "…")
			break
		}
	}
	return strings.Join(out, ", ")
}

// common brings several expressions to one type; what names them in messages.
func (b *binder) common(es []Expr, pos []int, what string) ([]Expr, vec.Type) {
	t := vec.Type{}
	for i, e := range es {
		c, ok := fn.Common(t, e.Type())
		if !ok {
			b.fail(pos[i], sql.CodeType, "cast one of them", "%s types %v and %v cannot be matched", what, t, e.Type())
		}
		t = c
	}
	if t.Kind == vec.Unknown {
		t = vec.Of(vec.Text)
	}
	out := make([]Expr, len(es))
	for i, e := range es {
		out[i] = b.coerce(e, t, fn.ImplicitCast, pos[i])
	}
	return out, t
}
