package drill_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"myelin/internal/trust/drill"
)

// heldOut is where seeds begin whose figures are told: the detectors were set up on smaller ones.
const heldOut = 60_000

func seeds(from uint64, n int) []uint64 {
	var out []uint64
	for i := range n {
		out = append(out, from+uint64(i))
	}
	return out
}

func TestFaultsAreFound(t *testing.T) {
	r, err := drill.Measure(t.Context(), drill.Config{Rates: []float64{100}, Seeds: seeds(9000, 3)})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + r.Markdown())
	for i := range r.Cases {
		c := &r.Cases[i]
		least := c.Runs
		switch c.Fault {
		case drill.Half, drill.Double, drill.Ramp: // what takes hours may take more than two days
			least = c.Runs / 2
		}
		if c.Found < least {
			t.Errorf("%s: %d of %d were found", c.Fault, c.Found, c.Runs)
		}
	}
	for _, c := range r.Cases {
		switch c.Fault {
		case drill.Stop, drill.BusyStop:
			if most := map[drill.Fault]time.Duration{drill.Stop: 12 * time.Minute, drill.BusyStop: 10 * time.Minute}[c.Fault]; c.Quantile(0.5) > most {
				t.Errorf("%s was noticed after %s", c.Fault, c.Quantile(0.5))
			}
			if c.Quantile(0.5) < c.Floor[0] || c.Quantile(0.9) < c.Floor[1] {
				t.Errorf("%s was noticed after %s and %s, sooner than possible: %s", c.Fault, c.Quantile(0.5), c.Quantile(0.9), c.Floor)
			}
		case drill.TypeFlip, drill.Release, drill.AllFlip:
			if last := c.FirstBad[len(c.FirstBad)-1]; last > 2*time.Minute {
				t.Errorf("%s was noticed %s after the first broken event", c.Fault, last)
			}
		}
	}
	// Of one a week, chance makes seldom more than twice as many in so few weeks.
	if perWeek := float64(r.False[100]) / r.Weeks[100]; perWeek > 2 {
		t.Errorf("%.2f false incidents a week:\n%s", perWeek, strings.Join(r.Titles[100], "\n"))
	}
}

// TestDetectionSeeds measures everything; MYELIN_DETECTION names the page to write. Without MYELIN_SOAK_SEEDS it is small.
func TestDetectionSeeds(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("MYELIN_SOAK_SEEDS"))
	if err != nil {
		n = 1
	}
	n = min(n, 40)
	var all strings.Builder
	for _, x := range []struct {
		rate  float64
		seeds int
	}{{10, n}, {100, n}, {10_000, max(1, n/10)}} {
		if x.rate > 1000 && n == 1 {
			continue // 20 million events
		}
		r, err := drill.Measure(t.Context(), drill.Config{Rates: []float64{x.rate}, Seeds: seeds(heldOut, x.seeds)})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("\n%s\n%s", r.Markdown(), strings.Join(r.Titles[x.rate], "\n"))
		fmt.Fprintf(&all, "%s\n", r.Markdown())
	}
	r, err := drill.Measure(t.Context(), drill.Config{Rates: []float64{100}, Seeds: seeds(heldOut, n), Faults: []drill.Fault{drill.TypeFlip}, Strays: 1. / 20_000})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("with strays\n%s\n%s", r.Markdown(), strings.Join(r.Titles[100], "\n"))
	fmt.Fprintf(&all, "Where one event in 20,000 has a wrong type although nothing is wrong:\n\n%s\n", r.Markdown())
	page := os.Getenv("MYELIN_DETECTION")
	if page == "" {
		return
	}
	old, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, _, ok := strings.Cut(string(old), "<!-- measured -->")
	if !ok {
		t.Fatalf("%s has no place for the tables", page)
	}
	text := head + "<!-- measured -->\n\n" + strings.TrimSpace(all.String()) + "\n"
	if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
