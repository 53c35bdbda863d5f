package vec

// grown keeps Valid in step after a row that is not NULL was appended.
func (v *Vector) grown() {
	if v.Valid == nil {
		return
	}
	n := v.Len()
	v.AllocValid(n)
	v.Valid.Set(n - 1)
}

// AppendNull appends a NULL row.
func (v *Vector) AppendNull() {
	switch v.Type.Kind {
	case Bool, Unknown:
		v.Bools = append(v.Bools, false)
	case Float64:
		v.Floats = append(v.Floats, 0)
	case Numeric:
		v.Decs = append(v.Decs, Decimal{})
	case Interval:
		v.Intervals = append(v.Intervals, IntervalValue{})
	case Text, Bytea, UUID, JSONB, Array:
		v.Spans = append(v.Spans, Span{})
	default:
		v.Ints = append(v.Ints, 0)
	}
	v.SetNull(v.Len() - 1)
}

// AppendBool appends a BOOLEAN.
func (v *Vector) AppendBool(x bool) { v.Bools = append(v.Bools, x); v.grown() }

// AppendInt appends a value of a kind that lives in Ints.
func (v *Vector) AppendInt(x int64) { v.Ints = append(v.Ints, x); v.grown() }

// AppendFloat appends a DOUBLE PRECISION.
func (v *Vector) AppendFloat(x float64) { v.Floats = append(v.Floats, x); v.grown() }

// AppendDecimal appends a NUMERIC.
func (v *Vector) AppendDecimal(x Decimal) { v.Decs = append(v.Decs, x); v.grown() }

// AppendInterval appends an INTERVAL.
func (v *Vector) AppendInterval(x IntervalValue) { v.Intervals = append(v.Intervals, x); v.grown() }

// AppendBytes appends a copy of b to a TEXT, BYTEA, UUID or JSONB vector.
func (v *Vector) AppendBytes(b []byte) {
	v.own()
	v.Spans = append(v.Spans, Span{uint32(len(v.Buf)), uint32(len(b))})
	v.Buf = append(v.Buf, b...)
	v.grown()
}

// AppendString appends s to a TEXT, BYTEA, UUID or JSONB vector.
func (v *Vector) AppendString(s string) {
	v.own()
	v.Spans = append(v.Spans, Span{uint32(len(v.Buf)), uint32(len(s))})
	v.Buf = append(v.Buf, s...)
	v.grown()
}

// AppendSpan appends a range that is already in Buf.
func (v *Vector) AppendSpan(s Span) { v.Spans = append(v.Spans, s); v.grown() }

// CloseArray makes the elements of Elem from start on a new row of an array.
func (v *Vector) CloseArray(start int) {
	v.AppendSpan(Span{uint32(start), uint32(v.Elem.Len() - start)})
}

// Append appends a copy of row i of src, a vector of the same kind.
func (v *Vector) Append(src *Vector, i int) {
	if src.IsNull(i) {
		v.AppendNull()
		return
	}
	switch v.Type.Kind {
	case Bool, Unknown:
		v.AppendBool(src.Bools[i])
	case Float64:
		v.AppendFloat(src.Floats[i])
	case Numeric:
		v.AppendDecimal(src.Decs[i])
	case Interval:
		v.AppendInterval(src.Intervals[i])
	case Text, Bytea, UUID, JSONB:
		v.AppendBytes(src.Bytes(i))
	case Array:
		v.appendArray(src, i)
	default:
		v.AppendInt(src.Ints[i])
	}
}

func (v *Vector) appendArray(src *Vector, i int) {
	if v.Elem == nil {
		v.Elem = New(Of(v.Type.Elem), 0)
	}
	start := v.Elem.Len()
	s := src.Spans[i]
	for j := s.Off; j < s.Off+s.Len; j++ {
		v.Elem.Append(src.Elem, int(j))
	}
	v.CloseArray(start)
}

// AppendRows appends copies of the rows in sel (nil: the first n) of src. A src of one row stands for n equal rows.
func (v *Vector) AppendRows(src *Vector, sel []int32, n int) {
	if src.Len() == 1 && (n != 1 || len(sel) > 0) {
		count := n
		if sel != nil {
			count = len(sel)
		}
		for range count {
			v.Append(src, 0)
		}
		return
	}
	if src.Valid == nil && v.Valid == nil && v.appendFixed(src, sel, n) {
		return
	}
	if sel == nil {
		for i := range n {
			v.Append(src, i)
		}
		return
	}
	for _, i := range sel {
		v.Append(src, int(i))
	}
}

// appendFixed is AppendRows for plain values without NULLs.
func (v *Vector) appendFixed(src *Vector, sel []int32, n int) bool {
	switch k := v.Type.Kind; {
	case k == Bool:
		v.Bools = appendSel(v.Bools, src.Bools, sel, n)
	case k == Float64:
		v.Floats = appendSel(v.Floats, src.Floats, sel, n)
	case k == Numeric:
		v.Decs = appendSel(v.Decs, src.Decs, sel, n)
	case k == Interval:
		v.Intervals = appendSel(v.Intervals, src.Intervals, sel, n)
	case k.InInts():
		v.Ints = appendSel(v.Ints, src.Ints, sel, n)
	default:
		return false
	}
	return true
}

func appendSel[T any](dst, src []T, sel []int32, n int) []T {
	if sel == nil {
		return append(dst, src[:n]...)
	}
	for _, i := range sel {
		dst = append(dst, src[i])
	}
	return dst
}

// Gather makes v the rows idx of src, in that order; a negative index gives NULL. v keeps its memory.
func (v *Vector) Gather(src *Vector, idx []int32) {
	v.Reset(src.Type)
	for _, i := range idx {
		if i < 0 {
			v.AppendNull()
			continue
		}
		v.Append(src, int(i))
	}
}

// CopyRow makes row i of v a copy of row j of src, a vector of the same kind.
func (v *Vector) CopyRow(i int, src *Vector, j int) {
	if src.IsNull(j) {
		v.SetNull(i)
		return
	}
	if v.Valid != nil {
		v.Valid.Set(i)
	}
	switch v.Type.Kind {
	case Bool, Unknown:
		v.Bools[i] = src.Bools[j]
	case Float64:
		v.Floats[i] = src.Floats[j]
	case Numeric:
		v.Decs[i] = src.Decs[j]
	case Interval:
		v.Intervals[i] = src.Intervals[j]
	case Text, Bytea, UUID, JSONB:
		v.SetBytes(i, src.Bytes(j))
	case Array:
		if v.Elem == nil {
			v.Elem = New(Of(v.Type.Elem), 0)
		}
		start := v.Elem.Len()
		s := src.Spans[j]
		for e := s.Off; e < s.Off+s.Len; e++ {
			v.Elem.Append(src.Elem, int(e))
		}
		v.Spans[i] = Span{uint32(start), uint32(v.Elem.Len() - start)}
	default:
		v.Ints[i] = src.Ints[j]
	}
}

// Clone returns a copy that shares no memory with v.
func (v *Vector) Clone() *Vector {
	c := &Vector{}
	c.Reset(v.Type)
	for i := range v.Len() {
		c.Append(v, i)
	}
	return c
}
