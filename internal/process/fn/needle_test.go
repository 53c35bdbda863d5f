package fn

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestNeedlesChangeNoMatch compares what is found with and without looking for the needle first.
func TestNeedlesChangeNoMatch(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 2))
	with := 0
	for _, p := range []string{
		`(&|^)channel_id=([^&]*)`, `^abc`, `\babc\b`, `(?m)^abc$`, `(a|bc)?abc`, `a{0,3}abc(.*)c`, `.{2}abc`, `(?i)abc`, `x?(?:abc)y`, `a*abc`, `(ab|)abc$`, `ä?abc`, `[^a]abc`,
		`abc|abd`, `\Babc`, `(?s)^.abc`,
	} {
		re := regexp.MustCompile(p)
		x := newExpression(re)
		if x.needle != nil {
			with++
		}
		parts := []string{"abc", "a", "b", "c", "&", "channel_id=", "\n", "ä", " ", "ABC", "y", "x", "界"}
		for range 3000 {
			var s strings.Builder
			for range r.IntN(12) {
				s.WriteString(parts[r.IntN(len(parts))])
			}
			if got, want := x.find([]byte(s.String())), re.FindSubmatchIndex([]byte(s.String())); !slices.Equal(got, want) {
				t.Fatalf("%s in %q: %v, want %v", p, s.String(), got, want)
			}
		}
	}
	if with < 8 {
		t.Errorf("only %d expressions have a needle", with)
	}
}
