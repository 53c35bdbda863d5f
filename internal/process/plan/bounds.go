package plan

import (
	"math"

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

// timeBounds reads the bounds off the keys and conditions of a join; nil if there are none.
func timeBounds(j *Join) *TimeBounds {
	l, r := j.Left.Props().TimeCol, j.Right.Props().TimeCol
	if l < 0 || r < 0 {
		return nil
	}
	width := len(j.Left.Schema())
	t := &TimeBounds{Left: l, Right: r, Lower: math.MinInt64, Upper: math.MaxInt64}
	line := func(e Expr) (linear, bool) { return lineOf(e, l, width+r) }
	for i, k := range j.LeftKeys {
		a, ok1 := line(k)
		b, ok2 := line(shift(j.RightKeys[i], width))
		if ok1 && ok2 {
			t.narrow("=", a.minus(b))
		}
	}
	for _, c := range conjuncts(j.On) {
		call, ok := c.(*Call)
		if !ok || len(call.Args) != 2 {
			continue
		}
		a, ok1 := line(call.Args[0])
		b, ok2 := line(call.Args[1])
		if ok1 && ok2 {
			t.narrow(call.Func.Name, a.minus(b))
		}
	}
	if t.Lower == math.MinInt64 && t.Upper == math.MaxInt64 {
		return nil
	}
	return t
}

// linear is left × the left time + right × the right time + micros.
type linear struct{ left, right, micros int64 }

func (a linear) minus(b linear) linear {
	return linear{a.left - b.left, a.right - b.right, a.micros - b.micros}
}

// maxBound is the largest distance of times that is told of: about 30,000 years.
const maxBound = int64(1) << 60

// lineOf reads sums and differences of the two times and constant intervals.
func lineOf(e Expr, left, right int) (linear, bool) {
	switch e := e.(type) {
	case *Col:
		switch e.Index {
		case left:
			return linear{left: 1}, true
		case right:
			return linear{right: 1}, true
		}
	case *Const:
		if e.Value.Type.Kind != vec.Interval || e.Value.IsNull(0) {
			return linear{}, false
		}
		v := e.Value.Intervals[0]
		if v.Months != 0 || v.Micros > maxBound || v.Micros < -maxBound { // the days of a continuous query have 24 hours
			return linear{}, false
		}
		return linear{micros: v.Approx()}, true
	case *Call:
		if len(e.Args) != 2 || e.Func.Name != "+" && e.Func.Name != "-" {
			return linear{}, false
		}
		a, ok1 := lineOf(e.Args[0], left, right)
		b, ok2 := lineOf(e.Args[1], left, right)
		if !ok1 || !ok2 {
			return linear{}, false
		}
		if e.Func.Name == "-" {
			return a.minus(b), true
		}
		return linear{a.left + b.left, a.right + b.right, a.micros + b.micros}, true
	}
	return linear{}, false
}

// narrow takes "x op 0" into account.
func (t *TimeBounds) narrow(op string, x linear) {
	if x.left+x.right != 0 || x.right != 1 && x.right != -1 || x.micros > maxBound || x.micros < -maxBound {
		return
	}
	at := -x.micros // right − left op at
	if x.right < 0 {
		at = x.micros
		op = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}[op]
	}
	switch op {
	case "<", "<=":
		t.Upper = min(t.Upper, at)
	case ">", ">=":
		t.Lower = max(t.Lower, at)
	case "=":
		t.Lower, t.Upper = max(t.Lower, at), min(t.Upper, at)
	}
}
