package fn

import (
	"errors"
	"slices"
	"strconv"

	"myelin/internal/vec"
	"myelin/internal/vec/jsonb"
)

var errManyElements = errors.New("the array has too many elements")

const maxElements = 1 << 20

// moreArrayFuncs are the functions on arrays beyond joining and searching, and those that finish aggregates made of lists.
func moreArrayFuncs() []Func {
	a, e, n, t := AnyArray, AnyElement, vec.Int32, vec.Text
	f := func(name string, ret func([]vec.Type) vec.Type, eval func(c *cx, i int), help, example string, args ...vec.Kind) Func {
		return Func{Name: name, Args: args, Return: ret, Strict: true, Eval: rows(eval), Help: help, Example: example}
	}
	lax := func(x Func) Func { x.Strict = false; return x }
	length := func(c *cx, i int) {
		if c.int(1, i) != 1 || c.span(0, i).Len == 0 {
			c.setNull(i)
			return
		}
		c.setInt(i, int64(c.span(0, i).Len))
	}
	return []Func{
		// a[lo:hi]: the bounds, and whether each is given.
		lax(f("[:]", sameArray, arraySlice, "", "", a, n, n, vec.Bool, vec.Bool)),
		f("array_upper", returns(n), length, "position of the last element", "array_upper(ARRAY[1,2], 1)", a, n),
		f("array_lower", returns(n), func(c *cx, i int) {
			if c.int(1, i) != 1 || c.span(0, i).Len == 0 {
				c.setNull(i)
				return
			}
			c.setInt(i, 1)
		}, "position of the first element", "array_lower(ARRAY[1,2], 1)", a, n),
		f("array_ndims", returns(n), func(c *cx, i int) {
			if c.span(0, i).Len == 0 {
				c.setNull(i)
				return
			}
			c.setInt(i, 1)
		}, "number of dimensions: 1, or NULL of an empty array", "array_ndims(ARRAY[1,2])", a),
		f("array_dims", returns(t), func(c *cx, i int) {
			if c.span(0, i).Len == 0 {
				c.setNull(i)
				return
			}
			c.out.SetString(i, "[1:"+strconv.Itoa(int(c.span(0, i).Len))+"]")
		}, "the bounds as text", "array_dims(ARRAY[1,2])", a),
		lax(f("array_positions", returnsArray(n), arrayPositions, "all positions of a value", "array_positions(ARRAY['a','b','a'], 'a')", a, e)),
		lax(f("array_replace", sameArray, arrayReplace, "with one value in place of another", "array_replace(ARRAY[1,2,2], 2, 3)", a, e, e)),
		f("trim_array", sameArray, func(c *cx, i int) {
			s, k := c.span(0, i), c.int(1, i)
			if k < 0 || k > int64(s.Len) {
				c.fail(i, errors.New("number of elements to trim must be between 0 and "+strconv.Itoa(int(s.Len))))
				return
			}
			c.copyElements(i, int(s.Off), int(s.Off)+int(s.Len)-int(k))
		}, "without so many elements at the end", "trim_array(ARRAY[1,2,3], 2)", a, n),
		lax(f("array_fill", func(args []vec.Type) vec.Type { return vec.ArrayOf(args[0].Kind) }, arrayFill, "a value so many times", "array_fill(7, ARRAY[3])", e, vec.Array)),
		f("array_sort", sameArray, arraySort, "sorted, NULLs last", "array_sort(ARRAY[3,1,2])", a),
		f("array_distinct", sameArray, arrayDistinct, "each value once, sorted", "array_distinct(ARRAY[3,1,3])", a),
		f("list_mode", elemType, listMode, "", "", a),
		f("list_cont", returns(vec.Float64), listCont, "", "", vec.Array, vec.Float64),
		f("list_disc", elemType, listDisc, "", "", a, vec.Float64),
		f("list_bits", elemType, listBits, "", "", a, t),
		f("list_object", returns(vec.JSONB), listObject, "", "", vec.Array),
	}
}

// copyElements makes row i of the elements of argument 0 from one position in its vector up to another.
func (c *cx) copyElements(i, from, to int) {
	start := c.out.Elem.Len()
	for e := from; e < to; e++ {
		c.out.Elem.Append(c.args[0].Elem, e)
	}
	c.setArray(i, start)
}

func arraySlice(c *cx, i int) {
	hasLo, hasHi := c.bool(3, i), c.bool(4, i)
	if c.null(0, i) || hasLo && c.null(1, i) || hasHi && c.null(2, i) {
		c.setNull(i)
		return
	}
	s := c.span(0, i)
	lo, hi := int64(1), int64(s.Len)
	if hasLo {
		lo = max(c.int(1, i), 1)
	}
	if hasHi {
		hi = min(c.int(2, i), hi)
	}
	c.copyElements(i, int(s.Off)+int(lo)-1, max(int(s.Off)+int(hi), int(s.Off)+int(lo)-1))
}

func arrayPositions(c *cx, i int) {
	if c.null(0, i) {
		c.setNull(i)
		return
	}
	s := c.span(0, i)
	start := c.out.Elem.Len()
	for e := int(s.Off); e < int(s.Off+s.Len); e++ {
		if vec.Same(c.args[0].Elem, e, c.args[1], c.at(1, i)) {
			c.out.Elem.AppendInt(int64(e - int(s.Off) + 1))
		}
	}
	c.setArray(i, start)
}

func arrayReplace(c *cx, i int) {
	if c.null(0, i) {
		c.setNull(i)
		return
	}
	s := c.span(0, i)
	start := c.out.Elem.Len()
	for e := int(s.Off); e < int(s.Off+s.Len); e++ {
		if vec.Same(c.args[0].Elem, e, c.args[1], c.at(1, i)) {
			c.out.Elem.Append(c.args[2], c.at(2, i))
			continue
		}
		c.out.Elem.Append(c.args[0].Elem, e)
	}
	c.setArray(i, start)
}

func arrayFill(c *cx, i int) {
	if c.null(1, i) {
		c.fail(i, errors.New("dimension array or low bound array cannot be null"))
		return
	}
	s := c.span(1, i)
	start := c.out.Elem.Len()
	if s.Len > 1 {
		c.fail(i, errors.New("arrays of arrays are not supported"))
		return
	}
	if s.Len == 1 {
		elem := c.args[1].Elem
		switch at := int(s.Off); {
		case elem.Type.Kind != vec.Int32 && elem.Type.Kind != vec.Int64:
			c.fail(i, errors.New("the dimensions must be whole numbers"))
			return
		case elem.IsNull(at):
			c.fail(i, errors.New("dimension values cannot be null"))
			return
		case elem.Ints[at] < 0 || elem.Ints[at] > maxElements:
			c.fail(i, errManyElements)
			return
		default:
			for range elem.Ints[at] {
				c.out.Elem.Append(c.args[0], c.at(0, i))
			}
		}
	}
	c.setArray(i, start)
}

// sorted gives the positions of an array's elements in order, NULLs last.
func (c *cx) sorted(i int) []int {
	s, elem := c.span(0, i), c.args[0].Elem
	at := make([]int, s.Len)
	for k := range at {
		at[k] = int(s.Off) + k
	}
	slices.SortStableFunc(at, func(a, b int) int {
		switch an, bn := elem.IsNull(a), elem.IsNull(b); {
		case an && bn:
			return 0
		case an:
			return 1
		case bn:
			return -1
		}
		return vec.Compare(elem, a, elem, b)
	})
	return at
}

func arraySort(c *cx, i int) {
	start := c.out.Elem.Len()
	for _, e := range c.sorted(i) {
		c.out.Elem.Append(c.args[0].Elem, e)
	}
	c.setArray(i, start)
}

func arrayDistinct(c *cx, i int) {
	start, last := c.out.Elem.Len(), -1
	elem := c.args[0].Elem
	for _, e := range c.sorted(i) {
		if last < 0 || !vec.Same(elem, last, elem, e) {
			c.out.Elem.Append(elem, e)
		}
		last = e
	}
	c.setArray(i, start)
}

// listMode gives the most frequent element of a sorted list, the first of several.
func listMode(c *cx, i int) {
	s, elem := c.span(0, i), c.args[0].Elem
	best, most := -1, 0
	for e := int(s.Off); e < int(s.Off+s.Len); {
		n := 1
		for e+n < int(s.Off+s.Len) && vec.Same(elem, e, elem, e+n) {
			n++
		}
		if n > most {
			best, most = e, n
		}
		e += n
	}
	if best < 0 {
		c.setNull(i)
		return
	}
	c.out.CopyRow(i, elem, best)
}

// fraction reads the argument of percentile_cont and percentile_disc.
func (c *cx) fraction(i int) (float64, bool) {
	p := c.float(1, i)
	if !(p >= 0 && p <= 1) {
		c.fail(i, errors.New("percentile value "+strconv.FormatFloat(p, 'g', -1, 64)+" is not between 0 and 1"))
		return 0, false
	}
	return p, true
}

func listDisc(c *cx, i int) {
	p, ok := c.fraction(i)
	s := c.span(0, i)
	if !ok {
		return
	}
	if s.Len == 0 {
		c.setNull(i)
		return
	}
	at := int(ceil(p*float64(s.Len))) - 1
	c.out.CopyRow(i, c.args[0].Elem, int(s.Off)+max(at, 0))
}

func ceil(x float64) float64 {
	n := float64(int64(x))
	if n < x {
		n++
	}
	return n
}

func listCont(c *cx, i int) {
	p, ok := c.fraction(i)
	s := c.span(0, i)
	if !ok {
		return
	}
	elem := c.args[0].Elem
	if s.Len == 0 {
		c.setNull(i)
		return
	}
	at := p * float64(s.Len-1)
	low := int(at)
	high := min(low+1, int(s.Len)-1)
	if float64(low) == at {
		high = low
	}
	a, b := elem.Floats[int(s.Off)+low], elem.Floats[int(s.Off)+high]
	c.setFloat(i, a+(at-float64(low))*(b-a))
}

// listBits folds whole numbers by and, or and xor.
func listBits(c *cx, i int) {
	s, elem := c.span(0, i), c.args[0].Elem
	if s.Len == 0 {
		c.setNull(i)
		return
	}
	out := elem.Ints[s.Off]
	for e := s.Off + 1; e < s.Off+s.Len; e++ {
		switch v := elem.Ints[e]; c.str(1, i) {
		case "bit_and":
			out &= v
		case "bit_or":
			out |= v
		default:
			out ^= v
		}
	}
	c.setInt(i, out)
}

// listObject makes a JSON object of a list of [key, value] pairs.
func listObject(c *cx, i int) {
	s, elem := c.span(0, i), c.args[0].Elem
	var failed error
	c.text(i, func(dst []byte) []byte {
		l := &list{append(dst, '{'), true}
		for e := int(s.Off); e < int(s.Off+s.Len); e++ {
			pair := elem.Bytes(e)
			key := jsonb.At(pair, 0)
			if jsonb.KindOf(key) == jsonb.Null {
				failed = errors.New("field name must not be null")
				break
			}
			l.next()
			l.dst = jsonb.AppendString(l.dst, jsonb.AppendText(nil, key))
			l.dst = append(append(l.dst, ": "...), jsonb.At(pair, 1)...)
		}
		return append(l.dst, '}')
	})
	if failed != nil {
		c.fail(i, failed)
	}
}
