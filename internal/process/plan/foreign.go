package plan

import (
	"slices"

	"myelin/internal/process/fn"
	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

// sameElsewhere are functions of other dialects that are one of ours under another name.
var sameElsewhere = map[string]string{
	"ifnull": "coalesce", "nvl": "coalesce", "len": "length", "ucase": "upper", "lcase": "lower", "getdate": "now", "sysdate": "now",
}

// otherTypes says what to write for types that other dialects have.
var otherTypes = map[string]string{
	"datetime": "timestamptz for an instant, timestamp for a wall-clock time", "datetime2": "timestamp", "number": "numeric, or bigint",
	"bignumeric": "numeric", "tinyint": "smallint", "mediumint": "integer", "unsigned": "bigint", "signed": "bigint", "uint64": "numeric", "uint32": "bigint",
	"int16": "smallint", "float32": "real", "nvarchar": "text", "varchar2": "text", "longtext": "text", "clob": "text", "blob": "bytea", "binary": "bytea",
	"varbinary": "bytea", "object": "jsonb", "variant": "jsonb", "struct": "jsonb", "map": "jsonb", "array": "the type of the elements and []: bigint[]",
	"money": "numeric(18,2)", "bit": "boolean",
}

// foreignCall binds calls of functions that only other dialects have: those that mean the same as one of ours, and for all others
// it says what to write. nil: it is none of them.
func (b *binder) foreignCall(e *sql.Call, name string, x *env) Expr {
	if name == "date_trunc" || name == "date_part" {
		b.checkUnitOrder(e, name, x)
	}
	if len(fn.Overloads(name)) > 0 || fn.IsAgg(name) || fn.IsSet(name) || b.opt.Funcs != nil && len(b.opt.Funcs(name)) > 0 {
		return nil
	}
	plain := !e.Star && !e.Distinct && e.Filter == nil && e.OrderBy == nil && !e.Variadic
	switch {
	case name == "date" && plain && len(e.Args) == 1: // PostgreSQL, too
		return b.cast(&sql.Cast{At0: e.At0, X: e.Args[0], Type: sql.TypeName{At0: e.At0, Name: "date"}}, x)
	case (name == "if" || name == "iif") && plain && len(e.Args) == 3:
		c := &sql.Case{At0: e.At0, Whens: []sql.When{{Cond: e.Args[0], Then: e.Args[1]}}, Else: e.Args[2]}
		return b.expr0(c, x)
	case (name == "ifnull" || name == "nvl") && plain && len(e.Args) == 2, sameElsewhere[name] != "" && sameElsewhere[name] != "coalesce" && plain:
		c := *e
		c.Name = []string{sameElsewhere[name]}
		return b.callExpr(&c, x)
	case elsewhere[name] != "":
		b.fail(e.Pos(), sql.CodeUndefinedFunc, elsewhere[name], "function %s does not exist", name)
	}
	return nil
}

// units are what date_trunc and extract take.
var units = []string{"microseconds", "milliseconds", "second", "minute", "hour", "day", "week", "month", "quarter", "year", "decade", "century", "millennium",
	"dow", "isodow", "doy", "isoyear", "epoch", "julian", "timezone", "timezone_hour", "timezone_minute"}

// checkUnitOrder catches date_trunc(ts, DAY) and date_trunc(day, ts): the unit is a text, and comes first.
func (b *binder) checkUnitOrder(e *sql.Call, name string, x *env) {
	if len(e.Args) != 2 {
		return
	}
	for i, a := range e.Args {
		unit := ""
		switch a := a.(type) {
		case *sql.Name:
			if len(a.Parts) == 1 && b.lookup(a, x.scope) == nil {
				unit = a.Parts[0]
			}
		case *sql.Literal:
			if i == 1 && a.Kind == sql.StringLit {
				unit = a.Text
			}
		}
		if slices.Contains(units, unit) {
			b.fail(a.Pos(), sql.CodeSyntax, "write "+name+"('"+unit+"', ts)", "the unit of %s is a text, and comes first", name)
		}
	}
}

// checkWords looks at units and time zones that are constants and unknown: a view would fail for every row.
func (b *binder) checkWords(name string, c *Call, written []Expr, pos int) {
	if name != "date_trunc" && name != "date_part" && name != "extract" && name != "timezone" {
		return
	}
	for i, a := range c.Args {
		k, ok := a.(*Const)
		if !ok || c.Args[i].Type().Kind != vec.Text || k.Value.IsNull(0) {
			continue
		}
		args := make([]*vec.Vector, len(c.Args))
		for j, other := range c.Args {
			if args[j] = sample(other.Type()); other.Type().Kind == vec.Text && (j == i || j == 0 && name != "timezone") {
				if k, ok := other.(*Const); ok {
					args[j] = k.Value
				}
			}
			if args[j] == nil {
				return
			}
		}
		env := &fn.Env{}
		c.Func.Eval(env, args, nil, 1, vec.New(c.T, 1))
		if len(env.Errs) == 0 {
			continue
		}
		at := pos
		if u, ok := written[i].(*untyped); ok {
			at = u.pos
		}
		hint := wordHint(name, i, string(k.Value.Bytes(0)))
		if b.opt.Continuous {
			b.fail(at, sql.CodeInvalidParameter, hint, "%v", env.Errs[0].Err)
		}
		b.faulty(env.Errs[0].Err, Fault{at, hint})
	}
}

func wordHint(name string, i int, word string) string {
	if name == "timezone" || i > 0 {
		if s := sql.Suggest(word, zones); s != "" {
			return "did you mean '" + s + "'?"
		}
		return "zones have names such as 'Europe/Berlin' and 'UTC'"
	}
	if s := sql.Suggest(word, units); s != "" {
		return "did you mean '" + s + "'?"
	}
	return "units are second, minute, hour, day, week, month, quarter, year and others"
}

// zones are those that a hint may suggest.
var zones = []string{"UTC", "Europe/Berlin", "Europe/London", "Europe/Paris", "Europe/Madrid", "Europe/Rome", "Europe/Amsterdam", "Europe/Brussels", "Europe/Vienna",
	"Europe/Zurich", "Europe/Stockholm", "Europe/Oslo", "Europe/Copenhagen", "Europe/Helsinki", "Europe/Warsaw", "Europe/Prague", "Europe/Budapest", "Europe/Athens",
	"Europe/Istanbul", "Europe/Kyiv", "Europe/Moscow", "Europe/Lisbon", "Europe/Dublin", "Africa/Cairo", "Africa/Johannesburg", "Africa/Lagos", "Africa/Nairobi",
	"America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Phoenix", "America/Toronto", "America/Vancouver",
	"America/Mexico_City", "America/Bogota", "America/Lima", "America/Santiago", "America/Sao_Paulo", "America/Argentina/Buenos_Aires",
	"Asia/Dubai", "Asia/Jerusalem", "Asia/Kolkata", "Asia/Karachi", "Asia/Dhaka", "Asia/Bangkok", "Asia/Jakarta", "Asia/Singapore", "Asia/Hong_Kong",
	"Asia/Shanghai", "Asia/Taipei", "Asia/Manila", "Asia/Seoul", "Asia/Tokyo", "Australia/Perth", "Australia/Sydney", "Australia/Melbourne", "Pacific/Auckland"}

// sample is some value of a type of time, nil for other types.
func sample(t vec.Type) *vec.Vector {
	switch t.Kind {
	case vec.Date, vec.Time, vec.Timestamp, vec.Timestamptz:
		return vec.IntOf(t.Kind, 0)
	case vec.Interval:
		return vec.IntervalOf(vec.IntervalValue{})
	case vec.Text:
		return vec.TextOf("UTC")
	}
	return nil
}

// faulty keeps where a constant expression fails.
func (b *binder) faulty(err error, f Fault) {
	if b.inView > 0 {
		return // its text is another
	}
	if b.faults == nil {
		b.faults = map[string]Fault{}
	}
	if _, ok := b.faults[err.Error()]; !ok && len(b.faults) < 100 {
		b.faults[err.Error()] = f
	}
}
