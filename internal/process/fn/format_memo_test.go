package fn

import (
	"math/rand/v2"
	"testing"

	"myelin/internal/vec"
)

// TestTimesNextToEachOther writes columns of times near each other, by templates of every grain, as one by one.
func TestTimesNextToEachOther(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	templates := append([]string{"YYYY-MM-DD", "HH24:MI", `"at "HH12 AM`, "FMDay, FMDDth", "YYYY-MM-DD HH24:MI:SS.US", ""}, timePatterns...)
	kernel := timeToChar(false)
	for _, template := range templates {
		times, tpl, out := vec.New(vec.Of(vec.Timestamp), 0), vec.New(vec.Of(vec.Text), 0), vec.New(vec.Of(vec.Text), 0)
		at := r.Int64N(4e15) - 2e15
		for range 300 {
			at += r.Int64N([]int64{10, 1e3, 1e6, 1e8, 1e10, 1e12}[r.IntN(6)]) * int64(1-2*r.IntN(2))
			times.AppendInt(at)
			out.AppendString("")
		}
		tpl.AppendString(template)
		kernel(&Env{}, []*vec.Vector{times, tpl}, nil, 300, out)
		for i, at := range times.Ints {
			if got, want := string(out.Bytes(i)), formatTime(template, at, ""); got != want {
				t.Fatalf("%q of %d: %q, want %q", template, at, got, want)
			}
		}
	}
}
