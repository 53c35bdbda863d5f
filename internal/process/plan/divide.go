package plan

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

// MaxParallelism is the most parts that a view can have.
const MaxParallelism = 64

// parallelism reads WITH (parallelism = n), and refuses it where the parts of the view would need each other.
func (b *binder) parallelism(given []sql.Option, q *Query) int {
	o, ok := Option(given, "parallelism")
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(o.Value)
	if err != nil || n < 1 || n > MaxParallelism {
		b.fail(int(o.ValueAt), sql.CodeInvalidParameter, fmt.Sprintf("write a whole number from 1 to %d", MaxParallelism), "parallelism cannot be %q", o.Value)
	}
	if n == 1 {
		return n
	}
	_, why := divide(q.Root)
	if why != nil {
		folded, other := b.folded(q, int(o.At0))
		if q.Folded = folded; folded != nil {
			why = nil
		} else if other != nil {
			why = other
		}
	}
	if why != nil {
		b.fail(int(o.At0), sql.CodeNotSupported, why.hint, "the view cannot be divided: %s", why.what)
	}
	Walk(q.Root, func(x Node) {
		s, ok := x.(*Scan)
		if !ok || s.Relation.Kind != Stream || s.Relation.Partitions == 0 || s.Relation.Partitions >= n {
			return
		}
		b.fail(int(o.ValueAt), sql.CodeInvalidParameter, fmt.Sprintf("write parallelism = %d or less", s.Relation.Partitions),
			"topic %s has %d partitions, too few for %d parts", s.Relation.Topic, s.Relation.Partitions, n)
	})
	return n
}

// undivided refuses to read on from a view that is run in parts.
func (b *binder) undivided(r *Relation, pos int) {
	if b.opt.Continuous && !b.opt.Parts && r.Parallelism > 1 && !r.Merged {
		b.fail(pos, sql.CodeNotSupported, "make "+r.Name+" without parallelism, let a sink send its rows to a topic and read that, or read the view in a query of its own",
			"%s is run in %d parts, which no view can read", r.Name, r.Parallelism)
	}
}

// divided is what is known of a node's output where each part of a view sees only the rows of its own partitions.
type divided struct {
	// every: each part has all of it, for it comes from tables. The rest is for what is divided.
	every bool
	// keys are the columns that hold the key by which records are divided among the partitions of topic: rows that agree in one of them are
	// in the same part. empty: in rows whose key is NULL, which can be anywhere. topic is "" where several are read.
	keys  map[int]bool
	empty bool
	topic string
}

// hindrance is why a view cannot be divided.
type hindrance struct{ what, hint string }

// divide finds out whether the parts of a view need not know each other: whether, for any way to deal out the partitions, the rows that
// the parts compute are together those that the whole does.
func divide(root Node) (divided, *hindrance) {
	d, why := dealt(root)
	if why == nil && d.every {
		why = &hindrance{"it reads no stream", "leave parallelism out"}
	}
	return d, why
}

func dealt(n Node) (divided, *hindrance) {
	switch n := n.(type) {
	case *Scan:
		return dealtScan(n)
	case *Values:
		return divided{every: true}, nil
	case *Filter:
		d, why := dealt(n.Input)
		if d.empty && rejectsNull(n.Pred, d.keys) {
			d.empty = false
		}
		return d, why
	case *Project:
		d, why := dealt(n.Input)
		d.keys = through(n.Exprs, d.keys)
		return d, why
	case *Unnest:
		return dealt(n.Input)
	case *Expire:
		d, why := dealt(n.Input)
		maps.DeleteFunc(d.keys, func(k int, _ bool) bool { return k >= n.Width })
		return d, why
	case *Window:
		d, why := dealt(n.Input)
		if why == nil && n.Kind == Session {
			why = d.keyed("sessions of rows", columnsAt(n.Partition))
		}
		return d, why
	case *Aggregate:
		d, why := dealt(n.Input)
		if why == nil {
			what := "GROUP BY"
			if len(n.Groups) == 0 {
				what = "an aggregate over all rows"
			}
			why = d.keyed(what, n.Groups)
		}
		d.keys = through(n.Groups, d.keys)
		return d, why
	case *Distinct:
		d, why := dealt(n.Input)
		if why == nil {
			why = d.keyed("DISTINCT", columnsAt(all(n.Input)))
		}
		return d, why
	case *Over:
		d, why := dealt(n.Input)
		if why == nil {
			why = d.keyed("a window function", n.Partition)
		}
		return d, why
	case *TopN:
		d, why := dealt(n.Input)
		if why == nil {
			why = d.keyed("the first rows by an order", n.Partition)
		}
		return d, why
	case *Sort:
		d, why := dealt(n.Input)
		if why == nil && !d.every && (n.Limit >= 0 || n.Offset > 0 || n.LimitExpr != nil || n.OffsetExpr != nil) {
			why = &hindrance{"LIMIT counts the rows of all parts", "leave parallelism out, or take the first rows of each user_key: row_number() OVER (PARTITION BY user_key …)"}
		}
		return d, why
	case *Join:
		return dealtJoin(n)
	case *SetOp:
		return dealtSetOp(n)
	}
	return divided{}, &hindrance{"it has an operator that needs all rows", "leave parallelism out"}
}

// dealtScan: the key of an event is its user_key, that of another record is $key, if whoever wrote it dealt records out by their keys, as
// Kafka's clients do.
func dealtScan(n *Scan) (divided, *hindrance) {
	r := n.Relation
	switch r.Kind {
	case Table:
		return divided{every: true}, nil
	case Stream:
	default:
		return divided{}, &hindrance{fmt.Sprintf("it reads the view %s, which is run by one task", r.Name), "leave parallelism out, or write what " + r.Name + " computes into this view"}
	}
	d := divided{keys: map[int]bool{}, topic: r.Topic, empty: !r.Keyed}
	for i, c := range n.Columns {
		if c.From == FromUserKey && r.Keyed || c.From == FromKey && c.Type.Kind == vec.Text {
			d.keys[i] = true
		}
	}
	return d, nil
}

// keyed refuses an operator that brings together rows which agree in by, unless those are in one part.
func (d *divided) keyed(what string, by []Expr) *hindrance {
	if d.every {
		return nil
	}
	const usage = "leave parallelism out, or put user_key (of a source: a TEXT column with FROM '$key') among the columns that it goes by"
	if !slices.ContainsFunc(by, func(e Expr) bool { c, ok := e.(*Col); return ok && d.keys[c.Index] }) {
		return &hindrance{what + " brings together rows of several partitions", usage}
	}
	if d.empty {
		return &hindrance{what + " goes by a key that may be NULL, and records without a key are in any partition", "add WHERE … IS NOT NULL for that column"}
	}
	return nil
}

// through is where the keys are behind expressions over them.
func through(es []Expr, keys map[int]bool) map[int]bool {
	out := map[int]bool{}
	for i, e := range es {
		if c, ok := e.(*Col); ok && keys[c.Index] {
			out[i] = true
		}
	}
	return out
}

func columnsAt(at []int) []Expr {
	var out []Expr
	for _, i := range at {
		out = append(out, &Col{Index: i})
	}
	return out
}

func all(n Node) []int {
	var out []int
	for i := range n.Schema() {
		out = append(out, i)
	}
	return out
}

// rejectsNull reports whether no row passes whose keys are NULL. All keys of a row are the same value.
func rejectsNull(pred Expr, keys map[int]bool) bool {
	return slices.ContainsFunc(conjuncts(pred), func(e Expr) bool {
		c, ok := e.(*Call)
		if !ok || c.Func.Name != "is not null" && c.Func.Name != "=" {
			return false
		}
		return slices.ContainsFunc(c.Args, func(a Expr) bool { x, ok := a.(*Col); return ok && keys[x.Index] })
	})
}

// dealtBoth is dealt of both sides of an operator, or what hinders the first that cannot be divided.
func dealtBoth(left, right Node) (l, r divided, why *hindrance) {
	if l, why = dealt(left); why == nil {
		r, why = dealt(right)
	}
	return l, r, why
}

// unmatched is what hinders joins that keep rows of a table for which there is nothing on the other side.
var unmatched = &hindrance{"rows of a table that match none in one part may match some in another", "leave parallelism out, or write LEFT JOIN with the table on the right"}

// dealtJoin: rows meet in one part if the other side is there in each, or if both were dealt out by what they are joined on.
func dealtJoin(n *Join) (divided, *hindrance) {
	l, r, why := dealtBoth(n.Left, n.Right)
	if why != nil {
		return l, why
	}
	width := len(n.Left.Schema())
	onlyLeft := n.Kind == Semi || n.Kind == Anti
	switch {
	case l.every && r.every:
		return divided{every: true}, nil
	case r.every:
		if n.Kind == Right || n.Kind == Full {
			return l, unmatched
		}
		return l, nil
	case l.every:
		if n.Kind != Inner && n.Kind != Cross && n.Kind != Right || n.AsOf != nil {
			return r, unmatched
		}
		r.keys = movedBy(r.keys, width)
		return r, nil
	}
	together := l.topic == r.topic && l.topic != "" && !l.empty && !r.empty
	meet := false
	for i := range n.LeftKeys {
		a, okA := n.LeftKeys[i].(*Col)
		b, okB := n.RightKeys[i].(*Col)
		meet = meet || okA && okB && l.keys[a.Index] && r.keys[b.Index]
	}
	if !together || !meet {
		return l, &hindrance{"the join brings together rows of several partitions", "leave parallelism out, or join streams over one topic on their user_key"}
	}
	out := divided{topic: l.topic, keys: map[int]bool{}}
	if n.Kind != Right && n.Kind != Full {
		maps.Copy(out.keys, l.keys)
	}
	if !onlyLeft && n.Kind != Left && n.Kind != Full {
		maps.Copy(out.keys, movedBy(r.keys, width))
	}
	return out, nil
}

func movedBy(keys map[int]bool, by int) map[int]bool {
	out := map[int]bool{}
	for k := range keys {
		out[k+by] = true
	}
	return out
}

func dealtSetOp(n *SetOp) (divided, *hindrance) {
	l, r, why := dealtBoth(n.Left, n.Right)
	if why != nil {
		return l, why
	}
	if l.every != r.every {
		return l, &hindrance{"it combines rows that each part has with rows that are divided", "leave parallelism out"}
	}
	if l.every {
		return l, nil
	}
	out := divided{keys: map[int]bool{}, empty: l.empty || r.empty}
	if l.topic == r.topic {
		out.topic = l.topic
		for k := range l.keys {
			if r.keys[k] {
				out.keys[k] = true
			}
		}
	}
	if n.Kind == Union && n.All {
		return out, nil
	}
	return out, out.keyed("comparing whole rows", columnsAt(all(n.Left)))
}
