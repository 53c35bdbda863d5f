package value

import (
	"encoding/binary"
	"math/bits"

	"myelin/internal/vec"
)

// magnitude is the coefficient without its sign as 128 bits.
func magnitude(d vec.Decimal) (hi, lo uint64, neg bool) {
	hi, lo = uint64(d.Hi), d.Lo
	if d.Hi >= 0 {
		return hi, lo, false
	}
	lo, borrow := bits.Sub64(0, lo, 0)
	hi, _ = bits.Sub64(0, hi, borrow)
	return hi, lo, true
}

// digitsOf appends the decimal digits of a 128-bit number, at least one.
func digitsOf(dst []byte, hi, lo uint64) []byte {
	var tmp [40]byte
	n := len(tmp)
	for hi != 0 {
		q, r := hi/10, hi%10
		hi = q
		lo, r = bits.Div64(r, lo, 10)
		n--
		tmp[n] = byte('0' + r)
	}
	for {
		n--
		tmp[n] = byte('0' + lo%10)
		lo /= 10
		if lo == 0 {
			break
		}
	}
	return append(dst, tmp[n:]...)
}

// appendNumericBinary writes numeric_send's format: int16 count, weight, sign, display scale, then base-10000 digits.
func appendNumericBinary(dst []byte, d vec.Decimal) []byte {
	hi, lo, neg := magnitude(d)
	var tmp [48]byte
	digits := digitsOf(tmp[:0], hi, lo)
	scale := max(int(d.Scale), 0)

	// Align to groups of four on both sides of the decimal point.
	var aligned [96]byte
	buf := aligned[:0]
	whole := len(digits) - scale
	pad := (4 - (whole%4+4)%4) % 4
	for range pad {
		buf = append(buf, '0')
	}
	weight := (whole+pad)/4 - 1
	buf = append(buf, digits...)
	for len(buf)%4 != 0 {
		buf = append(buf, '0')
	}
	groups := make([]uint16, 0, len(buf)/4)
	for k := 0; k < len(buf); k += 4 {
		groups = append(groups, uint16(buf[k]-'0')*1000+uint16(buf[k+1]-'0')*100+uint16(buf[k+2]-'0')*10+uint16(buf[k+3]-'0'))
	}
	for len(groups) > 0 && groups[0] == 0 {
		groups, weight = groups[1:], weight-1
	}
	for len(groups) > 0 && groups[len(groups)-1] == 0 {
		groups = groups[:len(groups)-1]
	}
	if len(groups) == 0 {
		weight, neg = 0, false
	}
	sign := uint16(0)
	if neg {
		sign = 0x4000
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(groups)))
	dst = binary.BigEndian.AppendUint16(dst, uint16(int16(weight)))
	dst = binary.BigEndian.AppendUint16(dst, sign)
	dst = binary.BigEndian.AppendUint16(dst, uint16(scale))
	for _, g := range groups {
		dst = binary.BigEndian.AppendUint16(dst, g)
	}
	return dst
}

// readNumericBinary is the inverse of appendNumericBinary; ok is false for NaN, infinities and more than 38 digits.
func readNumericBinary(b []byte) (d vec.Decimal, ok bool) {
	if len(b) < 8 {
		return d, false
	}
	count, weight := int(binary.BigEndian.Uint16(b)), int(int16(binary.BigEndian.Uint16(b[2:])))
	sign, scale := binary.BigEndian.Uint16(b[4:]), int(binary.BigEndian.Uint16(b[6:]))
	if len(b) != 8+2*count || sign&^0x4000 != 0 || scale > 38 || weight > 10 {
		return d, false
	}
	// The coefficient is every digit down to 10^-scale; groups below that are cut digit by digit.
	var hi, lo uint64
	push := func(digit uint64) bool {
		if hi > (1<<63)/10 {
			return false
		}
		h1, l1 := bits.Mul64(lo, 10)
		hi = hi*10 + h1
		var carry uint64
		lo, carry = bits.Add64(l1, digit, 0)
		hi += carry
		return hi>>63 == 0
	}
	for exp := 4*(weight+1) - 1; exp >= -scale; exp-- { // exp: power of ten of the digit
		group := (4*(weight+1) - 1 - exp) / 4
		var digit uint64
		if group < count {
			g := uint64(binary.BigEndian.Uint16(b[8+2*group:]))
			if g > 9999 {
				return d, false
			}
			switch 3 - (4*(weight+1)-1-exp)%4 {
			case 3:
				digit = g / 1000
			case 2:
				digit = g / 100 % 10
			case 1:
				digit = g / 10 % 10
			default:
				digit = g % 10
			}
		}
		if !push(digit) {
			return d, false
		}
	}
	if sign != 0 {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	return vec.Decimal{Hi: int64(hi), Lo: lo, Scale: int32(scale)}, true
}
