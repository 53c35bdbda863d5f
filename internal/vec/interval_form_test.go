package vec

import (
	"math/rand/v2"
	"testing"
)

// TestEqualIntervalsHaveOneForm: intervals of one length have one key, which reads back as that length, with no part that points the
// other way.
func TestEqualIntervalsHaveOneForm(t *testing.T) {
	for in, want := range map[string]string{
		"-90 minutes": "-01:30:00", "24 hours": "1 day", "30 days -1 hour": "29 days 23:00:00", "-1 day +1 hour": "-23:00:00",
		"1 month -30 days": "00:00:00", "-36 hours": "-1 days -12:00:00", "-45 days": "-1 mons -15 days",
	} {
		v, err := ParseInterval([]byte(in), "")
		if err != nil {
			t.Fatal(err)
		}
		if got := string(AppendInterval(nil, v.normal())); got != want {
			t.Errorf("%s has the form %s; want %s", in, got, want)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		a := IntervalValue{int32(rng.IntN(5) - 2), int32(rng.IntN(70) - 35), rng.Int64N(4*MicrosPerDay) - 2*MicrosPerDay}
		b := IntervalValue{0, a.Days + 30*a.Months - 1, a.Micros + MicrosPerDay}
		n := a.normal()
		if n != b.normal() || n != n.normal() {
			t.Fatalf("%v and %v have the forms %v and %v", a, b, n, b.normal())
		}
		if min(int64(n.Months), int64(n.Days), n.Micros) < 0 && max(int64(n.Months), int64(n.Days), n.Micros) > 0 {
			t.Fatalf("%v has the form %v", a, n)
		}
		if n.Approx() != a.Approx() {
			t.Fatalf("%v has the form %v of another length", a, n)
		}
	}
}
