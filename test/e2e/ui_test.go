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
	eventually(t, 60*time.Second, func() error { // the past hour is in, so that no page is empty
		var sinks struct{ Sinks []struct{ Delivered int } }
		if err := s.get("/api/sinks", &sinks); err != nil {
			return err
		}
		if len(sinks.Sinks) == 0 || sinks.Sinks[0].Delivered == 0 {
			return fmt.Errorf("no webhook was delivered yet: %+v", sinks)
		}
		return nil
	})
	out, err := longCommand(6*time.Minute, "node", script, s.url(""), t.TempDir())
	t.Log(out)
	if err != nil {
		t.Fatal(err)
	}
}
