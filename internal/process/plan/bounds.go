package plan

import (
	"math"

	"myelin/internal/process/fn"
	"myelin/internal/vec"
)

// findBounds marks the joins of streams whose conditions bound the times of matching rows.
func findBounds(n Node, opt Options) Node {
	if !opt.Continuous {
		return n
	}
	return rebuild(n, func(n Node) Node {
		if j, ok := n.(*Join); ok && !j.Lookup && j.AsOf == nil && !j.NullSafe {
			j.Bounds = timeBounds(j)
		}
		return n
	})
}

// timeBounds reads the bounds off the keys and conditions of a join; nil if there are none. Of several pairs of times it takes the one whose
// bounds lie closest.
func timeBounds(j *Join) *TimeBounds {
	var best *TimeBounds
	left, right := j.Left.Props(), j.Right.Props()
	times := func(p *Props) []int {
		if len(p.Times) == 0 {
			return []int{-1}
		}
		return p.Times
	}
	for _, l := range times(&left) {
		for _, r := range times(&right) {
			t := boundsOf(j, l, r)
			if t == nil || best != nil && t.width() >= best.width() {
				continue
			}
			if best = t; l >= 0 {
				t.LeftLag = left.LagOf(l)
			}
			if r >= 0 {
				t.RightLag = right.LagOf(r)
			}
		}
	}
	return best
}

// width is how far the bounds lie apart.
func (t *TimeBounds) width() int64 {
	if t.Lower == math.MinInt64 || t.Upper == math.MaxInt64 {
		return math.MaxInt64
	}
	return t.Upper - t.Lower
}

// boundsOf reads the bounds of two columns; -1: there is none.
func boundsOf(j *Join, left, right int) *TimeBounds {
	f := boundsFinder{time: [2]int{left, right}, cols: [2][]Column{j.Left.Schema(), j.Right.Schema()}, width: len(j.Left.Schema())}
	if f.time[0] < 0 && f.time[1] < 0 {
		return nil
	}
	r := f.implied(j.On, false)
	for i, k := range j.LeftKeys {
		r = f.both(r, f.compare("=", k, shift(j.RightKeys[i], f.width)))
	}
	if !j.Left.Props().AppendOnly || !j.Right.Props().AppendOnly { // what is taken back must be there
		r.until = [2]Expr{}
	}
	if r == anyTime {
		return nil
	}
	return &TimeBounds{Left: f.time[0], Right: f.time[1], Lower: r.lower, Upper: r.upper, LeftUntil: r.until[0], RightUntil: r.until[1]}
}

// boundsFinder reads conditions over the columns of a join's inputs, the right ones behind the left.
type boundsFinder struct {
	time  [2]int // the inputs' time columns, each counted in its own; -1: none
	cols  [2][]Column
	width int // of the left input
	b     binder
}

// reach is what a condition says of the times of rows that match: right − left lies between lower and upper; the other side's time is
// not after until, of the left and of the right row, which is over the columns of that side.
type reach struct {
	lower, upper int64
	until        [2]Expr
}

var anyTime = reach{lower: math.MinInt64, upper: math.MaxInt64}

// implied is what is said by a condition that is true or, with not, false.
func (f *boundsFinder) implied(e Expr, not bool) reach {
	switch e := e.(type) {
	case *Logic:
		join := f.both
		if e.Or != not {
			join = f.either
		}
		r := f.implied(e.Args[0], not)
		for _, a := range e.Args[1:] {
			r = join(r, f.implied(a, not))
		}
		return r
	case *Coalesce:
		if neverElse(e.Args[1:], !not) {
			return f.implied(e.Args[0], not)
		}
	case *Call:
		switch name := e.Func.Name; {
		case name == "not":
			return f.implied(e.Args[0], !not)
		case name == "is true" && !not, name == "is not true" && not:
			return f.implied(e.Args[0], false)
		case name == "is false" && !not, name == "is not false" && not:
			return f.implied(e.Args[0], true)
		case len(e.Args) != 2:
		case not:
			return f.compare(opposite[name], e.Args[0], e.Args[1])
		default:
			return f.compare(name, e.Args[0], e.Args[1])
		}
	}
	return anyTime
}

// opposite is what holds of two values, none of them NULL, for which a comparison is false, mirrored what it says read from behind.
var (
	opposite = map[string]string{"<": ">=", "<=": ">", ">": "<=", ">=": "<", "<>": "="}
	mirrored = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}
)

// neverElse reports whether no expression can have a value.
func neverElse(es []Expr, value bool) bool {
	for _, e := range es {
		if k, ok := e.(*Const); !ok || !k.Value.IsNull(0) && k.Value.Bools[0] == value {
			return false
		}
	}
	return true
}

// both is what two conditions say that hold both.
func (f *boundsFinder) both(a, b reach) reach {
	r := reach{lower: max(a.lower, b.lower), upper: min(a.upper, b.upper)}
	for i := range r.until {
		r.until[i] = a.until[i]
		if x, y := a.until[i], b.until[i]; x == nil {
			r.until[i] = y
		} else if y != nil && x.Type() == y.Type() {
			r.until[i] = f.b.call("least", 0, x, y)
		}
	}
	return r
}

// either is what two conditions say of which one holds. NULL, which is not among the greatest, is that of one that does not.
func (f *boundsFinder) either(a, b reach) reach {
	r := reach{lower: min(a.lower, b.lower), upper: max(a.upper, b.upper)}
	for i := range r.until {
		if a.until[i] == nil && b.until[i] == nil {
			continue
		}
		if x, y := f.until(a, i), f.until(b, i); x != nil && y != nil && x.Type() == y.Type() {
			r.until[i] = f.b.call("greatest", 0, x, y)
		}
	}
	return r
}

// until is that of one side, where need be from a constant distance of the times; nil if there is none.
func (f *boundsFinder) until(r reach, side int) Expr {
	switch {
	case r.until[side] != nil:
		return r.until[side]
	case f.time[side] < 0:
	case side == 0 && r.upper != math.MaxInt64:
		return f.later(f.column(side), r.upper)
	case side == 1 && r.lower != math.MinInt64:
		return f.later(f.column(side), -r.lower)
	}
	return nil
}

func (f *boundsFinder) column(side int) Expr {
	c := f.cols[side][f.time[side]]
	return &Col{f.time[side], c.Type, c.Name}
}

// later is a time some microseconds later.
func (f *boundsFinder) later(e Expr, micros int64) Expr {
	if e.Type().Kind == vec.Date {
		e = f.b.coerce(e, vec.Of(vec.Timestamp), fn.ImplicitCast, 0)
	}
	if micros == 0 {
		return e
	}
	return f.b.call("+", 0, e, &Const{vec.IntervalOf(days(micros))})
}

// compare is what "x op y" says.
func (f *boundsFinder) compare(op string, x, y Expr) reach {
	a, ok1 := f.line(x)
	b, ok2 := f.line(y)
	if !ok1 || !ok2 {
		return anyTime
	}
	d, ok := a.plus(b, -1) // d op 0
	if !ok || d.hi > maxBound || d.lo < -maxBound {
		return anyTime
	}
	of := d.right
	if of == 0 {
		of = d.left
	}
	if of < 0 {
		d, of, op = linear{}.less(d), -of, mirrored[op]
	}
	up, down := op == "<" || op == "<=" || op == "=", op == ">" || op == ">=" || op == "="
	r := anyTime
	switch {
	case of != 1:
	case d.rest == nil && d.left == -d.right:
		if up {
			r.upper = -d.lo
		}
		if down {
			r.lower = -d.hi
		}
	case d.rest == nil || d.times != -1 || !up:
	case d.left == 0 && side(d.rest, f.width) == onLeft:
		r.until[0] = f.later(d.rest, -d.lo)
	case d.right == 0 && side(d.rest, f.width) == onRight:
		r.until[1] = f.later(shift(d.rest, -f.width), -d.lo)
	}
	return r
}
