package catalog

import (
	"math"
	"strconv"
	"strings"

	"myelin/internal/serve/query"
	"myelin/internal/serve/value"
	"myelin/internal/vec"
)

// read is a value of type t from its text.
func (rt *runtime) read(s string, t typ) any {
	switch {
	case isReg(t):
		return rt.regIn(s, t)
	case t == tChar:
		if s == "" {
			return ""
		}
		return s[:1]
	case t == tName && len(s) > 63:
		return s[:63]
	case isText(t):
		return s
	case t == tOid || t == tXid || t == 29:
		n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
		if err != nil || n < math.MinInt32 || n > math.MaxUint32 {
			badText(s, t)
		}
		return n & math.MaxUint32
	case t == tInt2Vector || t == tOidVector:
		list := []any{}
		for _, w := range strings.Fields(s) {
			list = append(list, rt.read(w, elemOf(t)))
		}
		return list
	}
	if elem := elemOf(t); elem != 0 {
		v, err := value.Style{}.ReadText([]byte(s), vec.ArrayOf(vec.Text))
		if err != nil {
			badText(s, t)
		}
		list := make([]any, v.Spans[0].Len)
		for i := range list {
			if !v.Elem.IsNull(i) {
				list[i] = rt.read(string(v.Elem.Bytes(i)), elem)
			}
		}
		return list
	}
	v, err := rt.style().ReadText([]byte(s), vecType(t))
	if err != nil {
		badText(s, t)
	}
	if t == tInt2 && (v.Ints[0] < math.MinInt16 || v.Ints[0] > math.MaxInt16) {
		fail("22003", "value \"%s\" is out of range for type smallint", s)
	}
	return fromVector(v, 0, t)
}

func badText(s string, t typ) {
	fail(query.CodeInvalidText, "invalid input syntax for type %s: \"%.100s\"", formatType(t, -1), s)
}

// fromVector is row i of a vector as a value.
func fromVector(v *vec.Vector, i int, t typ) any {
	if v.Len() == 1 {
		i = 0
	}
	if v.IsNull(i) {
		return nil
	}
	switch v.Type.Kind {
	case vec.Bool:
		return v.Bools[i]
	case vec.Int32, vec.Int64:
		return v.Ints[i]
	case vec.Float64:
		return v.Floats[i]
	case vec.Numeric:
		return v.Decs[i]
	case vec.Text:
		return string(v.Bytes(i))
	case vec.Unknown:
		return nil
	case vec.Array:
		sp := v.Spans[i]
		list := make([]any, sp.Len)
		for k := range list {
			list[k] = fromVector1(v.Elem, int(sp.Off)+k, elemOf(t))
		}
		return list
	}
	one := vec.New(v.Type, 0)
	one.Append(v, i)
	return one
}

// fromVector1 is fromVector for elements, where one element does not stand for all.
func fromVector1(v *vec.Vector, i int, t typ) any {
	one := vec.New(v.Type, 0)
	one.Append(v, i)
	return fromVector(one, 0, t)
}

// appendValue appends a value of type t to a vector of type vecType(t).
func appendValue(v *vec.Vector, x any, t typ) {
	if x == nil {
		v.AppendNull()
		return
	}
	switch y := x.(type) {
	case bool:
		v.AppendBool(y)
	case int64:
		if v.Type.Kind == vec.Numeric {
			v.AppendDecimal(vec.DecimalFromInt(y))
		} else {
			v.AppendInt(y)
		}
	case float64:
		v.AppendFloat(y)
	case vec.Decimal:
		v.AppendDecimal(y)
	case string:
		v.AppendString(y)
	case *vec.Vector:
		v.Append(y, 0)
	case []any:
		if v.Elem == nil {
			v.Elem = vec.New(vec.Of(v.Type.Elem), 0)
		}
		start := v.Elem.Len()
		for _, e := range y {
			appendValue(v.Elem, e, elemOf(t))
		}
		v.CloseArray(start)
	}
}

// cast converts a value; only what cannot fail by type is checked here.
func (rt *runtime) cast(v any, from, to typ) any {
	if v == nil || from == to {
		return v
	}
	if isText(to) && !isText(from) && to != tChar {
		return rt.text(v, from)
	}
	switch x := v.(type) {
	case string:
		if isText(to) && to != tName && to != tChar {
			return x
		}
		return rt.read(x, to)
	case bool:
		if isInt(to) {
			if x {
				return int64(1)
			}
			return int64(0)
		}
	case int64:
		switch {
		case isInt(to):
			return x
		case to == tFloat4 || to == tFloat8:
			return float64(x)
		case to == tNumeric:
			return vec.DecimalFromInt(x)
		case to == tBool:
			return x != 0
		case to == tChar:
			return string([]byte{byte(x)})
		}
	case float64, vec.Decimal:
		switch {
		case isInt(to):
			return int64(math.RoundToEven(number(x)))
		case to == tFloat4 || to == tFloat8:
			return number(x)
		}
	case []any:
		if fe, te := elemOf(from), elemOf(to); te != 0 {
			list := make([]any, len(x))
			for i, e := range x {
				list[i] = rt.cast(e, fe, te)
			}
			return list
		}
	}
	return rt.read(rt.text(v, from), to)
}
