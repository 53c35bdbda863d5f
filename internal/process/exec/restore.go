package exec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"golang.org/x/sync/errgroup"

	"myelin/internal/clock"
	"myelin/internal/log"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// restore brings back the state of the last flush and takes the recorded steps since then again.
// It returns how many.
func (t *task) restore(ctx context.Context) (steps int, err error) {
	tail, err := t.restoreFlush(ctx)
	if err != nil {
		return 0, err
	}
	t.empty(func(v *View) bool { return t.jobs[v.Relation.Name] == nil })
	topics, err := t.lookAtTopics(ctx)
	if err != nil {
		return 0, err
	}
	err = t.timed("again", func() error {
		steps, err = t.replay(ctx, tail)
		return err
	})()
	if err != nil {
		return 0, err
	}
	if t.seq < t.last {
		t.cfg.Log.Warn("more steps were sent to output topics than were recorded; steps are counted on from there", "topic", t.cfg.own(StepsTopic), "recorded", t.seq, "sent", t.last)
		t.seq = t.last // else what the next ones change would count as sent
	}
	if t.lost {
		t.hold = t.flush.now() // see dropUnwanted
	}
	for i, g := range t.groups {
		for _, j := range g.jobs {
			phase := Live
			if i > 0 {
				phase = Backfilling
			}
			if g.paused {
				phase = Paused
				j.stat().setProblem(g.why)
			}
			if !j.broken {
				j.stat().phase.Store(int32(phase))
			}
		}
	}
	t.seeTopics(ctx, topics)
	t.setClock()
	return steps, nil
}

// setClock lets the task's clock go back if an earlier run had one that was far ahead: else time would stand still until then. Else it never
// goes back.
func (t *task) setClock() {
	now := t.cfg.Clock.Now().UnixMicro()
	ahead := time.Duration(t.clock-now) * time.Microsecond
	if ahead <= t.cfg.Ahead {
		return
	}
	t.cfg.Log.Warn("the clock of this machine is far behind what it was when the last steps were taken; views go on by the clock as it is now", "behind", ahead)
	t.clock = now
	for _, g := range t.groups {
		for _, w := range g.marks {
			for _, p := range w.Parts {
				p.Seen = min(p.Seen, now)
			}
		}
	}
}

// restoreFlush brings back the state of the last flush. A damaged local copy is made anew from the changelog.
func (t *task) restoreFlush(ctx context.Context) (*tail, error) {
	restore := func() (*tail, error) {
		tail, err := t.claim(ctx)
		if err != nil {
			return nil, err
		}
		return tail, t.timed("load", func() error { return t.restoreGroups(ctx) })()
	}
	tail, err := restore()
	var damage *state.DamageError
	if !errors.As(err, &damage) {
		return tail, err
	}
	t.cfg.Log.Warn("the local copy of the state of views is damaged; it is made anew from the changelog", "folder", t.cfg.Dir, "error", err)
	for _, g := range t.groups {
		g.reader.Close()
	}
	t.groups, t.jobs, t.gone = nil, map[string]*job{}, nil
	if err := t.disk.Remake(); err != nil {
		return nil, err
	}
	return restore()
}

// restoreBatch is how many changes of the changelog are taken into the local copy at once.
const restoreBatch = 20_000

// catchUpDisk brings the local copy of the changelog up to date.
func (t *task) catchUpDisk(ctx context.Context) error {
	have, err := t.copied()
	if err != nil {
		return err
	}
	if _, err := t.markOf(ctx, 0); err != nil { // learns the topic's id
		return err
	}
	topic := t.cfg.own(StateTopic)
	starts, err := t.startOffsets(ctx, topic)
	if err != nil {
		return err
	}
	end := int64(0)
	if have.Next > 0 {
		if end, err = t.endOf(ctx, topic); err != nil {
			return err
		}
	}
	if have.Topic == t.stateID && have.Next > end {
		t.cfg.Log.Warn("the local copy of the state of views is ahead of the changelog, which has lost records or was put back; it is made anew from what that has", "folder", t.cfg.Dir, "copy", have.Next, "changelog", end)
	}
	// A copy of another log, one so old that the changelog has been cut since, or one that is ahead of it, begins anew.
	if have.Topic != t.stateID || have.Next < first(starts) || have.Next > end {
		if err := t.disk.Reset(); err != nil {
			return err
		}
		have = diskMark{}
	}
	// A changelog whose last writer died is at rest only after its open transaction was ended.
	if !t.follows {
		if err := t.flush.txn.begin(ctx); err != nil {
			return err
		}
	}
	var changes []state.Change
	var read entries
	next, err := t.readAll(ctx, topic, have.Next, func(c *log.Chunk, r *log.RawRecord) error {
		ch, ok := read.take(c, r)
		if !ok {
			return nil
		}
		changes = append(changes, ch)
		// Nobody looks before the end is reached, and that is the end of a flush, so a part of one may be kept for now.
		if string(ch.Key) != string(metaKey) && len(changes) < restoreBatch {
			return nil
		}
		mark, err := t.markOf(ctx, r.Offset+1)
		if err == nil {
			err = t.disk.Apply(state.Told(changes), mark)
		}
		changes = changes[:0]
		return err
	})
	if err != nil {
		return err
	}
	if next < have.Next {
		return fmt.Errorf("topic %s ends at %d, before what was read of it", topic, next)
	}
	return nil
}

// copied is where the local copy is.
func (t *task) copied() (have diskMark, err error) {
	b, err := t.disk.Mark()
	if err != nil || b == nil {
		return diskMark{}, err
	}
	if json.Unmarshal(b, &have) != nil {
		return diskMark{}, nil
	}
	return have, nil
}

func bytesOf(c *log.Chunk, s vec.Span) []byte {
	if s.Off == log.NoBytes {
		return nil
	}
	return append([]byte{}, c.Buf[s.Off:s.Off+s.Len]...)
}

// readAll hands over all committed records of a topic's only partition from an offset on to its present end.
func (t *task) readAll(ctx context.Context, topic string, from int64, f func(c *log.Chunk, r *log.RawRecord) error) (int64, error) {
	r, err := t.cluster.NewReader(log.ReaderConfig{})
	if err != nil {
		return 0, err
	}
	defer r.Close()
	r.Add(topic, 0, from)
	stop := int64(-1)
	for {
		if c := r.Take(topic, 0); c != nil {
			var cur log.Cursor
			var rec log.RawRecord
			for c.Next(&cur, &rec) {
				if err := f(c, &rec); err != nil {
					return from, err
				}
			}
			from = c.To
			continue
		}
		if _, end := r.Ends(topic, 0); end >= 0 && stop < 0 {
			stop = end
		}
		if stop >= 0 && from >= stop {
			return from, nil
		}
		select {
		case <-r.Ready():
		case <-ctx.Done():
			return from, fmt.Errorf("reading topic %s: %w", topic, context.Cause(ctx))
		}
	}
}

// restoreGroups makes the groups and jobs that were there at the last flush, as far as they are still wanted.
func (t *task) restoreGroups(ctx context.Context) error {
	t.groups = nil
	var saved []byte
	err := t.disk.Each(metaKey, func(_, v []byte) error { saved = append([]byte{}, v...); return nil })
	if err != nil {
		return err
	}
	m := &meta{NextID: 1, Groups: []metaGroup{{ID: mainGroup}}}
	if saved != nil {
		if m, err = parseMeta(saved); err != nil {
			return err
		}
	}
	t.seq, t.clock, t.nextID = m.Step, m.Clock, m.NextID
	t.writers.now, t.tells.last = m.Writer, m.Step
	if t.gone, err = t.orphans(m); err != nil {
		return err
	}
	wanted := m.usable(t.wanted())
	for _, mg := range m.Groups {
		g, err := t.newGroup(mg.ID)
		if err != nil {
			return err
		}
		for _, mj := range mg.Jobs {
			w, ok := wanted[mj.Name]
			if !ok {
				t.gone = append(t.gone, mj.ID)
				t.lost = t.lost || IsPart(mj.Name)
				continue
			}
			if err := t.restoreJob(g, w, mj); err != nil {
				return err
			}
		}
		g.marks, g.ids = mg.Marks, mg.Topics
		for _, j := range g.jobs {
			j.connect(t.find)
		}
		if g.id != mainGroup && len(g.jobs) == 0 {
			g.reader.Close()
			t.groups = slices.DeleteFunc(t.groups, func(x *group) bool { return x == g })
			continue
		}
		pos, err := t.widen(ctx, mg.Positions)
		if err != nil {
			return err
		}
		t.rebuild(g, pos, t.clock)
		if mg.Paused {
			g.why = mg.Why
			g.standStill()
		}
	}
	return nil
}

// usable are the objects wanted whose state was flushed, and that of all they read.
func (m *meta) usable(wanted map[string]want) map[string]want {
	out := map[string]want{}
	for _, g := range m.Groups {
		for _, j := range g.Jobs {
			if w, ok := wanted[j.Name]; ok && w.print.String() == j.Print {
				out[j.Name] = w
			}
		}
	}
	for changed := true; changed; {
		changed = false
		for name, w := range out {
			if w.query == nil {
				continue
			}
			for _, s := range scans(w.query.Root) {
				if _, ok := out[s.Relation.Name]; !ok && s.Relation.Kind != plan.Stream {
					delete(out, name)
					changed = true
					break
				}
			}
		}
	}
	return out
}

// widen adds partitions that a topic has got since the positions were noted.
func (t *task) widen(ctx context.Context, pos positions) (positions, error) {
	out := positions{}
	maps.Copy(out, pos)
	for topic, at := range out {
		starts, err := t.startOffsets(ctx, topic)
		if err != nil {
			return nil, err
		}
		if len(starts) > len(at) {
			out[topic] = append(slices.Clone(at), starts[len(at):]...)
		}
	}
	return out, nil
}

func (t *task) restoreJob(g *group, w want, mj metaJob) error {
	j, err := t.newJob(mj.ID, w.name, w.view, w.query, w.print, t.outputsFor(w))
	if err != nil {
		return err
	}
	j.mark, j.loaded = mj.Mark, g.id == mainGroup
	if j.ctx != nil {
		j.ctx.Watermark = mj.Mark
	}
	// The rows that are shown load beside the operators: both are large where one is.
	var loads errgroup.Group
	for i, s := range j.stores() {
		prefix := storeKey(j.id, i)
		load := func() error { return t.disk.Restore(prefix, s) }
		if _, ok := s.(*state.Table); ok {
			loads.Go(func() (err error) {
				t.pub.Apply(t.seq, func() { // readers may look at it at any time
					j.view.Table.Clear() // what it showed while another process had the task
					err = load()
				})
				return err
			})
			continue
		}
		if err := load(); err != nil {
			_ = loads.Wait()
			return fmt.Errorf("restoring %s: %w", j.name, err)
		}
	}
	if err := loads.Wait(); err != nil {
		return fmt.Errorf("restoring %s: %w", j.name, err)
	}
	notes := ledger{j.stat()}
	notes.clear()
	if err := t.disk.Restore(storeKey(j.id, ledgerStore), notes); err != nil {
		return fmt.Errorf("restoring %s: %w", j.name, err)
	}
	if j.pipe != nil {
		j.pipe.Restored()
	}
	t.spill([]*job{j})
	g.jobs = append(g.jobs, j)
	t.jobs[j.name] = j
	return nil
}

func (t *task) find(name string) *job { return t.jobs[name] }

// newGroup adds an empty group.
func (t *task) newGroup(id uint32) (*group, error) {
	r, err := t.cluster.NewReader(log.ReaderConfig{MaxWait: t.cfg.Poll, Cuts: true, Now: func() int64 { return t.cfg.Clock.Now().UnixMicro() }})
	if err != nil {
		return nil, err
	}
	g := &group{id: id, reader: r, marks: map[string]*watermark{}}
	t.groups = append(t.groups, g)
	return g, nil
}

// replay takes the steps that were recorded after the last flush again, over exactly the same records.
func (t *task) replay(ctx context.Context, tail *tail) (steps int, err error) {
	began := time.Now()
	flushed := t.seq
	for _, s := range tail.steps {
		if !t.writers.counts(s) || s.Seq <= flushed {
			continue
		}
		if err := t.again(ctx, s); err != nil {
			return 0, err
		}
		steps++
	}
	if steps > 0 {
		t.cfg.Log.Info("took recorded steps again", "steps", steps, "took", time.Since(began))
	}
	return steps, nil
}

// again takes one recorded step.
func (t *task) again(ctx context.Context, s *step) error {
	t.seq, t.clock = s.Seq, max(t.clock, s.Clock)
	i := slices.IndexFunc(t.groups, func(g *group) bool { return g.id == s.Group })
	if i < 0 {
		return nil // begun after the flush: it will begin anew
	}
	g := t.groups[i]
	if s.Kind == stepMerge {
		t.main().setMarks(s.Marks)
		g.setMarks(s.Marks)
		t.merge(g, s.Clock)
		return t.finish(ctx, t.main(), s.Seq, s.Clock)
	}
	g.drop()
	for _, r := range s.Ranges {
		if r.Topic == TablesTopic { // what they changed comes before the records, as in the step itself
			if err := t.rereadTables(ctx, g, r, s.Clock); err != nil {
				return err
			}
		}
	}
	for _, r := range s.Ranges {
		if r.Topic != TablesTopic {
			if err := t.reread(ctx, g, r, s.Clock); err != nil {
				return err
			}
		}
	}
	t.compute(g, nil, s.Clock, func() bool {
		g.hear(s.Clock)
		g.setMarks(s.Marks) // as they were then; what is known of the partitions now does not count
		return true
	})
	g.drop()
	t.ripple(g, s.Clock)
	return t.finish(ctx, g, s.Seq, s.Clock)
}

// setMarks gives the streams the watermarks of a recorded step.
func (g *group) setMarks(marks []mark) {
	for _, m := range marks {
		if w := g.marks[m.Stream]; w != nil {
			w.At = m.At
		}
	}
}

// reread takes a recorded range of records in hand. What comes in several pieces is computed but for the last.
func (t *task) reread(ctx context.Context, g *group, r offsets, clock int64) error {
	i := slices.IndexFunc(g.inputs, func(in *input) bool { return in.topic == r.Topic })
	if i < 0 || g.inputs[i].part(r.Partition) == nil || g.gone[r.Topic] {
		return nil // nobody reads it any more, or nobody can
	}
	in := g.inputs[i]
	p := in.part(r.Partition)
	began := time.Now()
	for p.pos < r.To {
		g.fetchBy(g.reader.Take) // whose records can all be read: the next range must not come before all of this one
		pc, ok := in.hand(p, r.To)
		if !ok {
			if end, lost := g.reader.Cut(r.Topic, r.Partition); lost {
				t.cfg.Log.Error("records that views had read are not in the log any more; the steps that they took with them cannot be taken again", "topic", r.Topic, "partition", r.Partition, "from", end, "to", r.To-1)
				return nil
			}
			if err := awaitRecords(ctx, g); err != nil {
				return fmt.Errorf("reading %s/%d at offset %d again: %w", r.Topic, r.Partition, p.pos, err)
			}
			if waited := time.Since(began); waited > 2*time.Second { // it may have been deleted just now
				began = time.Now()
				t.cfg.Log.Warn("steps cannot be taken again yet: records that they read are still to come", "topic", r.Topic, "partition", r.Partition, "offset", p.pos, "error", g.reader.Err())
				if _, err := t.lookAtTopics(ctx); err != nil {
					return err
				}
				if g.gone[r.Topic] {
					return nil
				}
			}
			continue
		}
		began = time.Now()
		g.pieces = append(g.pieces, pc)
		if p.chunk.To >= r.To && p.chunk.Left(p.cur, t.cfg.MaxRows+1) <= t.cfg.MaxRows {
			return nil // that is all of it
		}
		t.compute(g, nil, clock, func() bool {
			g.hear(clock)
			return false
		})
		g.drop()
	}
	return nil
}

func (t *task) rereadTables(ctx context.Context, g *group, r offsets, clock int64) error {
	var all []tableChange // applied at once, as in the step itself
	for g.tables != nil && g.tables.pos < r.To {
		g.fetchBy(g.reader.Take)
		changes, o := g.tables.next(r.To)
		all = append(all, changes...)
		if o.To == o.From {
			if err := awaitRecords(ctx, g); err != nil {
				return fmt.Errorf("reading %s at offset %d again: %w", r.Topic, o.From, err)
			}
		}
	}
	g.applyTables(all, clock)
	return nil
}

func awaitRecords(ctx context.Context, g *group) error {
	select {
	case <-g.reader.Ready():
		return nil
	case <-time.After(time.Second):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// endOf is the offset behind the last committed record of a topic's only partition.
func (t *task) endOf(ctx context.Context, topic string) (int64, error) {
	for {
		listed, err := t.cluster.Admin().ListCommittedOffsets(ctx, topic)
		if err == nil {
			err = listed.Error()
		}
		if err == nil {
			o, _ := listed.Lookup(topic, 0)
			return o.Offset, nil
		}
		// A leader that is new does not know for a moment.
		if !kerr.IsRetriable(err) || clock.Pause(ctx, 20*time.Millisecond) != nil {
			return 0, fmt.Errorf("finding the end of topic %s: %w", topic, err)
		}
	}
}
