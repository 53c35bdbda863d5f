package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"myelin/internal/broker/store"
)

// TestLargeFilesLeaveInSteps deletes a topic with the longest name there can be, and records of another, on a real disk, and
// waits until their files are gone.
func TestLargeFilesLeaveInSteps(t *testing.T) {
	cfg := small(nil)
	cfg.Dir = t.TempDir()
	s, p := one(t, cfg, store.TopicConfig{SegmentBytes: 64 << 10})
	defer closeStore(t, s)
	long := store.TopicID{2}
	if err := s.CreateTopic(long, strings.Repeat("n", 249), 1, store.TopicConfig{SegmentBytes: 64 << 10}); err != nil {
		t.Fatal(err)
	}
	for i := range 80 {
		appendWait(t, p, makeBatch(1, int64(i), make([]byte, 4000)))
		appendWait(t, s.Partition(long, 0), makeBatch(1, int64(i), make([]byte, 4000)))
	}
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.DeleteRecords(60); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteTopic(long); err != nil {
		t.Fatal(err)
	}
	if got := offsets(t, p, 60); len(got) != 20 {
		t.Errorf("%d batches are left", len(got))
	}
	deadline := time.Now().Add(time.Minute)
	for left := "?"; left != ""; {
		left = ""
		entries, err := os.ReadDir(filepath.Join(cfg.Dir, "topics"))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), "-delete") {
				left += fmt.Sprintln(e.Name())
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("still there:\n%s", left)
		}
	}
	if got := s.Problems(); len(got) > 0 {
		t.Errorf("problems: %+v", got)
	}
}
