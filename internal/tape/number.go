package tape

import (
	"bytes"
	"strconv"
)

// Float is the number i as the nearest float64; ±Inf beyond its range.
func (d *Doc) Float(i int) float64 {
	f, _ := strconv.ParseFloat(string(d.Raw(i)), 64) // the grammar is checked; only a range error remains, and says ±Inf
	return f
}

// Int64 is the number i if it is an integer in the mathematical sense (1.0 and 1e2 are) that fits an int64.
func (d *Doc) Int64(i int) (int64, bool) {
	raw := d.Raw(i)
	if len(raw) <= 18 {
		v, ok := smallInt(raw)
		if ok {
			return v, true
		}
	}
	n := parseDecimal(raw)
	if n.digits == 0 {
		return 0, true
	}
	if n.point < n.digits || n.point > 19 {
		return 0, false
	}
	var v uint64
	for k := range n.point {
		digit := uint64(n.digit(k))
		if v > (1<<63-digit)/10 {
			return 0, false
		}
		v = v*10 + digit
	}
	if n.neg {
		return -int64(v), true
	}
	return int64(v), v < 1<<63
}

func smallInt(s []byte) (int64, bool) {
	neg := s[0] == '-'
	if neg {
		s = s[1:]
	}
	var v int64
	for _, c := range s {
		if c -= '0'; c > 9 {
			return 0, false
		}
		v = v*10 + int64(c)
	}
	if neg {
		v = -v
	}
	return v, true
}

// IsInteger reports whether the JSON number raw is an integer in the mathematical sense, as JSON Schema means it: 1.0
// and 1e2 are.
func IsInteger(raw []byte) bool {
	if len(raw) <= 18 {
		if _, ok := smallInt(raw); ok {
			return true
		}
	}
	n := parseDecimal(raw)
	return n.point >= n.digits
}

// CompareNumbers compares two JSON numbers exactly, without going through floating point: -1, 0 or 1.
func CompareNumbers(a, b []byte) int {
	if len(a) <= 18 && len(b) <= 18 {
		x, okX := smallInt(a)
		y, okY := smallInt(b)
		if okX && okY {
			return order(x, y)
		}
	}
	x, y := parseDecimal(a), parseDecimal(b)
	switch {
	case x.digits == 0 && y.digits == 0:
		return 0
	case x.digits == 0:
		return sign(!y.neg) * -1
	case y.digits == 0:
		return sign(!x.neg)
	case x.neg != y.neg:
		return sign(y.neg)
	}
	c := order(x.point, y.point)
	for k := 0; c == 0 && k < max(x.digits, y.digits); k++ {
		c = order(int(x.digit(k)), int(y.digit(k)))
	}
	if x.neg {
		return -c
	}
	return c
}

func sign(positive bool) int {
	if positive {
		return 1
	}
	return -1
}

func order[T int | int64](x, y T) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// decimal is a JSON number as 0.d1d2d3… × 10^point, without leading and trailing zeros; zero has no digits. The digits
// stay in the text, where skip bytes (the decimal point) stand after the first head of them.
type decimal struct {
	text   []byte // from the first significant digit on
	head   int    // digits before the decimal point in text
	digits int
	point  int
	neg    bool
}

func (n *decimal) digit(k int) byte {
	if k >= n.digits {
		return 0
	}
	if k >= n.head {
		k++
	}
	return n.text[k] - '0'
}

// maxExponent bounds what an exponent adds, so that absurd ones compare as very large or very small without overflow.
const maxExponent = 1 << 40

func parseDecimal(s []byte) decimal {
	var n decimal
	if s[0] == '-' {
		n.neg = true
		s = s[1:]
	}
	exp := 0
	if e := bytes.IndexAny(s, "eE"); e >= 0 {
		digits := s[e+1:]
		negative := digits[0] == '-'
		if negative || digits[0] == '+' {
			digits = digits[1:]
		}
		for _, c := range digits {
			exp = min(exp*10+int(c-'0'), maxExponent)
		}
		if negative {
			exp = -exp
		}
		s = s[:e]
	}
	whole, frac := s, []byte(nil)
	if dot := bytes.IndexByte(s, '.'); dot >= 0 {
		whole, frac = s[:dot], s[dot+1:]
	}
	frac = bytes.TrimRight(frac, "0")
	whole = bytes.TrimLeft(whole, "0")
	if len(whole) > 0 {
		n.text, n.head = bytes.TrimLeft(s, "0"), len(whole)
		n.point = len(whole) + exp
		n.digits = len(whole) + len(frac)
		if len(frac) == 0 {
			n.digits = len(bytes.TrimRight(whole, "0"))
		}
		return n
	}
	lead := len(frac) - len(bytes.TrimLeft(frac, "0"))
	frac = frac[lead:]
	if len(frac) == 0 {
		n.neg = false
		return n
	}
	n.text, n.head, n.digits, n.point = frac, len(frac), len(frac), exp-lead
	return n
}
