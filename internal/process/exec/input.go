package exec

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"myelin/internal/log"
	"myelin/internal/process/decode"
	"myelin/internal/process/op"
	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// input is a topic that a group of jobs reads: decoded once for all of them.
type input struct {
	at       int // among the group's
	topic    string
	governed bool
	objects  bool              // records that are no JSON objects are no rows, whatever is asked for
	cols     []plan.ScanColumn // what any of the jobs needs
	eventCol int               // column with the event's name, -1: nobody asks
	events   []string          // names that anybody asks for
	targets  []*target
	feeds    []*feed // the same by job
	times    []timed
	parts    []*part       // those that are read, in the order of their numbers
	newest   arrival       // of the chunks that were taken
	arrived  int64         // newest record that was shown, microseconds; 0: none yet
	lag      time.Duration // from when it came until it was shown
}

// arrival is when a chunk was asked for and when it came, in ticks of the reader.
type arrival struct{ sent, got uint64 }

// target is a scan that is fed from the input.
type target struct {
	job    *job
	source *op.Source
	cols   []int
	wants  []bool // by position in input.events; nil: all rows
	useful *useful
	batch  vec.Batch
	sel    []int32
}

// feed is the scans of a job that are fed from an input.
type feed struct {
	job     *job
	targets []*target
}

// timed is a stream whose watermark the input moves.
type timed struct {
	stream string
	col    int
	share  share
	told   bool // see plan.Relation.Told
}

// part is a partition: where it is read, and what of it was fetched.
type part struct {
	n     int32
	pos   int64
	chunk *log.Chunk
	cur   log.Cursor
	dec   *decode.Decoder
	// Of the piece in hand: which records became rows; the event of each row, as a position in input.events, -1: another; the latest time
	// that counts of each of input.times.
	rows   vec.Bitmap
	codes  []int16
	latest []int64
}

// streamName identifies the watermark of a stream: streams over one topic with one time column and delay share it, in jobs that read the
// same partitions.
func streamName(r *plan.Relation, s share) string {
	c := r.Scan[r.TimeCol]
	return fmt.Sprintf("%s/%s/%d/%d%v", r.Topic, strings.Join(c.Path, "."), c.From, r.Delay, s)
}

// column finds or adds a column.
func (in *input) column(c plan.ScanColumn) int {
	for i, have := range in.cols {
		if have.From == c.From && have.AsText == c.AsText && have.Type == c.Type && slices.Equal(have.Path, c.Path) {
			return i
		}
	}
	in.cols = append(in.cols, c)
	return len(in.cols) - 1
}

// add feeds a scan of a job from the input.
func (in *input) add(j *job, s *op.Source) {
	t := &target{job: j, source: s, useful: j.useful[s.Scan]}
	for _, c := range s.Scan.Columns {
		t.cols = append(t.cols, in.column(c))
	}
	t.batch.Cols = make([]*vec.Vector, len(t.cols))
	if s.Scan.Events != nil {
		if in.eventCol < 0 {
			in.eventCol = in.column(plan.ScanColumn{Column: plan.Column{Name: "event", Type: vec.Of(vec.Text)}, Path: []string{"event"}})
		}
		for _, e := range s.Scan.Events {
			i := slices.Index(in.events, e)
			if i < 0 {
				i = len(in.events)
				in.events = append(in.events, e)
			}
			for len(t.wants) <= i {
				t.wants = append(t.wants, false)
			}
			t.wants[i] = true
		}
		if t.wants == nil {
			t.wants = []bool{false}
		}
	}
	in.targets = append(in.targets, t)
	if n := len(in.feeds); n == 0 || in.feeds[n-1].job != j {
		in.feeds = append(in.feeds, &feed{job: j})
	}
	f := in.feeds[len(in.feeds)-1]
	f.targets = append(f.targets, t)
	r := s.Scan.Relation
	if r.TimeCol < 0 || r.TimeCol >= len(r.Scan) {
		return
	}
	name := streamName(r, j.share)
	if !slices.ContainsFunc(in.times, func(x timed) bool { return x.stream == name }) {
		in.times = append(in.times, timed{name, in.column(r.Scan[r.TimeCol]), j.share, r.Told})
	}
	if !slices.Contains(j.times, name) {
		j.times = append(j.times, name)
	}
}

// inputsOf builds the inputs that jobs need. pos gives the partitions of each topic and where they are read.
func (e *Engine) inputsOf(jobs []*job, pos positions) []*input {
	byTopic := map[string]*input{}
	for _, j := range jobs {
		j.times = nil
		if j.pipe == nil {
			continue
		}
		for _, s := range j.pipe.Sources {
			r := s.Scan.Relation
			if r.Kind != plan.Stream {
				continue
			}
			in := byTopic[r.Topic]
			if in == nil {
				in = &input{topic: r.Topic, eventCol: -1, governed: e.governs(r.Topic)}
				byTopic[r.Topic] = in
			}
			in.objects = in.objects || !in.governed && decode.HasValue(r)
			in.add(j, s)
		}
	}
	for topic, in := range byTopic {
		only := in.only()
		for n, at := range pos[topic] {
			if at < 0 || !in.wanted(int32(n)) {
				continue
			}
			p := &part{n: int32(n), pos: at, dec: decode.New(in.cols, nil)}
			p.dec.Foreign, p.dec.Objects = !in.governed, in.objects
			if only != nil {
				p.dec.Only(*only)
			}
			in.parts = append(in.parts, p)
		}
	}
	out := slices.SortedFunc(maps.Values(byTopic), func(a, b *input) int { return cmp.Compare(a.topic, b.topic) })
	for i, in := range out {
		in.at = i
	}
	return out
}

// positions are the next offsets of topics, by partition; -1 where nothing is read.
type positions map[string][]int64

// with is the positions, and others where nothing is read.
func (p positions) with(others positions) positions {
	for topic, at := range others {
		have := p[topic]
		for n, x := range at {
			if n >= len(have) {
				have = append(have, x)
			} else if have[n] < 0 {
				have[n] = x
			}
		}
		p[topic] = have
	}
	return p
}

// of is the positions of the partitions that a job reads.
func (p positions) of(s share) positions {
	out := positions{}
	for topic, at := range p {
		at = slices.Clone(at)
		for n := range at {
			if !s.has(int32(n)) {
				at[n] = -1
			}
		}
		out[topic] = at
	}
	return out
}

// part finds a partition; nil: it is not read.
func (in *input) part(n int32) *part {
	if i := int(n); i < len(in.parts) && in.parts[i].n == n { // where all are
		return in.parts[i]
	}
	if i := slices.IndexFunc(in.parts, func(p *part) bool { return p.n == n }); i >= 0 {
		return in.parts[i]
	}
	return nil
}

// wanted reports whether anybody reads a partition.
func (in *input) wanted(n int32) bool {
	return slices.ContainsFunc(in.targets, func(t *target) bool { return t.job.share.has(n) })
}

// piece is a batch of rows of one partition, with the offsets that it covers. Until it is decoded it is only where it begins.
type piece struct {
	in   *input
	part *part
	offsets
	until   int64
	batch   *vec.Batch // nil: nothing could be read
	records int
	arrived int64 // newest record timestamp, microseconds
	// Where the records lie, to find the one behind a row: those of rows became one, and the dropped ones none.
	chunk   *log.Chunk
	start   log.Cursor
	rows    vec.Bitmap
	codes   []int16
	dropped []log.RawRecord
	misfits []decode.Misfit
	limit   int64 // the largest time that counts
	ahead   bool  // some row has a larger one
	last    bool  // nothing of the chunk is left
}

// record finds the record that became a row.
func (pc *piece) record(row int) (log.RawRecord, bool) {
	var r log.RawRecord
	cur, n := pc.start, 0
	for pc.chunk.Next(&cur, &r) {
		if r.Offset < pc.From {
			continue
		}
		if n++; !pc.rows.Has(n - 1) {
			continue
		}
		if row--; row < 0 {
			return r, true
		}
	}
	return r, false
}

// hand is the piece of a partition that can be decoded next: of the chunk in hand, before the offset until. ok is false if there is nothing.
func (in *input) hand(p *part, until int64) (pc piece, ok bool) {
	pc = piece{in: in, part: p, until: until, chunk: p.chunk, start: p.cur, offsets: offsets{Topic: in.topic, Partition: p.n, From: p.pos, To: p.pos}}
	return pc, p.chunk != nil && p.pos < until
}

// next is hand, decoded. ok is false if that cannot be.
func (in *input) next(p *part, limit int, until int64) (piece, bool) {
	pc, ok := in.hand(p, until)
	if ok {
		pc.decode(limit)
	}
	return pc, ok && pc.batch != nil
}

// decode reads up to limit records.
func (pc *piece) decode(limit int) {
	in, p, c, until := pc.in, pc.part, pc.chunk, pc.until
	if !c.Unpack() {
		p.chunk, p.cur = nil, log.Cursor{} // it comes again
		return
	}
	p.dec.Begin(c.Buf, limit)
	if words := (limit + 63) / 64; len(p.rows) != words {
		p.rows = make(vec.Bitmap, words)
	}
	clear(p.rows)
	pc.rows = p.rows
	var r log.RawRecord
	done := false
	for pc.records < limit {
		before := p.cur
		if !c.Next(&p.cur, &r) {
			done = true
			break
		}
		if r.Offset >= until {
			p.cur = before
			break
		}
		if r.Offset < p.pos {
			continue // read already: a chunk may begin before the position after a merge of groups
		}
		switch p.dec.Add(decode.Record{
			Key: r.Key, Value: r.Value, Partition: p.n, Offset: r.Offset, Timestamp: r.Timestamp,
		}) {
		case decode.Row:
			p.rows.Set(pc.records)
		case decode.Malformed:
			pc.dropped = append(pc.dropped, r)
		}
		pc.records++
		pc.To = r.Offset + 1
		pc.arrived = max(pc.arrived, r.Timestamp*1000)
	}
	switch {
	case done && c.Broken():
		p.chunk, p.cur = nil, log.Cursor{} // what is left comes again
		pc.last = true
	case done:
		pc.To = min(c.To, until)
		if c.To <= until {
			p.chunk, p.cur = nil, log.Cursor{}
			pc.last = true
		}
	case pc.records < limit:
		pc.To = until
	}
	p.pos = pc.To
	pc.batch, pc.misfits = p.dec.Batch(), p.dec.Misfits()
	if len(in.events) > 0 {
		p.codes = in.classify(p.codes, pc.batch)
		pc.codes = p.codes
	}
}

// latest is the largest time in a column of the piece that counts; op.NoTime if there is none.
func (pc *piece) latest(col int) int64 {
	v := pc.batch.Cols[col]
	t := int64(op.NoTime)
	for i, x := range v.Ints {
		if x <= t || v.Valid != nil && !v.Valid.Has(i) {
			continue
		}
		if x > pc.limit {
			pc.ahead = true
			continue
		}
		t = x
	}
	return t
}

// read decodes the piece, and finds out what of its times counts.
func (pc *piece) read(limit int, clock int64, ahead time.Duration) {
	pc.decode(limit)
	pc.date(clock, ahead)
}

// date finds the latest time of each stream in the piece. One further ahead of the clock than allowed counts for none: an event of the
// year 2070 must not close everybody's windows.
func (pc *piece) date(clock int64, ahead time.Duration) {
	if pc.records == 0 {
		return
	}
	pc.limit = min(clock, pc.came(clock)) + ahead.Microseconds()
	pc.part.latest = pc.part.latest[:0]
	for _, t := range pc.in.times {
		at := int64(op.NoTime)
		if t.share.has(pc.Partition) {
			at = pc.latest(t.col)
		}
		pc.part.latest = append(pc.part.latest, at)
	}
}

// came is when the piece's records arrived, as far as the watermarks are concerned.
func (pc *piece) came(clock int64) int64 {
	if pc.in.governed {
		return pc.arrived
	}
	return clock
}

// moves lets the times of the piece's rows move the watermarks of the streams in it.
func (pc *piece) moves(g *group, clock int64) {
	if pc.records == 0 {
		return
	}
	for i, t := range pc.in.times {
		if t.share.has(pc.Partition) {
			g.marks[t.stream].observe(pc.Partition, pc.part.latest[i], clock, pc.came(clock))
		}
	}
}

// push hands the piece to all jobs that read the topic.
func (pc *piece) push(clock int64) {
	for _, f := range pc.in.feeds {
		f.push(pc, clock)
	}
}

// push hands a piece to the scans of a job.
func (f *feed) push(pc *piece, clock int64) {
	b, j := pc.batch, f.job
	if b == nil || !j.share.has(pc.Partition) {
		return
	}
	if pc.chunk != nil && pc.chunk.Lost && pc.To > pc.From {
		f.tellLost(pc, clock)
	}
	for _, r := range pc.dropped {
		if r.Value.Off != decode.NoBytes { // one without a value only deletes a key
			j.metrics.errs.Inc()
			j.unread(pc, r, clock)
		}
	}
	if left := int64(pc.records - b.N - len(pc.dropped)); left > 0 {
		for _, t := range f.targets {
			if t.wants == nil {
				j.stat().in.Add(left) // its condition has taken them out
			}
		}
	}
	if b.N == 0 {
		return
	}
	if len(pc.misfits) > 0 {
		f.tellMisfits(pc, clock)
	}
	if pc.ahead {
		f.tellAhead(pc, clock)
	}
	for _, t := range f.targets {
		for i, c := range t.cols {
			t.batch.Cols[i] = b.Cols[c]
		}
		t.batch.N, t.batch.Sel = b.N, nil
		if t.wants != nil {
			t.sel = t.sel[:0]
			for i, code := range pc.codes[:b.N] {
				if code >= 0 && int(code) < len(t.wants) && t.wants[code] {
					t.sel = append(t.sel, int32(i))
				}
			}
			t.batch.Sel = t.sel
			if len(t.sel) == 0 {
				continue
			}
		}
		j.piece = pc
		j.feed(t.source, &t.batch, clock)
		j.piece = nil
	}
}

// classify finds which of the events asked for each row is; the memory of codes is used again.
func (in *input) classify(codes []int16, b *vec.Batch) []int16 {
	if cap(codes) < b.N {
		codes = make([]int16, b.N)
	}
	codes = codes[:b.N]
	v := b.Cols[in.eventCol]
	last := int16(-1)
	for i := range b.N {
		if v.IsNull(i) {
			codes[i] = -1
			continue
		}
		name := v.Bytes(i)
		if last >= 0 && in.events[last] == string(name) {
			codes[i] = last
			continue
		}
		codes[i] = -1
		for k, e := range in.events {
			if e == string(name) {
				codes[i], last = int16(k), int16(k)
				break
			}
		}
	}
	return codes
}
