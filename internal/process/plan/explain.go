package plan

import (
	"fmt"
	"strconv"
	"strings"

	"myelin/internal/vec"
)

// FormatExpr prints a bound expression.
func FormatExpr(e Expr) string {
	switch e := e.(type) {
	case *Col:
		return "#" + strconv.Itoa(e.Index)
	case *Const:
		return formatConst(e.Value, 0)
	case *Param:
		return "$" + strconv.Itoa(e.Index+1)
	case *Call:
		return formatCall(e)
	case *Logic:
		op := " AND "
		if e.Or {
			op = " OR "
		}
		return "(" + strings.Join(formatAll(e.Args), op) + ")"
	case *Case:
		var b strings.Builder
		b.WriteString("CASE")
		for i := range e.Whens {
			b.WriteString(" WHEN " + FormatExpr(e.Whens[i]) + " THEN " + FormatExpr(e.Thens[i]))
		}
		if e.Else != nil {
			b.WriteString(" ELSE " + FormatExpr(e.Else))
		}
		return b.String() + " END"
	case *Coalesce:
		return "coalesce(" + strings.Join(formatAll(e.Args), ", ") + ")"
	case *InList:
		items := make([]string, e.List.Len())
		for i := range items {
			items[i] = formatConst(e.List, i)
		}
		not := ""
		if e.Not {
			not = "NOT "
		}
		return FormatExpr(e.X) + " " + not + "IN (" + strings.Join(items, ", ") + ")"
	case *overRef:
		return "over" + strconv.Itoa(e.index)
	case *groupingRef:
		return "grouping" + strconv.Itoa(e.index)
	case *setRef:
		return "set" + strconv.Itoa(e.index)
	case *aggRef:
		return "agg" + strconv.Itoa(e.index)
	case *outerRef:
		return "outer" + strconv.Itoa(e.Up) + "#" + strconv.Itoa(e.Index)
	case *depRef:
		return "left#" + strconv.Itoa(e.Index)
	case *subRef:
		return fmt.Sprintf("subquery@%d", e.sub.pos)
	case *untyped:
		return strconv.Quote(e.text)
	case *label:
		return e.name
	}
	return "?"
}

func formatAll(es []Expr) []string {
	out := make([]string, len(es))
	for i, e := range es {
		out[i] = FormatExpr(e)
	}
	return out
}

func formatConst(v *vec.Vector, i int) string {
	if v.IsNull(i) {
		return "NULL"
	}
	text := string(vec.AppendText(nil, v, i))
	switch v.Type.Kind {
	case vec.Bool:
		if v.Bools[i] {
			return "true"
		}
		return "false"
	case vec.Int32, vec.Int64:
		return text
	case vec.Numeric, vec.Float64:
		return text
	case vec.Text:
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	return v.Type.String() + " '" + text + "'"
}

func formatCall(e *Call) string {
	args := formatAll(e.Args)
	name := e.Func.Name
	switch {
	case strings.HasPrefix(name, "::"):
		return args[0] + name
	case strings.HasPrefix(name, "is ") && len(args) == 1:
		return args[0] + " " + strings.ToUpper(name)
	case name == "not":
		return "NOT " + args[0]
	case isOperator(name) && len(args) == 2:
		return "(" + args[0] + " " + strings.ToUpper(name) + " " + args[1] + ")"
	case isOperator(name) && len(args) == 1:
		return name + args[0]
	}
	return name + "(" + strings.Join(args, ", ") + ")"
}

// named prints an expression with the names of the input's columns.
func named(e Expr, in []Column) string {
	return FormatExpr(mapExpr(e, func(x Expr) Expr {
		if c, ok := x.(*Col); ok && c.Index < len(in) {
			return &label{in[c.Index].Name, c.T}
		}
		return x
	}))
}

// label is a column printed by name.
type label struct {
	name string
	t    vec.Type
}

// Type implements Expr.
func (l *label) Type() vec.Type { return l.t }

// Explain prints a tree, one operator a line, as EXPLAIN shows it.
func Explain(n Node) string {
	var b strings.Builder
	explain(&b, n, 0)
	return b.String()
}

func explain(b *strings.Builder, n Node, depth int) {
	fmt.Fprintf(b, "%s%s\n", strings.Repeat("  ", depth), Describe(n))
	for _, in := range n.Inputs() {
		explain(b, in, depth+1)
	}
}

// Describe prints one operator without its inputs.
func Describe(n Node) string {
	switch n := n.(type) {
	case *Scan:
		return describeScan(n)
	case *Values:
		return fmt.Sprintf("Values %d rows (%s)", len(n.Rows), columnList(n.Columns))
	case *Filter:
		return "Filter " + named(n.Pred, n.Input.Schema())
	case *Project:
		in := n.Input.Schema()
		parts := make([]string, len(n.Exprs))
		for i, e := range n.Exprs {
			parts[i] = named(e, in)
			if parts[i] != n.Names[i] {
				parts[i] += " AS " + n.Names[i]
			}
		}
		return "Project " + strings.Join(parts, ", ")
	case *Window:
		return describeWindow(n)
	case *Aggregate:
		return describeAggregate(n)
	case *Fold:
		return "Fold each step:" + strings.TrimPrefix(describeAggregate(n.aggregate()), "Aggregate")
	case *Join:
		return describeJoin(n)
	case *Sort:
		return describeSort(n)
	case *Distinct:
		return "Distinct"
	case *Expire:
		return "Forget rows " + interval(days(n.TTL)) + " after " + n.Input.Schema()[n.Time].Name
	case *SetOp:
		all := ""
		if n.All {
			all = " all"
		}
		return [...]string{"Union", "Intersect", "Except"}[n.Kind] + all
	case *Over:
		return describeOver(n)
	case *TopN:
		return describeTopN(n)
	case *Unnest:
		return describeUnnest(n)
	case *Recursive:
		return "Recursive " + n.Name
	case *Work:
		return "Rows of " + n.Name + " found in the round before"
	}
	return fmt.Sprintf("%T", n)
}

func columnList(cols []Column) string {
	parts := make([]string, len(cols))
	for i, c := range cols {
		parts[i] = c.Name + " " + c.Type.String()
	}
	return strings.Join(parts, ", ")
}

func describeScan(n *Scan) string {
	name := n.Relation.Name
	if n.Relation.Schema != "" {
		name = n.Relation.Schema + "." + name
	}
	parts := make([]string, len(n.Columns))
	for i, c := range n.Columns {
		parts[i] = c.Name
		if c.From == FromValue && n.Relation.Kind == Stream {
			if p := strings.Join(c.Path, "."); p != c.Name {
				parts[i] += "=" + p
			}
			if c.AsText {
				parts[i] += " as text"
			}
		}
	}
	s := [...]string{"Stream", "Table", "View", "System"}[n.Relation.Kind] + " " + name + " (" + strings.Join(parts, ", ") + ")"
	if n.Events != nil {
		s += fmt.Sprintf(" events %q", n.Events)
	}
	return s
}

func interval(v vec.IntervalValue) string { return string(vec.AppendInterval(nil, v)) }

func describeWindow(n *Window) string {
	in := n.Input.Schema()
	s := [...]string{"Tumble", "Hop", "Cumulate", "Session"}[n.Kind] + " on " + in[n.Time].Name
	if n.Kind == Session {
		s += " gap " + interval(n.Size)
	} else {
		s += " size " + interval(n.Size)
	}
	if n.Kind == Hop || n.Kind == Cumulate {
		s += " step " + interval(n.Slide)
	}
	if n.Offset != (vec.IntervalValue{}) {
		s += " offset " + interval(n.Offset)
	}
	if n.Zone != "" {
		s += " in " + n.Zone
	}
	for i, p := range n.Partition {
		s += map[bool]string{true: " by ", false: ", "}[i == 0] + in[p].Name
	}
	return s
}

func describeAggregate(n *Aggregate) string {
	in := n.Input.Schema()
	var groups, calls []string
	for _, g := range n.Groups {
		groups = append(groups, named(g, in))
	}
	for i, c := range n.Calls {
		s := c.Func + "("
		if c.Distinct {
			s += "distinct "
		}
		if c.Star {
			s += "*"
		}
		var args []string
		for _, a := range c.Args {
			args = append(args, named(a, in))
		}
		s += strings.Join(args, ", ")
		for k, o := range c.OrderBy {
			s += map[bool]string{true: " order by ", false: ", "}[k == 0] + sortKeyText(o, in)
		}
		s += ")"
		if c.Filter != nil {
			s += " filter (" + named(c.Filter, in) + ")"
		}
		if name := n.Names[len(n.Groups)+i]; name != c.Func {
			s += " AS " + name
		}
		calls = append(calls, s)
	}
	s := "Aggregate"
	if n.Session != nil && !n.Session.Single {
		s += " session gap " + interval(n.Session.Gap) + " on " + in[n.Session.Time].Name
	}
	if len(groups) > 0 {
		s += " by " + strings.Join(groups, ", ")
	}
	if len(calls) > 0 {
		s += ": " + strings.Join(calls, ", ")
	}
	if n.Lag > 0 {
		s += ", windows wait " + interval(days(n.Lag)) + " for what comes later"
	}
	switch {
	case n.TTL == 0:
	case n.Session != nil && n.Session.Single:
		s += ", forgotten " + interval(days(n.TTL)) + " after the last " + in[n.Session.Time].Name
	default:
		s += ", forgotten " + interval(days(n.TTL)) + " after the window"
	}
	return s
}

// days writes a time span with its whole days apart.
func days(micros int64) vec.IntervalValue {
	return vec.IntervalValue{Days: int32(micros / vec.MicrosPerDay), Micros: micros % vec.MicrosPerDay}
}

func describeJoin(n *Join) string {
	s := [...]string{"Inner", "Left", "Right", "Full", "Semi", "Anti", "Cross"}[n.Kind] + " join"
	if n.Lookup {
		s = [...]string{"Inner", "Left", "Right", "Full", "Semi", "Anti", "Cross"}[n.Kind] + " lookup join"
	}
	l, r := n.Left.Schema(), n.Right.Schema()
	for i := range n.LeftKeys {
		s += map[bool]string{true: " on ", false: " and "}[i == 0] + named(n.LeftKeys[i], l) + " = " + named(n.RightKeys[i], r)
	}
	if n.NullSafe {
		s += " or both null"
	}
	if n.On != nil {
		s += " where " + named(n.On, append(append([]Column(nil), l...), r...))
	}
	if n.AsOf != nil {
		s += " as of " + named(n.AsOf.At, l) + " by " + r[n.AsOf.Time].Name
	}
	if n.Bounds != nil {
		s += boundsText(n.Bounds, l, r)
	}
	if n.Own != nil {
		s += map[bool]string{true: ", the greatest", false: ", the least"}[n.Own.Max] + " of each window alone"
	}
	return s
}

func sortKeyText(k SortKey, in []Column) string {
	s := named(k.Expr, in)
	if k.Desc {
		s += " desc"
	}
	if k.NullsFirst != k.Desc {
		s += map[bool]string{true: " nulls first", false: " nulls last"}[k.NullsFirst]
	}
	return s
}

func describeSort(n *Sort) string {
	in := n.Input.Schema()
	s := "Sort"
	for i, k := range n.Keys {
		s += map[bool]string{true: " by ", false: ", "}[i == 0] + sortKeyText(k, in)
	}
	if len(n.Keys) == 0 {
		s = "Limit"
	}
	switch {
	case n.LimitExpr != nil:
		s += " limit " + FormatExpr(n.LimitExpr)
	case n.Limit >= 0:
		s += " limit " + strconv.FormatInt(n.Limit, 10)
	}
	switch {
	case n.OffsetExpr != nil:
		s += " offset " + FormatExpr(n.OffsetExpr)
	case n.Offset > 0:
		s += " offset " + strconv.FormatInt(n.Offset, 10)
	}
	return s
}

// keyOf tells expressions apart: it is FormatExpr with the types of constants.
func keyOf(e Expr) string {
	return FormatExpr(mapExpr(e, func(x Expr) Expr {
		if c, ok := x.(*Const); ok {
			return &label{formatConst(c.Value, 0) + "::" + c.Value.Type.String(), c.Value.Type}
		}
		return x
	}))
}

func keysOf(es []Expr) []string {
	out := make([]string, len(es))
	for i, e := range es {
		out[i] = keyOf(e)
	}
	return out
}
