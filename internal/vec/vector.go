package vec

import "slices"

// New returns a vector of n rows: none is NULL, the values are zero.
func New(t Type, n int) *Vector {
	v := &Vector{Type: t}
	v.Resize(n)
	return v
}

// Len is the number of rows.
func (v *Vector) Len() int {
	switch v.Type.Kind {
	case Bool, Unknown:
		return len(v.Bools)
	case Float64:
		return len(v.Floats)
	case Numeric:
		return len(v.Decs)
	case Interval:
		return len(v.Intervals)
	case Text, Bytea, UUID, JSONB, Array:
		return len(v.Spans)
	}
	return len(v.Ints)
}

// Resize gives the vector n rows, none NULL. Their values are undefined until set. Memory is kept.
func (v *Vector) Resize(n int) {
	if v.Valid != nil {
		v.spare = v.Valid
		v.Valid = nil
	}
	switch k := v.Type.Kind; k {
	case Bool, Unknown:
		v.Bools = sized(v.Bools, n)
	case Float64:
		v.Floats = sized(v.Floats, n)
	case Numeric:
		v.Decs = sized(v.Decs, n)
	case Interval:
		v.Intervals = sized(v.Intervals, n)
	case Text, Bytea, UUID, JSONB:
		v.Spans = sized(v.Spans, n)
		v.dropBuf()
	case Array:
		v.Spans = sized(v.Spans, n)
		v.resetElem()
	default:
		v.Ints = sized(v.Ints, n)
	}
}

// Reset makes the vector empty and of type t, ready for appends. Memory is kept.
func (v *Vector) Reset(t Type) {
	v.Type = t
	v.Resize(0)
}

func (v *Vector) dropBuf() {
	if v.Borrowed {
		v.Buf, v.Borrowed = nil, false
		return
	}
	v.Buf = v.Buf[:0]
}

func (v *Vector) resetElem() {
	if v.Elem == nil || v.Borrowed {
		v.Elem, v.Borrowed = &Vector{}, false
	}
	v.Elem.Reset(Of(v.Type.Elem))
}

func sized[T any](s []T, n int) []T {
	if cap(s) >= n {
		return s[:n]
	}
	return make([]T, n, max(n, 2*cap(s)))
}

// IsNull reports whether row i is NULL.
func (v *Vector) IsNull(i int) bool { return v.Valid != nil && !v.Valid.Has(i) }

// SetNull makes row i NULL.
func (v *Vector) SetNull(i int) {
	v.AllocValid(max(v.Len(), i+1))
	v.Valid.Clear(i)
}

// AllocValid makes sure that Valid is there for n rows; rows new to it are not NULL.
func (v *Vector) AllocValid(n int) {
	words := (n + 63) / 64
	if v.Valid == nil {
		v.Valid = sized(v.spare, words)
		v.spare = nil
		for i := range v.Valid {
			v.Valid[i] = ^uint64(0)
		}
		return
	}
	for len(v.Valid) < words {
		v.Valid = append(v.Valid, ^uint64(0))
	}
}

// HasNulls reports whether any of the first Len rows is NULL.
func (v *Vector) HasNulls() bool {
	if v.Valid == nil {
		return false
	}
	n := v.Len()
	for i := 0; i < n; i++ {
		if !v.Valid.Has(i) {
			return true
		}
	}
	return false
}

// Bytes is the value of row i of a TEXT, BYTEA, UUID or JSONB vector; it lies in Buf.
func (v *Vector) Bytes(i int) []byte {
	s := v.Spans[i]
	return v.Buf[s.Off : s.Off+s.Len : s.Off+s.Len]
}

// SetBytes stores a copy of b as row i.
func (v *Vector) SetBytes(i int, b []byte) {
	v.own()
	v.Spans[i] = Span{uint32(len(v.Buf)), uint32(len(b))}
	v.Buf = append(v.Buf, b...)
}

// SetString stores s as row i.
func (v *Vector) SetString(i int, s string) {
	v.own()
	v.Spans[i] = Span{uint32(len(v.Buf)), uint32(len(s))}
	v.Buf = append(v.Buf, s...)
}

// CloseBytes makes row i the bytes that were appended to Buf from start on.
func (v *Vector) CloseBytes(i, start int) {
	v.Spans[i] = Span{uint32(start), uint32(len(v.Buf) - start)}
}

// own makes Buf ours before it is written to.
func (v *Vector) own() {
	if v.Borrowed {
		v.Buf, v.Borrowed = slices.Clone(v.Buf), false
	}
}

// Borrow makes the vector's values ranges of buf, which belongs to someone else.
func (v *Vector) Borrow(buf []byte) { v.Buf, v.Borrowed = buf, true }
