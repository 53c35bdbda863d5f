//go:build !unix

package store

import "github.com/cockroachdb/pebble/v2/vfs"

// truncate cuts a file; it reports whether that was possible.
func truncate(vfs.File, int64) bool { return false }
