package vec

import (
	"errors"
	"math"
	"math/big"
	"strconv"
)

// ErrSyntax says that a text is no value of the type asked for.
var ErrSyntax = errors.New("invalid input syntax")

// String returns the number with exactly Scale digits behind the point.
func (d Decimal) String() string { return string(d.AppendText(nil)) }

// AppendText appends the number with exactly Scale digits behind the point.
func (d Decimal) AppendText(dst []byte) []byte {
	m, neg := d.abs()
	if neg {
		dst = append(dst, '-')
	}
	var buf [MaxDigits + 2]byte
	i := len(buf)
	for digits := int32(0); m != (u128{}) || digits <= d.Scale; digits++ {
		var r uint64
		if m.hi == 0 {
			m.lo, r = m.lo/10, m.lo%10
		} else {
			m, r = m.div10()
		}
		i--
		buf[i] = byte('0' + r)
	}
	whole := len(buf) - i - int(d.Scale)
	dst = append(dst, buf[i:i+whole]...)
	if d.Scale > 0 {
		dst = append(dst, '.')
		dst = append(dst, buf[i+whole:]...)
	}
	return dst
}

// ParseDecimal reads a number with optional sign, point and exponent. Digits behind the point that do not fit are rounded.
func ParseDecimal(b []byte) (Decimal, error) {
	b = trimSpace(b)
	i, neg := 0, false
	if i < len(b) && (b[i] == '-' || b[i] == '+') {
		neg = b[i] == '-'
		i++
	}
	var m uint64
	scale, digits, significant, point := int32(0), 0, 0, false
	start := i
loop:
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case c >= '0' && c <= '9':
			digits++
			if significant > 0 || c != '0' {
				significant++
			}
			if significant <= 18 {
				m = m*10 + uint64(c-'0')
			}
			if point {
				scale++
			}
		case c == '.' && !point:
			point = true
		default:
			break loop
		}
	}
	if digits == 0 {
		return Decimal{}, ErrSyntax
	}
	mantissa := b[start:i]
	exp := 0
	if i < len(b) {
		if b[i] != 'e' && b[i] != 'E' {
			return Decimal{}, ErrSyntax
		}
		var err error
		if exp, err = strconv.Atoi(string(b[i+1:])); err != nil || len(b) == i+1 {
			return Decimal{}, ErrSyntax
		}
		if exp > 1000 || exp < -1000 {
			if m == 0 {
				return Decimal{}, nil
			}
			if exp > 0 {
				return Decimal{}, ErrNumericOverflow
			}
			return Decimal{Scale: MaxDigits}, nil
		}
	}
	if significant <= 18 && exp == 0 && scale <= MaxDigits {
		return fromMag(u128{0, m}, neg, scale), nil
	}
	return parseDecimalBig(mantissa, neg, scale, exp)
}

func parseDecimalBig(mantissa []byte, neg bool, scale int32, exp int) (Decimal, error) {
	if len(mantissa) > 20000 {
		return Decimal{}, ErrNumericOverflow
	}
	text := make([]byte, 0, len(mantissa))
	for _, c := range mantissa {
		if c != '.' {
			text = append(text, c)
		}
	}
	c, ok := new(big.Int).SetString(string(text), 10)
	if !ok {
		return Decimal{}, ErrSyntax
	}
	if neg {
		c.Neg(c)
	}
	s := int(scale) - exp
	if s < 0 {
		c.Mul(c, bigTen(int32(-s)))
		s = 0
	}
	return DecimalFromBig(c, int32(s))
}

// DecimalFromFloat converts as PostgreSQL does: the 15 digits that a double surely holds. Not for NaN and infinities.
func DecimalFromFloat(f float64) (Decimal, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Decimal{}, ErrOutOfRange
	}
	var buf [32]byte
	return ParseDecimal(strconv.AppendFloat(buf[:0], f, 'g', 15, 64))
}

func trimSpace(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
