package schema

import (
	"bytes"
	"cmp"
	"math"
	"math/big"
	"math/bits"

	"myelin/internal/tape"
)

// bound is a limit for numbers. Both a limit and a number of up to 18 digits without exponent, which is nearly all there
// is, are compared as integers of one scale; the rest is compared digit by digit.
type bound struct {
	raw   []byte
	m     int64 // raw is m / 10^scale, when small
	scale int
	small bool
}

func newBound(raw string) *bound {
	b := &bound{raw: []byte(raw)}
	b.m, b.scale, b.small = smallDecimal(b.raw)
	return b
}

// smallDecimal reads a JSON number as m / 10^scale if it is short and has no exponent.
func smallDecimal(raw []byte) (m int64, scale int, ok bool) {
	if len(raw) > 18 {
		return 0, 0, false
	}
	neg := raw[0] == '-'
	if neg {
		raw = raw[1:]
	}
	for i, c := range raw {
		d := c - '0'
		switch {
		case d <= 9:
			m = m*10 + int64(d)
		case c == '.':
			scale = len(raw) - i - 1
		default:
			return 0, 0, false
		}
	}
	if neg {
		m = -m
	}
	return m, scale, true
}

var powers = [...]int64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// compare is -1, 0 or 1 as the JSON number raw, which is m / 10^scale when small, is below, at or above the bound.
func (b *bound) compare(raw []byte, m int64, scale int, small bool) int {
	if !small || !b.small {
		return tape.CompareNumbers(raw, b.raw)
	}
	limit := b.m
	if d := scale - b.scale; d > 0 {
		if limit > math.MaxInt64/powers[d] || limit < math.MinInt64/powers[d] {
			return tape.CompareNumbers(raw, b.raw)
		}
		limit *= powers[d]
	} else if d < 0 {
		if m > math.MaxInt64/powers[-d] || m < math.MinInt64/powers[-d] {
			return tape.CompareNumbers(raw, b.raw)
		}
		m *= powers[-d]
	}
	return cmp.Compare(m, limit)
}

// divisor is multipleOf: multiples of digits × 10^exp. Numbers are read as digits × 10^exp too, so that whether one is a
// multiple is decided in integers, whatever its size.
type divisor struct {
	mod uint64 // the digits, without trailing zeros
	exp int64
}

// maxExp is where exponents stop being told apart; a number that long cannot be written in an event.
const maxExp = 1 << 40

// newDivisor reads a JSON number above zero. It is nil when the number has too many digits.
func newDivisor(raw []byte) *divisor {
	neg, digits, exp := scan(raw)
	if neg || len(digits) == 0 {
		return nil
	}
	n, ok := new(big.Int).SetString(string(digits), 10)
	if !ok || n.BitLen() > 60 { // sums below must not overflow
		return nil
	}
	return &divisor{mod: n.Uint64(), exp: exp}
}

// divides reports whether the JSON number raw is a multiple.
func (d *divisor) divides(raw []byte) bool {
	var (
		rest   uint64
		seen   bool
		exp    int64
		zeros  int64 // trailing zeros so far, which count as exponent unless a digit follows
		inFrac bool
	)
	for i, c := range raw {
		switch {
		case c == '-':
		case c == '.':
			inFrac = true
		case c|0x20 == 'e':
			exp += exponent(raw[i+1:])
			goto done
		case c == '0':
			if inFrac {
				exp--
			}
			if seen {
				zeros++
			}
		default:
			if inFrac {
				exp--
			}
			for ; zeros > 0; zeros-- {
				rest = mulMod(rest, 10, d.mod)
			}
			seen = true
			rest = (mulMod(rest, 10, d.mod) + uint64(c-'0')%d.mod) % d.mod
		}
	}
done:
	if !seen {
		return true // zero
	}
	exp += zeros
	if exp < d.exp {
		// The number's last digit is not 0, so it cannot have d's further power of ten as a factor.
		return false
	}
	return mulMod(rest, powMod(10, exp-d.exp, d.mod), d.mod) == 0
}

func mulMod(a, b, m uint64) uint64 {
	hi, lo := bits.Mul64(a%m, b%m)
	_, rest := bits.Div64(hi%m, lo, m)
	return rest
}

func powMod(base uint64, n int64, m uint64) uint64 {
	result := 1 % m
	for base %= m; n > 0; n >>= 1 {
		if n&1 == 1 {
			result = mulMod(result, base, m)
		}
		base = mulMod(base, base, m)
	}
	return result
}

// scan splits a JSON number into sign, significant digits (none for zero) and exponent.
func scan(raw []byte) (neg bool, digits []byte, exp int64) {
	raw, neg = bytes.CutPrefix(raw, []byte("-"))
	if e := bytes.IndexAny(raw, "eE"); e >= 0 {
		exp = exponent(raw[e+1:])
		raw = raw[:e]
	}
	whole, frac, _ := bytes.Cut(raw, []byte("."))
	digits = append(append(digits, whole...), frac...)
	exp -= int64(len(frac))
	digits = bytes.TrimLeft(digits, "0")
	trimmed := bytes.TrimRight(digits, "0")
	return neg, trimmed, exp + int64(len(digits)-len(trimmed))
}

// exponent is the value of what stands after the e of a JSON number.
func exponent(s []byte) int64 {
	neg := false
	if s[0] == '-' || s[0] == '+' {
		neg = s[0] == '-'
		s = s[1:]
	}
	var v int64
	for _, c := range s {
		v = min(v*10+int64(c-'0'), maxExp)
	}
	if neg {
		return -v
	}
	return v
}
