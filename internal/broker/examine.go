package broker

import (
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// CheckProducers checks the producer snapshot of a data folder that no process has open. The error says what is wrong with
// it: the next start ignores it then and reads the log.
func CheckProducers(fs vfs.FS, dir string) error {
	f, err := fs.Open(fs.PathJoin(dir, snapshotName))
	if err != nil {
		return fmt.Errorf("opening %s: %w", snapshotName, err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return fmt.Errorf("reading %s: %w", snapshotName, err)
	}
	states, err := decodeSnapshot(b)
	if err != nil {
		return fmt.Errorf("reading %s: %w", snapshotName, err)
	}
	for k, s := range states {
		if err := s.Check(); err != nil {
			return fmt.Errorf("reading %s: partition %d of %x: %w", snapshotName, k.index, [16]byte(k.id), err)
		}
	}
	return nil
}

// RemoveProducers removes the producer snapshot, if it is there.
func RemoveProducers(fs vfs.FS, dir string) error {
	return fs.Remove(fs.PathJoin(dir, snapshotName))
}
