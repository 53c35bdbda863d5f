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

// seeds are hold-out ones: the detectors were set up on seeds below 9000.
func seeds(n int) []uint64 {
	var out []uint64
	for i := range n {
		out = append(out, uint64(9000+i))
	}
	return out
}

func TestFaultsAreFound(t *testing.T) {
	r, err := drill.Measure(t.Context(), drill.Config{Rates: []float64{100}, Seeds: seeds(2)})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + r.Markdown())
	for i := range r.Cases {
		if c := &r.Cases[i]; c.Found < c.Runs {
			t.Errorf("%s: %d of %d were found", c.Fault, c.Found, c.Runs)
		}
	}
	for _, c := range r.Cases {
		if c.Fault == drill.BusyStop && c.Quantile(0.5) > 10*time.Minute {
			t.Errorf("a full stop was noticed after %s", c.Quantile(0.5))
		}
	}
	if perWeek := float64(r.False[100]) / r.Weeks[100]; perWeek > 1 {
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
		r, err := drill.Measure(t.Context(), drill.Config{Rates: []float64{x.rate}, Seeds: seeds(x.seeds)})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("\n%s\n%s", r.Markdown(), strings.Join(r.Titles[x.rate], "\n"))
		fmt.Fprintf(&all, "%s\n", r.Markdown())
	}
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
