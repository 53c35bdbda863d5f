package app

import (
	"log/slog"
	"maps"
	"runtime"
	"strings"
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

// TestStateLiesOnTheDiskOnlyIfThatIsAskedFor tells of a limit that cannot be kept to.
func TestStateLiesOnTheDiskOnlyIfThatIsAskedFor(t *testing.T) {
	for _, c := range []struct {
		name, gogc, limit string
		disk              int64
		want, warns       bool
	}{
		{"not set", "", "", 0, false, false},
		{"set", "", "", 1 << 30, true, false},
		{"with a collector of its own", "50", "", 1 << 30, false, true},
		{"with one that has an end", "50", "1GiB", 1 << 30, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("GOGC", c.gogc)
			t.Setenv("GOMEMLIMIT", c.limit)
			var told strings.Builder
			n := &node{folder: &folder{dir: t.TempDir()}}
			n.Log = slog.New(slog.NewTextHandler(&told, nil))
			n.cfg.Limits.StateBytes, n.cfg.Limits.StateDiskBytes = 1<<20, c.disk
			s := n.scratch()
			if strings.Contains(told.String(), "no disk but memory") || runtime.GOOS != "linux" && c.disk > 0 {
				c.want, c.warns = false, true // as any such folder
			}
			if (s != nil) != c.want || strings.Contains(told.String(), "limits.state_disk_bytes") != c.warns {
				t.Errorf("there is scratch memory: %v; told is %q", s != nil, told.String())
			}
		})
	}
}
