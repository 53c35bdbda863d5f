package catalog

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"

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
