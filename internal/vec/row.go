package vec

import (
	"encoding/binary"
	"errors"
	"math"

	"myelin/internal/vec/jsonb"
)

// errRow says that bytes are no row of the types asked for.
var errRow = errors.New("decoding row: bytes do not fit the columns")

// AppendRow appends row i of cols in a compact form that DecodeRow reads. Two rows that are not distinct may differ in it
// (1.0 and 1.00); see AppendKey.
func AppendRow(dst []byte, cols []*Vector, i int) []byte {
	for _, c := range cols {
		dst = appendCell(dst, c, rowOf(c, i), false)
	}
	return dst
}

// AppendKey appends row i of cols in a form that is the same exactly for rows that are not distinct. DecodeRow reads it too.
func AppendKey(dst []byte, cols []*Vector, i int) []byte {
	for _, c := range cols {
		dst = appendCell(dst, c, rowOf(c, i), true)
	}
	return dst
}

// rowOf is i, or 0 in a vector of one row, which stands for all.
func rowOf(v *Vector, i int) int {
	if v.Len() == 1 {
		return 0
	}
	return i
}

// appendCell writes 0 for NULL, else 1 and the value.
func appendCell(dst []byte, v *Vector, i int, key bool) []byte {
	if v.IsNull(i) {
		return append(dst, 0)
	}
	dst = append(dst, 1)
	switch v.Type.Kind {
	case Bool, Unknown:
		if v.Bools[i] {
			return append(dst, 1)
		}
		return append(dst, 0)
	case Float64:
		f := v.Floats[i]
		if key && f == 0 {
			f = 0 // -0
		}
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(f))
	case Numeric:
		d := v.Decs[i]
		if key {
			d = d.Normal()
		}
		dst = append(dst, byte(d.Scale))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(d.Hi))
		return binary.LittleEndian.AppendUint64(dst, d.Lo)
	case Interval:
		w := v.Intervals[i]
		if key {
			w = w.normal()
		}
		dst = binary.AppendVarint(dst, int64(w.Months))
		dst = binary.AppendVarint(dst, int64(w.Days))
		return binary.AppendVarint(dst, w.Micros)
	case Text, Bytea, UUID, JSONB:
		b := v.Bytes(i)
		if key && v.Type.Kind == JSONB {
			return appendBytesCell(dst, jsonb.AppendCanonical(nil, b))
		}
		return appendBytesCell(dst, b)
	case Array:
		s := v.Spans[i]
		dst = binary.AppendUvarint(dst, uint64(s.Len))
		for e := s.Off; e < s.Off+s.Len; e++ {
			dst = appendCell(dst, v.Elem, int(e), key)
		}
		return dst
	}
	return binary.AppendVarint(dst, v.Ints[i])
}

func appendBytesCell(dst, b []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

// normal gives all intervals of one length one form, in which no part points the other way.
func (v IntervalValue) normal() IntervalValue {
	micros := v.Micros % MicrosPerDay
	days := int64(v.Months)*30 + int64(v.Days) + v.Micros/MicrosPerDay
	switch {
	case days > 0 && micros < 0:
		micros += MicrosPerDay
		days--
	case days < 0 && micros > 0:
		micros -= MicrosPerDay
		days++
	}
	return IntervalValue{Months: int32(days / 30), Days: int32(days % 30), Micros: micros}
}

// DecodeRow appends one row from src to cols, whose types say how to read it, and returns what is left of src.
func DecodeRow(src []byte, cols []*Vector) ([]byte, error) {
	var err error
	for _, c := range cols {
		if src, err = decodeCell(src, c); err != nil {
			return nil, err
		}
	}
	return src, nil
}

func decodeCell(src []byte, v *Vector) ([]byte, error) {
	if len(src) == 0 || src[0] > 1 {
		return nil, errRow
	}
	if src[0] == 0 {
		v.AppendNull()
		return src[1:], nil
	}
	src = src[1:]
	switch v.Type.Kind {
	case Bool, Unknown:
		if len(src) < 1 {
			return nil, errRow
		}
		v.AppendBool(src[0] == 1)
		return src[1:], nil
	case Float64:
		if len(src) < 8 {
			return nil, errRow
		}
		v.AppendFloat(math.Float64frombits(binary.LittleEndian.Uint64(src)))
		return src[8:], nil
	case Numeric:
		if len(src) < 17 || src[0] > MaxDigits {
			return nil, errRow
		}
		v.AppendDecimal(Decimal{
			Scale: int32(src[0]), Hi: int64(binary.LittleEndian.Uint64(src[1:])), Lo: binary.LittleEndian.Uint64(src[9:]),
		})
		return src[17:], nil
	case Interval:
		months, a := binary.Varint(src)
		if a <= 0 {
			return nil, errRow
		}
		days, b := binary.Varint(src[a:])
		if b <= 0 {
			return nil, errRow
		}
		micros, c := binary.Varint(src[a+b:])
		if c <= 0 {
			return nil, errRow
		}
		v.AppendInterval(IntervalValue{int32(months), int32(days), micros})
		return src[a+b+c:], nil
	case Text, Bytea, UUID, JSONB:
		n, a := binary.Uvarint(src)
		if a <= 0 || n > uint64(len(src)-a) {
			return nil, errRow
		}
		v.AppendBytes(src[a : a+int(n)])
		return src[a+int(n):], nil
	case Array:
		return decodeArray(src, v)
	}
	x, a := binary.Varint(src)
	if a <= 0 {
		return nil, errRow
	}
	v.AppendInt(x)
	return src[a:], nil
}

func decodeArray(src []byte, v *Vector) ([]byte, error) {
	n, a := binary.Uvarint(src)
	if a <= 0 || n > uint64(len(src)-a) {
		return nil, errRow
	}
	if v.Elem == nil {
		v.Elem = New(Of(v.Type.Elem), 0)
	}
	src = src[a:]
	start := v.Elem.Len()
	var err error
	for range n {
		if src, err = decodeCell(src, v.Elem); err != nil {
			return nil, err
		}
	}
	v.CloseArray(start)
	return src, nil
}
