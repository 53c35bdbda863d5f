package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestAShopThatOpensAgainSendsOnlyWhatIsMissing(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	if got := closedFor(dir, now); got != 0 {
		t.Errorf("a new shop: %v", got)
	}
	if err := os.MkdirAll(filepath.Join(dir, "log", "wal"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "log", "wal", "1")
	if err := os.WriteFile(file, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ ago, want time.Duration }{{5 * time.Minute, 5 * time.Minute}, {30 * time.Hour, time.Hour}, {-time.Minute, -1}} {
		at := now.Add(-c.ago)
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
		if got := closedFor(dir, now); (got - c.want).Abs() > time.Second {
			t.Errorf("%v ago: %v, not %v", c.ago, got, c.want)
		}
	}
}
