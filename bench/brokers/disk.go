package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// held is the space that the partitions of measured topics take in a broker's folder, deleted ones included, in bytes.
func held(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error { // files come and go meanwhile
		folder := filepath.Base(filepath.Dir(path))
		if err != nil || e.IsDir() || !strings.HasPrefix(folder, "bench-") && !strings.HasSuffix(folder, "-delete") && !strings.HasSuffix(path, "-delete") {
			return nil
		}
		if info, err := e.Info(); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				n += st.Blocks * 512
			}
		}
		return nil
	})
	return n
}

// settle waits until a broker has given back the space of what was deleted, and until everything written is on disk, so that
// neither falls into what is measured next. Both brokers are treated alike.
func settle(ctx context.Context, p *peer) error {
	began := time.Now()
	for n := held(p.dir); n > 1<<20; n = held(p.dir) {
		if time.Since(began) > 30*time.Second {
			fmt.Fprintf(os.Stderr, "%s still holds %d MB of what was deleted\n", p.label, n>>20)
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	syscall.Sync()
	return nil
}

// spareBytes stay free whatever is measured.
const spareBytes = 12 << 30

// room is how many bytes of records may be written to the disk of a folder at once. Each is there twice for a while.
func room(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("asking for free space: %w", err)
	}
	free := int64(st.Bavail)*st.Bsize - spareBytes
	if free < 5<<30 {
		return 0, fmt.Errorf("the disk has not 17 GB free, which the sustained load needs")
	}
	return free * 4 / 5, nil
}

// measureDisk says how long an fdatasync of 4 KB takes here, in a file that is written over: what every acknowledgement waits for.
func measureDisk(dir string) (string, error) {
	const size, rounds = 4 << 20, 1000
	f, err := os.Create(filepath.Join(dir, "fdatasync"))
	if err != nil {
		return "", fmt.Errorf("measuring fdatasync: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(make([]byte, size)); err != nil {
		return "", fmt.Errorf("measuring fdatasync: %w", err)
	}
	if err := f.Sync(); err != nil {
		return "", fmt.Errorf("measuring fdatasync: %w", err)
	}
	var took []float64
	block := make([]byte, 4096)
	for i := range rounds {
		began := time.Now()
		if _, err := f.WriteAt(block, int64(i)*4096%size); err != nil {
			return "", fmt.Errorf("measuring fdatasync: %w", err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return "", fmt.Errorf("measuring fdatasync: %w", err)
		}
		took = append(took, time.Since(began).Seconds()*1000)
	}
	slices.Sort(took)
	p50, p99 := took[rounds/2], took[rounds*99/100]
	text := fmt.Sprintf("Writing 4 KB and fdatasync on this disk: p50 %.2f ms, p99 %.2f ms.", p50, p99)
	if p50 < 1 {
		text += " That is fast: flush.messages=1 holds Kafka back less than on a disk that takes milliseconds."
	}
	return text, nil
}
