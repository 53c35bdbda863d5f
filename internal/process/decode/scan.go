package decode

import (
	"encoding/binary"
	"math/bits"

	"myelin/internal/vec/jsonb"
)

// scanner walks over the JSON text of one record. Its methods return an index into b, or -1 where the text is not JSON.
type scanner struct {
	b    []byte
	base uint32 // where b begins in the decoder's buffer
}

// space skips white space.
func (s *scanner) space(i int) int {
	for i < len(s.b) && (s.b[i] == ' ' || s.b[i] == '\n' || s.b[i] == '\t' || s.b[i] == '\r') {
		i++
	}
	return i
}

const (
	ones  = 0x0101010101010101
	tops  = 0x8080808080808080
	quote = '"' * ones
	slash = '\\' * ones
)

// str returns the index of the quote that ends the string whose content starts at i, and whether there are escapes before it.
func (s *scanner) str(i int) (end int, escaped bool) {
	b := s.b
	for {
		for i+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[i:])
			q, e := w^quote, w^slash
			if m := ((q-ones)&^q | (e-ones)&^e) & tops; m != 0 {
				i += bits.TrailingZeros64(m) >> 3
				break
			}
			i += 8
		}
		for i < len(b) && b[i] != '"' && b[i] != '\\' {
			i++
		}
		if i >= len(b) {
			return -1, escaped
		}
		if b[i] == '"' {
			return i, escaped
		}
		escaped = true
		i += 2
	}
}

// skip returns the index behind the value that starts at i.
func (s *scanner) skip(i int) int {
	b := s.b
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		end, _ := s.str(i + 1)
		if end < 0 {
			return -1
		}
		return end + 1
	case '{', '[':
		return s.skipNested(i)
	case ',', ':', '}', ']':
		return -1
	}
	for i < len(b) && !endsScalar[b[i]] {
		i++
	}
	if i < len(b) && opens[b[i]] {
		return -1
	}
	return i
}

// endsScalar are the bytes that no number, true, false or null has, opens those of them that cannot follow one, either. Where they did, it
// would depend on how a record is read whether it is one.
var endsScalar, opens = func() (ends, opens [256]bool) {
	for c := range ' ' + 1 {
		ends[c] = true
	}
	for _, c := range `,}]"{[:` {
		ends[c] = true
	}
	for _, c := range `"{[:` {
		opens[c] = true
	}
	return ends, opens
}()

// value is skip where white space may have no value behind it.
func (s *scanner) value(i int) int {
	if i < len(s.b) && s.b[i] <= ' ' {
		return -1
	}
	return s.skip(i)
}

// skipNested skips an object or array by counting brackets outside of strings.
func (s *scanner) skipNested(i int) int {
	b := s.b
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			end, _ := s.str(i + 1)
			if end < 0 {
				return -1
			}
			i = end
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return -1
}

// capture hands the value at i to the columns of n and looks for n's members in it. It returns the index behind the value.
func (d *Decoder) capture(s *scanner, i int, n *node) int {
	if i >= len(s.b) {
		return -1
	}
	end := -1
	switch {
	case len(n.kids) == 0:
		if len(n.cols) == 1 {
			if end, ok := d.leaf(s, i, n.cols[0]); ok {
				return end
			}
		}
		end = s.skip(i)
	case s.b[i] == '{':
		end = d.object(s, i, n)
	case s.b[i] == '[' && n.array:
		end = d.elements(s, i, n)
	default:
		end = s.skip(i)
	}
	if end < 0 {
		return -1
	}
	for _, c := range n.cols {
		d.put(s, c, i, end)
	}
	return end
}

// object walks over the members of the object at i.
func (d *Decoder) object(s *scanner, i int, n *node) int {
	b := s.b
	i = s.space(i + 1)
	if i < len(b) && b[i] == '}' {
		return i + 1
	}
	next := 0
	for at := 0; ; at++ {
		var hit *node
		if at < len(n.shape) && n.shape[at].begins(b, i) {
			hit = n.shape[at].hit
			if i += len(n.shape[at].text); i < len(b) && b[i] <= ' ' {
				i = s.space(i) // the record that taught the shape had none here
			}
		} else {
			start := i
			if hit, i = n.member(s, i, &next); i < 0 {
				return -1
			}
			n.learn(at, b[start:i], hit)
		}
		if hit != nil {
			d.again(hit)
			i = d.capture(s, i, hit)
		} else {
			i = s.skip(i)
		}
		if i < 0 {
			return -1
		}
		if i = s.space(i); i >= len(b) {
			return -1
		}
		switch b[i] {
		case ',':
			i = s.space(i + 1)
		case '}':
			return i + 1
		default:
			return -1
		}
	}
}

// member reads a member's name and colon. It returns the node that wants the value, nil if none does, and where the value begins.
func (n *node) member(s *scanner, i int, next *int) (hit *node, value int) {
	b := s.b
	if i >= len(b) || b[i] != '"' {
		return nil, -1
	}
	start := i + 1
	end, escaped := s.str(start)
	if end < 0 {
		return nil, -1
	}
	i = s.space(end + 1)
	if i >= len(b) || b[i] != ':' {
		return nil, -1
	}
	name := b[start:end]
	if escaped {
		name = jsonb.AppendUnquoted(nil, b[start-1:end+1])
	}
	// Records of a topic tend to have their keys in one order: try the next one first.
	for range n.kids {
		if *next == len(n.kids) {
			*next = 0
		}
		k := &n.kids[*next]
		*next++
		if k.name == string(name) {
			hit = k.node
			break
		}
	}
	return hit, s.space(i + 1)
}

// expected is what an object's member at some place usually begins with: the bytes from its name to its value. Where a record has
// the same bytes there, its name need not be read.
type expected struct {
	text   []byte
	hit    *node
	misses int
}

const (
	maxExpected = 64 // members per object
	maxMisses   = 8  // in a row, before another text is expected
)

func (e *expected) begins(b []byte, i int) bool {
	t := e.text
	if len(b)-i < len(t) || string(b[i:i+len(t)]) != string(t) {
		return false
	}
	e.misses = 0
	return true
}

// learn notes what the member at some place began with, if it is new there or what was expected has not come for a while.
func (n *node) learn(at int, text []byte, hit *node) {
	if at >= maxExpected {
		return
	}
	for len(n.shape) <= at {
		n.shape = append(n.shape, expected{misses: maxMisses})
	}
	e := &n.shape[at]
	if e.misses++; e.misses <= maxMisses {
		return
	}
	*e = expected{text: append(e.text[:0], text...), hit: hit}
}

// elements walks over the elements of the array at i.
func (d *Decoder) elements(s *scanner, i int, n *node) int {
	b := s.b
	i = s.space(i + 1)
	if i < len(b) && b[i] == ']' {
		return i + 1
	}
	for at := 0; ; at++ {
		var hit *node
		for k := range n.kids {
			if n.kids[k].elem == at {
				hit = n.kids[k].node
				break
			}
		}
		if hit != nil {
			d.again(hit)
			i = d.capture(s, i, hit)
		} else {
			i = s.skip(i)
		}
		if i < 0 {
			return -1
		}
		i = s.space(i)
		if i >= len(b) {
			return -1
		}
		switch b[i] {
		case ',':
			i = s.space(i + 1)
		case ']':
			return i + 1
		default:
			return -1
		}
	}
}

// again empties what an earlier member of the same name has filled: of duplicates, the last counts.
func (d *Decoder) again(n *node) {
	if n.seen != d.stamp {
		n.seen = d.stamp
		return
	}
	d.empty(n)
}

func (d *Decoder) empty(n *node) {
	for _, c := range n.cols {
		if c >= 0 {
			d.cols[c].valid.Clear(d.row)
		}
	}
	for i := range n.kids {
		d.empty(n.kids[i].node)
	}
}
