package store

import (
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// quarantine is the folder for damaged bytes: they are kept, never silently cut.
type quarantine struct {
	fs   vfs.FS
	root string // the data folder
}

// copy copies part of a file into the quarantine folder and returns its name there, relative to the data folder.
func (q *quarantine) copy(path string, from, to int64) (string, error) {
	name, err := q.name(path)
	if err != nil {
		return "", err
	}
	if err := copyRange(q.fs, path, from, to, q.fs.PathJoin(q.root, asideDirName, name)); err != nil {
		if oserror.IsNotExist(err) {
			return "", nil
		}
		return "", err
	}
	return asideDirName + "/" + name, syncDir(q.fs, q.fs.PathJoin(q.root, asideDirName))
}

// move moves a file or folder into the quarantine folder.
func (q *quarantine) move(path string) (string, error) {
	name, err := q.name(path)
	if err != nil {
		return "", err
	}
	if err := q.fs.Rename(path, q.fs.PathJoin(q.root, asideDirName, name)); err != nil {
		return "", fmt.Errorf("setting %s aside: %w", path, err)
	}
	if err := syncDir(q.fs, q.fs.PathJoin(q.root, asideDirName)); err != nil {
		return "", err
	}
	return asideDirName + "/" + name, syncDir(q.fs, q.fs.PathDir(path))
}

// name is a free name in the quarantine folder, which is made when missing.
func (q *quarantine) name(path string) (string, error) {
	dir := q.fs.PathJoin(q.root, asideDirName)
	if err := q.fs.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("creating quarantine folder: %w", err)
	}
	if err := syncDir(q.fs, q.root); err != nil {
		return "", err
	}
	base := q.fs.PathBase(q.fs.PathDir(path)) + "." + q.fs.PathBase(path)
	for i := 1; ; i++ {
		name := fmt.Sprintf("%s.%d", base, i)
		if _, err := q.fs.Stat(q.fs.PathJoin(dir, name)); oserror.IsNotExist(err) {
			return name, nil
		} else if err != nil {
			return "", fmt.Errorf("looking for a free name in quarantine: %w", err)
		}
	}
}

// copyRange writes the bytes from..to of a file to another and syncs it.
func copyRange(fs vfs.FS, path string, from, to int64, dst string) error {
	src, err := fs.Open(path)
	if err != nil {
		return fmt.Errorf("opening %s: %w", path, err)
	}
	defer func() { _ = src.Close() }() // read only
	out, err := fs.Create(dst, ioCategory)
	if err != nil {
		return fmt.Errorf("creating %s: %w", dst, err)
	}
	buf := make([]byte, 1<<20)
	for at := int64(0); from < to && err == nil; {
		var n int
		n, err = src.ReadAt(buf[:min(int64(len(buf)), to-from)], from)
		if n == 0 && errors.Is(err, io.EOF) {
			err = nil
			break
		}
		if err != nil && !errors.Is(err, io.EOF) {
			break
		}
		_, err = out.WriteAt(buf[:n], at)
		from, at = from+int64(n), at+int64(n)
	}
	if err == nil {
		if err = out.Sync(); err != nil {
			err = syncError{err}
		}
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("copying %s: %w", path, err)
	}
	return nil
}
