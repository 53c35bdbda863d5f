package vec

import (
	"bytes"
	"cmp"
	"math"
	"math/bits"

	"myelin/internal/vec/jsonb"
)

func cmpOrdered[T cmp.Ordered](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// CompareFloat orders as PostgreSQL does: NaN equals itself and is above everything.
func CompareFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	case math.IsNaN(a) && math.IsNaN(b):
		return 0
	case math.IsNaN(a):
		return 1
	}
	return -1
}

// Compare orders two values, neither NULL, of one kind: text by bytes, NaN last, JSON and arrays as PostgreSQL does.
func Compare(a *Vector, i int, b *Vector, j int) int {
	switch a.Type.Kind {
	case Bool:
		return cmpBool(a.Bools[i], b.Bools[j])
	case Float64:
		return CompareFloat(a.Floats[i], b.Floats[j])
	case Numeric:
		return a.Decs[i].Cmp(b.Decs[j])
	case Interval:
		return a.Intervals[i].Cmp(b.Intervals[j])
	case Text, Bytea, UUID:
		return bytes.Compare(a.Bytes(i), b.Bytes(j))
	case JSONB:
		return jsonb.Compare(a.Bytes(i), b.Bytes(j))
	case Array:
		return compareArrays(a, i, b, j)
	case Unknown:
		return 0
	}
	return cmpOrdered(a.Ints[i], b.Ints[j])
}

func cmpBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func compareArrays(a *Vector, i int, b *Vector, j int) int {
	x, y := a.Spans[i], b.Spans[j]
	for k := uint32(0); k < min(x.Len, y.Len); k++ {
		p, q := int(x.Off+k), int(y.Off+k)
		np, nq := a.Elem.IsNull(p), b.Elem.IsNull(q)
		if np || nq {
			if c := cmpBool(np, nq); c != 0 {
				return c
			}
			continue
		}
		if c := Compare(a.Elem, p, b.Elem, q); c != 0 {
			return c
		}
	}
	return cmpOrdered(x.Len, y.Len)
}

// Same reports whether two values are not distinct: equal, or both NULL. It is the equality of GROUP BY and DISTINCT.
func Same(a *Vector, i int, b *Vector, j int) bool {
	na, nb := a.IsNull(i), b.IsNull(j)
	if na || nb {
		return na && nb
	}
	switch k := a.Type.Kind; {
	case k.InInts():
		return a.Ints[i] == b.Ints[j]
	case k == Text || k == Bytea || k == UUID:
		return bytes.Equal(a.Bytes(i), b.Bytes(j))
	}
	return Compare(a, i, b, j) == 0
}

// Cmp orders intervals by their length, a month taken as 30 days and a day as 24 hours.
func (v IntervalValue) Cmp(w IntervalValue) int {
	ah, al := v.span()
	bh, bl := w.span()
	if ah != bh {
		return cmpOrdered(ah, bh)
	}
	return cmpOrdered(al, bl)
}

// span is the length in microseconds as a 128-bit integer.
func (v IntervalValue) span() (int64, uint64) {
	days := int64(v.Months)*30 + int64(v.Days)
	hi, lo := bits.Mul64(abs64(days), uint64(MicrosPerDay))
	d := fromMag(u128{hi, lo}, days < 0, 0)
	rlo, carry := bits.Add64(d.Lo, uint64(v.Micros), 0)
	rhi, _ := bits.Add64(uint64(d.Hi), uint64(v.Micros>>63), carry)
	return int64(rhi), rlo
}
