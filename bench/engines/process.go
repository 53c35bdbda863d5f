package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cpuOf is the user and system time of a process so far, in seconds.
func cpuOf(pid int) float64 {
	// The clock of another process's CPU time (clock_getcpuclockid(3)); it has no name, but a number made of the process's.
	const scheduler = 2
	var t unix.Timespec
	if unix.ClockGettime(int32(^pid)<<3|scheduler, &t) != nil {
		return 0 // it is gone
	}
	return float64(t.Nano()) / 1e9
}

// peakOf is the most memory that a process ever had resident, in bytes.
func peakOf(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, found := strings.Cut(string(text), "VmHWM:")
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(fields[0], 10, 64)
	return kib << 10
}

// freePorts finds a loopback address that nobody listens on, with the next port free as well: Kafka's controller takes that. It looks
// below the ports that systems give to clients, so that none of these gets in between.
func freePorts() (string, error) {
	for range 100 {
		port := 20400 + 2*rand.IntN(4000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		next, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1))
		_ = l.Close()
		if err == nil {
			_ = next.Close()
			return fmt.Sprintf("127.0.0.1:%d", port), nil
		}
	}
	return "", fmt.Errorf("no two ports in a row are free")
}
