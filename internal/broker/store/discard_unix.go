//go:build unix

package store

import (
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"
)

// truncate cuts a file; it reports whether that was possible.
func truncate(f vfs.File, size int64) bool {
	return f.Fd() != vfs.InvalidFd && unix.Ftruncate(int(f.Fd()), size) == nil
}
