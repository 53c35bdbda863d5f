package app

import "testing"

func TestLargeStateWithoutPointersLeavesLittleToGarbage(t *testing.T) {
	const mb = 1 << 20
	for _, c := range []struct {
		live, scanned uint64
		want          int
	}{{0, 0, 100}, {100 * mb, 10 * mb, 100}, {256 * mb, 0, 100}, {1024 * mb, 50 * mb, 26}, {1024 * mb, 900 * mb, 88}, {1024 * mb, 2000 * mb, 100}} {
		if got := sparePercent(c.live, c.scanned); got != c.want {
			t.Errorf("with %d MiB, %d of them searched: %d %%; want %d", c.live/mb, c.scanned/mb, got, c.want)
		}
	}
}
