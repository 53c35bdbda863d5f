package exec

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"myelin/internal/process/op"
	"myelin/internal/process/state"
)

// A view WITH (parallelism = n) can be run in n parts, which the planner has found not to need each other (plan.BindView): part i reads the
// partitions p with p mod n = i of its topics. To an engine a part is a view of its own, and each may be run by another one; Whole shows
// them as the view that was asked for.

// share is which partitions of its topics a job reads. The zero share is all.
type share struct{ part, of int32 }

func (s share) has(partition int32) bool { return s.of == 0 || partition%s.of == s.part }

// String is the share, "" for all.
func (s share) String() string {
	if s.of == 0 {
		return ""
	}
	return fmt.Sprintf("#%d/%d", s.part, s.of)
}

// PartName is what a part of a divided view is called; no other view may be.
func PartName(view string, part int) string { return fmt.Sprintf("%s#%d", view, part) }

// partOf takes apart a name that PartName gives; ok is false for any other.
func partOf(name string) (n int, ok bool) {
	at := strings.LastIndexByte(name, '#')
	if at < 0 {
		return 0, false
	}
	part, err := strconv.ParseUint(name[at+1:], 10, 16)
	if err != nil {
		return 0, false
	}
	return int(part), true
}

// IsPart reports whether a name is one that PartName gives.
func IsPart(name string) bool {
	_, ok := partOf(name)
	return ok
}

// PartOf is the number of the part that a name is of; 0 if it is not that of one.
func PartOf(name string) int {
	n, _ := partOf(name)
	return n
}

// Part is which part of a divided view the definition is, and of which; 0 and "" if it is a whole one.
func (d *Definition) Part() (part int, of string) { return int(d.share.part), d.whole }

// Parts are the names of what a definition is run as; nil: it is not divided. Where parts only fold, the view that merges what they write comes first.
func (d *Definition) Parts() []string {
	if d.Relation.Parallelism < 2 || d.share.of > 0 || d.folds != nil {
		return nil
	}
	var names []string
	if d.Query.Folded != nil {
		names = append(names, d.Relation.Name)
	}
	for i := range d.Relation.Parallelism {
		names = append(names, PartName(d.Relation.Name, i))
	}
	return names
}

// Divide puts its parts in the place of each view that is divided, and sinks of those in the place of its sinks: all send to the topic
// that the sink of the whole would.
func Divide(all Objects) Objects {
	out := Objects{Tables: all.Tables}
	parts := map[string][]string{}
	for _, d := range all.Views {
		names := d.Parts()
		if names == nil {
			out.Views = append(out.Views, d)
			continue
		}
		if f := foldsOf(&d); f != nil {
			out.Views = append(out.Views, f.divide(&d)...)
			continue
		}
		parts[d.Relation.Name] = names
		for i, name := range names {
			r := *d.Relation
			r.Name = name
			out.Views = append(out.Views, Definition{Relation: &r, Query: d.Query, share: share{int32(i), int32(len(names))}, whole: d.Relation.Name})
		}
	}
	for _, s := range all.Sinks {
		if s.Query != nil || parts[s.From] == nil {
			out.Sinks = append(out.Sinks, s)
			continue
		}
		for i, name := range parts[s.From] {
			x := s
			x.Name, x.From = PartName(s.Name, i), name
			out.Sinks = append(out.Sinks, x)
		}
	}
	return out
}

// Whole is a divided view as one: its rows are those of its parts.
func Whole(d Definition, parts []*View) *View {
	if d.Query.Folded != nil {
		return &View{Relation: d.Relation, Query: d.Query, Table: parts[0].Table, parts: parts}
	}
	tables := make([]*state.Table, len(parts))
	for i, p := range parts {
		tables[i] = p.Table
	}
	return &View{Relation: d.Relation, Query: d.Query, Table: state.Union(tables...), parts: parts}
}

// whole sums up the parts of a divided view.
func whole(parts []*View) Status {
	out := Status{Phase: Live, Watermark: math.MaxInt64, Misfits: map[string]int64{}}
	for i, v := range parts {
		s := v.Status()
		if i == 0 || rank(s.Phase) > rank(out.Phase) {
			out.Phase = s.Phase
		}
		out.RowsIn, out.RowsOut, out.RowsPerSec = out.RowsIn+s.RowsIn, out.RowsOut+s.RowsOut, out.RowsPerSec+s.RowsPerSec
		out.Errors, out.Late, out.Ahead = out.Errors+s.Errors, out.Late+s.Late, out.Ahead+s.Ahead
		out.StateBytes, out.StateKeys, out.Behind = out.StateBytes+s.StateBytes, out.StateKeys+s.StateKeys, out.Behind+s.Behind
		out.DiskBytes += s.DiskBytes
		out.Lag, out.Watermark = max(out.Lag, s.Lag), min(out.Watermark, s.Watermark)
		out.RecentErrors, out.RecentLate = latest(out.RecentErrors, s.RecentErrors), latest(out.RecentLate, s.RecentLate)
		for column, n := range s.Misfits {
			out.Misfits[column] += n
		}
		if s.ChangedAt.After(out.ChangedAt) {
			out.ChangedAt = s.ChangedAt
		}
		if s.Problem != "" && out.Problem == "" {
			out.Problem = fmt.Sprintf("%s: %s", v.Relation.Name, s.Problem)
		}
	}
	return out
}

// rank orders phases: what hinders a part most is the phase of the whole.
func rank(p Phase) int {
	return slices.Index([]Phase{Live, Backfilling, Waiting, Paused, Failed}, p)
}

// latest are the last bad rows of both, the newest last.
func latest(a, b []BadRow) []BadRow {
	out := append(slices.Clone(a), b...)
	slices.SortStableFunc(out, func(x, y BadRow) int { return x.At.Compare(y.At) })
	return out[max(len(out)-ringSize, 0):]
}

// WholeVerification sums up the verifications of the parts of a view.
func WholeVerification(parts []*Verification) *Verification {
	out := &Verification{}
	sure := false // something differs that no late row explains
	for _, v := range parts {
		sure = sure || v.Extra+v.Missing > 0 && !v.Unsure
		out.Rows, out.Extra, out.Missing = out.Rows+v.Rows, out.Extra+v.Extra, out.Missing+v.Missing
		out.Records, out.LeftOut, out.Late, out.Errors = out.Records+v.Records, out.LeftOut+v.LeftOut, out.Late+v.Late, out.Errors+v.Errors
		out.ExtraFirst = append(out.ExtraFirst, v.ExtraFirst...)
		out.MissingFirst = append(out.MissingFirst, v.MissingFirst...)
		out.Step = max(out.Step, v.Step)
		for _, note := range v.Notes {
			if !slices.Contains(out.Notes, note) {
				out.Notes = append(out.Notes, note)
			}
		}
	}
	out.ExtraFirst = out.ExtraFirst[:min(len(out.ExtraFirst), firstFew)]
	out.MissingFirst = out.MissingFirst[:min(len(out.MissingFirst), firstFew)]
	out.Unsure = out.Extra+out.Missing > 0 && !sure
	return out
}

// MergedReport is WholeReport for a view that merges what its parts have folded: theirs stand below its own.
func MergedReport(final []op.Operator, parts [][]op.Operator) []op.Operator {
	out, deepest := slices.Clone(final), 0
	for _, o := range final {
		deepest = max(deepest, o.Depth)
	}
	for _, o := range WholeReport(parts) {
		o.Depth += deepest + 1
		out = append(out, o)
	}
	return out
}

// WholeReport sums up the operators of the parts of a view, which are the same in all.
func WholeReport(parts [][]op.Operator) []op.Operator {
	out := slices.Clone(slices.MaxFunc(parts, func(a, b []op.Operator) int { return cmp.Compare(len(a), len(b)) }))
	for i := range out {
		o := &out[i]
		o.Rows, o.CPU, o.StateKeys, o.StateBytes = 0, 0, 0, 0
		for _, p := range parts {
			if i < len(p) {
				o.Rows, o.CPU, o.StateKeys, o.StateBytes = o.Rows+p[i].Rows, o.CPU+p[i].CPU, o.StateKeys+p[i].StateKeys, o.StateBytes+p[i].StateBytes
			}
		}
	}
	return out
}

// lacks is why a part has nothing to read of a topic with so many partitions; "" if it has.
func (s share) lacks(topic string, partitions int) string {
	if s.of == 0 || int(s.of) <= partitions {
		return ""
	}
	return fmt.Sprintf("topic %s has %d partitions, too few for %d parts; make the view anew with a parallelism of %d at most", topic, partitions, s.of, partitions)
}
