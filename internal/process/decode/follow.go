package decode

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"

	"myelin/internal/vec"
)

// overread is how far behind a record's end words are read. Records that have less behind them are read without shapes.
const overread = 64

// compare reads a record by the shapes that are known. It reports whether one was right.
func (d *Decoder) compare(s *scanner) bool {
	f := &d.forms
	wide := d.buf[s.base:]
	d.marks.read(s.b)
	for k := range f.have {
		sh := f.all[k]
		if d.follow(sh, s, wide) {
			f.matched(k)
			return true
		}
		d.undo()
		d.judged = false
	}
	return false
}

// follow reads a record by a shape. wide is the record with what lies behind it, so that words can be read across its end: whatever
// is taken from there makes the record end elsewhere than it does, and is taken back.
func (d *Decoder) follow(sh *shape, s *scanner, wide []byte) bool {
	i, end := 0, len(s.b)
	lean, marked := false, d.marks.known
	row := d.row
	word, bit := row>>6, uint64(1)<<(row&63)
	for k := range sh.parts {
		p := &sh.parts[k]
		if len(wide)-i < 16 {
			return false
		}
		two := wide[i : i+16 : i+16]
		if (binary.LittleEndian.Uint64(two)^p.text[0])&p.mask[0]|(binary.LittleEndian.Uint64(two[8:])^p.text[1])&p.mask[1] != 0 {
			return false
		}
		if p.size > 16 && (len(wide)-i < p.size || string(wide[i+16:i+p.size]) != p.more) {
			return false
		}
		if i += p.size; i >= end {
			d.lean = lean
			return i == end && p.take == takeNothing && k == len(sh.parts)-1
		}
		t := p.take
		if lean {
			t = p.lean
		}
		switch t {
		case takeInt:
			x, next := shortInt(wide, i)
			ok := next > i
			if !ok {
				x, next, ok = fastInt(wide, i)
			}
			c := p.out
			if !ok || p.kind == vec.Int32 && x != int64(int32(x)) {
				if i = d.one(s, p, i); i < 0 {
					return false
				}
			} else {
				i = next
				c.Ints[row] = x
				c.valid[word] |= bit
			}
			if p.gate {
				lean, d.judged = !d.useful(), true
			}
		case takeKind:
			x, next := int64(wide[i]-'0'), i+1
			if ok := x <= 9 && wide[next]-'0' > 9; !ok {
				if x, next, ok = fastInt(wide, i); !ok || p.kind == vec.Int32 && x != int64(int32(x)) {
					if i = d.one(s, p, i); i < 0 {
						return false
					}
					lean, d.judged = !d.useful(), true
					continue
				}
			}
			i = next
			p.out.Ints[row] = x
			p.out.valid[word] |= bit
			lean, d.judged = x != p.want, true
		case takeText:
			if next, ok := d.plainText(wide, i, marked); ok {
				c := p.out
				c.Spans[row] = vec.Span{Off: s.base + uint32(i) + 1, Len: uint32(next - i - 1)}
				c.valid[word] |= bit
				i = next + 1
			} else if i = d.one(s, p, i); i < 0 {
				return false
			}
			if p.gate {
				lean, d.judged = !d.useful(), true
			}
		case takeTime:
			if x, next, ok := d.minute.time(wide, i); ok {
				c := p.out
				c.Ints[row] = x
				c.valid[word] |= bit
				i = next
			} else if i = d.one(s, p, i); i < 0 {
				return false
			}
		case takeSkip:
			if wide[i] != '"' {
				if _, next := shortInt(wide, i); next > i && (wide[next] == ',' || wide[next] == '}') {
					i = next
					continue
				}
			} else if marked {
				if next, plain := d.marks.text(i + 1); plain {
					i = next + 1
					continue
				}
			}
			if i = fastSkip(s, wide, i); i < 0 {
				return false
			}
		case takeScalar:
			if c := wide[i]; c == '{' || c == '[' {
				return false
			}
			if i = s.value(i); i < 0 {
				return false
			}
		case takeOne:
			if i = d.one(s, p, i); i < 0 {
				return false
			}
		case takeNode:
			if wide[i] <= ' ' {
				return false // there is no value
			}
			d.again(p.node)
			if i = d.capture(s, i, p.node); i < 0 {
				return false
			}
		}
	}
	return false // the record goes on
}

// plainText returns the index of the quotation mark that ends the text at i, if that is one of ASCII without escapes.
func (d *Decoder) plainText(wide []byte, i int, marked bool) (end int, ok bool) {
	if wide[i] != '"' {
		return 0, false
	}
	if marked {
		return d.marks.text(i + 1)
	}
	return asciiText(wide, i+1)
}

// one takes a value that has not the form that most have.
func (d *Decoder) one(s *scanner, p *part, i int) int {
	end := s.value(i)
	if end >= 0 {
		d.put(s, p.col, i, end)
	}
	return end
}

// fastSkip is scanner.skip for the values of which most records have many.
func fastSkip(s *scanner, wide []byte, i int) int {
	if wide[i] != '"' {
		return s.value(i)
	}
	const near = 16 // what the call of IndexByte is worth
	from := i + 1
	if len(wide)-from >= near {
		for at := from; at < from+near; at += 8 {
			w := binary.LittleEndian.Uint64(wide[at:])
			q, e := w^quote, w^slash
			if m := ((q-ones)&^q | (e-ones)&^e) & tops; m != 0 {
				at += bits.TrailingZeros64(m) >> 3
				if wide[at] == '"' {
					return at + 1
				}
				return s.skip(i)
			}
		}
		from += near
	}
	n := bytes.IndexByte(wide[from:], '"')
	if n < 0 {
		return -1
	}
	// A quote that is escaped has a backslash right before it.
	if from += n; wide[from-1] == '\\' {
		return s.skip(i)
	}
	return from + 1
}

// shortInt reads a whole number of up to seven digits, like fastInt. Of any other value the end is i.
func shortInt(b []byte, i int) (x int64, end int) {
	w := binary.LittleEndian.Uint64(b[i : i+8 : i+8])
	const zeros, above = '0' * ones, 0x46 * ones // '9' + 0x46 is the last byte without the top bit
	n := bits.TrailingZeros64(((w+above)|(w-zeros))&tops) &^ 7 & 63
	w <<= uint(-n) & 63
	w = (w & (0x0f * ones)) * (10<<8 + 1) >> 8
	w = (w & 0x00ff00ff00ff00ff) * (100<<16 + 1) >> 16
	w = (w & 0x0000ffff0000ffff) * (10000<<32 + 1) >> 32
	return int64(w), i + n>>3
}

// fastInt reads a whole number of up to 15 digits. It does not look at what follows but to see that no digit does.
func fastInt(b []byte, i int) (x int64, end int, ok bool) {
	if b[i] == '-' {
		if i+1 >= len(b) || b[i+1] == '-' {
			return 0, 0, false
		}
		x, end, ok = fastInt(b, i+1)
		return -x, end, ok
	}
	for digits := 0; digits < 16; digits += 8 {
		if len(b)-i < 8 {
			return 0, 0, false
		}
		w := binary.LittleEndian.Uint64(b[i:])
		const zeros, above = '0' * ones, 0x46 * ones // '9' + 0x46 is the last byte without the top bit
		other := ((w + above) | (w - zeros)) & tops
		n := bits.TrailingZeros64(other) >> 3 // 8 if all are digits
		if n == 0 {
			return x, i, digits > 0
		}
		w <<= (8 - n) * 8 & 63
		w = (w & (0x0f * ones)) * (10<<8 + 1) >> 8
		w = (w & 0x00ff00ff00ff00ff) * (100<<16 + 1) >> 16
		w = (w & 0x0000ffff0000ffff) * (10000<<32 + 1) >> 32
		x = x*pow10Int[n] + int64(w)
		if i += n; n < 8 {
			return x, i, true
		}
	}
	return 0, 0, false
}

var pow10Int = [...]int64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8}

// asciiText is plainText, two words at a time.
func asciiText(b []byte, i int) (end int, ok bool) {
	for len(b)-i >= 16 {
		two := b[i : i+16 : i+16]
		v, w := binary.LittleEndian.Uint64(two), binary.LittleEndian.Uint64(two[8:])
		q, e := v^quote, v^slash
		m := ((q-ones)&^q | (e-ones)&^e | v) & tops
		q, e = w^quote, w^slash
		n := ((q-ones)&^q | (e-ones)&^e | w) & tops
		if m|n == 0 {
			i += 16
			continue
		}
		if m != 0 {
			i += bits.TrailingZeros64(m) >> 3
		} else {
			i += 8 + bits.TrailingZeros64(n)>>3
		}
		return i, b[i] == '"'
	}
	return plainText(b, i)
}

// Only says which rows are of any use: those that have one of the values in a column. Rows of no use are left out, unless one of the
// columns of Keep has a value; then nothing is said of their other columns but the first. What does not fit is told of these alone.
type Only struct {
	Col   int
	Ints  []int64  // of a column of whole numbers
	Texts [][]byte // of one of text
	Keep  []int
	all   bool // all are left out, whatever else they have
}

// Only makes the decoder leave out rows, from the first on.
func (d *Decoder) Only(o Only) { d.only = &o }

// useful reports whether the row being filled is of use, once the column that decides it is filled.
func (d *Decoder) useful() bool {
	o := d.only
	c := &d.cols[o.Col]
	if !c.valid.Has(d.row) {
		return false
	}
	if o.Texts == nil {
		x := c.Ints[d.row]
		for _, want := range o.Ints {
			if x == want {
				return true
			}
		}
		return false
	}
	at := c.Spans[d.row]
	name := d.buf[at.Off : at.Off+at.Len]
	for _, want := range o.Texts {
		if string(want) == string(name) {
			return true
		}
	}
	return false
}

// idle leaves out the row being filled, which is of no use, if that can be.
func (d *Decoder) idle() bool {
	keep := func(c int) bool { return !d.only.all && (c == d.only.Col || slices.Contains(d.only.Keep, c)) }
	need := slices.ContainsFunc(d.only.Keep, func(c int) bool { return d.cols[c].valid.Has(d.row) || slices.Contains(d.parts, c) })
	for n := len(d.misfits) - 1; n >= 0 && int(d.misfits[n].Row) == d.row; n-- {
		if keep(int(d.misfits[n].Col)) {
			need = true
			continue
		}
		d.misfits = slices.Delete(d.misfits, n, n+1)
	}
	if need {
		return false
	}
	d.undo()
	return true
}
