package exec

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/clock"
	"myelin/internal/log"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
)

// following is what an engine knows of the process that runs its task.
type following struct {
	heard atomic.Pointer[heard]
	once  sync.Once
	shown chan struct{} // closed once the views show what there is
}

type heard struct {
	task *servedTask
	at   time.Time
}

func (f *following) ready() { f.once.Do(func() { close(f.shown) }) }

// Shown is closed once the views show what there was when Run or Follow began.
func (e *Engine) Shown() <-chan struct{} { return e.follow.shown }

// Heard is who was last heard of as the one that runs the task, and when. It needs Follow.
func (e *Engine) Heard() (Owner, time.Time) {
	h := e.follow.heard.Load()
	if h == nil {
		return Owner{}, time.Time{}
	}
	return h.task.Owner, h.at
}

// errMissed says that a follower has to begin again from the state that was made durable last.
var errMissed = errors.New("changes were missed")

// heldAtMost is how long readers see what they saw when a follower begins again, once it has read all that was told, but not as far.
// What was shown is recorded, so that the one who takes over shows it, too; this is only for logs that lost records.
const heldAtMost = 30 * time.Second

// Follow keeps the views as another process that runs the same task shows them, until ctx ends. Run and Follow take turns: neither
// may be called while the other runs.
func (e *Engine) Follow(ctx context.Context) error {
	t := &task{Engine: e, jobs: map[string]*job{}, follows: true, out: newOutbox(&e.cfg, e.cluster)}
	t.flush = newFlusher(t)
	defer t.close()
	select {
	case <-e.applied:
	case <-ctx.Done():
		return nil
	}
	for opened := false; ctx.Err() == nil; {
		var err error
		if !opened {
			if err = t.open(ctx); err == nil {
				opened = true
			} else if t.disk != nil {
				err = errors.Join(err, t.disk.Close())
				t.disk = nil
			}
		}
		if err == nil {
			f := &follower{task: t, views: map[string]*followed{}, parts: map[uint64]*servedParts{}}
			err = f.run(ctx)
		}
		if ctx.Err() != nil {
			return nil
		}
		var damage *state.DamageError
		if errors.As(err, &damage) {
			err = errors.Join(err, t.disk.Remake())
		}
		again := 100 * time.Millisecond
		if err != nil && !errors.Is(err, errMissed) {
			e.cfg.Log.Warn("following the views of another process; trying again", "task", e.cfg.Task, "error", err)
			again = time.Second
		}
		if err != nil && clock.Pause(ctx, again) != nil {
			return nil
		}
	}
	return nil
}

// follower is one attempt to follow.
type follower struct {
	*task
	have  uint64 // step that the views have
	views map[string]*followed
	parts map[uint64]*servedParts // of steps that are not whole yet, by writer

	copies entries // of the state's changelog
}

type followed struct {
	*View
	job     uint32
	rows    *state.Rows
	touched bool
}

type servedParts struct {
	seq  uint64
	recs []*served
}

// run returns nil when the objects changed.
func (f *follower) run(ctx context.Context) error {
	select {
	case <-f.kick: // what it tells of is read now
	default:
	}
	if err := f.load(ctx); err != nil {
		return err
	}
	topic := f.cfg.own(ServedTopic)
	starts, err := f.startOffsets(ctx, topic)
	if err != nil {
		return err
	}
	r, err := f.cluster.NewReader(log.ReaderConfig{})
	if err != nil {
		return err
	}
	defer r.Close()
	at := first(starts)
	r.Add(topic, 0, at)
	if err := f.beginCopy(r); err != nil {
		return err
	}
	var late <-chan time.Time // readers have waited long enough
	for shown := false; ; {
		for c := r.Take(topic, 0); c != nil; c = r.Take(topic, 0) {
			var cur log.Cursor
			var rec log.RawRecord
			for c.Next(&cur, &rec) {
				if err := f.take(bytesOf(c, rec.Value)); err != nil {
					return err
				}
			}
			at = c.To
		}
		if err := f.copyState(ctx, r); err != nil {
			return err
		}
		if _, end := r.Ends(topic, 0); !shown && end >= 0 && at >= end {
			switch {
			case f.have >= f.hands.step:
				shown = true
				f.release()
				f.follow.ready()
			case late == nil:
				timer := time.NewTimer(heldAtMost)
				defer timer.Stop()
				late = timer.C
			}
		}
		select {
		case <-r.Ready():
		case <-f.kick:
			return nil
		case <-late:
			f.hands.step = 0
		case <-ctx.Done():
			return nil
		}
	}
}

// beginCopy reads the state's changelog, too, from where the local copy is.
func (f *follower) beginCopy(r *log.Reader) error {
	f.copies = entries{}
	have, err := f.copied()
	if err == nil {
		r.Add(f.cfg.own(StateTopic), 0, have.Next)
	}
	return err
}

// copyState keeps the local copy of the state up to date, so that taking over has next to nothing to read. What it has of a flush is
// kept also where the rest is still to come: whoever takes over reads on to the end first.
func (f *follower) copyState(ctx context.Context, r *log.Reader) error {
	topic := f.cfg.own(StateTopic)
	for c := r.Take(topic, 0); c != nil; c = r.Take(topic, 0) {
		if start, _ := r.Ends(topic, 0); start > c.From { // cut before it was read: begin the copy anew
			if err := f.catchUpDisk(ctx); err != nil {
				return err
			}
			return f.beginCopy(r)
		}
		var cur log.Cursor
		var rec log.RawRecord
		var changes []state.Change
		var noted []byte
		for c.Next(&cur, &rec) {
			ch, ok := f.copies.take(c, &rec)
			if !ok {
				continue
			}
			if string(ch.Key) == string(metaKey) {
				noted = ch.Value
			}
			changes = append(changes, ch)
		}
		mark, err := f.markOf(ctx, f.copies.next(c.To))
		if err != nil {
			return err
		}
		if err := f.disk.Apply(state.Told(changes), mark); err != nil {
			return err
		}
		begun, err := f.begun(noted)
		if err != nil {
			return err
		}
		if begun {
			return errMissed
		}
	}
	return nil
}

// begun reports whether a flush has views that were begun since the follower read them. What such a view held when it began, for it
// reads views that had rows already, is in the flush alone; and only a view that is in a flush is the same to whoever takes over.
func (f *follower) begun(noted []byte) (bool, error) {
	if noted == nil {
		return false, nil
	}
	m, err := parseMeta(noted)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(m.jobs(), func(j metaJob) bool {
		v := f.views[j.Name]
		return v != nil && v.print.String() == j.Print && v.job != j.ID
	}), nil
}

// load makes the views be what the last flush holds.
func (f *follower) load(ctx context.Context) error {
	f.Engine.hold()
	if err := f.catchUpDisk(ctx); err != nil {
		return err
	}
	var saved []byte
	if err := f.disk.Each(metaKey, func(_, v []byte) error { saved = append([]byte{}, v...); return nil }); err != nil {
		return err
	}
	m := &meta{}
	if saved != nil {
		var err error
		if m, err = parseMeta(saved); err != nil {
			return err
		}
	}
	f.have = m.Step
	for _, v := range f.Views() {
		f.views[v.Relation.Name] = &followed{View: v, rows: state.NewRows(columnTypes(v.Relation.Columns))}
	}
	wanted := f.wanted()
	for _, g := range m.Groups {
		for _, mj := range g.Jobs {
			v, w := f.views[mj.Name], wanted[mj.Name]
			if v == nil || w.print.String() != mj.Print {
				continue
			}
			v.job = mj.ID
			if err := f.loadView(w, mj, m.Step); err != nil {
				return err
			}
		}
	}
	f.empty(func(v *View) bool { return f.views[v.Relation.Name].job == 0 })
	return nil
}

func (f *follower) loadView(w want, mj metaJob, step uint64) error {
	stores := 0
	if w.query != nil {
		j, err := f.newJob(mj.ID, w.name, w.view, w.query, w.print, nil)
		if err != nil {
			return err
		}
		stores = len(j.stores()) - 1
	}
	prefix := storeKey(mj.ID, stores)
	var err error
	f.pub.Apply(step, func() {
		w.view.Table.Clear()
		err = f.disk.Each(prefix, func(key, value []byte) error { return w.view.Table.Load(key[len(prefix):], value) })
	})
	if err != nil {
		return fmt.Errorf("loading the rows of %s: %w", w.name, err)
	}
	return nil
}

// empty clears views that show rows without a job that they come from.
func (t *task) empty(which func(v *View) bool) {
	for _, v := range t.Views() {
		if v.Table.Len() == 0 || !which(v) {
			continue
		}
		t.pub.Apply(t.pub.Step(), v.Table.Clear)
	}
}

// take follows one record.
func (f *follower) take(b []byte) error {
	c, err := parseServed(b)
	if err != nil {
		return fmt.Errorf("reading what the owner of task %d told: %w", f.cfg.Task, err)
	}
	if c.status != nil {
		return f.hear(c.status)
	}
	if c.Seq <= f.have {
		return nil
	}
	p := f.parts[c.Writer]
	if p == nil || p.seq != c.Seq {
		p = &servedParts{seq: c.Seq}
		f.parts[c.Writer] = p
	}
	if n := len(p.recs); n > 0 && p.recs[n-1].Cut {
		p.recs[n-1].views, p.recs[n-1].Cut = append(p.recs[n-1].views, c.views...), c.Cut
	} else {
		p.recs = append(p.recs, c)
	}
	if !c.Last {
		return nil
	}
	delete(f.parts, c.Writer)
	if c.Prev > f.have {
		return errMissed
	}
	return f.show(p)
}

// show shows a whole step.
func (f *follower) show(p *servedParts) error {
	for _, c := range p.recs {
		err := c.eachView(func(s *servedRows) error {
			v := f.views[s.name]
			if v == nil || v.print != s.print || v.job != s.job {
				return nil // another definition, or begun since: see begun
			}
			return v.stage(s)
		})
		if err != nil {
			return fmt.Errorf("following step %d: %w", p.seq, err)
		}
	}
	f.have = p.seq
	maps.DeleteFunc(f.parts, func(_ uint64, x *servedParts) bool { return x.seq <= p.seq }) // of writers that were replaced
	f.pub.Apply(p.seq, func() {
		for _, v := range f.views {
			if v.touched {
				v.touched = false
				v.Table.Publish()
				v.Table.Forget()
			}
		}
	})
	return nil
}

func (v *followed) stage(s *servedRows) error {
	v.rows.Reset()
	b := s.bytes
	for range s.count {
		if len(b) == 0 {
			return errStep
		}
		sign := int8(b[0])
		rest, err := v.rows.Append(b[1:])
		if err != nil {
			return err
		}
		v.rows.Sign(sign)
		b = rest
	}
	v.Table.Stage(v.rows.Batch())
	v.touched = true
	return nil
}

// hear notes who runs the task and how its views are. What was told before that and is missing was cut off before it was read.
func (f *follower) hear(s *servedTask) error {
	f.follow.heard.Store(&heard{s, time.Now()})
	for i := range s.Views {
		told := &s.Views[i]
		if v := f.views[told.Name]; v != nil && v.print.String() == told.Print && told.Job >= v.job {
			v.status.hear(told)
		}
	}
	if s.Told > f.have {
		return errMissed
	}
	return nil
}

// Reads names the views and tables that a definition reads.
func (d *Definition) Reads() []string { return readsOf(d.Query) }

// Reads names the views and tables that a sink reads.
func (s *Sink) Reads() []string {
	if s.Query == nil {
		return []string{s.From}
	}
	return readsOf(s.Query)
}

func readsOf(q *plan.Query) []string {
	var out []string
	for _, s := range scans(q.Root) {
		if r := s.Relation; r.Kind != plan.Stream && !slices.Contains(out, r.Name) {
			out = append(out, r.Name)
		}
	}
	return out
}

// Prints are the fingerprints of views, tables and sinks with queries of their own (as "sink NAME"): two definitions with the same
// one can go on with the same state.
func Prints(want Objects) (map[string]string, error) {
	views := map[string]*View{}
	for _, t := range want.Tables {
		views[t.Relation.Name] = &View{Relation: t.Relation, print: printTable(t.Relation)}
	}
	for _, d := range want.Views {
		views[d.Relation.Name] = &View{Relation: d.Relation, Query: d.Query, share: d.share, folds: d.folds}
	}
	out := map[string]string{}
	for name, v := range views {
		if err := fingerprintOf(v, views, 0); err != nil {
			return nil, fmt.Errorf("view %s: %w", name, err)
		}
		out[name] = v.print.String()
	}
	for _, s := range want.Sinks {
		if s.Query == nil {
			continue
		}
		v := &View{Relation: &plan.Relation{Name: sinkJob(s.Name)}, Query: s.Query}
		if err := fingerprintOf(v, views, 0); err != nil {
			return nil, fmt.Errorf("sink %s: %w", s.Name, err)
		}
		out[sinkJob(s.Name)] = v.print.String()
	}
	return out, nil
}

// Flushed are the fingerprints of what a task has state of, by name.
func Flushed(ctx context.Context, cluster *log.Cluster, task int) (map[string]string, error) {
	out := map[string]string{}
	topic := (&Config{Task: task}).own(StateTopic)
	topics, err := cluster.Admin().ListTopics(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("looking for state: %w", err)
	}
	if !topics.Has(topic) {
		return out, nil
	}
	var bad error
	err = cluster.ReadTail(ctx, topic, time.Time{}, func(r *kgo.Record) {
		if string(r.Key) != string(metaKey) {
			return
		}
		m, err := parseMeta(r.Value)
		bad = err
		clear(out)
		for _, g := range m.jobs() {
			out[g.Name] = g.Print
		}
	})
	return out, errors.Join(err, bad)
}

func (m *meta) jobs() []metaJob {
	if m == nil {
		return nil
	}
	var out []metaJob
	for _, g := range m.Groups {
		out = append(out, g.Jobs...)
	}
	return out
}
