// Package value writes and reads single SQL values of vectors in PostgreSQL's text and binary formats and in JSON.
package value

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"myelin/internal/vec"
)

// Object identifiers of PostgreSQL's types (src/include/catalog/pg_type.dat), as clients know them.
const (
	OIDBool        = 16
	OIDBytea       = 17
	OIDChar        = 18
	OIDName        = 19
	OIDInt8        = 20
	OIDInt2        = 21
	OIDInt2Vector  = 22
	OIDInt4        = 23
	OIDRegproc     = 24
	OIDText        = 25
	OIDOid         = 26
	OIDXid         = 28
	OIDOidVector   = 30
	OIDJSON        = 114
	OIDFloat4      = 700
	OIDFloat8      = 701
	OIDUnknown     = 705
	OIDBpchar      = 1042
	OIDVarchar     = 1043
	OIDDate        = 1082
	OIDTime        = 1083
	OIDTimestamp   = 1114
	OIDTimestamptz = 1184
	OIDInterval    = 1186
	OIDNumeric     = 1700
	OIDRegclass    = 2205
	OIDRegtype     = 2206
	OIDUUID        = 2950
	OIDJSONB       = 3802
)

// pgEpochDays and pgEpochMicros are 2000-01-01, PostgreSQL's day zero, counted from 1970-01-01.
const (
	pgEpochDays   = 10957
	pgEpochMicros = pgEpochDays * 86400 * 1_000_000
)

// ErrBinary says that a binary parameter does not have the length or shape of its type.
var ErrBinary = errors.New("incorrect binary data format")

var scalarOIDs = map[vec.Kind]uint32{
	vec.Unknown: OIDText, vec.Bool: OIDBool, vec.Int32: OIDInt4, vec.Int64: OIDInt8, vec.Float64: OIDFloat8,
	vec.Numeric: OIDNumeric, vec.Text: OIDText, vec.Bytea: OIDBytea, vec.Date: OIDDate, vec.Time: OIDTime,
	vec.Timestamp: OIDTimestamp, vec.Timestamptz: OIDTimestamptz, vec.Interval: OIDInterval, vec.UUID: OIDUUID,
	vec.JSONB: OIDJSONB,
}

var arrayOIDs = map[vec.Kind]uint32{
	vec.Unknown: 1009, vec.Bool: 1000, vec.Int32: 1007, vec.Int64: 1016, vec.Float64: 1022, vec.Numeric: 1231,
	vec.Text: 1009, vec.Bytea: 1001, vec.Date: 1182, vec.Time: 1183, vec.Timestamp: 1115, vec.Timestamptz: 1185,
	vec.Interval: 1187, vec.UUID: 2951, vec.JSONB: 3807,
}

// kindOfOID also knows types that the engine lacks but clients declare for parameters.
var kindOfOID = map[uint32]vec.Type{
	OIDBool: {Kind: vec.Bool}, OIDBytea: {Kind: vec.Bytea}, OIDChar: {Kind: vec.Text}, OIDName: {Kind: vec.Text},
	OIDInt8: {Kind: vec.Int64}, OIDInt2: {Kind: vec.Int32}, OIDInt4: {Kind: vec.Int32}, OIDText: {Kind: vec.Text},
	OIDOid: {Kind: vec.Int64}, OIDJSON: {Kind: vec.JSONB}, OIDFloat4: {Kind: vec.Float64},
	OIDFloat8: {Kind: vec.Float64}, OIDBpchar: {Kind: vec.Text}, OIDVarchar: {Kind: vec.Text}, OIDDate: {Kind: vec.Date},
	OIDTime: {Kind: vec.Time}, OIDTimestamp: {Kind: vec.Timestamp}, OIDTimestamptz: {Kind: vec.Timestamptz},
	OIDInterval: {Kind: vec.Interval}, OIDNumeric: {Kind: vec.Numeric}, OIDUUID: {Kind: vec.UUID},
	OIDJSONB: {Kind: vec.JSONB}, OIDRegclass: {Kind: vec.Int64}, OIDRegtype: {Kind: vec.Int64},
	1000: array(vec.Bool), 1001: array(vec.Bytea), 1005: array(vec.Int32), 1007: array(vec.Int32),
	1009: array(vec.Text), 1015: array(vec.Text), 1014: array(vec.Text), 1003: array(vec.Text), 1016: array(vec.Int64),
	1021: array(vec.Float64), 1022: array(vec.Float64), 1028: array(vec.Int64), 1115: array(vec.Timestamp),
	1182: array(vec.Date), 1183: array(vec.Time), 1185: array(vec.Timestamptz), 1187: array(vec.Interval),
	1231: array(vec.Numeric), 199: array(vec.JSONB), 2951: array(vec.UUID), 3807: array(vec.JSONB),
}

func array(elem vec.Kind) vec.Type { return vec.Type{Kind: vec.Array, Elem: elem} }

// OID is the object identifier under which PostgreSQL clients know type t. A value of unknown type is shown as text.
func OID(t vec.Type) uint32 {
	if t.Kind == vec.Array {
		return arrayOIDs[t.Elem]
	}
	return scalarOIDs[t.Kind]
}

// TypeOf is the engine's type for a client's object identifier; ok is false where there is none.
func TypeOf(oid uint32) (t vec.Type, ok bool) {
	t, ok = kindOfOID[oid]
	return t, ok
}

// Size is pg_type.typlen of t: bytes of a fixed-width value, -1 where the width varies.
func Size(t vec.Type) int16 {
	switch t.Kind {
	case vec.Bool:
		return 1
	case vec.Int32, vec.Date:
		return 4
	case vec.Int64, vec.Float64, vec.Time, vec.Timestamp, vec.Timestamptz:
		return 8
	case vec.Interval, vec.UUID:
		return 16
	}
	return -1
}

// Modifier is PostgreSQL's type modifier of t, -1 where it has none. NUMERIC(p,s) keeps both in one number.
func Modifier(t vec.Type) int32 {
	if t.Kind != vec.Numeric || t.Precision == 0 {
		return -1
	}
	return (int32(t.Precision)<<16 | int32(t.Scale)) + 4
}

// Style is what a session may choose about the text format. The zero value shows times in UTC.
type Style struct {
	// Zone is where TIMESTAMP WITH TIME ZONE is shown and read; nil: UTC.
	Zone *time.Location
}

func (s Style) zone() *time.Location {
	if s.Zone == nil {
		return time.UTC
	}
	return s.Zone
}

// SizeOf is Size where clients are told another type than t.
func SizeOf(oid uint32, t vec.Type) int16 {
	switch oid {
	case OIDOid, OIDXid, OIDRegproc, OIDRegclass, OIDRegtype, OIDFloat4:
		return 4
	case OIDInt2:
		return 2
	case OIDChar:
		return 1
	case OIDName:
		return 64
	}
	return Size(t)
}

// AppendTextAs is AppendText where the client was told that the type is oid.
func (s Style) AppendTextAs(dst []byte, oid uint32, v *vec.Vector, i int) []byte {
	if oid != OIDInt2Vector && oid != OIDOidVector {
		return s.AppendText(dst, v, i)
	}
	sp := v.Spans[i]
	for k := range int(sp.Len) {
		if k > 0 {
			dst = append(dst, ' ')
		}
		dst = s.AppendText(dst, v.Elem, int(sp.Off)+k)
	}
	return dst
}

// AppendBinaryAs is AppendBinary where the client was told that the type is oid: PostgreSQL has integers and floats of
// more sizes than the engine.
func AppendBinaryAs(dst []byte, oid uint32, v *vec.Vector, i int) []byte {
	switch oid {
	case OIDInt2:
		return binary.BigEndian.AppendUint16(dst, uint16(v.Ints[i]))
	case OIDOid, OIDXid, OIDInt4:
		return binary.BigEndian.AppendUint32(dst, uint32(v.Ints[i]))
	case OIDFloat4:
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(v.Floats[i])))
	}
	if elem, lower, ok := smallElem(oid); ok {
		return appendArrayBinary(dst, v, i, elem, lower)
	}
	return AppendBinary(dst, v, i)
}

// smallElem gives element type and lower bound of arrays whose elements the engine keeps in a larger type.
func smallElem(oid uint32) (elem, lower uint32, ok bool) {
	switch oid {
	case OIDInt2Vector:
		return OIDInt2, 0, true
	case OIDOidVector:
		return OIDOid, 0, true
	case 1005:
		return OIDInt2, 1, true
	case 1028:
		return OIDOid, 1, true
	case 1003:
		return OIDName, 1, true
	case 1002:
		return OIDChar, 1, true
	case 1021:
		return OIDFloat4, 1, true
	}
	return 0, 0, false
}
