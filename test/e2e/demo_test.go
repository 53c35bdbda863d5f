package e2e

import (
	"fmt"
	"path/filepath"
	"testing"
)

// TestTheDemoIsAliveTwice runs the demo shop, ends it with Ctrl-C, and runs it again on the same data: both times the numbers
// move, nothing is a duplicate, and the views have what the story promises.
func TestTheDemoIsAliveTwice(t *testing.T) {
	example, err := filepath.Abs("../../examples/shop")
	if err != nil {
		t.Fatal(err)
	}
	s := prepare(t, nil)
	s.verb, s.projectDir = "demo", example
	s.args = []string{"--webhooks", freePorts(t, 1)[0]}
	type balance struct{ In, Accepted, Quarantined, Duplicates, Pending int64 }
	read := func() (balance, error) {
		var overview struct{ Balance balance }
		err := s.get("/api/overview", &overview)
		return overview.Balance, err
	}
	for round := range 2 {
		s.start()
		first, err := read()
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, patience, func() error {
			now, err := read()
			if err == nil && now.In <= first.In {
				err = fmt.Errorf("round %d: nothing moves: %+v", round, now)
			}
			return err
		})
		eventually(t, patience, func() error { // the past hour is in
			b, err := read()
			if err == nil && (b.In < 10_000 || b.Pending > 0) {
				err = fmt.Errorf("round %d: balance %+v", round, b)
			}
			return err
		})
		for _, view := range []string{"campaign_revenue", "abandoned_carts", "high_intent_users", "card_testing", "pulse"} {
			eventually(t, patience, func() error {
				rows, err := s.query("SELECT count(*) > 0 FROM " + view)
				if err == nil && rows[0] != "t" {
					err = fmt.Errorf("round %d: view %s is empty", round, view)
				}
				return err
			})
		}
		b, err := read()
		if err != nil {
			t.Fatal(err)
		}
		if share := float64(b.Quarantined) / float64(b.In); share < 0.01 || share > 0.06 || b.Duplicates != 0 {
			t.Errorf("round %d: balance %+v; want some per cent in quarantine and no duplicates", round, b)
		}
		s.stop()
	}
}
