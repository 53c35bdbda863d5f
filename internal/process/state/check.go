package state

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// CheckDisk reads the whole local copy in dir, which no process has open, without changing it. An error says what is wrong.
func CheckDisk(fs vfs.FS, dir string) (err error) {
	db, err := pebble.Open(dir, &pebble.Options{FS: fs, ReadOnly: true, Logger: silent{}})
	if err != nil {
		return fmt.Errorf("opening the local state in %s: %w", dir, err)
	}
	defer func() {
		if cerr := db.Close(); err == nil {
			err = cerr
		}
	}()
	it, err := db.NewIter(nil)
	if err != nil {
		return fmt.Errorf("reading the local state in %s: %w", dir, err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		if _, err := it.ValueAndErr(); err != nil {
			break // Close says it
		}
	}
	if err := it.Close(); err != nil {
		return fmt.Errorf("reading the local state in %s: %w", dir, err)
	}
	return nil
}
