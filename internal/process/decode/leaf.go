package decode

import (
	"encoding/binary"
	"math/bits"

	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// leaf reads the value at i straight into the only column that wants it, if it has the form that values of such columns usually
// have: a string of plain ASCII, a whole number, a timestamp. ok is false, and nothing is done, for any other.
func (d *Decoder) leaf(s *scanner, i int, at int32) (end int, ok bool) {
	if at < 0 {
		return 0, false
	}
	c := &d.cols[at]
	switch c.fit {
	case fitText, fitPrint:
		if s.b[i] != '"' || c.scan.From == plan.FromUserKey {
			return 0, false
		}
		if end, ok = plainText(s.b, i+1); ok {
			c.Spans[d.row] = vec.Span{Off: s.base + uint32(i) + 1, Len: uint32(end - i - 1)}
			c.valid.Set(d.row)
		}
		return end + 1, ok
	case fitInt:
		x, end, ok := plainInt(s.b, i)
		if ok = ok && c.Type.Kind == vec.Int64; ok {
			c.Ints[d.row] = x
			c.valid.Set(d.row)
		}
		return end, ok
	case fitTime:
		t, end, ok := d.minute.time(s.b, i)
		if ok {
			c.Ints[d.row] = t
			c.valid.Set(d.row)
		}
		return end, ok
	}
	return 0, false
}

// plainText returns the index of the quote that ends the string whose content starts at i. ok is false if there is anything but
// unescaped ASCII before.
func plainText(b []byte, i int) (end int, ok bool) {
	for i+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[i:])
		q, e := w^quote, w^slash
		if m := ((q-ones)&^q | (e-ones)&^e | w) & tops; m != 0 {
			i += bits.TrailingZeros64(m) >> 3
			return i, b[i] == '"'
		}
		i += 8
	}
	for ; i < len(b); i++ {
		if c := b[i]; c == '"' || c == '\\' || c >= 0x80 {
			return i, c == '"'
		}
	}
	return i, false
}

// plainInt reads a whole number of up to 18 digits.
func plainInt(b []byte, i int) (x int64, end int, ok bool) {
	neg := b[i] == '-'
	if neg {
		i++
	}
	first := i
	for i < len(b) {
		c := b[i] - '0'
		if c > 9 {
			break
		}
		x = x*10 + int64(c)
		i++
	}
	if n := i - first; n == 0 || n > 18 || i == len(b) {
		return 0, 0, false
	}
	if neg {
		x = -x
	}
	switch b[i] {
	case ',', '}', ']', ' ', '\n', '\r', '\t':
		return x, i, true
	}
	return 0, 0, false
}

// minute remembers the last minute that was read: events of a topic come about in the order of time.
type minute struct {
	date, clock uint64 // the bytes "2026-01-" and "15T12:34"
	start       int64  // microseconds since 1970
}

// time reads a timestamp YYYY-MM-DD(T| )hh:mm:ss[.fraction][Z] in quotes, with up to six digits of fraction.
func (m *minute) time(b []byte, i int) (t int64, end int, ok bool) {
	const upToSeconds = 20 // with the quote
	if b[i] != '"' || len(b)-i <= upToSeconds {
		return 0, 0, false
	}
	b = b[i+1:]
	date, clock := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	t, n, ok := millis(b)
	if !ok {
		if t, n, ok = seconds(b); !ok {
			return 0, 0, false
		}
	}
	if n < len(b) && b[n] == 'Z' {
		n++
	}
	if n >= len(b) || b[n] != '"' {
		return 0, 0, false
	}
	if date != m.date || clock != m.clock || date == 0 { // 0: none was read yet
		all, ok := fastTime(b[:n])
		if !ok {
			return 0, 0, false
		}
		m.date, m.clock, m.start = date, clock, all-t
	}
	return m.start + t, i + 1 + n + 1, true
}

// millis reads ":ss.fff" at the 16th byte, as most write it, and returns the index behind it.
func millis(b []byte) (t int64, end int, ok bool) {
	if len(b) < 24 {
		return 0, 0, false
	}
	const (
		form  = ':' | '0'<<8 | '0'<<16 | '.'<<24 | '0'<<32 | '0'<<40 | '0'<<48
		limit = 0x7f | 0x7a<<8 | 0x76<<16 | 0x7f<<24 | 0x76<<32 | 0x76<<40 | 0x76<<48 // what takes each byte that is too large to its top bit
	)
	w := (binary.LittleEndian.Uint64(b[16:24]) ^ form) & (1<<56 - 1)
	if (w|(w+limit))&tops != 0 || b[23] != '"' && b[23] != 'Z' {
		return 0, 0, false
	}
	const digit = 0xff
	return int64(w>>8&digit*10_000_000 + w>>16&digit*1_000_000 + w>>32&digit*100_000 + w>>40&digit*10_000 + w>>48&digit*1_000), 23, true
}

// seconds reads ":ss" at the 16th byte, with up to six digits of a fraction, and returns the index behind it.
func seconds(b []byte) (t int64, end int, ok bool) {
	hi, lo := b[17]-'0', b[18]-'0'
	if b[16] != ':' || hi > 5 || lo > 9 {
		return 0, 0, false
	}
	t = (int64(hi)*10 + int64(lo)) * vec.MicrosPerSecond
	n := 19
	if b[n] == '.' {
		unit := vec.MicrosPerSecond
		for n++; n < len(b) && b[n]-'0' <= 9; n++ {
			if unit /= 10; unit == 0 {
				return 0, 0, false
			}
			t += int64(b[n]-'0') * unit
		}
		if n == 20 { // no digit
			return 0, 0, false
		}
	}
	return t, n, true
}
