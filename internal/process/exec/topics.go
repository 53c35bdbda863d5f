package exec

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"myelin/internal/process/plan"
)

// Topics that views read are others' and may change under them. Partitions that they get are read from their beginning. Where one was
// deleted and made anew, offsets begin again and mean other records: a group notes the ids of its topics with its positions, and the
// views that read such a topic stand still until somebody decides whether they go on with the new one. So do those that have read records
// which the topic has lost since (log.Reader.Cut).

// topicsEvery is how often topics are looked at.
const topicsEvery = 5 * time.Second

// watchTopics has the task look at the topics of its views now and then, until ctx ends.
func (t *task) watchTopics(ctx context.Context) error {
	for told := ""; ; {
		select {
		case <-t.cfg.Clock.After(topicsEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
		listed, err := t.listTopics(ctx, t.streams())
		if err == nil {
			err = t.ask(ctx, func(t *task) { t.seeTopics(ctx, listed) })
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		problem := ""
		if err != nil {
			problem = err.Error()
		}
		if problem != "" && problem != told {
			t.cfg.Log.Warn("looking at the topics of views failed; trying again", "error", err)
		}
		told = problem
	}
}

// streams names the topics that the objects wanted read.
func (t *task) streams() []string {
	names := map[string]bool{}
	for _, w := range t.wanted() {
		if w.query == nil {
			continue
		}
		for _, s := range scans(w.query.Root) {
			if s.Relation.Kind == plan.Stream {
				names[s.Relation.Topic] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// topicSeen is a topic as it was when it was looked at.
type topicSeen struct {
	id    string // "" on brokers that give none
	parts int    // 0: there is no such topic
}

func (t *task) listTopics(ctx context.Context, names []string) (map[string]topicSeen, error) {
	if len(names) == 0 {
		return nil, nil
	}
	listed, err := t.cluster.Admin().ListTopics(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("looking up topics: %w", err)
	}
	out := map[string]topicSeen{}
	for name, d := range listed {
		switch {
		case errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			out[name] = topicSeen{}
		case d.Err == nil:
			seen := topicSeen{parts: len(d.Partitions)}
			if d.ID != (kadm.TopicID{}) {
				seen.id = d.ID.String()
			}
			out[name] = seen
		}
	}
	return out, nil
}

// know notes the ids of a group's topics.
func (t *task) know(ctx context.Context, g *group) error {
	var names []string
	for _, in := range g.inputs {
		names = append(names, in.topic)
	}
	listed, err := t.listTopics(ctx, names)
	if err == nil {
		g.know(listed)
	}
	return err
}

// know notes the ids of topics that were not known.
func (g *group) know(listed map[string]topicSeen) {
	ids := map[string]string{}
	for _, in := range g.inputs {
		id := g.ids[in.topic]
		if id == "" {
			id = listed[in.topic].id
		}
		if id != "" {
			ids[in.topic] = id
			g.reader.Expect(in.topic, id)
		}
	}
	g.ids = ids
}

// isAnew reports whether a topic is not the one that the group has read.
func (g *group) isAnew(topic string, now topicSeen) bool {
	was := g.ids[topic]
	return was != "" && now.parts > 0 && now.id != "" && now.id != was
}

// lookAtTopics finds, before steps are taken again, which topics are not those that the steps read any more.
func (t *task) lookAtTopics(ctx context.Context) (map[string]topicSeen, error) {
	listed, err := t.listTopics(ctx, t.streams())
	if err != nil {
		return nil, err
	}
	for _, g := range t.groups {
		g.gone = map[string]bool{}
		for _, in := range g.inputs {
			if now, ok := listed[in.topic]; ok && (now.parts == 0 || g.isAnew(in.topic, now)) {
				g.gone[in.topic] = true
				t.cfg.Log.Error("a topic that views read was deleted; what they had read of it since the state was made durable cannot be read again", "topic", in.topic)
			}
		}
	}
	return listed, nil
}

// seeTopics brings the groups in line with the topics as they are.
func (t *task) seeTopics(ctx context.Context, listed map[string]topicSeen) {
	for _, g := range slices.Clone(t.groups) {
		g.know(listed)
		for _, in := range slices.Clone(g.inputs) {
			now, ok := listed[in.topic]
			var err error
			switch {
			case !ok || g.paused:
			case now.parts == 0:
				t.tellGone(g, in.topic)
			case g.isAnew(in.topic, now):
				err = t.topicAnew(ctx, g, in, now)
			case in.lacks(now.parts):
				err = t.readMore(ctx, g, in.topic)
			default:
				t.tellBack(g, in.topic)
				err = t.seeCuts(g, in)
			}
			if err != nil {
				t.cfg.Log.Warn("reading a topic that changed failed; trying again", "topic", in.topic, "error", err)
			}
		}
	}
}

// lacks reports whether a topic of so many partitions has some that should be read and are not.
func (in *input) lacks(parts int) bool {
	for n := range int32(parts) {
		if in.part(n) == nil && in.wanted(n) {
			return true
		}
	}
	return false
}

// readMore begins to read the partitions that a topic has got.
func (t *task) readMore(ctx context.Context, g *group, topic string) error {
	pos := g.positions()
	at := pos[topic]
	starts, err := t.startOffsets(ctx, topic)
	if err != nil || len(starts) <= len(at) {
		return err
	}
	pos[topic] = append(slices.Clone(at), starts[len(at):]...)
	t.rebuild(g, pos, t.now())
	t.cfg.Log.Info("a topic has got partitions; they are read, too", "topic", topic, "partitions", len(starts))
	return nil
}

// topicAnew deals with a topic that was deleted and made anew.
func (t *task) topicAnew(ctx context.Context, g *group, in *input, now topicSeen) error {
	starts, err := t.startOffsets(ctx, in.topic)
	if err != nil || starts == nil {
		return err
	}
	return t.change(g, in, changed{
		what:   fmt.Sprintf("topic %s was deleted and made anew: what the view shows comes from the old one", in.topic),
		stands: "Resume it to go on with all that the new topic holds, or create it anew (CREATE OR REPLACE) to begin from nothing",
		goesOn: "since then also from all that the new one holds",
		reads:  func(*job) bool { return true },
		rewind: func(g *group) { t.rewind(g, in.topic, now.id, starts) },
	})
}

// changed is what became of a topic that views read.
type changed struct {
	what           string // in plain words
	stands, goesOn string // what is to be said of views that stand still since then, and of those that go on
	reads          func(j *job) bool
	rewind         func(g *group) // has a group read the topic as it is now
}

// change deals with a topic whose offsets mean other records than they did. Views that can stand still do so; the others, and sinks with queries
// of their own, go on. Until the flush that notes it is durable no step is taken: recorded steps before it mean the old records, those
// behind it the new ones.
func (t *task) change(g *group, in *input, c changed) error {
	var jobs []*job
	for _, x := range in.targets {
		if !slices.Contains(jobs, x.job) && c.reads(x.job) {
			jobs = append(jobs, x.job)
		}
	}
	for _, j := range jobs {
		tied := j.tied()
		if j.group != g || slices.ContainsFunc(tied, func(x *job) bool { return x.group != g || !x.canStandAside() }) {
			continue
		}
		if err := t.standAside(tied); err != nil {
			return err
		}
		j.group.why = c.what + ". " + c.stands
		c.rewind(j.group)
		for _, x := range tied {
			x.stat().setProblem(j.group.why)
			t.cfg.Log.Error("a view stands still, as a topic that it reads changed", "view", x.name, "topic", in.topic, "what", c.what)
		}
	}
	for _, j := range jobs {
		if j.group.paused {
			continue
		}
		j.stat().setProblem(c.what + ", and " + c.goesOn + "; create it anew (CREATE OR REPLACE) if that is not what you want")
		t.cfg.Log.Error("a view goes on with a topic that changed", "view", j.name, "topic", in.topic, "what", c.what)
	}
	if slices.Contains(t.groups, g) && !g.paused {
		c.rewind(g)
	}
	t.hold = max(t.hold, t.flush.now())
	return nil
}

// seeCuts finds partitions that have lost records which were read.
func (t *task) seeCuts(g *group, in *input) error {
	for _, p := range in.parts {
		end, lost := g.reader.Cut(in.topic, p.n)
		if !lost {
			continue
		}
		if p.pos <= end { // they were only fetched
			t.readFrom(g, in.topic, p.n, p.pos)
			continue
		}
		return t.change(g, in, changed{ // of the others, in the new groups, next time
			what: fmt.Sprintf("the records of %s/%d at the offsets %d up to %d are not in the log any more (its brokers chose a leader that lacked them, or put back an older copy), but in what the view shows",
				in.topic, p.n, end, p.pos-1),
			stands: "Resume it to go on with what came in their place, or create it anew (CREATE OR REPLACE) from what the topic holds",
			goesOn: "what came in their place",
			reads:  func(j *job) bool { return j.share.has(p.n) },
			rewind: func(g *group) { t.readFrom(g, in.topic, p.n, end) },
		})
	}
	return nil
}

// readFrom has a group read a partition anew from an offset on.
func (t *task) readFrom(g *group, topic string, n int32, offset int64) {
	i := slices.IndexFunc(g.inputs, func(in *input) bool { return in.topic == topic })
	if i < 0 || g.inputs[i].part(n) == nil {
		return
	}
	pos := g.positions()
	pos[topic][n] = offset
	g.inputs[i].part(n).pos = -1 // what was fetched is not to be used
	if t.rebuild(g, pos, t.now()); g.paused {
		g.standStill()
	}
}

// rewind has a group read a topic that was made anew, from its beginning.
func (t *task) rewind(g *group, topic, id string, starts []int64) {
	i := slices.IndexFunc(g.inputs, func(in *input) bool { return in.topic == topic })
	if i < 0 {
		return
	}
	pos := g.positions()
	pos[topic] = slices.Clone(starts)
	for _, p := range g.inputs[i].parts {
		p.pos = -1 // what was fetched is of the old one
	}
	g.ids[topic] = id
	if t.rebuild(g, pos, t.now()); g.paused {
		g.standStill()
	}
}

// tellGone tells the views that read a topic that it is not there.
func (t *task) tellGone(g *group, topic string) {
	for _, j := range g.readersOf(topic) {
		if s := j.stat(); s.problem() == "" {
			s.setProblem(noTopic(topic))
			t.cfg.Log.Warn("a topic that a view reads does not exist any more", "view", j.name, "topic", topic)
		}
	}
}

// tellBack takes back what tellGone told.
func (t *task) tellBack(g *group, topic string) {
	for _, j := range g.readersOf(topic) {
		if s := j.stat(); s.problem() == noTopic(topic) {
			s.setProblem("")
		}
	}
}

func noTopic(topic string) string {
	return fmt.Sprintf("topic %s does not exist any more; the view shows what it had read of it", topic)
}

// readersOf are the jobs of a group that read a topic.
func (g *group) readersOf(topic string) []*job {
	return slices.DeleteFunc(slices.Clone(g.jobs), func(j *job) bool {
		return !slices.ContainsFunc(g.inputs, func(in *input) bool {
			return in.topic == topic && slices.ContainsFunc(in.targets, func(x *target) bool { return x.job == j })
		})
	})
}

func (s *status) problem() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.problem
}

// tellLost tells a view that reads the partition that records were deleted before they were read.
func (f *feed) tellLost(pc *piece, clock int64) {
	what := fmt.Sprintf("the records of %s/%d at the offsets %d up to %d were deleted before they were read: what it shows lacks them", pc.Topic, pc.Partition, pc.From, pc.To-1)
	s := f.job.stat()
	s.errs.Add(1)
	f.job.metrics.errs.Inc()
	s.bad(&s.mu.errors, clock, what, func() BadRow { return BadRow{Topic: pc.Topic, Partition: pc.Partition, Offset: pc.From} })
	s.setProblem(what + "; the topic's retention should be longer than views are ever behind")
	f.job.report("a view lacks records that were deleted before it read them", "view", f.job.name, "topic", pc.Topic, "partition", pc.Partition, "from", pc.From, "to", pc.To)
}
