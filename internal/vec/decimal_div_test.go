package vec

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

func TestTheShortDivisionAgreesWithTheLongOne(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 9))
	number := func() Decimal {
		return NewDecimal((rnd.Int64()>>rnd.IntN(63))*int64(1-2*rnd.IntN(2)), int32(rnd.IntN(12)))
	}
	short := 0
	for range 100_000 {
		a, b, scale := number(), number(), int32(rnd.IntN(25))
		if b.Sign() == 0 {
			continue
		}
		got, ok := divSmall(a, b, scale)
		if !ok {
			continue
		}
		short++
		num, den := a.Big(), b.Big()
		num.Mul(num, bigTen(scale+b.Scale-a.Scale))
		want, rest := new(big.Int).QuoRem(num, den, new(big.Int))
		if rest.Lsh(rest, 1).CmpAbs(den) >= 0 {
			want.Add(want, big.NewInt(int64(num.Sign()*den.Sign())))
		}
		if want.Cmp(got.Big()) != 0 || got.Scale != scale {
			t.Fatalf("%v / %v to %d digits is %v; want coefficient %v", a, b, scale, got, want)
		}
	}
	if short < 10_000 {
		t.Errorf("only %d divisions were short", short)
	}
}
