package catalog

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"

	"myelin/internal/serve/query"
	"myelin/internal/serve/value"
	"myelin/internal/vec"
)

// A value is nil (NULL), bool, int64, float64, vec.Decimal, string, []any (an array or a record), or, for every other
// type, a *vec.Vector of one row.

// compare orders two values that are not NULL.
func compare(a, b any) int {
	switch x := a.(type) {
	case bool:
		if y, ok := b.(bool); ok {
			switch {
			case x == y:
				return 0
			case y:
				return -1
			}
			return 1
		}
	case int64:
		switch y := b.(type) {
		case int64:
			return cmp.Compare(x, y)
		case float64:
			return cmp.Compare(float64(x), y)
		case vec.Decimal:
			return vec.DecimalFromInt(x).Cmp(y)
		}
	case float64:
		return cmp.Compare(x, number(b))
	case vec.Decimal:
		if y, ok := b.(vec.Decimal); ok {
			return x.Cmp(y)
		}
		if y, ok := b.(int64); ok {
			return x.Cmp(vec.DecimalFromInt(y))
		}
		return cmp.Compare(x.Float64(), number(b))
	case string:
		if y, ok := b.(string); ok {
			return strings.Compare(x, y)
		}
	case []any:
		if y, ok := b.([]any); ok {
			for i := range min(len(x), len(y)) {
				if c := compareNulls(x[i], y[i]); c != 0 {
					return c
				}
			}
			return cmp.Compare(len(x), len(y))
		}
	case *vec.Vector:
		if y, ok := b.(*vec.Vector); ok && x.Type.Kind == y.Type.Kind {
			return vec.Compare(x, 0, y, 0)
		}
	}
	fail("42883", "operator does not exist: these two types cannot be compared")
	return 0
}

// compareNulls puts NULL last and equal to itself.
func compareNulls(a, b any) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return compare(a, b)
}

func number(v any) float64 {
	switch x := v.(type) {
	case int64:
		return float64(x)
	case float64:
		return x
	case vec.Decimal:
		return x.Float64()
	}
	return math.NaN()
}

// keyOf appends a form of v that is the same for equal values, for hashing.
func keyOf(dst []byte, v any) []byte {
	switch x := v.(type) {
	case nil:
		return append(dst, 'n', 0)
	case bool:
		return append(strconv.AppendBool(append(dst, 'b'), x), 0)
	case int64:
		return append(strconv.AppendInt(append(dst, 'i'), x, 10), 0)
	case float64:
		return append(strconv.AppendFloat(append(dst, 'f'), x, 'g', -1, 64), 0)
	case vec.Decimal:
		return append(x.Normal().AppendText(append(dst, 'd')), 0)
	case string:
		dst = strconv.AppendInt(append(dst, 's'), int64(len(x)), 10)
		return append(append(dst, ':'), x...)
	case []any:
		dst = strconv.AppendInt(append(dst, 'a'), int64(len(x)), 10)
		for _, e := range x {
			dst = keyOf(append(dst, ','), e)
		}
		return dst
	case *vec.Vector:
		return vec.AppendKey(append(dst, 'v'), []*vec.Vector{x}, 0)
	}
	panic(fmt.Sprintf("catalog: a value of type %T", v))
}

// text is how a value of type t is shown; v is not NULL.
func (rt *runtime) text(v any, t typ) string {
	switch x := v.(type) {
	case string:
		return x
	case bool:
		if x {
			return "t"
		}
		return "f"
	case int64:
		if isReg(t) {
			return rt.regOut(x, t)
		}
		return itoa(x)
	case vec.Decimal:
		return x.String()
	case []any:
		return rt.listText(x, t)
	case float64:
		return string(value.Style{}.AppendText(nil, vec.FloatOf(x), 0))
	case *vec.Vector:
		return string(rt.style().AppendText(nil, x, 0))
	}
	panic(fmt.Sprintf("catalog: a value of type %T", v))
}

func (rt *runtime) listText(list []any, t typ) string {
	elem := elemOf(t)
	if t == tInt2Vector || t == tOidVector {
		words := make([]string, len(list))
		for i, e := range list {
			words[i] = rt.text(e, elem)
		}
		return strings.Join(words, " ")
	}
	// Through a vector of text: quoting is written once.
	v := vec.New(vec.ArrayOf(vec.Text), 0)
	v.Elem = vec.New(vec.Of(vec.Text), 0)
	for _, e := range list {
		if e == nil {
			v.Elem.AppendNull()
			continue
		}
		v.Elem.AppendString(rt.text(e, elem))
	}
	v.CloseArray(0)
	out := string(value.Style{}.AppendText(nil, v, 0))
	if t == tRecord {
		return "(" + out[1:len(out)-1] + ")"
	}
	return out
}

func (rt *runtime) style() value.Style { return value.Style{Zone: rt.sess.Zone()} }

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
