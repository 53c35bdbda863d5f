package fn

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// randomRegexp writes an expression with a needle in it.
func randomRegexp(r *rand.Rand, depth int) string {
	atoms := []string{"a", "b", "&", "x", "ä", "[ab]", "[^&]", "[^a]", ".", "^", "$", "abc", "\\d", "[a-c]", "\\b", "(?i:a)", "[^ä]", "\\x00", "[\\x00-\\x7f]", "\\n", "[^\\n]", "A"}
	quant := []string{"", "", "", "*", "+", "?", "{1,2}", "{2}", "{0,2}", "{2,}", "*?", "??"}
	var b strings.Builder
	for range 1 + r.IntN(3) {
		switch x := r.IntN(8); {
		case x < 5 || depth <= 0:
			fmt.Fprint(&b, atoms[r.IntN(len(atoms))], quant[r.IntN(len(quant))])
		default:
			open := []string{"(", "(?:"}[r.IntN(2)]
			alts := make([]string, 1+r.IntN(3))
			for i := range alts {
				if r.IntN(4) > 0 {
					alts[i] = randomRegexp(r, depth-1)
				}
			}
			fmt.Fprint(&b, open, strings.Join(alts, "|"), ")", quant[r.IntN(len(quant))])
		}
	}
	return b.String()
}

// TestRandomExpressionsFindWhatGoFinds compares searches for random expressions with those of the standard library.
func TestRandomExpressionsFindWhatGoFinds(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 23))
	parts := []string{"abc", "abc", "a", "b", "c", "&", "\n", "ä", "ABC", "A", "x", "界", "1", "\x00", "\xff"}
	walks := 0
	for range 9000 {
		p := []string{"", "(?s)", "(?i)", "(?m)", "(?si)", "(?U)"}[min(r.IntN(12), 5)] + randomRegexp(r, 2) + "abc" + randomRegexp(r, 2)
		re, err := regexp.Compile(p)
		if err != nil {
			continue
		}
		x := newExpression(re)
		if x.needle == nil {
			continue
		}
		if x.walk != nil {
			walks++
		}
		for range 30 {
			var s strings.Builder
			for range r.IntN(9) {
				s.WriteString(parts[r.IntN(len(parts))])
			}
			if got, want := x.find([]byte(s.String()), nil), re.FindSubmatchIndex([]byte(s.String())); !slices.Equal(got, want) {
				t.Fatalf("%s in %q: %v, want %v", p, s.String(), got, want)
			}
		}
	}
	if walks < 30 {
		t.Errorf("only %d expressions can be walked", walks)
	}
}
