package exec

import (
	"math"
	"slices"

	"myelin/internal/log"
	"myelin/internal/process/op"
	"myelin/internal/process/plan"
)

// group is a set of jobs that read on together: after each step all of them have seen the same records. The main group is at the
// end of the log; a new view begins in a group of its own, which reads what the log holds and then joins the main one.
type group struct {
	id     uint32
	jobs   []*job // inputs before those that read them
	lots   []*lot // those of them that compute
	inputs []*input
	pieces []piece    // of the step in hand
	tables *tablePart // set if any job is a table
	marks  map[string]*watermark
	reader *log.Reader
	// ids are those of the topics, where brokers give them any; gone are the topics whose steps cannot be taken again.
	ids  map[string]string
	gone map[string]bool
	// created is the flush that makes the group's beginning durable.
	created uint64
	// paused: it takes no steps; why tells the reason, if it was not asked for.
	paused bool
	why    string
}

// mainGroup is the id of the main group.
const mainGroup = 0

// order sorts jobs so that each comes after those that it reads.
func order(jobs []*job) []*job {
	var out []*job
	seen := map[*job]bool{}
	var visit func(j *job)
	visit = func(j *job) {
		if seen[j] || !slices.Contains(jobs, j) {
			return
		}
		seen[j] = true
		for _, up := range j.ups {
			visit(up)
		}
		out = append(out, j)
	}
	for _, j := range jobs {
		visit(j)
	}
	return out
}

// rebuild makes the inputs for the group's jobs anew and lets its reader read exactly what they need. What was fetched already
// is kept.
func (e *Engine) rebuild(g *group, pos positions, clock int64) {
	kept, newest := map[string][]*part{}, map[string]arrival{}
	for _, in := range g.inputs {
		kept[in.topic], newest[in.topic] = in.parts, in.newest
	}
	g.jobs = order(g.jobs)
	for _, j := range g.jobs {
		j.group = g
	}
	g.inputs = e.inputsOf(g.jobs, pos)
	for _, in := range g.inputs {
		in.newest = newest[in.topic]
		for _, p := range in.parts {
			i := slices.IndexFunc(kept[in.topic], func(k *part) bool { return k.n == p.n && k.pos == p.pos })
			if i >= 0 {
				k := kept[in.topic][i]
				p.chunk, p.cur = k.chunk, k.cur
				continue
			}
			g.reader.Expect(in.topic, g.ids[in.topic])
			g.reader.Add(in.topic, p.n, p.pos)
		}
		kept[in.topic] = slices.DeleteFunc(kept[in.topic], func(k *part) bool { return in.part(k.n) != nil })
	}
	for topic, parts := range kept {
		for _, p := range parts {
			g.reader.Remove(topic, p.n)
		}
	}
	e.rebuildTables(g, pos)
	g.watch(e, clock)
	g.lots = g.allot()
}

// rebuildTables starts or ends reading the rows of tables.
func (e *Engine) rebuildTables(g *group, pos positions) {
	has := slices.ContainsFunc(g.jobs, func(j *job) bool { return j.query == nil })
	switch at := first(pos[TablesTopic]); {
	case !has && g.tables != nil:
		g.reader.Remove(TablesTopic, 0)
		g.tables = nil
	case has && (g.tables == nil || g.tables.pos != at):
		g.tables = &tablePart{pos: at}
		g.reader.Add(TablesTopic, 0, at)
	}
}

func first(offsets []int64) int64 {
	if len(offsets) == 0 {
		return 0
	}
	return offsets[0]
}

// watch makes a watermark for each stream and forgets those that nobody needs.
func (g *group) watch(e *Engine, clock int64) {
	marks := map[string]*watermark{}
	for _, in := range g.inputs {
		for _, t := range in.times {
			w := g.marks[t.stream]
			if w == nil {
				w = newWatermark(delayOf(g.jobs, t.stream), e.cfg.IdleAfter)
			}
			w.idle, w.told = e.cfg.IdleAfter.Microseconds(), t.told
			for _, p := range in.parts {
				if t.share.has(p.n) {
					w.add(p.n, clock)
				}
			}
			marks[t.stream] = w
		}
	}
	g.marks = marks
}

func delayOf(jobs []*job, stream string) int64 {
	for _, j := range jobs {
		if j.pipe == nil {
			continue
		}
		for _, s := range j.pipe.Sources {
			if r := s.Scan.Relation; r.Kind == plan.Stream && r.TimeCol >= 0 && r.TimeCol < len(r.Scan) && streamName(r, j.share) == stream {
				return r.Delay
			}
		}
	}
	return 0
}

// positions is where the group is.
func (g *group) positions() positions {
	pos := positions{}
	for _, in := range g.inputs {
		for _, p := range in.parts {
			for len(pos[in.topic]) < int(p.n) {
				pos[in.topic] = append(pos[in.topic], -1)
			}
			pos[in.topic] = append(pos[in.topic], p.pos)
		}
	}
	if g.tables != nil {
		pos[TablesTopic] = []int64{g.tables.pos}
	}
	return pos
}

// fetch takes a chunk for each partition that has none in hand.
func (g *group) fetch() { g.fetchBy(g.reader.TakePacked) }

func (g *group) fetchBy(take func(topic string, n int32) *log.Chunk) {
	for _, in := range g.inputs {
		for _, p := range in.parts {
			if p.chunk == nil {
				p.chunk, p.cur = take(in.topic, p.n), log.Cursor{}
			}
			if c := p.chunk; c != nil && c.Got > in.newest.got {
				in.newest = arrival{c.Sent, c.Got}
			}
		}
	}
	if g.tables != nil && g.tables.chunk == nil {
		g.tables.chunk, g.tables.cur = g.reader.Take(TablesTopic, 0), log.Cursor{}
	}
}

// reading is how far a partition has been read.
func (g *group) reading(in *input, p *part) reading {
	known := g.reader.Known(in.topic, p.n) // before behind: what is fetched in between is unread
	_, end := g.reader.Ends(in.topic, p.n)
	return reading{behind: g.behind(in.topic, p), known: known, beside: known.Tick == in.newest.sent, empty: end == 0}
}

// behind reports whether a partition has records that were not read yet, as far as is known.
func (g *group) behind(topic string, p *part) bool {
	if p.chunk != nil {
		return true
	}
	_, end := g.reader.Ends(topic, p.n)
	return end < 0 || p.pos < end
}

// hear lets the watermarks know what times the pieces brought.
func (g *group) hear(clock int64) {
	for i := range g.pieces {
		g.pieces[i].moves(g, clock)
	}
}

// observe moves the watermarks by what the pieces brought and by the clock.
func (g *group) observe(clock int64) {
	g.hear(clock)
	for _, in := range g.inputs {
		for _, t := range in.times {
			g.marks[t.stream].advance(in.newest.got, func(n int32) reading { return g.reading(in, in.part(n)) })
		}
	}
}

// due reports whether the watermarks let something out that no record caused.
func (g *group) due() bool {
	return slices.ContainsFunc(g.jobs, func(j *job) bool {
		if j.pipe == nil || j.broken {
			return false
		}
		next := j.pipe.Next()
		return next != math.MaxInt64 && next <= j.limit(g.marks)
	})
}

// wakeAt is the clock at which a quiet group has something to do; MaxInt64 if never.
func (g *group) wakeAt() int64 {
	at := int64(math.MaxInt64)
	if g.paused {
		return at
	}
	for _, j := range g.jobs {
		if j.pipe == nil || j.broken {
			continue
		}
		next := j.pipe.Next()
		if next == math.MaxInt64 {
			continue
		}
		for _, w := range j.allMarks(g.marks) {
			at = min(at, w.reaches(next))
		}
	}
	return at
}

// allMarks are the watermarks that the job depends on, also through views of its group.
func (j *job) allMarks(marks map[string]*watermark) []*watermark {
	var out []*watermark
	for _, t := range j.times {
		if w := marks[t]; w != nil {
			out = append(out, w)
		}
	}
	for _, up := range j.ups {
		if up.group == j.group {
			out = append(out, up.allMarks(marks)...)
		}
	}
	return out
}

// marksOf lists the group's watermarks for a step.
func (g *group) marksOf() []mark {
	var out []mark
	for _, in := range g.inputs {
		for _, t := range in.times {
			if at := g.marks[t.stream].At; at != op.NoTime {
				out = append(out, mark{t.stream, at})
			}
		}
	}
	return out
}

// endStep ends a step: each job lets out what it changed, after those that it reads.
func (g *group) endStep(clock int64) {
	for _, j := range g.jobs {
		if j.pipe != nil {
			j.finish(clock, j.limit(g.marks))
		}
	}
}

// settle forgets what the step changed, once everybody was told.
func (g *group) settle() {
	for _, j := range g.jobs {
		j.changed = nil
	}
}
