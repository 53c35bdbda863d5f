package app

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
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
