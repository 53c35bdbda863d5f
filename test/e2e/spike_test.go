package e2e

import (
	"bytes"
	"strings"
	"testing"

	"myelin/internal/bench"
)

// TestSpikeLosesNothing is a small form of the spike that `myelin bench` runs with 5,000 connections. Times are not looked at:
// the machine may be busy.
func TestSpikeLosesNothing(t *testing.T) {
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	figures, err := bench.Run(t.Context(), bench.Config{Binary: bin, Dir: t.TempDir(), Seconds: 2, Connections: 300, Only: []string{"spike"}, Out: &table})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range figures {
		if !f.Met && !strings.Contains(f.Name, "ack p99") {
			t.Errorf("%s: %s, not %s", f.Name, f.Value, f.Goal)
		}
	}
	t.Log("\n" + table.String())
}
