package vec

// Refer makes v the rows idx of src, in that order, without copying their bytes: it is valid as long as src is.
func (v *Vector) Refer(src *Vector, idx []int32) {
	if src.Type.Kind == Array {
		v.Gather(src, idx)
		return
	}
	v.Type = src.Type
	v.Resize(len(idx))
	switch k := src.Type.Kind; {
	case k == Bool || k == Unknown:
		refer(v.Bools, src.Bools, idx)
	case k == Float64:
		refer(v.Floats, src.Floats, idx)
	case k == Numeric:
		refer(v.Decs, src.Decs, idx)
	case k == Interval:
		refer(v.Intervals, src.Intervals, idx)
	case k.InSpans():
		refer(v.Spans, src.Spans, idx)
		v.Borrow(src.Buf)
	default:
		refer(v.Ints, src.Ints, idx)
	}
	if src.Valid == nil {
		return
	}
	one := src.Len() == 1
	for i, k := range idx {
		if one {
			k = 0
		}
		if !src.Valid.Has(int(k)) {
			v.SetNull(i)
		}
	}
}

func refer[T any](dst, src []T, idx []int32) {
	if len(src) == 1 {
		for i := range idx {
			dst[i] = src[0]
		}
		return
	}
	for i, k := range idx {
		dst[i] = src[k]
	}
}
