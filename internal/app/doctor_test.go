package app_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"myelin/internal/app"
	"myelin/internal/broker"
	"myelin/internal/broker/store"
)

// sick is a data folder as a stopped myelin leaves it, with one topic.
func sick(t *testing.T) string {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "FORMAT"), []byte("myelin-data 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b, err := broker.Open(broker.Config{Dir: filepath.Join(dir, "log"), Store: store.Config{MinFreeBytes: -1, BallastBytes: -1}})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func doctor(t *testing.T, dir string, repair bool) (sound bool, text string) {
	t.Helper()
	var out bytes.Buffer
	sound, err := app.Doctor(vfs.Default, dir, repair, &out)
	if err != nil {
		return false, err.Error()
	}
	return sound, out.String()
}

func TestDoctorSaysWhatIsWrong(t *testing.T) {
	dir := sick(t)
	if sound, text := doctor(t, dir, false); !sound || !strings.Contains(text, "Nothing is wrong") {
		t.Errorf("sound folder: %v\n%s", sound, text)
	}
	snapshot := filepath.Join(dir, "log", "producers.snapshot")
	if err := os.WriteFile(snapshot, []byte("MYPSxx"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"state", "state-1", "state-x"} { // the last is none of ours
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if sound, text := doctor(t, dir, false); sound || !strings.Contains(text, "producers.snapshot") || !strings.Contains(text, "state/") ||
		!strings.Contains(text, "from the topic myelin.state.1") || !strings.Contains(text, "3 places can be repaired") {
		t.Errorf("three caches are bad: %v\n%s", sound, text)
	}
	if sound, text := doctor(t, dir, true); !sound || !strings.Contains(text, "3 places were repaired") {
		t.Errorf("repair: %v\n%s", sound, text)
	}
	if sound, text := doctor(t, dir, false); !sound {
		t.Errorf("after the repair:\n%s", text)
	}
	checkpoint := filepath.Join(dir, "log", "CHECKPOINT")
	b, err := os.ReadFile(checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(checkpoint, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if sound, text := doctor(t, dir, true); sound || !strings.Contains(text, "1 places are damaged") {
		t.Errorf("damaged checkpoint: %v\n%s", sound, text)
	}
	if _, text := doctor(t, filepath.Join(dir, "none"), false); !strings.Contains(text, "there is no data folder") {
		t.Errorf("no folder: %s", text)
	}
}

func TestDoctorLeavesARunningMyelinAlone(t *testing.T) {
	dir := sick(t)
	lock, err := vfs.Default.Lock(filepath.Join(dir, "LOCK"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if _, text := doctor(t, dir, true); !strings.Contains(text, "stop myelin first") {
		t.Errorf("folder in use: %s", text)
	}
}
