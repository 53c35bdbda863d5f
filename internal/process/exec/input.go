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
	topic    string
	governed bool
	objects  bool              // records that are no JSON objects are no rows, whatever is asked for
	cols     []plan.ScanColumn // what any of the jobs needs
	eventCol int               // column with the event's name, -1: nobody asks
	events   []string          // names that anybody asks for
	targets  []*target
	times    []timed
	parts    []*part // those that are read, in the order of their numbers
	codes    []int16 // of the batch in hand: position in events, -1: another
	rows     int64
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
	rows  vec.Bitmap // which records of the piece in hand became rows
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
	return slices.SortedFunc(maps.Values(byTopic), func(a, b *input) int { return cmp.Compare(a.topic, b.topic) })
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

// piece is a batch of rows of one partition, with the offsets that it covers.
type piece struct {
	in *input
	offsets
	batch   *vec.Batch
	records int
	arrived int64 // newest record timestamp, microseconds
	// Where the records lie, to find the one behind a row: those of rows became one, those with the numbers in dropped are none.
	chunk   *log.Chunk
	start   log.Cursor
	rows    vec.Bitmap
	dropped []int
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

// next decodes up to limit records of a partition that lie before the offset until, from the chunk in hand. ok is false if there is
// nothing in hand.
func (in *input) next(p *part, limit int, until int64) (piece, bool) {
	pc := piece{in: in, offsets: offsets{Topic: in.topic, Partition: p.n, From: p.pos, To: p.pos}}
	if p.chunk == nil || p.pos >= until {
		return pc, false
	}
	c := p.chunk
	if !c.Unpack() {
		p.chunk, p.cur = nil, log.Cursor{} // it comes again
		return pc, false
	}
	pc.chunk, pc.start = c, p.cur
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
			pc.dropped = append(pc.dropped, pc.records)
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
	return pc, true
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

// moves lets the times of the piece's rows move the watermarks of the streams in it. A time further ahead of the clock than allowed
// counts for none: one event of the year 2070 must not close everybody's windows.
func (pc *piece) moves(g *group, clock int64, ahead time.Duration) {
	if pc.records == 0 {
		return
	}
	arrived := clock
	if pc.in.governed {
		arrived = pc.arrived
	}
	pc.limit = min(clock, arrived) + ahead.Microseconds()
	for _, t := range pc.in.times {
		if !t.share.has(pc.Partition) {
			continue
		}
		g.marks[t.stream].observe(pc.Partition, pc.latest(t.col), clock, arrived)
	}
}

// push hands the piece to all scans over the topic.
func (pc *piece) push(clock int64) {
	in, b := pc.in, pc.batch
	if pc.chunk != nil && pc.chunk.Lost && pc.To > pc.From {
		pc.tellLost(clock)
	}
	if len(pc.dropped) > 0 {
		pc.tellUnread(clock)
	}
	if left := int64(pc.records - b.N - len(pc.dropped)); left > 0 {
		for _, t := range in.targets {
			if t.wants == nil && t.job.share.has(pc.Partition) {
				t.job.stat().in.Add(left) // its condition has taken them out
			}
		}
	}
	if b.N == 0 {
		return
	}
	in.rows += int64(b.N)
	if len(in.events) > 0 {
		in.classify(b)
	}
	if len(pc.misfits) > 0 {
		pc.tellMisfits(clock)
	}
	if pc.ahead {
		pc.tellAhead(clock)
	}
	for _, t := range in.targets {
		if !t.job.share.has(pc.Partition) {
			continue
		}
		for i, c := range t.cols {
			t.batch.Cols[i] = b.Cols[c]
		}
		t.batch.N, t.batch.Sel = b.N, nil
		if t.wants != nil {
			t.sel = t.sel[:0]
			for i, code := range in.codes[:b.N] {
				if code >= 0 && int(code) < len(t.wants) && t.wants[code] {
					t.sel = append(t.sel, int32(i))
				}
			}
			t.batch.Sel = t.sel
			if len(t.sel) == 0 {
				continue
			}
		}
		t.job.piece = pc
		t.job.feed(t.source, &t.batch, clock)
		t.job.piece = nil
	}
}

// tellUnread notes the records that are no JSON objects with every view that reads them. A record without a value only deletes a key.
func (pc *piece) tellUnread(clock int64) {
	var r log.RawRecord
	cur, n, next := pc.start, 0, 0
	for next < len(pc.dropped) && pc.chunk.Next(&cur, &r) {
		if r.Offset < pc.From {
			continue
		}
		if n++; pc.dropped[next] != n-1 {
			continue
		}
		next++
		if r.Value.Off == decode.NoBytes {
			continue
		}
		for i, t := range pc.in.targets {
			if t.job.share.has(pc.Partition) && !slices.ContainsFunc(pc.in.targets[:i], func(x *target) bool { return x.job == t.job }) {
				t.job.metrics.errs.Inc()
				t.job.unread(pc, r, clock)
			}
		}
	}
}

// classify finds which of the events asked for each row is.
func (in *input) classify(b *vec.Batch) {
	if cap(in.codes) < b.N {
		in.codes = make([]int16, b.N)
	}
	in.codes = in.codes[:b.N]
	v := b.Cols[in.eventCol]
	last := int16(-1)
	for i := range b.N {
		if v.IsNull(i) {
			in.codes[i] = -1
			continue
		}
		name := v.Bytes(i)
		if last >= 0 && in.events[last] == string(name) {
			in.codes[i] = last
			continue
		}
		in.codes[i] = -1
		for k, e := range in.events {
			if e == string(name) {
				in.codes[i], last = int16(k), int16(k)
				break
			}
		}
	}
}
