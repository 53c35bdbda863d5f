package vec

// NullOf returns a vector of one NULL.
func NullOf(t Type) *Vector {
	v := New(t, 1)
	v.zero()
	v.SetNull(0)
	return v
}

func (v *Vector) zero() {
	if v.Type.Kind.InSpans() || v.Type.Kind == Array {
		v.Spans[0] = Span{}
	}
}

// BoolOf returns a vector of one BOOLEAN.
func BoolOf(x bool) *Vector { return &Vector{Type: Of(Bool), Bools: []bool{x}} }

// IntOf returns a vector of one value of a kind that lives in Ints.
func IntOf(k Kind, x int64) *Vector { return &Vector{Type: Of(k), Ints: []int64{x}} }

// FloatOf returns a vector of one DOUBLE PRECISION.
func FloatOf(x float64) *Vector { return &Vector{Type: Of(Float64), Floats: []float64{x}} }

// DecimalOf returns a vector of one NUMERIC.
func DecimalOf(x Decimal) *Vector { return &Vector{Type: Of(Numeric), Decs: []Decimal{x}} }

// IntervalOf returns a vector of one INTERVAL.
func IntervalOf(x IntervalValue) *Vector {
	return &Vector{Type: Of(Interval), Intervals: []IntervalValue{x}}
}

// StringOf returns a vector of one TEXT, BYTEA, UUID or JSONB.
func StringOf(k Kind, s string) *Vector {
	return &Vector{Type: Of(k), Spans: []Span{{0, uint32(len(s))}}, Buf: []byte(s)}
}

// TextOf returns a vector of one TEXT.
func TextOf(s string) *Vector { return StringOf(Text, s) }

// Rows is the number of rows that count.
func (b *Batch) Rows() int {
	if b.Sel != nil {
		return len(b.Sel)
	}
	return b.N
}

// Sign is +1 where row i is added and -1 where it is taken back.
func (b *Batch) Sign(i int) int64 {
	if b.Diff == nil {
		return 1
	}
	return int64(b.Diff[i])
}
