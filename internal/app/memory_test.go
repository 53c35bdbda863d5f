package app

import (
	"maps"
	"testing"
	"testing/fstest"
)

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

func TestMemoryIsThatOfTheGroupOrTheMachine(t *testing.T) {
	machine := fstest.MapFS{"proc/meminfo": {Data: []byte("MemTotal:       16384 kB\nMemFree: 1 kB\n")}}
	with := func(file, text string) fstest.MapFS {
		all := maps.Clone(machine)
		all[file] = &fstest.MapFile{Data: []byte(text)}
		return all
	}
	for _, c := range []struct {
		name string
		root fstest.MapFS
		want int64
	}{
		{"nobody tells", fstest.MapFS{}, 0}, {"machine", machine, 16 << 20}, {"group", with("sys/fs/cgroup/memory.max", "4194304\n"), 4 << 20},
		{"group without a limit", with("sys/fs/cgroup/memory.max", "max\n"), 16 << 20},
		{"old group", with("sys/fs/cgroup/memory/memory.limit_in_bytes", "8388608\n"), 8 << 20},
		{"old group without a limit", with("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"), 16 << 20},
	} {
		if got := memoryOf(c.root); got != c.want {
			t.Errorf("%s: %d; want %d", c.name, got, c.want)
		}
	}
}
