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
	with, walks := 0, 0
	for _, p := range []string{
		`(&|^)channel_id=([^&]*)`, `^abc`, `\babc\b`, `(?m)^abc$`, `(a|bc)?abc`, `a{0,3}abc(.*)c`, `.{2}abc`, `(?i)abc`, `x?(?:abc)y`, `a*abc`, `(ab|)abc$`, `ä?abc`, `[^a]abc`,
		`abc|abd`, `\Babc`, `(?s)^.abc`, `(?s)(&|^|c?)(ab|a)?abc([^&]+)(x|y|)`, `abc(b*)(a|c?)$`, `^(a?)abc[bc]{1,3}[^bc]*$`, `(a)|(abc)`, `(x?)(abc)(y(&)?)?c*b`,
	} {
		re := regexp.MustCompile(p)
		x := newExpression(re)
		if x.needle != nil {
			with++
		}
		if x.walk != nil {
			walks++
		}
		parts := []string{"abc", "a", "b", "c", "&", "channel_id=", "\n", "ä", " ", "ABC", "y", "x", "界"}
		for range 3000 {
			var s strings.Builder
			for range r.IntN(12) {
				s.WriteString(parts[r.IntN(len(parts))])
			}
			if got, want := x.find([]byte(s.String()), nil), re.FindSubmatchIndex([]byte(s.String())); !slices.Equal(got, want) {
				t.Fatalf("%s in %q: %v, want %v", p, s.String(), got, want)
			}
		}
	}
	if with < 12 || walks < 6 {
		t.Errorf("only %d expressions have a needle, %d can be walked", with, walks)
	}
}

// TestAWalkIsGivenUpInTime searches text that makes it try again and again.
func TestAWalkIsGivenUpInTime(t *testing.T) {
	re := regexp.MustCompile(`abc[^&]*&x`)
	x := newExpression(re)
	s := []byte(strings.Repeat("abc", 20_000) + "&y")
	if _, ok := x.walk.find(s, x.needle, x.lead, nil); ok {
		t.Error("it was not given up")
	}
	if m := x.find(append(s, "abc&x"...), nil); !slices.Equal(m, []int{len(s), len(s) + 5}) {
		t.Errorf("found %v", m)
	}
}
