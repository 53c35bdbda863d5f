package value

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"unicode/utf8"

	"myelin/internal/vec"
	"myelin/internal/vec/jsonb"
)

// AppendBinary appends row i of v in the format of PostgreSQL's send functions. The row must not be NULL.
func AppendBinary(dst []byte, v *vec.Vector, i int) []byte {
	switch v.Type.Kind {
	case vec.Bool:
		if v.Bools[i] {
			return append(dst, 1)
		}
		return append(dst, 0)
	case vec.Int32:
		return binary.BigEndian.AppendUint32(dst, uint32(v.Ints[i]))
	case vec.Int64, vec.Time:
		return binary.BigEndian.AppendUint64(dst, uint64(v.Ints[i]))
	case vec.Float64:
		if math.IsNaN(v.Floats[i]) {
			return binary.BigEndian.AppendUint64(dst, 0x7ff8<<48) // one NaN for all
		}
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(v.Floats[i]))
	case vec.Numeric:
		return appendNumericBinary(dst, v.Decs[i])
	case vec.Date:
		return binary.BigEndian.AppendUint32(dst, uint32(v.Ints[i]-pgEpochDays))
	case vec.Timestamp, vec.Timestamptz:
		return binary.BigEndian.AppendUint64(dst, uint64(pgMicros(v.Ints[i])))
	case vec.Interval:
		iv := v.Intervals[i]
		dst = binary.BigEndian.AppendUint64(dst, uint64(iv.Micros))
		dst = binary.BigEndian.AppendUint32(dst, uint32(iv.Days))
		return binary.BigEndian.AppendUint32(dst, uint32(iv.Months))
	case vec.JSONB:
		return jsonb.AppendJSON(append(dst, 1), bytesAt(v, i))
	case vec.Array:
		return appendArrayBinary(dst, v, i, scalarOIDs[v.Type.Elem], 1)
	}
	return append(dst, bytesAt(v, i)...) // Text, Bytea, UUID, Unknown
}

// pgMicros moves the epoch to 2000-01-01; the infinities stay where they are.
func pgMicros(micros int64) int64 {
	if micros == math.MaxInt64 || micros == math.MinInt64 {
		return micros
	}
	return micros - pgEpochMicros
}

func appendArrayBinary(dst []byte, v *vec.Vector, i int, elem, lower uint32) []byte {
	sp := v.Spans[i]
	hasNull := uint32(0)
	for k := range int(sp.Len) {
		if v.Elem.IsNull(int(sp.Off) + k) {
			hasNull = 1
		}
	}
	dims := uint32(1)
	if sp.Len == 0 {
		dims = 0
	}
	dst = binary.BigEndian.AppendUint32(dst, dims)
	dst = binary.BigEndian.AppendUint32(dst, hasNull)
	dst = binary.BigEndian.AppendUint32(dst, elem)
	if dims == 0 {
		return dst
	}
	dst = binary.BigEndian.AppendUint32(dst, sp.Len)
	dst = binary.BigEndian.AppendUint32(dst, lower)
	for k := range int(sp.Len) {
		at := int(sp.Off) + k
		if v.Elem.IsNull(at) {
			dst = binary.BigEndian.AppendUint32(dst, math.MaxUint32)
			continue
		}
		mark := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		dst = AppendBinaryAs(dst, elem, v.Elem, at)
		binary.BigEndian.PutUint32(dst[mark:], uint32(len(dst)-mark-4))
	}
	return dst
}

// ReadBinary reads a parameter that a client sent in the binary format of type oid. The vector has one row and keeps no
// reference to b.
func ReadBinary(oid uint32, b []byte) (*vec.Vector, error) {
	t, ok := TypeOf(oid)
	if !ok {
		return nil, ErrBinary
	}
	v := &vec.Vector{Type: t}
	if t.Kind == vec.Array {
		return v, readArrayBinary(v, b)
	}
	return v, readScalarBinary(v, oid, b)
}

// readScalarBinary appends one value to v.
func readScalarBinary(v *vec.Vector, oid uint32, b []byte) error {
	switch oid {
	case OIDInt2:
		if len(b) != 2 {
			return ErrBinary
		}
		v.AppendInt(int64(int16(binary.BigEndian.Uint16(b))))
		return nil
	case OIDFloat4:
		if len(b) != 4 {
			return ErrBinary
		}
		v.AppendFloat(float64(math.Float32frombits(binary.BigEndian.Uint32(b))))
		return nil
	case OIDOid, OIDRegclass, OIDRegtype:
		if len(b) != 4 {
			return ErrBinary
		}
		v.AppendInt(int64(binary.BigEndian.Uint32(b)))
		return nil
	case OIDJSONB:
		if len(b) == 0 || b[0] != 1 {
			return ErrBinary
		}
		b = b[1:]
	}
	if n := Size(v.Type); n >= 0 && len(b) != int(n) {
		return ErrBinary
	}
	switch v.Type.Kind {
	case vec.Bool:
		v.AppendBool(b[0] != 0)
	case vec.Int32:
		v.AppendInt(int64(int32(binary.BigEndian.Uint32(b))))
	case vec.Int64, vec.Time:
		v.AppendInt(int64(binary.BigEndian.Uint64(b)))
	case vec.Float64:
		v.AppendFloat(math.Float64frombits(binary.BigEndian.Uint64(b)))
	case vec.Numeric:
		d, ok := readNumericBinary(b)
		if !ok {
			return ErrBinary
		}
		v.AppendDecimal(d)
	case vec.Date:
		v.AppendInt(int64(int32(binary.BigEndian.Uint32(b))) + pgEpochDays)
	case vec.Timestamp, vec.Timestamptz:
		micros := int64(binary.BigEndian.Uint64(b))
		switch {
		case micros == math.MaxInt64 || micros == math.MinInt64:
		case micros > math.MaxInt64-pgEpochMicros-1:
			return ErrBinary
		default:
			micros += pgEpochMicros
		}
		v.AppendInt(micros)
	case vec.Interval:
		v.AppendInterval(vec.IntervalValue{
			Micros: int64(binary.BigEndian.Uint64(b)),
			Days:   int32(binary.BigEndian.Uint32(b[8:])),
			Months: int32(binary.BigEndian.Uint32(b[12:])),
		})
	case vec.JSONB:
		if !json.Valid(b) || !utf8.Valid(b) {
			return ErrBinary
		}
		v.AppendBytes(b)
	case vec.Text:
		if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
			return ErrBinary
		}
		v.AppendBytes(b)
	default:
		v.AppendBytes(b)
	}
	return nil
}

// readArrayBinary reads a one-dimensional array; others have no counterpart in the engine.
func readArrayBinary(v *vec.Vector, b []byte) error {
	if len(b) < 12 {
		return ErrBinary
	}
	dims, elemOID := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[8:])
	elemType, ok := TypeOf(elemOID)
	if !ok || elemType.Kind != v.Type.Elem || dims > 1 {
		return ErrBinary
	}
	v.Elem = &vec.Vector{Type: elemType}
	v.Spans = []vec.Span{{}}
	if dims == 0 {
		return nil
	}
	if len(b) < 20 {
		return ErrBinary
	}
	n := int(int32(binary.BigEndian.Uint32(b[12:])))
	b = b[20:]
	if n < 0 || n > len(b)/4 {
		return ErrBinary
	}
	v.Spans[0].Len = uint32(n)
	for range n {
		if len(b) < 4 {
			return ErrBinary
		}
		size := int(int32(binary.BigEndian.Uint32(b)))
		b = b[4:]
		if size == -1 {
			v.Elem.AppendNull()
			continue
		}
		if size < 0 || size > len(b) {
			return ErrBinary
		}
		if err := readScalarBinary(v.Elem, elemOID, b[:size]); err != nil {
			return err
		}
		b = b[size:]
	}
	return nil
}
