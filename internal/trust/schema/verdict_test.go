package schema

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"myelin/internal/event"
	"myelin/internal/tape"
)

// receivedAt is when the events of these tests arrive: 2026-11-22T14:00:00Z.
const receivedAt = 1_795_356_000_000_000

// judge reads and checks one event against p.
func judge(t testing.TB, p *Plan, c *Checker, text string) (*event.Event, *event.Verdict) {
	t.Helper()
	var d tape.Doc
	if err := d.Parse([]byte(text)); err != nil {
		t.Fatalf("the test's event is not JSON: %v", err)
	}
	e, v := &event.Event{}, &event.Verdict{}
	b := event.Base{ReceivedAt: receivedAt, BatchContext: -1, BatchIntegrations: -1}
	event.Read(e, &d, 0, &b, v)
	p.Check(c, e, v)
	return e, v
}

// TestVerdicts runs testdata/verdict: a plan, then events and what is said about them. An event written as properties
// alone is a track call of the event given as name=.
func TestVerdicts(t *testing.T) {
	datadriven.Walk(t, "testdata/verdict", func(t *testing.T, path string) {
		var plan *Plan
		checker := &Checker{Key: []byte("test key")}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "plan":
				p, err := Parse("plan.yaml", []byte("apiVersion: myelin/v1\nkind: TrackingPlan\nname: shop\n"+d.Input))
				if err != nil {
					return err.Error() + "\n"
				}
				plan = p
				return ""
			case "event", "stored":
				text := d.Input
				if d.HasArg("name") {
					var name string
					d.ScanArgs(t, "name", &name)
					text = fmt.Sprintf(`{"type":"track","event":%q,"userId":"u","messageId":"m","properties":%s}`, strings.ReplaceAll(name, "_", " "), d.Input)
				}
				e, v := judge(t, plan, checker, text)
				out := show(v)
				if d.Cmd == "stored" {
					out += string(event.AppendCanonical(nil, e, &event.Verdict{Status: v.Status, Patches: v.Patches}, event.Meta{Source: "web", Protocol: "segment"})) + "\n"
				}
				return out
			}
			d.Fatalf(t, "no command %s", d.Cmd)
			return ""
		})
	})
}

func show(v *event.Verdict) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", v.Status, v.Schema)
	for _, x := range v.Violations {
		fmt.Fprintf(&b, "  %s %s %s: expected %s, got %s\n", x.Severity, x.Code, x.Path, x.Expected, x.Got)
	}
	return b.String()
}

// TestMistakes runs testdata/mistakes: plan files and the messages they get.
func TestMistakes(t *testing.T) {
	datadriven.Walk(t, "testdata/mistakes", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			p, err := Parse("plan.yaml", []byte(d.Input))
			if err != nil {
				return err.Error() + "\n"
			}
			return fmt.Sprintf("a plan of %d events\n", len(p.Events))
		})
	})
}
