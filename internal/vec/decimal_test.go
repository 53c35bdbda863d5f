package vec

import (
	"errors"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// anyDecimal draws numbers of up to 38 digits, small ones and round ones more often.
func anyDecimal(t *rapid.T, name string) Decimal {
	digits := rapid.IntRange(1, MaxDigits).Draw(t, name+" digits")
	text := rapid.StringOfN(rapid.SampledFrom([]rune("0123456789")), digits, digits, -1).Draw(t, name)
	c, _ := new(big.Int).SetString(text, 10)
	if rapid.Bool().Draw(t, name+" sign") {
		c.Neg(c)
	}
	d, err := DecimalFromBig(c, int32(rapid.IntRange(0, MaxDigits).Draw(t, name+" scale")))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d Decimal) rat() *big.Rat {
	return new(big.Rat).SetFrac(d.Big(), bigTen(d.Scale))
}

// near checks got against the exact value: equal, or rounded at its last digit where 38 digits do not hold it.
func near(t *rapid.T, what string, got Decimal, err error, want *big.Rat, exactScale int32) {
	limit := new(big.Rat).SetInt(bigTen(MaxDigits))
	if err != nil {
		if !errors.Is(err, ErrNumericOverflow) || new(big.Rat).Abs(want).Cmp(new(big.Rat).Sub(limit, big.NewRat(1, 1))) < 0 {
			t.Fatalf("%s: %v for %v", what, err, want)
		}
		return
	}
	diff := new(big.Rat).Sub(got.rat(), want)
	half := new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Mul(big.NewInt(2), bigTen(got.Scale)))
	if got.Scale >= exactScale && diff.Sign() != 0 || new(big.Rat).Abs(diff).Cmp(half) > 0 {
		t.Fatalf("%s: got %v, want %v", what, got, want.FloatString(45))
	}
}

func TestDecimalArithmeticIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyDecimal(t, "a"), anyDecimal(t, "b")
		sum, err := a.Add(b)
		near(t, "sum", sum, err, new(big.Rat).Add(a.rat(), b.rat()), max(a.Scale, b.Scale))
		diff, err := a.Sub(b)
		near(t, "difference", diff, err, new(big.Rat).Sub(a.rat(), b.rat()), max(a.Scale, b.Scale))
		prod, err := a.Mul(b)
		near(t, "product", prod, err, new(big.Rat).Mul(a.rat(), b.rat()), a.Scale+b.Scale)
		if b.Sign() != 0 {
			quo, err := a.Div(b)
			near(t, "quotient", quo, err, new(big.Rat).Quo(a.rat(), b.rat()), MaxDigits+1)
		}
		if got, want := a.Cmp(b), a.rat().Cmp(b.rat()); got != want {
			t.Fatalf("%v against %v: %d, want %d", a, b, got, want)
		}
	})
}

func TestDecimalTextReadsBackTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := anyDecimal(t, "d")
		back, err := ParseDecimal([]byte(d.String()))
		if err != nil || back != d {
			t.Fatalf("%v comes back as %v: %v", d, back, err)
		}
		n := d.Normal()
		if n.Cmp(d) != 0 || n.Scale > d.Scale {
			t.Fatalf("%v is not %v", n, d)
		}
		scale := int32(rapid.IntRange(-5, MaxDigits).Draw(t, "scale"))
		r, err := d.Round(scale)
		if err == nil && scale >= 0 && scale < d.Scale {
			near(t, "rounded", r, nil, d.rat(), MaxDigits+1)
		}
	})
}

func TestDecimalTexts(t *testing.T) {
	for text, want := range map[string]string{
		"1": "1", "-0": "0", "+1.50": "1.50", ".5": "0.5", "5.": "5", "1e3": "1000", "1.5e-3": "0.0015", " 7 ": "7", "0e99999": "0",
		"00012.340": "12.340", "1e-40": "0.00000000000000000000000000000000000000", "-1e-2": "-0.01",
		"0.123456789012345678901234567890123456789": "0.12345678901234567890123456789012345679",
	} {
		d, err := ParseDecimal([]byte(text))
		if err != nil || d.String() != want {
			t.Errorf("%q: %v, %v; want %s", text, d, err, want)
		}
	}
	for _, text := range []string{"", "x", "1x", "1e", "--1", "1.2.3", "e5", ".", "1 2", "1e99999999999", "1e39"} {
		if d, err := ParseDecimal([]byte(text)); err == nil {
			t.Errorf("%q is read as %v", text, d)
		}
	}
}

func TestAQuotientIsRoundedOnce(t *testing.T) {
	a, _ := ParseDecimal([]byte("600000010121.2323242627297"))
	b, _ := ParseDecimal([]byte("0.00000000000055"))
	got, err := a.Div(b)
	if want := "1090909109311331498659508.5454545454545"; err != nil || got.String() != want {
		t.Errorf("got %v, %v; want %s", got, err, want)
	}
}
