package op

import (
	"errors"
	"math"
	"math/big"

	"myelin/internal/process/fn"
	"myelin/internal/vec"
)

// variance is var_pop, var_samp, stddev_pop and stddev_samp of whole numbers and NUMERIC, from exact sums. Words: a decSum of the
// values; the coefficient (two) and scale of the sum of squares.
type variance struct {
	decSum
	sample, root bool
	sqrt         *fn.Func
}

const varSquares = 4

func newVariance(name string) (acc, error) {
	v := &variance{sample: name != "var_pop" && name != "stddev_pop", root: name[0] == 's'}
	for _, f := range fn.Overloads("sqrt") {
		if len(f.Args) == 1 && f.Args[0] == vec.Numeric {
			v.sqrt = f
		}
	}
	if v.sqrt == nil {
		return nil, errors.New("there is no square root of NUMERIC")
	}
	return v, nil
}

func (*variance) words() int { return varSquares + 3 }

func squares(p []uint64) []uint64 { return p[varSquares-1:] } // so that loadDec and storeDec find their words

func (v *variance) push(g *groups, at int, ids []uint32, b *vec.Batch, arg *vec.Vector) error {
	ints := arg.Type.Kind.InInts()
	for k := range b.Rows() {
		i := rowAt(b, k)
		j := argAt(arg, i)
		if arg.IsNull(j) {
			continue
		}
		var d vec.Decimal
		if ints {
			d = vec.DecimalFromInt(arg.Ints[j])
		} else {
			d = arg.Decs[j]
		}
		sq, err := d.Mul(d)
		if err != nil {
			return &rowError{row: i, err: err}
		}
		sign, scale := b.Sign(i), d.Scale
		if sign < 0 {
			d, sq = d.Neg(), sq.Neg()
		}
		p := g.m.At(ids[i])[at:]
		sum, err := loadDec(p).Add(d)
		if err != nil {
			return &rowError{row: i, err: err}
		}
		sqs, err := loadDec(squares(p)).Add(sq)
		if err != nil {
			return &rowError{row: i, err: err}
		}
		p[0] += uint64(sign)
		if !ints {
			v.count(p, scale, sign)
		}
		storeDec(p, sum)
		storeDec(squares(p), sqs)
	}
	return nil
}

func (v *variance) result(_ *groups, p []uint64, out *vec.Vector) error {
	n := int64(p[0])
	less := n
	if v.sample {
		less--
	}
	if less <= 0 {
		out.AppendNull()
		return nil
	}
	d, err := spread(loadDec(p), loadDec(squares(p)), n, less)
	if err == nil && v.root && d.Sign() > 0 {
		in, res := vec.DecimalOf(d), vec.New(vec.Of(vec.Numeric), 1)
		var env fn.Env
		if v.sqrt.Eval(&env, []*vec.Vector{in}, nil, 1, res); len(env.Errs) > 0 {
			err = env.Errs[0].Err
		} else {
			d, err = res.Decs[0].Round(d.Scale) // as many digits as the variance has (PostgreSQL: numeric_stddev_internal)
		}
	}
	if err != nil {
		out.AppendNull()
		return err
	}
	out.AppendDecimal(d)
	return nil
}

// spread is (n·squares − sum²) / (n·less).
func spread(sum, squares vec.Decimal, n, less int64) (vec.Decimal, error) {
	count := vec.DecimalFromInt(n)
	a, err1 := squares.Mul(count)
	b, err2 := sum.Mul(sum)
	if err := errors.Join(err1, err2); err != nil {
		return a, err
	}
	top, err := a.Sub(b)
	if err != nil {
		return top, err
	}
	if top.Sign() <= 0 {
		return vec.Decimal{}, nil
	}
	under, err := count.Mul(vec.DecimalFromInt(less))
	if err != nil {
		return under, err
	}
	return top.Div(under)
}

func (v *variance) merge(g *groups, at int, dst uint32, src []uint64) error {
	if err := v.decSum.merge(g, at, dst, src); err != nil {
		return err
	}
	p := squares(g.m.At(dst)[at:])
	sum, err := loadDec(p).Add(loadDec(squares(src[at:])))
	if err == nil {
		storeDec(p, sum)
	}
	return err
}

// floatVariance is variance of DOUBLE PRECISION, rounded once from exact sums. Words: a floatSum of the values and one of their
// squares; a square is added as its rounded value and the rest of it, both exact (T. J. Dekker, 1971).
type floatVariance struct{ sample, root bool }

const floatSumWords = sumFixed + fixedWords

func (floatVariance) words() int   { return 2 * floatSumWords }
func (floatVariance) blobs() []int { return []int{sumBig, floatSumWords + sumBig} }

func (floatVariance) push(g *groups, at int, ids []uint32, b *vec.Batch, arg *vec.Vector) error {
	for k := range b.Rows() {
		i := rowAt(b, k)
		j := argAt(arg, i)
		if arg.IsNull(j) {
			continue
		}
		f, sign := arg.Floats[j], b.Sign(i)
		g.addFloat(ids[i], at, f, sign)
		sq := f * f
		g.addFloat(ids[i], at+floatSumWords, sq, sign)
		if rest := math.FMA(f, f, -sq); rest != 0 && !math.IsInf(sq, 0) && !math.IsNaN(sq) {
			g.addFloat(ids[i], at+floatSumWords, rest, sign)
			g.m.At(ids[i])[at+floatSumWords] -= uint64(sign) // counted once
		}
	}
	return nil
}

func (v floatVariance) result(g *groups, p []uint64, out *vec.Vector) error {
	n := int64(p[0])
	less := n
	if v.sample {
		less--
	}
	if less <= 0 {
		out.AppendNull()
		return nil
	}
	sq := p[floatSumWords:]
	switch {
	case p[sumOdd] != 0:
		out.AppendFloat(math.NaN())
		return nil
	case sq[sumOdd] != 0:
		out.AppendNull()
		return vec.ErrOutOfRange // the square of a finite value is not
	}
	sum := g.units(p)
	top := new(big.Int).Lsh(g.units(sq), 1074) // both in units of 2^-2148
	top.Mul(top, big.NewInt(n))
	top.Sub(top, sum.Mul(sum, sum))
	r := new(big.Rat).SetFrac(top, new(big.Int).Lsh(big.NewInt(n*less), 2148))
	f, _ := r.Float64()
	if v.root {
		f = math.Sqrt(max(f, 0))
	}
	out.AppendFloat(max(f, 0))
	return nil
}

func (floatVariance) merge(g *groups, at int, dst uint32, src []uint64) error {
	var s floatSum
	if err := s.merge(g, at, dst, src); err != nil {
		return err
	}
	return s.merge(g, at+floatSumWords, dst, src)
}

// intervalSum is the sum or average of INTERVAL. Words: count of values; months, days, microseconds.
type intervalSum struct {
	avg    bool
	divide *fn.Func
}

func newIntervalSum(avg bool) (acc, error) {
	s := &intervalSum{avg: avg}
	for _, f := range fn.Overloads("/") {
		if len(f.Args) == 2 && f.Args[0] == vec.Interval && f.Args[1] == vec.Float64 {
			s.divide = f
		}
	}
	if s.divide == nil {
		return nil, errors.New("there is no division of INTERVAL")
	}
	return s, nil
}

func (*intervalSum) words() int   { return 4 }
func (*intervalSum) blobs() []int { return nil }

func (*intervalSum) push(g *groups, at int, ids []uint32, b *vec.Batch, arg *vec.Vector) error {
	for k := range b.Rows() {
		i := rowAt(b, k)
		j := argAt(arg, i)
		if arg.IsNull(j) {
			continue
		}
		p, x, sign := g.m.At(ids[i])[at:], arg.Intervals[j], b.Sign(i)
		p[0] += uint64(sign)
		p[1] += uint64(sign * int64(x.Months))
		p[2] += uint64(sign * int64(x.Days))
		p[3] += uint64(sign * x.Micros)
	}
	return nil
}

func (s *intervalSum) result(_ *groups, p []uint64, out *vec.Vector) error {
	if p[0] == 0 {
		out.AppendNull()
		return nil
	}
	months, days := int64(p[1]), int64(p[2])
	x := vec.IntervalValue{Months: int32(months), Days: int32(days), Micros: int64(p[3])}
	if int64(x.Months) != months || int64(x.Days) != days {
		out.AppendNull()
		return vec.ErrOutOfRange
	}
	if !s.avg {
		out.AppendInterval(x)
		return nil
	}
	var env fn.Env
	res := vec.New(vec.Of(vec.Interval), 1)
	s.divide.Eval(&env, []*vec.Vector{vec.IntervalOf(x), vec.FloatOf(float64(int64(p[0])))}, nil, 1, res)
	if len(env.Errs) > 0 {
		out.AppendNull()
		return env.Errs[0].Err
	}
	out.AppendInterval(res.Intervals[0])
	return nil
}

func (*intervalSum) merge(g *groups, at int, dst uint32, src []uint64) error {
	p := g.m.At(dst)[at:]
	for w := range 4 {
		p[w] += src[at+w]
	}
	return nil
}
