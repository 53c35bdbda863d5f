package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestEveryPageInABrowser opens every page of the running demo in Chromium, in light and dark, wide and narrow: axe finds
// nothing, the keyboard reaches everything, and each state says what to do next (ui/test/pages.mjs).
func TestEveryPageInABrowser(t *testing.T) {
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("chromium is not installed; make test installs it")
	}
	script, err := filepath.Abs("../../ui/test/pages.mjs")
	if err != nil {
		t.Fatal(err)
	}
	example, err := filepath.Abs("../../examples/shop")
	if err != nil {
		t.Fatal(err)
	}
	s := prepare(t, nil)
	s.verb, s.projectDir = "demo", example
	s.args = []string{"--webhooks", freePorts(t, 1)[0]}
	s.start()
	eventually(t, patience, func() error { // the past hour is in, so that no page is empty
		var sinks struct{ Sinks []struct{ Delivered int } }
		if err := s.get("/api/sinks", &sinks); err != nil {
			return err
		}
		if len(sinks.Sinks) == 0 || sinks.Sinks[0].Delivered == 0 {
			return fmt.Errorf("no webhook was delivered yet: %+v", sinks)
		}
		return nil
	})
	out, err := longCommand(9*time.Minute, "node", script, s.url(""), t.TempDir())
	t.Log(out)
	if err != nil {
		t.Fatal(err)
	}
}

// clerks is a shop whose pages ask who is there, also on this machine.
var clerks = project{
	"myelin.yaml": `
sources:
  - {name: shop-app, write_keys: [wk_app], plan: shop}
trust_loopback: false
users:
  - {name: ana, password: anas password, role: analyst}
  - {name: vic, password: vics password, role: viewer}
  - {name: pia, password: pias password, role: privacy}
`,
	"plan/shop.yaml": `
apiVersion: myelin/v1
kind: TrackingPlan
name: shop
events:
  Order Completed:
    version: 1-0-0
    properties:
      order_id: {type: string, required: true, maxLength: 64}
      total: {type: number, required: true, minimum: 0}
      currency: {type: string, enum: [EUR, USD]}
`,
	"sql/orders.sql": `
CREATE MATERIALIZED VIEW orders_by_app AS
SELECT context->'app'->>'version' AS app_version, count(*) AS orders, sum(total) AS revenue FROM order_completed GROUP BY 1;
`,
}

// TestMissingOrdersAreFoundRepairedAndSentOnInTheUI goes the whole way of somebody who misses orders, from the log-in to the figures,
// by the pages alone and without a word that only experts know (ui/test/journey.mjs).
func TestMissingOrdersAreFoundRepairedAndSentOnInTheUI(t *testing.T) {
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("chromium is not installed; make test installs it")
	}
	script, err := filepath.Abs("../../ui/test/journey.mjs")
	if err != nil {
		t.Fatal(err)
	}
	s := run(t, clerks)
	out, err := longCommand(6*time.Minute, "node", script, s.url(""), t.TempDir())
	t.Log(out)
	if err != nil {
		t.Fatal(err)
	}
}
