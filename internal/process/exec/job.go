package exec

import (
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"slices"
	"time"

	"myelin/internal/log"
	"myelin/internal/process/op"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/telemetry"
	"myelin/internal/vec"
)

// job is an object that runs: a view, a table, or a sink with a query of its own. It belongs to the task's goroutine,
// or, while a step is computed, to the worker who has it.
type job struct {
	id    uint32
	print fingerprint
	name  string
	view  *View // nil: a sink's own query
	share share
	query *plan.Query

	pipe  *op.Pipeline // nil: a table
	ctx   *op.Ctx
	names []string
	types []vec.Type
	// useful are the rows of its scans that it does anything with.
	useful map[*plan.Scan]*useful
	status
	*outputs
	report  func(msg string, args ...any) // to the process's log
	metrics *metrics
	let     *telemetry.Counter // rows let out by all jobs

	ups   []*job   // views and tables that it reads
	reads []*reads // its scans of them
	downs []*reads // who reads it
	times []string // streams whose watermarks bound its own

	group   *group
	mark    int64       // its watermark
	changed *vec.Batch  // what the step in hand changed, net; nil: nothing
	loose   *state.Rows // of a sink's own query: the step's rows
	told    bool        // other processes show it, too
	loaded  bool        // of a table: its file has been read once
	piece   *piece      // the records that it is being fed; nil: none
	// markTold is the watermark that a part which folds told last.
	markTold int64
	span     time.Duration // since rows per second were last taken
	counted  int64         // rows read by then
	broken   bool          // an operator panicked: the job stands still, and is computed anew by the next start
}

// reads is a scan of another view or table.
type reads struct {
	by, of *job
	source *op.Source
	cols   []int
}

// newJob makes a job ready to run.
func (e *Engine) newJob(id uint32, name string, v *View, q *plan.Query, print fingerprint, out *outputs) (*job, error) {
	j := &job{id: id, name: name, view: v, query: q, print: print, outputs: out, mark: op.NoTime, markTold: op.NoTime, report: e.cfg.Log.Error, metrics: &e.metrics, told: e.cfg.Owner != nil && !v.folding(), let: e.metrics.results}
	if v != nil {
		j.share = v.share
	}
	cols := []plan.Column(nil)
	switch {
	case q != nil:
		cols = q.Root.Schema()
	default:
		cols = v.Relation.Columns
	}
	for _, c := range cols {
		j.names = append(j.names, c.Name)
		j.types = append(j.types, c.Type)
	}
	if q == nil {
		return j, nil
	}
	j.ctx = &op.Ctx{
		Watermark: op.NoTime, Lateness: e.cfg.Lateness.Microseconds(), OnClose: q.Emit == plan.EmitOnWindowClose,
		Replaces: v != nil || out.discard,
		Failed: func(b *vec.Batch, row int, err error) {
			e.metrics.errs.Inc()
			j.failed(b, row, err)
		},
		Late: func(b *vec.Batch, row int) {
			e.metrics.late.Inc()
			j.late(b, row)
		},
	}
	if q.TTL > 0 {
		j.ctx.Slack = min(j.ctx.Lateness, q.TTL)
		j.ctx.Lateness = q.TTL
	}
	if v == nil || v.folding() {
		j.loose = state.NewRows(j.types)
	} else if v.Table.Key() != nil {
		j.ctx.Shown, j.ctx.Remember = v.Table.Current, e.cfg.Remember
		j.ctx.ShownRows = func() int { return v.Table.Version().Rows() }
	}
	var err error
	j.useful = usefulRows(q.Root)
	if j.pipe, err = op.Build(q, j.ctx, j.take); err == nil {
		j.pipe.Spill(e.share)
	}
	return j, err
}

// stat is where the job's condition is told: the view's, or its own.
func (j *job) stat() *status {
	if j.view != nil {
		return &j.view.status
	}
	return &j.status
}

// errRowTooLong is why a row is not among those of its view.
var errRowTooLong = errors.New("the row is longer than the 16 MB that a view can hold")

// take receives what the pipeline lets out.
func (j *job) take(b *vec.Batch) {
	j.stat().out.Add(int64(b.Rows()))
	j.let.Add(int64(b.Rows()))
	if j.loose == nil {
		for _, row := range j.view.Table.Stage(b) {
			j.ctx.Failed(b, row, errRowTooLong)
		}
		return
	}
	if j.discard {
		return
	}
	for k := range b.Rows() {
		i := k
		if b.Sel != nil {
			i = int(b.Sel[k])
		}
		j.loose.AppendFrom(b.Cols, i, int8(b.Sign(i)))
	}
}

// stores is all durable state, in an order that depends on the definition alone.
func (j *job) stores() []state.Store {
	var out []state.Store
	if j.pipe != nil {
		out = j.pipe.Stores()
	}
	if j.view != nil {
		out = append(out, j.view.Table)
	}
	return out
}

// rescue keeps a bug in an operator from taking everything else down, deferred around all that runs operators. What the job shows
// stays as it was; its state is of no use any more.
func (j *job) rescue() {
	r := recover()
	if r == nil {
		return
	}
	j.broken, j.changed = true, nil
	if j.view != nil {
		j.view.Table.Discard()
	}
	s := j.stat()
	s.phase.Store(int32(Failed))
	s.setProblem(fmt.Sprintf("it stopped because of an error in Myelin itself: %v", r))
	j.report("a view stopped because of an error in Myelin itself", "view", j.name, "panic", r, "stack", string(debug.Stack()))
}

// feed pushes rows into one of the job's scans.
func (j *job) feed(s *op.Source, b *vec.Batch, clock int64) {
	if j.broken {
		return
	}
	defer j.rescue()
	j.ctx.Env.Now = clock
	j.stat().in.Add(int64(b.Rows()))
	s.Push(b)
}

// finish ends the job's part of a step, once the views that it reads have ended theirs: it takes what those changed.
func (j *job) finish(clock, mark int64) {
	for _, r := range j.reads {
		if r.of.pipe != nil && r.of.changed != nil { // what tables changed it has: see applyTables
			r.push(r.of.changed, clock)
		}
	}
	j.end(clock, mark)
}

// end lets out what the step changed, and keeps that for whoever reads the job.
func (j *job) end(clock, mark int64) {
	if j.broken {
		return
	}
	defer j.rescue()
	if j.pipe != nil {
		j.ctx.Env.Now = clock
		j.pipe.EndStep(mark)
	}
	j.mark = max(j.mark, mark)
	j.changed = nil
	switch {
	case j.loose != nil:
		if j.loose.Len() > 0 {
			j.changed = j.loose.Detach()
		}
	case len(j.downs) > 0 || j.wanted() || j.told:
		j.changed = j.view.Table.Net()
	}
}

// push hands rows of the view or table to the reader.
func (d *reads) push(b *vec.Batch, clock int64) {
	cols := make([]*vec.Vector, len(d.cols))
	for i, c := range d.cols {
		cols[i] = b.Cols[c]
	}
	d.by.feed(d.source, &vec.Batch{Cols: cols, N: b.N, Sel: b.Sel, Diff: b.Diff}, clock)
}

// connect makes the job read the views and tables that its query names.
func (j *job) connect(find func(name string) *job) {
	if j.pipe == nil {
		return
	}
	for _, s := range j.pipe.Sources {
		if s.Scan.Relation.Kind == plan.Stream {
			continue
		}
		up := find(s.Scan.Relation.Name)
		r := &reads{by: j, of: up, source: s}
		for _, c := range s.Scan.Columns {
			r.cols = append(r.cols, c.Index)
		}
		j.reads, up.downs = append(j.reads, r), append(up.downs, r)
		if !slices.Contains(j.ups, up) {
			j.ups = append(j.ups, up)
		}
	}
}

// disconnect takes the job out of the lists of those that it reads.
func (j *job) disconnect() {
	for _, up := range j.ups {
		up.downs = slices.DeleteFunc(up.downs, func(r *reads) bool { return r.by == j })
	}
}

// prime hands the job of a new group the rows that the views and tables of other groups which it reads hold now.
func (j *job) prime(g *group, clock int64) {
	for _, up := range j.ups {
		if up.group == g {
			continue
		}
		v := up.view.Table.Version()
		for b := range v.Scan(4096) {
			for _, r := range j.reads {
				if r.of == up {
					r.push(b, clock)
				}
			}
		}
	}
}

// limit is the watermark that the job may have: the least of the streams and views that it reads.
func (j *job) limit(marks map[string]*watermark) int64 {
	least, bound := int64(math.MaxInt64), false
	for _, t := range j.times {
		if w := marks[t]; w != nil {
			least, bound = min(least, w.At), true
		}
	}
	for _, up := range j.ups {
		if up.pipe == nil {
			continue
		}
		if up.group == j.group {
			least, bound = min(least, up.limit(marks)), true
		} else {
			least, bound = min(least, up.mark), true
		}
	}
	if !bound {
		return op.NoTime
	}
	return least
}

// maxBadEvent is how much of the event behind a bad row is kept.
const maxBadEvent = 64 << 10

// describe shows a row that the operator at work has before it, and the event that it came from if there is one.
func (j *job) describe(b *vec.Batch, row int) BadRow {
	node := j.pipe.Working()
	out := BadRow{Row: string(appendObject(nil, namesOf(node, len(b.Cols)), b.Cols, row))}
	if j.piece == nil || b.N != j.piece.batch.N || !rowwise(node) {
		return out
	}
	if r, ok := j.piece.record(row); ok {
		out.from(j.piece, r)
	}
	return out
}

// from notes the record that a bad row came from.
func (b *BadRow) from(pc *piece, r log.RawRecord) {
	b.Topic, b.Partition, b.Offset = pc.Topic, pc.Partition, r.Offset
	event := bytesOf(pc.chunk, r.Value)
	b.Event = string(event[:min(len(event), maxBadEvent)])
}

// namesOf are the names of an operator's input with so many columns.
func namesOf(n plan.Node, count int) []string {
	if n == nil {
		return nil
	}
	var all []string
	for _, in := range n.Inputs() {
		var names []string
		for _, c := range in.Schema() {
			names = append(names, c.Name)
		}
		if all = append(all, names...); len(names) == count {
			return names
		}
	}
	return all
}

// rowwise reports whether the rows before an operator are those of its scan, one for one.
func rowwise(n plan.Node) bool {
	for n != nil && len(n.Inputs()) == 1 {
		n = n.Inputs()[0]
		switch n.(type) {
		case *plan.Scan:
			return true
		case *plan.Filter, *plan.Project, *plan.Window, *plan.Expire:
		default:
			return false
		}
	}
	return false
}
