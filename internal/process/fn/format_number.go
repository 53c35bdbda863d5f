package fn

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"myelin/internal/vec"
)

var errScientific = errors.New(`"EEEE" is incompatible with other formats`)

// romanWidth is how wide PostgreSQL writes a Roman number.
const romanWidth = 15

// romanText writes a number from 1 to 3999 in Roman digits.
func romanText(d vec.Decimal, fm, lower bool) (string, error) {
	r, err := d.Round(0)
	if err != nil {
		return "", err
	}
	n, err := strconv.Atoi(r.String())
	if err != nil || n < 1 || n > 3999 {
		return strings.Repeat("#", romanWidth), nil
	}
	var b strings.Builder
	for _, x := range []struct {
		value int
		text  string
	}{{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"}} {
		for ; n >= x.value; n -= x.value {
			b.WriteString(x.text)
		}
	}
	s := b.String()
	if lower {
		s = strings.ToLower(s)
	}
	if !fm {
		s = fmt.Sprintf("%*s", romanWidth, s)
	}
	return s, nil
}

// scientific reports whether a template asks for an exponent.
func scientific(tpl string) bool { return strings.HasSuffix(strings.ToUpper(tpl), "EEEE") }

// sciDigits is how many digits a template wants behind the point.
func sciDigits(tpl string) int {
	_, behind, _ := strings.Cut(strings.ReplaceAll(tpl, "D", "."), ".")
	return strings.Count(behind, "9") + strings.Count(behind, "0")
}

// floatSci writes a float with an exponent, and a blank where a sign would be.
func floatSci(x float64, tpl string) string {
	s := strconv.FormatFloat(x, 'e', sciDigits(tpl), 64)
	if s[0] != '-' {
		s = " " + s
	}
	return s
}

// decimalSci is floatSci of a decimal, which is rounded half up.
func decimalSci(d vec.Decimal, tpl string) string {
	sign := " "
	if d.Sign() < 0 {
		sign = "-"
	}
	whole, frac, _ := strings.Cut(d.Abs().String(), ".")
	digits := strings.TrimLeft(whole+frac, "0")
	exp := len(digits) - len(frac) - 1
	if digits == "" {
		exp = 0
	}
	want := sciDigits(tpl) + 1
	up := len(digits) > want && digits[want] >= '5'
	digits += strings.Repeat("0", max(want-len(digits), 0))
	b := []byte(digits[:want])
	for i := want - 1; up && i >= 0; i-- {
		if b[i]++; b[i] <= '9' {
			up = false
			break
		}
		b[i] = '0'
	}
	text := sign
	if up { // 9.996 becomes 10.00, and PostgreSQL leaves it so
		text += "1"
	}
	text += string(b[:1])
	if want > 1 {
		text += "." + string(b[1:])
	}
	return text + fmt.Sprintf("e%+03d", exp)
}
