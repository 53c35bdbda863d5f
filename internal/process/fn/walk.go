package fn

import (
	"bytes"
	"regexp/syntax"
	"unicode/utf8"
)

// walk is a regular expression that can be matched byte by byte without trying again: where it may repeat something, what follows
// begins with something else.
type walk struct {
	prog []walkStep
	caps int
}

type walkStep struct {
	op       walkOp
	text     []byte     // walkText
	set      *[256]bool // walkSet
	min, max int        // walkSet; max < 0: no limit
	slot     int        // walkSave
	to       []int      // walkSplit, walkJump: where to go on, by preference
}

type walkOp uint8

const (
	walkText walkOp = iota
	walkSet
	walkSave
	walkSplit
	walkJump
	walkBegin
	walkEnd
	walkMatch
)

const (
	maxCaps = 16 // two for each group, and for the match
	maxWalk = 64 // steps
)

// newWalk returns nil for an expression that is not so simple.
func newWalk(tree *syntax.Regexp) *walk {
	w := &walk{caps: 2 * (tree.MaxCap() + 1)}
	if w.caps > maxCaps || !w.add(tree) || len(w.prog) >= maxWalk {
		return nil
	}
	w.prog = append(w.prog, walkStep{op: walkMatch})
	for i, s := range w.prog {
		if s.op == walkSet && s.min != s.max && !w.differs(s.set, i+1) {
			return nil
		}
	}
	return w
}

func (w *walk) add(r *syntax.Regexp) bool {
	switch r.Op {
	case syntax.OpEmptyMatch:
		return true
	case syntax.OpLiteral:
		w.prog = append(w.prog, walkStep{op: walkText, text: []byte(string(r.Rune))})
		return r.Flags&syntax.FoldCase == 0
	case syntax.OpBeginText:
		w.prog = append(w.prog, walkStep{op: walkBegin})
		return true
	case syntax.OpEndText:
		w.prog = append(w.prog, walkStep{op: walkEnd})
		return true
	case syntax.OpCapture:
		w.prog = append(w.prog, walkStep{op: walkSave, slot: 2 * r.Cap})
		ok := w.add(r.Sub[0])
		w.prog = append(w.prog, walkStep{op: walkSave, slot: 2*r.Cap + 1})
		return ok
	case syntax.OpConcat:
		for _, s := range r.Sub {
			if !w.add(s) {
				return false
			}
		}
		return true
	case syntax.OpAlternate:
		return w.alternatives(r.Sub)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return w.repeat(r, 1, 1)
	case syntax.OpStar:
		return r.Flags&syntax.NonGreedy == 0 && w.repeat(r.Sub[0], 0, -1)
	case syntax.OpPlus:
		return r.Flags&syntax.NonGreedy == 0 && w.repeat(r.Sub[0], 1, -1)
	case syntax.OpQuest:
		return r.Flags&syntax.NonGreedy == 0 && w.alternatives([]*syntax.Regexp{r.Sub[0], {Op: syntax.OpEmptyMatch}})
	case syntax.OpRepeat:
		return r.Flags&syntax.NonGreedy == 0 && w.repeat(r.Sub[0], r.Min, r.Max)
	}
	return false
}

func (w *walk) alternatives(subs []*syntax.Regexp) bool {
	at := len(w.prog)
	w.prog = append(w.prog, walkStep{op: walkSplit})
	var starts, ends []int
	for _, s := range subs {
		starts = append(starts, len(w.prog))
		if !w.add(s) {
			return false
		}
		ends = append(ends, len(w.prog))
		w.prog = append(w.prog, walkStep{op: walkJump})
	}
	w.prog[at].to = starts
	for _, e := range ends {
		w.prog[e].to = []int{len(w.prog)}
	}
	return true
}

// repeat adds a set of characters that comes min to max times.
func (w *walk) repeat(r *syntax.Regexp, least, most int) bool {
	var set [256]bool
	others := false // characters beyond ASCII: all or none
	switch r.Op {
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		for b := range set {
			set[b] = true
		}
		set['\n'] = r.Op == syntax.OpAnyChar
		others = true
	case syntax.OpCharClass:
		for i := 0; i < len(r.Rune); i += 2 {
			lo, hi := r.Rune[i], r.Rune[i+1]
			if hi >= utf8.RuneSelf {
				if lo > utf8.RuneSelf || hi != utf8.MaxRune {
					return false
				}
				others = true
				for b := utf8.RuneSelf; b < 256; b++ {
					set[b] = true
				}
			}
			for b := lo; b <= min(hi, utf8.RuneSelf-1); b++ {
				set[b] = true
			}
		}
	default:
		return false
	}
	if others && (least > 1 || most >= 0) {
		return false // characters would have to be counted
	}
	w.prog = append(w.prog, walkStep{op: walkSet, set: &set, min: least, max: most})
	return true
}

// differs reports whether what may follow at a step begins with no byte of the set.
func (w *walk) differs(set *[256]bool, at int) bool {
	switch s := &w.prog[at]; s.op {
	case walkMatch, walkEnd:
		return true
	case walkSave:
		return w.differs(set, at+1)
	case walkJump:
		return w.differs(set, s.to[0])
	case walkText:
		return !set[s.text[0]]
	case walkSet:
		for b, in := range set {
			if in && s.set[b] {
				return false
			}
		}
		return s.min > 0
	}
	return false
}

// walker is one search.
type walker struct {
	*walk
	s    []byte
	caps [maxCaps]int
	left int // bytes and steps before the search is given up
}

// from matches what begins at i with the steps from pc on.
func (w *walker) from(pc, i int) bool {
	for {
		if w.left--; w.left < 0 {
			return false
		}
		switch s := &w.prog[pc]; s.op {
		case walkText:
			if !bytes.HasPrefix(w.s[i:], s.text) {
				return false
			}
			i += len(s.text)
		case walkSet:
			end := len(w.s)
			if s.max >= 0 {
				end = min(end, i+s.max)
			}
			start := i
			for i < end && s.set[w.s[i]] {
				i++
			}
			w.left -= i - start
			if i-start < s.min {
				return false
			}
		case walkSave:
			w.caps[s.slot] = i
		case walkSplit:
			before := w.caps
			for _, to := range s.to[:len(s.to)-1] {
				if w.from(to, i) {
					return true
				}
				w.caps = before
			}
			pc = s.to[len(s.to)-1]
			continue
		case walkJump:
			pc = s.to[0]
			continue
		case walkBegin:
			if i != 0 {
				return false
			}
		case walkEnd:
			if i != len(w.s) {
				return false
			}
		case walkMatch:
			w.caps[1] = i
			return true
		}
		pc++
	}
}

// find is FindSubmatchIndex for an expression whose matches have the needle at most lead bytes behind their beginnings. The groups go to
// dst. ok is false if it takes too long.
func (w *walk) find(s, needle []byte, lead int, dst []int) (_ []int, ok bool) {
	f := walker{walk: w, s: s, left: 8*len(s) + 256}
	next := 0 // no match begins before
	for at := 0; ; at++ {
		n := bytes.Index(s[at:], needle)
		if n < 0 {
			return nil, true
		}
		at += n
		for next = max(next, at-lead); next <= at; next++ {
			if !utf8.RuneStart(s[next]) {
				continue
			}
			for i := range f.caps[:w.caps] {
				f.caps[i] = -1
			}
			f.caps[0] = next
			if f.from(0, next) {
				return append(dst[:0], f.caps[:w.caps]...), true
			}
			if f.left < 0 {
				return nil, false
			}
		}
		f.left -= n
	}
}
