package app

import (
	"context"
	"io/fs"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"

	"myelin/internal/process/state"
)

const (
	// spareMemory is what garbage may take besides the memory in use before it is collected; twice the memory in use is never
	// exceeded, nor made less than what has to be searched for pointers.
	spareMemory = 256 << 20
	spareEvery  = time.Second
)

// spare keeps garbage from doubling a large state until ctx ends. Most of that state holds no pointers, so that collecting more often
// costs little. Who sets GOGC decides for himself.
func spare(ctx context.Context) error {
	if os.Getenv("GOGC") != "" {
		return nil
	}
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/heap:bytes"}}
	tick := time.NewTicker(spareEvery)
	defer tick.Stop()
	set := 100
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		metrics.Read(sample)
		if p := sparePercent(sample[0].Value.Uint64(), sample[1].Value.Uint64()); p != set {
			set = p
			debug.SetGCPercent(p)
		}
	}
}

// sparePercent is the garbage collector's percentage for a heap of so many bytes in use, of which some may hold pointers.
func sparePercent(live, scanned uint64) int {
	if live == 0 {
		return 100
	}
	return int(min(100, max(spareMemory, scanned)*100/live+1))
}

// maxState is what the state of views may take in memory: limits.state_bytes, or half of the memory that there is.
func (n *node) maxState() int64 {
	if n.cfg.Limits.StateBytes > 0 {
		return n.cfg.Limits.StateBytes
	}
	return memoryOf(os.DirFS("/")) / 2
}

// scratch is where the state of views lies beyond its part of the memory (limits.state_disk_bytes), beside the log, for which it leaves
// more than what that needs to go on; nil: nowhere. The garbage collector takes what lies there for memory in use, so that a share of that in
// garbage (GOGC), without spare or an end to it all (GOMEMLIMIT), would be too much.
func (n *node) scratch() *state.Scratch {
	memory, disk := n.maxState(), n.cfg.Limits.StateDiskBytes
	if disk == 0 || memory == 0 {
		return nil
	}
	const kept = "the state of views stays in memory, whatever limits.state_disk_bytes says"
	if os.Getenv("GOGC") != "" && os.Getenv("GOMEMLIMIT") == "" {
		n.Log.Warn(kept, "why", "GOGC is set and GOMEMLIMIT is not")
		return nil
	}
	s := state.NewScratch(state.ScratchConfig{Dir: n.folder.dir, Memory: memory, Disk: disk, Free: 2 * n.cfg.Limits.FreeDiskBytes})
	if err := s.Usable(); err != nil {
		n.Log.Warn(kept, "why", err)
		return nil
	}
	return s
}

// memoryOf is how much memory the process may use: its control group's, else the machine's. 0: nobody tells.
func memoryOf(root fs.FS) int64 {
	number := func(file, before string) int64 {
		text, err := fs.ReadFile(root, file)
		if err != nil {
			return 0
		}
		_, rest, found := strings.Cut(string(text), before)
		fields := strings.Fields(rest)
		if !found || len(fields) == 0 {
			return 0
		}
		v, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			return 0 // max: no limit
		}
		return v
	}
	least := number("proc/meminfo", "MemTotal:") << 10
	for _, file := range []string{"sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if v := number(file, ""); v > 0 && (least == 0 || v < least) {
			least = v
		}
	}
	return least
}
