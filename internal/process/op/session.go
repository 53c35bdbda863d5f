package op

import (
	"encoding/binary"
	"fmt"
	"math"

	"myelin/internal/process/eval"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// session groups rows whose times lie less than a gap apart, per key, and folds them. A row that comes out of order may stretch
// a session or join two. A session ends at its last row plus the gap.
//
// The entry of a session has the keys and a serial number as its key; the sessions of one set of keys form a list (rebuilt
// after a restart) whose head is found through parts.
//
// Groups that are forgotten when nothing comes for them (plan.SessionSpec.Single) are sessions, too: their gap is the ttl, and of
// those of one set of keys only the earliest is out.
type session struct {
	ctx     *Ctx
	groups  *groups
	parts   *state.Map // keys → head of the list; not stored
	keys    []*eval.Eval
	spec    *plan.SessionSpec
	gap     int64
	tcol    int
	onClose bool
	lasts   int64 // how long after its end a session is remembered
	forgets bool  // sessions are taken back when they end
	bare    bool  // the rows of all sessions of the same keys are the same

	cols    []*vec.Vector
	ids     []uint32
	keyBuf  []byte
	idBuf   []byte
	touched []uint32
	gone    *state.Rows // rows of sessions that were merged away in this step
	back    *state.Rows // rows of sessions that are there, but not shown any more
	left    []uint32    // parts whose sessions ended in this step
	was     []*vec.Vector
	now     []*vec.Vector
	keyVals []*vec.Vector
	nkeys   int
	types   []vec.Type
	timers  state.Timers
	rows    *state.Rows
	one     vec.Batch
	out     sink
}

// Extra payload words of a session.
const (
	sesEmitted = payExtra + iota // whether its row is out
	sesDue                       // the timer that is set for it
	sesStart
	sesLast
	sesNext  // next session of the same keys, plus one
	sesPart  // entry of parts
	sesExtra = iota
)

func (p *Pipeline) buildSession(n *plan.Aggregate, out sink) error {
	if !p.Ctx.Batch && !n.Input.Props().AppendOnly {
		return fmt.Errorf("session() over rows that change is not supported; use a stream or an append-only view")
	}
	gap, err := spanOf(n.Session.Gap)
	if err != nil {
		return err
	}
	if gap.months > 0 {
		return fmt.Errorf("a session's gap must be in days or shorter units")
	}
	s := &session{
		ctx: p.Ctx, spec: n.Session, gap: gap.micros, tcol: n.Session.Time, parts: state.NewMap(1, 0),
		was: vectors(len(n.Calls)), now: vectors(len(n.Calls)), nkeys: len(n.Session.Keys),
		types: typesOf(n.Schema()), out: out,
	}
	s.lasts, s.onClose, s.forgets = p.Ctx.Lateness, p.Ctx.OnClose && !s.spec.Single, n.TTL > 0
	if s.onClose || s.spec.Single {
		s.lasts = 0
	}
	s.lasts = satAdd(s.lasts, n.Lag)
	for _, k := range n.Session.Keys {
		s.keys = append(s.keys, eval.New(n.Groups[k]))
	}
	s.cols, s.keyVals = make([]*vec.Vector, s.nkeys), vectors(s.nkeys)
	if s.groups, err = newGroups(p.Ctx, n.Calls, nil, sesExtra, false); err != nil {
		return err
	}
	s.bare = s.spec.Single && len(n.Calls) == 0
	s.rows, s.gone, s.back = state.NewRows(s.types), state.NewRows(s.types), state.NewRows(s.types)
	return p.unary(n.Input, s)
}

func (s *session) Push(_ int, b *vec.Batch) {
	for i, k := range s.keys {
		s.cols[i] = k.RunFull(&s.ctx.Env, b)
	}
	b = s.groups.prepare(s.ctx.failed(b))
	ts := b.Cols[s.tcol]
	if len(s.ids) < b.N {
		s.ids = make([]uint32, max(b.N, 2*len(s.ids)))
	}
	// Rows are folded one by one: a row may merge sessions that earlier rows of the batch went to.
	sel := make([]int32, 1)
	for k := range b.Rows() {
		i := rowAt(b, k)
		if ts.IsNull(i) {
			if s.spec.Single {
				s.ctx.Env.Fail(i, errNoTime)
			}
			continue
		}
		s.keyBuf = state.AppendKey(s.keyBuf[:0], s.cols, i)
		id, ok := s.place(s.keyBuf, ts.Ints[i])
		if !ok {
			if s.ctx.Late != nil {
				s.ctx.Late(b, i)
			}
			continue
		}
		s.ids[i] = id
		sel[0] = int32(i)
		s.groups.foldRow(s.ids, b, sel)
	}
	if s.spec.Single {
		s.ctx.failed(b)
	}
}

// place finds the session that a row belongs to, making, stretching or merging sessions; ok is false if the row is late.
func (s *session) place(key []byte, t int64) (id uint32, ok bool) {
	part, _ := s.parts.Upsert(key)
	m := s.groups.m
	found := uint32(0)
	ok = false
	for at := s.parts.At(part)[0]; at != 0; {
		cur := uint32(at - 1)
		p := m.At(cur)
		at = p[sesNext]
		if t <= satAdd(int64(p[sesStart]), -s.gap) || t >= satAdd(int64(p[sesLast]), s.gap) {
			continue
		}
		if !ok {
			found, ok = cur, true
			s.touch(cur)
			p[sesStart] = uint64(min(int64(p[sesStart]), t))
			p[sesLast] = uint64(max(int64(p[sesLast]), t))
			continue
		}
		s.merge(found, cur)
	}
	if ok {
		return found, true
	}
	if !s.ctx.Batch && s.due(t) <= s.ctx.Watermark {
		s.tidyPart(part)
		return 0, false
	}
	return s.begin(part, key, t), true
}

// begin makes a session of one row.
func (s *session) begin(part uint32, key []byte, t int64) uint32 {
	s.idBuf = append(s.idBuf[:0], key...)
	s.idBuf = binary.LittleEndian.AppendUint64(s.idBuf, s.groups.serial+1)
	id, _ := s.groups.upsert(s.idBuf)
	p := s.groups.m.At(id)
	p[sesStart], p[sesLast] = uint64(t), uint64(t)
	s.link(part, id)
	if !s.ctx.Batch || s.forgets {
		due := s.due(t)
		p[sesDue] = uint64(due)
		s.timers.Push(due, id)
	}
	s.touch(id)
	return id
}

func (s *session) link(part, id uint32) {
	p := s.groups.m.At(id)
	head := &s.parts.At(part)[0]
	p[sesNext], p[sesPart] = *head, uint64(part)
	*head = uint64(id + 1)
}

// due is the watermark at which a session whose last row is at t is given up.
func (s *session) due(t int64) int64 {
	return satAdd(satAdd(t, s.gap), s.lasts)
}

// touch takes the session's row back, the first time in a step, if it is out.
func (s *session) touch(id uint32) {
	m := s.groups.m
	m.Mark(id)
	if m.Flag(id) {
		return
	}
	m.SetFlag(id, true)
	s.touched = append(s.touched, id)
	if p := m.At(id); p[sesEmitted] != 0 && !s.bare {
		s.emit(s.gone, id, p, -1)
		p[sesEmitted] = 0
	}
}

// merge folds session src into dst.
func (s *session) merge(dst, src uint32) {
	m := s.groups.m
	s.touch(src) // takes its row back
	p, q := m.At(dst), m.At(src)
	if s.bare {
		p[sesEmitted] |= q[sesEmitted]
	}
	p[sesStart] = uint64(min(int64(p[sesStart]), int64(q[sesStart])))
	p[sesLast] = uint64(max(int64(p[sesLast]), int64(q[sesLast])))
	p[payRows] += q[payRows]
	for i := range s.groups.calls {
		c := &s.groups.calls[i]
		if err := c.acc.merge(s.groups, c.at, dst, q); err != nil {
			s.ctx.Env.Fail(0, err)
		}
	}
	s.end(src)
}

// end forgets a session.
func (s *session) end(id uint32) {
	p := s.groups.m.At(id)
	part := uint32(p[sesPart])
	at := &s.parts.At(part)[0]
	for uint32(*at-1) != id {
		at = &s.groups.m.At(uint32(*at - 1))[sesNext]
	}
	*at = p[sesNext]
	s.groups.m.SetFlag(id, false)
	s.groups.drop(id)
	s.tidyPart(part)
}

func (s *session) tidyPart(part uint32) {
	if s.parts.At(part)[0] == 0 {
		s.parts.Delete(part)
	}
}

func (s *session) Flush(wm int64) {
	if s.gone.Len() > 0 {
		s.let(s.gone)
	}
	m := s.groups.m
	if s.ctx.Batch {
		wm = s.ctx.reached()
	}
	if s.spec.Single {
		s.settle(wm)
		return
	}
	if s.ctx.Batch && s.forgets {
		s.expire(wm)
	}
	for _, id := range s.touched {
		if !m.Live(id) || !m.Flag(id) {
			continue // merged away
		}
		m.SetFlag(id, false)
		p := m.At(id)
		if s.onClose && (!s.ctx.Batch || s.due(int64(p[sesLast])) > wm) {
			continue
		}
		s.emit(s.rows, id, p, 1)
		p[sesEmitted] = 1
		if s.rows.Len() >= letRows {
			s.let(s.rows)
		}
	}
	s.touched = s.touched[:0]
	if !s.ctx.Batch {
		s.expire(wm)
	}
	s.let(s.rows)
	m.Compact()
}

// settle ends a step where one session of each set of keys is shown.
func (s *session) settle(wm int64) {
	m := s.groups.m
	s.expire(wm)
	s.let(s.rows)
	for _, id := range s.touched {
		if m.Live(id) && m.Flag(id) {
			m.SetFlag(id, false)
			s.show(uint32(m.At(id)[sesPart]))
		}
	}
	s.touched = s.touched[:0]
	for _, part := range s.left {
		if s.parts.Live(part) {
			s.show(part)
		}
	}
	s.left = s.left[:0]
	s.let(s.back)
	s.let(s.rows)
	m.Compact()
	s.parts.Compact()
}

// show lets the earliest session of some keys out, and takes the others back.
func (s *session) show(part uint32) {
	m := s.groups.m
	first := uint32(s.parts.At(part)[0] - 1)
	for at := m.At(first)[sesNext]; at != 0; at = m.At(uint32(at - 1))[sesNext] {
		if id := uint32(at - 1); int64(m.At(id)[sesStart]) < int64(m.At(first)[sesStart]) {
			first = id
		}
	}
	for at := s.parts.At(part)[0]; at != 0; {
		id := uint32(at - 1)
		p := m.At(id)
		at = p[sesNext]
		switch {
		case id == first && p[sesEmitted] == 0:
			s.emit(s.rows, id, p, 1)
			p[sesEmitted] = 1
			m.Mark(id)
		case id != first && p[sesEmitted] != 0:
			s.emit(s.back, id, p, -1)
			p[sesEmitted] = 0
			m.Mark(id)
		}
	}
	if s.rows.Len() >= letRows || s.back.Len() >= letRows {
		s.let(s.back)
		s.let(s.rows)
	}
}

// expire ends the sessions whose time has come: on window close their rows go out, else they are just forgotten, or taken back.
func (s *session) expire(wm int64) {
	m := s.groups.m
	for {
		at, ok := s.timers.Next()
		if !ok || at > wm {
			return
		}
		_, id := s.timers.Pop()
		if !m.Live(id) || int64(m.At(id)[sesDue]) != at {
			continue
		}
		p := m.At(id)
		if due := s.due(int64(p[sesLast])); due > wm {
			p[sesDue] = uint64(due)
			s.timers.Push(due, id)
			continue
		}
		switch {
		case s.onClose && !s.ctx.Batch:
			s.emit(s.rows, id, p, 1)
		case s.forgets && p[sesEmitted] != 0:
			s.emit(s.rows, id, p, -1)
		}
		if s.rows.Len() >= letRows {
			s.let(s.rows)
		}
		if s.spec.Single {
			s.left = append(s.left, uint32(p[sesPart]))
		}
		s.end(id)
	}
}

// emit appends the row of a session.
func (s *session) emit(to *state.Rows, id uint32, p []uint64, sign int8) {
	for i, v := range s.now {
		v.Reset(s.groups.calls[i].t)
	}
	s.groups.results(p, s.now, to.Len())
	for i, v := range s.keyVals {
		v.Reset(s.keys[i].Type())
	}
	if _, err := state.DecodeRow(s.keyVals, s.groups.m.Key(id)); err != nil {
		panic("op: state holds a corrupt key")
	}
	cols := to.Open(sign)
	for i, k := range s.spec.Keys {
		cols[k].Append(s.keyVals[i], 0)
	}
	if c := s.spec.Start; c >= 0 {
		cols[c].AppendInt(int64(p[sesStart]))
	}
	if c := s.spec.End; c >= 0 {
		cols[c].AppendInt(satAdd(int64(p[sesLast]), s.gap))
	}
	at := len(cols) - len(s.now)
	for i, v := range s.now {
		cols[at+i].Append(v, 0)
	}
}

// let gives collected rows to the next operator.
func (s *session) let(rows *state.Rows) {
	if rows.Len() == 0 {
		return
	}
	b := s.ctx.failed(rows.Batch())
	if b.Rows() > 0 {
		s.out(b)
	}
	rows.Reset()
}

func (s *session) Next() int64 {
	if at, ok := s.timers.Next(); ok {
		return at
	}
	return math.MaxInt64
}

func (s *session) Stores() []state.Store { return s.groups.stores() }

func (s *session) Restored() {
	s.groups.restored()
	s.timers.Reset()
	m := s.groups.m
	m.Each(func(id uint32) {
		k := m.Key(id)
		part, _ := s.parts.Upsert(k[:len(k)-8])
		s.link(part, id)
		s.timers.Push(int64(m.At(id)[sesDue]), id)
	})
}
