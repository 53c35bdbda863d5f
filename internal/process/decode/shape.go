package decode

import (
	"slices"

	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// shape is the form of a record that was read: what stands between its values, and what becomes of these. A record of the same form
// is read by comparing, not by parsing; one that differs anywhere is read as if there were no shapes.
type shape struct {
	parts []part
	hits  int // records of this form, of late
}

// part is some text that does not change, and the value behind it.
type part struct {
	text [2]uint64 // the first 16 bytes of the text
	mask [2]uint64 // which bits of them count
	more string    // the text behind them
	size int       // of the text
	take take
	lean take // the same for a row that is of no use
	gate bool // the value says whether the row is of use
	out  *column
	want int64 // of takeKind: the value that is of use
	kind vec.Kind
	col  int32
	node *node
}

// take says what becomes of a value.
type take uint8

const (
	takeNothing take = iota // there is none: the text goes on, or the record ends
	takeSkip                // nobody wants it
	takeScalar              // the same, but an object or array is of another shape: somebody wants its members
	takeInt
	takeKind // an int, mostly of one digit, that says whether the row is of use
	takeText
	takeTime
	takeOne  // a column, by way of put
	takeNode // whatever capture makes of it
)

const (
	maxShapes = 4   // that records are compared with
	manyHits  = 256 // after which those of all shapes are halved
	maxParts  = 200 // of a shape
	// maxStrict is how many shapes are learned in which all nulls and members must come again, before only those of the record itself.
	maxStrict = 16
	// maxLearned is how many are learned before too few records seem to be of one shape.
	maxLearned = 64
	// relearn is after how many records another try is made.
	relearn = 1 << 17
)

// shapes are those that records were seen to have.
type shapes struct {
	all     [maxShapes]*shape // those of many records first
	have    int
	learned int
	rest    int  // records before anything is learned again
	off     bool // never use any
}

// learn makes the form of a record that was read a shape.
func (d *Decoder) learn(b []byte) {
	f := &d.forms
	if f.off || f.learned >= maxLearned {
		if f.rest--; f.rest > 0 || f.off {
			return
		}
		f.learned = 0
	}
	f.learned++
	f.rest = relearn
	l := learner{d: d, s: scanner{b: b}, strict: f.learned <= maxStrict}
	i := l.s.space(0)
	if end := l.object(i, &d.root, 0); end < 0 || l.s.space(end) != len(b) {
		return
	}
	l.add(len(b), takeNothing, -1, nil)
	if len(l.parts) > maxParts {
		return
	}
	f.add(&shape{parts: l.parts})
}

// add puts a new shape where the one is that fewest records had, of those at the end.
func (f *shapes) add(sh *shape) {
	if f.have < maxShapes {
		f.have++
	}
	f.all[f.have-1] = sh
	f.matched(f.have - 1)
}

// matched notes that a record was of the shape at k.
func (f *shapes) matched(k int) {
	sh := f.all[k]
	if sh.hits++; sh.hits > manyHits {
		for _, x := range f.all[:f.have] {
			x.hits /= 2 // what comes now counts for more than what came before
		}
	}
	if k > 0 && sh.hits >= f.all[k-1].hits {
		f.all[k], f.all[k-1] = f.all[k-1], sh
	}
}

// learner walks over a record that was read. It is well formed as far as anybody looked into it.
type learner struct {
	d      *Decoder
	s      scanner
	from   int // where the text of the next part begins
	parts  []part
	strict bool
}

// add ends a part with the value that begins at i.
func (l *learner) add(i int, t take, col int32, n *node) {
	p := part{take: t, lean: t, col: col, node: n, size: i - l.from}
	text := l.s.b[l.from:i]
	for k, c := range text[:min(len(text), 16)] {
		p.text[k/8] |= uint64(c) << (k % 8 * 8)
		p.mask[k/8] |= 0xff << (k % 8 * 8)
	}
	if len(text) > 16 {
		p.more = string(text[16:])
	}
	if col >= 0 {
		p.out = &l.d.cols[col]
		p.kind, p.gate = p.out.Type.Kind, l.d.only != nil && int(col) == l.d.only.Col
	}
	if p.gate && t == takeInt && len(l.d.only.Ints) == 1 {
		p.take, p.want = takeKind, l.d.only.Ints[0]
	}
	if n != nil && t >= takeInt && t != takeNode && !l.d.keeps(n) { // capture looks into the value: it must be well formed
		p.lean = takeSkip
	}
	l.parts = append(l.parts, p)
}

// object learns an object whose members n wants; nil: nobody wants any.
func (l *learner) object(i int, n *node, depth int) int {
	const deepest = 32
	b := l.s.b
	if depth > deepest || len(l.parts) > maxParts {
		return -1
	}
	if i = l.s.space(i + 1); i < len(b) && b[i] == '}' {
		return i + 1
	}
	var names []string
	for next := 0; ; {
		start := i + 1
		if i >= len(b) || b[i] != '"' {
			return -1
		}
		end, escaped := l.s.str(start)
		if end < 0 || escaped || slices.Contains(names, string(b[start:end])) {
			return -1 // of several members of one name the last would count
		}
		names = append(names, string(b[start:end]))
		var hit *node
		var v int
		if n != nil {
			hit, v = n.member(&l.s, i, &next)
		} else if v = l.s.space(end + 1); v < len(b) && b[v] == ':' {
			v = l.s.space(v + 1)
		} else {
			return -1
		}
		if v < 0 || v >= len(b) {
			return -1
		}
		if i = l.value(v, hit, depth); i < 0 {
			return -1
		}
		if i = l.s.space(i); i >= len(b) || b[i] == '}' {
			return i + 1
		}
		if b[i] != ',' {
			return -1
		}
		i = l.s.space(i + 1)
	}
}

// value learns the value at i, which hit wants.
func (l *learner) value(i int, hit *node, depth int) (end int) {
	b := l.s.b
	if inside := hit == nil || len(hit.cols) == 0; inside && l.strict {
		switch b[i] {
		case '{':
			return l.object(i, hit, depth+1)
		case 'n': // null: part of the text
			return l.s.skip(i)
		}
	}
	if end = l.s.skip(i); end < 0 {
		return -1
	}
	switch {
	case hit == nil:
		l.add(i, takeSkip, -1, nil)
	case len(hit.kids) > 0 && len(hit.cols) == 0 && b[i] != '[' && b[i] != '{':
		l.add(i, takeScalar, -1, nil)
	case len(hit.kids) > 0 || len(hit.cols) != 1 || hit.cols[0] < 0:
		l.add(i, takeNode, -1, hit)
	default:
		l.add(i, l.d.takeOf(hit.cols[0]), hit.cols[0], hit)
	}
	l.from = end
	return end
}

// takeOf is how a column takes its value.
func (d *Decoder) takeOf(col int32) take {
	c := &d.cols[col]
	switch {
	case c.scan.From != plan.FromValue:
		return takeOne
	case c.fit == fitInt:
		return takeInt
	case c.fit == fitText || c.fit == fitPrint:
		return takeText
	case c.fit == fitTime:
		return takeTime
	}
	return takeOne
}

// keeps reports whether a row that is of no use needs what lies at n.
func (d *Decoder) keeps(n *node) bool {
	for _, c := range n.cols {
		if d.only == nil || int(max(c, ^c)) == d.only.Col || slices.Contains(d.only.Keep, int(max(c, ^c))) {
			return true
		}
	}
	return slices.ContainsFunc(n.kids, func(k kid) bool { return d.keeps(k.node) })
}
