package exec

import (
	"context"
	"fmt"
	"iter"

	"myelin/internal/process/fn"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// Verification compares a live view with its query, computed at once over the same records.
type Verification struct {
	Step uint64
	// Rows of the view, and how many of them the query does not give (Extra), and the other way round (Missing), of each the first
	// few as JSON objects.
	Rows, Extra, Missing     int
	ExtraFirst, MissingFirst []string
	Records                  int64    // that the query read
	LeftOut                  int64    // rows that the query could not compute, as the view cannot
	Late, Errors             int64    // rows that have no part in the view, since the process started
	Notes                    []string // why the two may differ, in plain words
	// Unsure is set where rows differ, but no more of them than those that came too late can explain: the query, computed at once, cannot
	// tell which those were.
	Unsure  bool
	deleted int64
	names   []string
}

// firstFew is how many differing rows a Verification shows.
const firstFew = 10

// Verify computes a view's query anew over exactly what the view has seen, and compares. It is for live views, and reads all that
// the log holds of their topics.
func (e *Engine) Verify(ctx context.Context, name string) (*Verification, error) {
	v, ok := e.View(name)
	if !ok || v.Query == nil {
		return nil, fmt.Errorf("there is no view %s", name)
	}
	if p := Phase(v.status.phase.Load()); p != Live {
		return nil, fmt.Errorf("view %s is %s; only a live view can be compared", name, p)
	}
	var pinned map[string]*state.Version
	var ends positions
	var clock, watermark int64
	taken := make(chan struct{})
	err := e.ask(ctx, func(t *task) {
		defer close(taken)
		pinned, ends, clock = map[string]*state.Version{}, t.main().positions(), t.clock
		for _, j := range t.main().jobs {
			if j.view != nil {
				pinned[j.name] = j.view.Table.Version()
			}
			if j.name == name {
				watermark = j.mark
			}
		}
	})
	if err != nil {
		return nil, err
	}
	<-taken
	if pinned[name] == nil {
		return nil, fmt.Errorf("view %s is not live any more", name)
	}
	out := &Verification{Step: pinned[name].Step, Late: v.status.late.Load(), Errors: v.status.errs.Load()}
	for _, c := range v.Relation.Columns {
		out.names = append(out.names, c.Name)
	}
	q, read := v.Query, ends.of(v.share)
	if v.merging() { // and so what its parts have read
		q = v.folds.whole
		if read, err = e.sourceEnds(ctx, v.folds, ends[v.folds.topic]); err != nil {
			return nil, err
		}
	}
	diff, err := e.recompute(ctx, q, out, pinned, read, clock, watermark)
	if err != nil {
		return nil, err
	}
	out.compare(pinned[name], diff)
	out.doubt(v.Query)
	out.explain(v)
	return out, nil
}

// recompute runs the query at once and counts its rows.
func (e *Engine) recompute(
	ctx context.Context, q *plan.Query, out *Verification, pinned map[string]*state.Version, ends positions, clock, watermark int64,
) (map[string]int, error) {
	rows := func(ctx context.Context, s *plan.Scan) iter.Seq2[*vec.Batch, error] {
		if s.Relation.Kind != plan.Stream {
			return scanVersion(pinned[s.Relation.Name], s)
		}
		return counted(streamUpTo(ctx, e.cluster, s, e.governs(s.Relation.Topic), ends[s.Relation.Topic]), &out.Records)
	}
	count := map[string]int{}
	lenient := runOptions{
		until: watermark, close: q.Emit == plan.EmitOnWindowClose,
		failed: func(*vec.Batch, int, error) { out.LeftOut++ }, // as the view leaves them out
	}
	for b, err := range runBatch(ctx, q, fn.Env{Now: clock}, rows, lenient) {
		if err != nil {
			return nil, fmt.Errorf("computing the query at once: %w", err)
		}
		for k := range b.Rows() {
			i := k
			if b.Sel != nil {
				i = int(b.Sel[k])
			}
			count[string(state.AppendKey(nil, b.Cols, i))]++
		}
	}
	for _, s := range scans(q.Root) {
		if s.Relation.Kind != plan.Stream {
			continue
		}
		listed, err := e.cluster.Admin().ListStartOffsets(ctx, s.Relation.Topic)
		if err != nil {
			return nil, fmt.Errorf("finding the beginning of topic %s: %w", s.Relation.Topic, err)
		}
		for n, end := range ends[s.Relation.Topic] {
			if end < 0 {
				continue
			}
			if o, ok := listed.Lookup(s.Relation.Topic, int32(n)); ok {
				out.deleted += o.Offset
			}
		}
	}
	return count, nil
}

func counted(rows iter.Seq2[*vec.Batch, error], n *int64) iter.Seq2[*vec.Batch, error] {
	return func(yield func(*vec.Batch, error) bool) {
		for b, err := range rows {
			if b != nil {
				*n += int64(b.Rows())
			}
			if !yield(b, err) {
				return
			}
		}
	}
}

// scanVersion gives the rows of a pinned view or table.
func scanVersion(v *state.Version, s *plan.Scan) iter.Seq2[*vec.Batch, error] {
	return func(yield func(*vec.Batch, error) bool) {
		if v == nil {
			yield(nil, fmt.Errorf("%s is not live", s.Relation.Name))
			return
		}
		for b := range v.Scan(0) {
			cols := make([]*vec.Vector, len(s.Columns))
			for i, c := range s.Columns {
				cols[i] = b.Cols[c.Index]
			}
			if !yield(&vec.Batch{Cols: cols, N: b.N}, nil) {
				return
			}
		}
	}
}

// compare takes the view's rows off those of the query.
func (o *Verification) compare(v *state.Version, diff map[string]int) {
	for b := range v.Scan(0) {
		o.Rows += b.N
		for i := range b.N {
			key := string(state.AppendKey(nil, b.Cols, i))
			if diff[key] > 0 {
				diff[key]--
				continue
			}
			if o.Extra++; len(o.ExtraFirst) < firstFew {
				o.ExtraFirst = append(o.ExtraFirst, string(appendObject(nil, o.names, b.Cols, i)))
			}
		}
	}
	rows := state.NewRows(v.Types())
	for key, n := range diff {
		if n == 0 {
			continue
		}
		if o.Missing += n; len(o.MissingFirst) < firstFew {
			rows.Reset()
			if _, err := rows.Append([]byte(key)); err == nil {
				o.MissingFirst = append(o.MissingFirst, string(appendObject(nil, o.names, rows.Batch().Cols, 0)))
			}
		}
	}
}

// doubt finds out whether rows that came too late explain what differs. Where a view shows the groups of its windows, each of them changes
// one row at most; above that, and where they would have joined two sessions, there is no telling.
func (o *Verification) doubt(q *plan.Query) {
	if o.Extra+o.Missing == 0 {
		return
	}
	n := q.Root
	for {
		if p, ok := n.(*plan.Project); ok {
			n = p.Input
		} else if f, ok := n.(*plan.Filter); ok {
			n = f.Input
		} else {
			break
		}
	}
	a, ok := n.(*plan.Aggregate)
	plain := ok && a.Session == nil && ofWindow(a.Input)
	o.Unsure = o.Late > 0 && (!plain || int64(max(o.Extra, o.Missing)) <= o.Late)
	if q.Emit != plan.EmitOnWindowClose || o.Extra == 0 || o.Missing == 0 {
		return
	}
	plan.Walk(q.Root, func(n plan.Node) {
		if a, ok := n.(*plan.Aggregate); ok && a.Session != nil && !a.Session.Single && !o.Unsure {
			o.Unsure = true
			o.Notes = append(o.Notes, "a row that came after the end of a session near which it lies has begun another; computed at once, the two are one")
		}
	})
}

// ofWindow reports whether a node gives rows of a stream, once per window.
func ofWindow(n plan.Node) bool {
	switch n := n.(type) {
	case *plan.Project:
		return ofWindow(n.Input)
	case *plan.Filter:
		return ofWindow(n.Input)
	case *plan.Window:
		return n.Kind != plan.Session
	}
	return false
}

// explain says what the comparison cannot see.
func (o *Verification) explain(v *View) {
	if o.deleted > 0 {
		o.Notes = append(o.Notes, fmt.Sprintf("the log has deleted %d records that the view may have seen (retention)", o.deleted))
	}
	if o.Late > 0 {
		o.Notes = append(o.Notes, fmt.Sprintf("%d rows came after their window had been given up, and lie in the ledger of late rows; computed at once, nothing is late", o.Late))
	}
	if o.LeftOut > 0 {
		o.Notes = append(o.Notes, fmt.Sprintf("%d rows cannot be computed and are left out, by the view, too; its ledger names them", o.LeftOut))
	}
	plan.Walk(v.Query.Root, func(n plan.Node) {
		if j, ok := n.(*plan.Join); ok && j.Lookup {
			o.Notes = append(o.Notes, "rows met their table as it was when they came; computed at once, they meet it as it is")
		}
	})
}
