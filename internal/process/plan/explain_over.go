package plan

import (
	"fmt"
	"math"
	"strings"

	"myelin/internal/vec"
)

func describeOver(n *Over) string {
	in := n.Input.Schema()
	var calls []string
	for i, c := range n.Calls {
		s := c.Func + "("
		if c.Star {
			s += "*"
		}
		s += strings.Join(namedAll(c.Args, in), ", ") + ")"
		if c.Filter != nil {
			s += " filter (" + named(c.Filter, in) + ")"
		}
		if f := c.Frame.String(); f != "" {
			s += " " + f
		}
		if n.Names[i] != c.Func {
			s += " AS " + n.Names[i]
		}
		calls = append(calls, s)
	}
	return "Over" + partitionText(n.Partition, n.Order, in) + ": " + strings.Join(calls, ", ")
}

func describeTopN(n *TopN) string {
	s := "Top " + [...]string{"", "rank ", "dense rank "}[n.Rank]
	if n.Offset > 0 {
		s += fmt.Sprintf("%d to %d", n.Offset+1, n.Offset+n.Limit)
	} else {
		s += fmt.Sprint(n.Limit)
	}
	s += partitionText(n.Partition, n.Order, n.Input.Schema())
	if n.RankName != "" {
		s += " with the rank AS " + n.RankName
	}
	return s
}

func describeUnnest(n *Unnest) string {
	in := n.Input.Schema()
	var calls []string
	for _, c := range n.Calls {
		calls = append(calls, c.Func.Name+"("+strings.Join(namedAll(c.Args, in), ", ")+")")
	}
	s := "Unnest " + strings.Join(calls, ", ")
	if n.Ordinality {
		s += " with ordinality"
	}
	if n.Outer {
		s += " or one row of nulls"
	}
	return s
}

func namedAll(es []Expr, in []Column) []string {
	out := make([]string, len(es))
	for i, e := range es {
		out[i] = named(e, in)
	}
	return out
}

func partitionText(partition []Expr, order []SortKey, in []Column) string {
	s := ""
	if len(partition) > 0 {
		s += " by " + strings.Join(namedAll(partition, in), ", ")
	}
	for i, k := range order {
		s += map[bool]string{true: " order by ", false: ", "}[i == 0] + sortKeyText(k, in)
	}
	return s
}

// String prints the frame as written in SQL; the default frame is empty.
func (f Frame) String() string {
	if f == (Frame{End: Bound{Kind: CurrentRow}}) {
		return ""
	}
	s := [...]string{"range", "rows", "groups"}[f.Mode] + " between " + f.Start.text(f.Mode) + " and " + f.End.text(f.Mode)
	return s + [...]string{"", " exclude current row", " exclude group", " exclude ties"}[f.Exclude]
}

func (b Bound) text(m FrameMode) string {
	n := fmt.Sprint(b.Rows)
	if m == Range && b.Value != nil {
		n = formatConst(b.Value, 0)
	}
	switch b.Kind {
	case UnboundedPreceding:
		return "unbounded preceding"
	case Preceding:
		return n + " preceding"
	case CurrentRow:
		return "current row"
	case Following:
		return n + " following"
	}
	return "unbounded following"
}

func boundsText(b *TimeBounds, left, right []Column) (s string) {
	side := func(v int64) string {
		if v == math.MinInt64 || v == math.MaxInt64 {
			return "any time"
		}
		return interval(vec.IntervalValue{Micros: v})
	}
	if b.Lower != math.MinInt64 || b.Upper != math.MaxInt64 {
		s = " within " + side(b.Lower) + " to " + side(b.Upper)
	}
	if b.LeftUntil != nil {
		s += ", left rows until " + named(b.LeftUntil, left)
	}
	if b.RightUntil != nil {
		s += ", right rows until " + named(b.RightUntil, right)
	}
	return s
}
