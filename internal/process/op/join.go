package op

import (
	"math"

	"myelin/internal/process/eval"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// join matches the rows of two inputs by equal keys and a condition. Both sides are kept; each row that comes or goes changes the
// result at once. A lookup join keeps only its right side, which causes no output by itself.
type join struct {
	ctx    *Ctx
	kind   plan.JoinKind
	lookup bool
	nulls  bool        // NULL keys match each other
	bounds *joinBounds // nil: rows are kept for ever
	sides  [2]side
	on     *eval.Filter
	types  []vec.Type
	nleft  int

	rows *state.Rows // result
	pair *state.Rows // candidates for the condition
	cand []uint32    // the stored row behind each candidate
	sel  []int32
	buf  []byte
	out  sink
}

// side is one input: its rows by key. Rows of a key form a list.
//
// Key of an entry of rows: the row's bytes, behind its key's. Payload: how often the row occurs; how many rows of the other side
// match it; next and previous row of the key plus one (rebuilt after a restart).
type side struct {
	keys  []*eval.Eval
	kcols []*vec.Vector
	types []vec.Type
	heads *state.Map // key → first row plus one; not stored
	rows  *state.Map
	outer bool // a row without match goes out by itself, the other side NULL
	semi  bool // semi or anti join: only this side's columns go out
	anti  bool
}

const (
	joinCount, joinMatches, joinNext, joinPrev, joinKeyLen = 0, 1, 2, 3, 4
	joinWords                                              = 5
	joinDue                                                = 5 // with bounds: the watermark at which the row is forgotten
)

func (p *Pipeline) buildJoin(n *plan.Join, out sink) error {
	if n.AsOf != nil {
		return p.buildAsOf(n, out)
	}
	if j, err := newPeaks(p, n, out); j != nil || err != nil {
		if err != nil {
			return err
		}
		return p.unary(n.Left, j)
	}
	if j := newPairs(p, n, out); j != nil {
		return p.binary(n.Left, n.Right, j)
	}
	lt, rt := typesOf(n.Left.Schema()), typesOf(n.Right.Schema())
	j := &join{ctx: p.Ctx, kind: n.Kind, lookup: n.Lookup, nulls: n.NullSafe, nleft: len(lt), types: append(append([]vec.Type{}, lt...), rt...), out: out}
	j.bounds = newJoinBounds(p.Ctx, n)
	words := joinWords
	if j.bounds != nil {
		words++
	}
	j.sides[0] = newSide(n.LeftKeys, lt, words)
	j.sides[1] = newSide(n.RightKeys, rt, words)
	switch n.Kind {
	case plan.Left:
		j.sides[0].outer = true
	case plan.Right:
		j.sides[1].outer = true
	case plan.Full:
		j.sides[0].outer, j.sides[1].outer = true, true
	case plan.Semi:
		j.sides[0].semi = true
	case plan.Anti:
		j.sides[0].semi, j.sides[0].anti = true, true
	}
	if n.On != nil {
		j.on = eval.NewFilter(n.On)
	}
	result := j.types
	if j.sides[0].semi {
		result = lt
	}
	j.rows, j.pair = state.NewRows(result), state.NewRows(j.types)
	return p.binary(n.Left, n.Right, j)
}

func newSide(keys []plan.Expr, types []vec.Type, words int) side {
	return side{
		keys: eval.NewAll(keys), kcols: make([]*vec.Vector, len(keys)), types: types,
		heads: state.NewMap(1, 0), rows: state.NewMap(words, 0),
	}
}

func (j *join) Push(in int, b *vec.Batch) {
	me, other := &j.sides[in], &j.sides[1-in]
	for i, k := range me.keys {
		me.kcols[i] = k.RunFull(&j.ctx.Env, b)
	}
	b = j.ctx.failed(b)
	if j.bounds != nil {
		b = j.bounds.begin(j.ctx, in, b)
	}
	stored := !j.lookup || in == 1
	for k := range b.Rows() {
		if j.ctx.Env.Worked(1) {
			return
		}
		i := rowAt(b, k)
		sign := b.Sign(i)
		j.buf = state.AppendKey(j.buf[:0], me.kcols, i)
		klen := len(j.buf)
		null := !j.nulls && anyNull(me.kcols, i)
		matches := int64(0)
		if !null && (in == 0 || !j.lookup) {
			matches = j.probe(in, other, b, i, j.buf, sign)
		}
		if in == 0 || !j.lookup {
			j.alone(in, b.Cols, i, matches, int8(sign))
		}
		// A side whose rows are never probed need not be kept: the left of a lookup, and the left of a query that runs once, whose
		// right side is complete before it starts.
		if stored && !(j.ctx.Batch && in == 0) && !(j.bounds != nil && j.bounds.passed(j.ctx, in, b, i)) {
			j.buf = state.AppendRow(j.buf, b.Cols, i)
			id := me.keep(j.buf, klen, sign, matches, null)
			if j.bounds != nil && id != 0 {
				j.bounds.start(in, me, id-1, b, i)
			}
		}
		if j.rows.Len() >= letRows {
			j.let()
		}
	}
	j.let()
}

func anyNull(cols []*vec.Vector, i int) bool {
	for _, v := range cols {
		if v.IsNull(i) {
			return true
		}
	}
	return false
}

// probe finds the other side's rows that match row i of b, lets the pairs out and tells the matched rows of their new match.
// It returns the number of matches.
func (j *join) probe(in int, other *side, b *vec.Batch, i int, key []byte, sign int64) int64 {
	head, ok := other.heads.Find(key)
	if !ok {
		return 0
	}
	total := int64(0)
	for at := other.heads.At(head)[0]; at != 0; {
		at = j.collect(in, other, b, i, at)
		total += j.meet(in, other, sign)
		if j.rows.Len() >= letRows {
			j.let()
		}
		if j.ctx.Env.Worked(8 * len(j.cand)) {
			break
		}
	}
	return total
}

// collect makes candidates of row i of b and of the other side's rows from at on, as many as are looked at at once. It returns where to
// go on, 0 at the end.
func (j *join) collect(in int, other *side, b *vec.Batch, i int, at uint64) uint64 {
	j.pair.Reset()
	j.cand = j.cand[:0]
	for at != 0 && len(j.cand) < letRows {
		id := uint32(at - 1)
		p := other.rows.At(id)
		at = p[joinNext]
		if int64(p[joinCount]) > 0 {
			j.addPair(in, other, b.Cols, i, id, int(p[joinKeyLen]))
			j.cand = append(j.cand, id)
		}
	}
	return at
}

// meet lets out the candidates that the condition holds for and tells the matched rows. It returns their number.
func (j *join) meet(in int, other *side, sign int64) int64 {
	pairs := j.pair.Batch()
	pairs.Diff = nil
	j.sel = allRows(j.sel[:0], pairs.N)
	if j.on != nil {
		j.sel = j.on.Run(&j.ctx.Env, pairs, j.sel[:0])
		j.ctx.failed(pairs)
	}
	total := int64(0)
	for _, c := range j.sel {
		id := j.cand[c]
		p := other.rows.At(id)
		n := int64(p[joinCount])
		total += n
		if !j.sides[0].semi {
			for range n {
				j.rows.AppendFrom(pairs.Cols, int(c), int8(sign))
			}
		}
		j.matched(1-in, other, pairs.Cols, int(c), p, sign)
		if !j.ctx.Batch && !j.lookup {
			other.rows.Mark(id)
		}
	}
	return total
}

func allRows(dst []int32, n int) []int32 {
	for i := range n {
		dst = append(dst, int32(i))
	}
	return dst
}

// addPair appends a row of this side and a stored one of the other as a candidate.
func (j *join) addPair(in int, other *side, cols []*vec.Vector, i int, id uint32, klen int) {
	dst := j.pair.Open(1)
	mine, theirs := dst[:j.nleft], dst[j.nleft:]
	if in == 1 {
		mine, theirs = theirs, mine
	}
	for c, v := range mine {
		k := i
		if cols[c].Len() == 1 {
			k = 0
		}
		v.Append(cols[c], k)
	}
	if _, err := state.DecodeRow(theirs, other.rows.Key(id)[klen:]); err != nil {
		panic("op: state holds a corrupt row")
	}
}

// matched counts a match of a stored row and lets out what that changes for an outer, semi or anti join. cols are the pair's.
func (j *join) matched(in int, s *side, cols []*vec.Vector, row int, p []uint64, sign int64) {
	before := int64(p[joinMatches])
	after := before + sign
	p[joinMatches] = uint64(after)
	if (before == 0) == (after == 0) || !s.outer && !s.semi || j.ctx.Batch || j.lookup {
		return
	}
	mine := cols[:j.nleft]
	if in == 1 {
		mine = cols[j.nleft:]
	}
	// Present alone: an outer or anti row without match, a semi row with one.
	gone := after != 0
	if s.semi && !s.anti {
		gone = !gone
	}
	d := int8(1)
	if gone {
		d = -1
	}
	for range int64(p[joinCount]) {
		j.emitAlone(in, mine, row, d)
	}
}

// alone lets out a row of an outer, semi or anti join by its own number of matches.
func (j *join) alone(in int, cols []*vec.Vector, i int, matches int64, sign int8) {
	s := &j.sides[in]
	switch {
	case s.semi && (matches > 0) != s.anti:
		j.emitAlone(in, cols, i, sign)
	case s.outer && matches == 0 && !(j.ctx.Batch && in == 1): // batch: see Flush
		j.emitAlone(in, cols, i, sign)
	}
}

func (j *join) emitAlone(in int, cols []*vec.Vector, i int, sign int8) {
	dst := j.rows.Open(sign)
	if j.sides[in].semi {
		appendRow(dst, cols, i)
		return
	}
	mine, theirs := dst[:j.nleft], dst[j.nleft:]
	if in == 1 {
		mine, theirs = theirs, mine
	}
	appendRow(mine, cols, i)
	for _, v := range theirs {
		v.AppendNull()
	}
}

func appendRow(dst, cols []*vec.Vector, i int) {
	for c, v := range dst {
		k := i
		if cols[c].Len() == 1 {
			k = 0
		}
		v.Append(cols[c], k)
	}
}

// keep adds or takes back a row. keyRow is the row's key, of length klen, and its bytes. It returns the entry plus one of a row that
// is new.
func (s *side) keep(keyRow []byte, klen int, sign, matches int64, null bool) uint32 {
	id, fresh := s.rows.Upsert(keyRow)
	p := s.rows.At(id)
	if fresh {
		p[joinKeyLen], p[joinMatches] = uint64(klen), uint64(matches)
		if !null {
			s.link(keyRow[:klen], id)
		}
	}
	p[joinCount] += uint64(sign)
	if p[joinCount] == 0 {
		if !null {
			s.unlink(keyRow[:klen], id)
		}
		s.rows.Delete(id)
		return 0
	}
	s.rows.Mark(id)
	if fresh {
		return id + 1
	}
	return 0
}

func (s *side) link(key []byte, id uint32) {
	h, _ := s.heads.Upsert(key)
	head := &s.heads.At(h)[0]
	p := s.rows.At(id)
	p[joinNext], p[joinPrev] = *head, 0
	if *head != 0 {
		s.rows.At(uint32(*head - 1))[joinPrev] = uint64(id + 1)
	}
	*head = uint64(id + 1)
}

func (s *side) unlink(key []byte, id uint32) {
	p := s.rows.At(id)
	if n := p[joinNext]; n != 0 {
		s.rows.At(uint32(n - 1))[joinPrev] = p[joinPrev]
	}
	if prev := p[joinPrev]; prev != 0 {
		s.rows.At(uint32(prev - 1))[joinNext] = p[joinNext]
		return
	}
	h, _ := s.heads.Find(key)
	s.heads.At(h)[0] = p[joinNext]
	if p[joinNext] == 0 {
		s.heads.Delete(h)
	}
}

// Flush lets out, in a query that runs once, the right rows that nothing matched.
func (j *join) Flush(wm int64) {
	for i := range j.sides {
		if j.bounds != nil {
			j.bounds.expire(i, &j.sides[i], wm)
		}
		j.sides[i].rows.Compact()
		j.sides[i].heads.Compact()
	}
	if !j.ctx.Batch || !j.sides[1].outer {
		return
	}
	s := &j.sides[1]
	one := state.NewRows(s.types)
	s.rows.Each(func(id uint32) {
		p := s.rows.At(id)
		if p[joinMatches] != 0 {
			return
		}
		if j.ctx.Env.Worked(8) {
			return
		}
		one.Reset()
		mustDecode(one, s.rows.Key(id)[p[joinKeyLen]:])
		for range int64(p[joinCount]) {
			j.emitAlone(1, one.Batch().Cols, 0, 1)
		}
		if j.rows.Len() >= letRows {
			j.let()
		}
	})
	j.let()
}

func (j *join) let() {
	if j.rows.Len() == 0 {
		return
	}
	b := j.rows.Batch()
	if j.ctx.Batch {
		b.Diff = nil
	}
	j.out(b)
	j.rows.Reset()
}

func (j *join) Next() int64 { return math.MaxInt64 }

func (j *join) Stores() []state.Store {
	if j.lookup {
		return []state.Store{j.sides[1].rows}
	}
	return []state.Store{j.sides[0].rows, j.sides[1].rows}
}

func (j *join) Restored() {
	for i := range j.sides {
		s := &j.sides[i]
		keys := make([]*vec.Vector, len(s.keys))
		for c, k := range s.keys {
			keys[c] = vec.New(k.Type(), 0)
		}
		s.rows.Each(func(id uint32) {
			key := s.rows.Key(id)[:s.rows.At(id)[joinKeyLen]]
			for c, k := range s.keys {
				keys[c].Reset(k.Type())
			}
			if _, err := state.DecodeRow(keys, key); err == nil && (j.nulls || !anyNull(keys, 0)) {
				s.link(key, id)
			}
			if j.bounds != nil {
				j.bounds.resume(i, s, id)
			}
		})
	}
}
