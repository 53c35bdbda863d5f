package sql

import (
	"fmt"
	"strings"
)

// Format prints an expression with every operator in parentheses; it is what column headers of unnamed expressions and tests show.
func Format(e Expr) string {
	switch e := e.(type) {
	case *Name:
		return strings.Join(e.Parts, ".")
	case *Star:
		s := strings.Join(append(append([]string(nil), e.Table...), "*"), ".")
		if e.Except != nil {
			s += " except (" + strings.Join(e.Except, ", ") + ")"
		}
		return s
	case *Literal:
		switch e.Kind {
		case NullLit:
			return "NULL"
		case StringLit:
			return "'" + strings.ReplaceAll(e.Text, "'", "''") + "'"
		}
		return e.Text
	case *Param:
		return fmt.Sprintf("$%d", e.N)
	case *Unary:
		return "(" + e.Op + " " + Format(e.X) + ")"
	case *Binary:
		s := "(" + Format(e.L) + " " + e.Op + " " + Format(e.R)
		if e.Escape != nil {
			s += " escape " + Format(e.Escape)
		}
		return s + ")"
	case *Is:
		s := "(" + Format(e.X) + " is " + not(e.Not) + e.What
		if e.Y != nil {
			s += " from " + Format(e.Y)
		}
		return s + ")"
	case *Between:
		sym := ""
		if e.Symmetric {
			sym = "symmetric "
		}
		return "(" + Format(e.X) + " " + not(e.Not) + "between " + sym + Format(e.Lo) + " and " + Format(e.Hi) + ")"
	case *In:
		if e.Query != nil {
			return "(" + Format(e.X) + " " + not(e.Not) + "in (query))"
		}
		return "(" + Format(e.X) + " " + not(e.Not) + "in (" + formatList(e.List) + "))"
	case *Quantified:
		q := "any"
		if e.All {
			q = "all"
		}
		if e.Query != nil {
			return "(" + Format(e.X) + " " + e.Op + " " + q + " (query))"
		}
		return "(" + Format(e.X) + " " + e.Op + " " + q + " (" + Format(e.Array) + "))"
	case *Exists:
		return "exists (query)"
	case *Subquery:
		return "(query)"
	case *ArrayExpr:
		if e.Query != nil {
			return "array(query)"
		}
		return "array[" + formatList(e.Elems) + "]"
	case *Row:
		return "(" + formatList(e.Elems) + ")"
	case *Case:
		return formatCase(e)
	case *Cast:
		return Format(e.X) + "::" + e.Type.String()
	case *Call:
		return formatCall(e)
	case *Index:
		if e.Slice {
			return Format(e.X) + "[" + formatOpt(e.Lo) + ":" + formatOpt(e.Hi) + "]"
		}
		return Format(e.X) + "[" + Format(e.I) + "]"
	case *Field:
		return "(" + Format(e.X) + ")." + e.Name
	}
	return "?"
}

func not(b bool) string {
	if b {
		return "not "
	}
	return ""
}

func formatOpt(e Expr) string {
	if e == nil {
		return ""
	}
	return Format(e)
}

func formatList(es []Expr) string {
	parts := make([]string, len(es))
	for i, e := range es {
		parts[i] = Format(e)
	}
	return strings.Join(parts, ", ")
}

func formatCase(e *Case) string {
	s := "case"
	if e.Operand != nil {
		s += " " + Format(e.Operand)
	}
	for _, w := range e.Whens {
		s += " when " + Format(w.Cond) + " then " + Format(w.Then)
	}
	if e.Else != nil {
		s += " else " + Format(e.Else)
	}
	return s + " end"
}

func formatCall(e *Call) string {
	s := strings.Join(e.Name, ".") + "("
	if e.Distinct {
		s += "distinct "
	}
	if e.Star {
		s += "*"
	}
	s += formatList(e.Args)
	if len(e.OrderBy) > 0 {
		s += " order by " + formatOrder(e.OrderBy)
	}
	s += ")"
	if len(e.Within) > 0 {
		s += " within group (order by " + formatOrder(e.Within) + ")"
	}
	if e.Filter != nil {
		s += " filter (where " + Format(e.Filter) + ")"
	}
	if w := e.Over; w != nil {
		s += " over " + formatWindow(w)
	}
	return s
}

func formatOrder(os []OrderItem) string {
	parts := make([]string, len(os))
	for i, o := range os {
		parts[i] = Format(o.X)
		if o.Desc {
			parts[i] += " desc"
		}
		if o.NullsFirst != nil {
			parts[i] += map[bool]string{true: " nulls first", false: " nulls last"}[*o.NullsFirst]
		}
	}
	return strings.Join(parts, ", ")
}

func formatWindow(w *WindowSpec) string {
	var parts []string
	if w.Name != "" {
		parts = append(parts, w.Name)
	}
	if len(w.PartitionBy) > 0 {
		parts = append(parts, "partition by "+formatList(w.PartitionBy))
	}
	if len(w.OrderBy) > 0 {
		parts = append(parts, "order by "+formatOrder(w.OrderBy))
	}
	if w.Frame != nil {
		parts = append(parts, fmt.Sprintf("%s between %s and %s", w.Frame.Mode, w.Frame.Start, w.Frame.End))
	}
	return "(" + strings.Join(parts, " ") + ")"
}

// String prints the bound as SQL.
func (b Bound) String() string {
	switch b.Kind {
	case UnboundedPreceding:
		return "unbounded preceding"
	case UnboundedFollowing:
		return "unbounded following"
	case CurrentRow:
		return "current row"
	case Preceding:
		return Format(b.Offset) + " preceding"
	}
	return Format(b.Offset) + " following"
}

// String prints the type as SQL.
func (t TypeName) String() string {
	s := t.Name
	for i, m := range t.Mods {
		s += map[bool]string{true: "(", false: ","}[i == 0] + fmt.Sprint(m)
	}
	if len(t.Mods) > 0 {
		s += ")"
	}
	if t.Fields != "" {
		s += " " + t.Fields
	}
	if t.Array {
		s += "[]"
	}
	return s
}
