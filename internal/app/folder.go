package app

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// dataFormat is the version of the data folder's layout (docs/formats/data-folder.md).
const dataFormat = "myelin-data 1\n"

// folder is the data folder, held by this process alone.
type folder struct {
	fs   vfs.FS
	dir  string
	lock io.Closer
}

// openFolder makes the folder if it is missing, locks it and checks its format.
func openFolder(fs vfs.FS, dir string) (*folder, error) {
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the data folder %s: %w; choose another with --data", dir, err)
	}
	lock, err := fs.Lock(fs.PathJoin(dir, "LOCK"))
	if err != nil {
		return nil, fmt.Errorf("the data folder %s is in use by another myelin: stop that one, or choose another folder with --data (%w)", dir, err)
	}
	f := &folder{fs: fs, dir: dir, lock: lock}
	if err := f.checkFormat(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return f, nil
}

func (f *folder) checkFormat() error {
	name := f.fs.PathJoin(f.dir, "FORMAT")
	file, err := f.fs.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return f.writeFormat(name)
	}
	if err != nil {
		return fmt.Errorf("opening %s: %w", name, err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, 256))
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	if got := string(text); got != dataFormat {
		return fmt.Errorf("the data folder %s has the format %q; this version of myelin reads %q: use the version that wrote it",
			f.dir, strings.TrimSpace(got), strings.TrimSpace(dataFormat))
	}
	return nil
}

// writeFormat marks a new folder, whole or not at all.
func (f *folder) writeFormat(name string) error {
	file, err := f.fs.Create(name+".new", vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("creating %s: %w", name, err)
	}
	_, err = file.Write([]byte(dataFormat))
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = f.fs.Rename(name+".new", name)
	}
	if err == nil {
		err = f.syncDir()
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

func (f *folder) syncDir() error {
	dir, err := f.fs.OpenDir(f.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (f *folder) path(name string) string { return f.fs.PathJoin(f.dir, name) }

// secret returns a random key of n bytes that is made once and kept in the folder.
func (f *folder) secret(name string, n int, random io.Reader) ([]byte, error) {
	path := f.path(name)
	file, err := f.fs.Open(path)
	if err == nil {
		defer file.Close()
		key := make([]byte, n)
		if _, err := io.ReadFull(file, key); err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		return key, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	key := make([]byte, n)
	if _, err := io.ReadFull(random, key); err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	out, err := f.fs.Create(path+".new", vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, fmt.Errorf("creating %s: %w", path, err)
	}
	_, err = out.Write(key)
	err = errors.Join(err, out.Sync(), out.Close())
	if err == nil {
		err = f.fs.Rename(path+".new", path)
	}
	if err == nil {
		err = f.syncDir()
	}
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	return key, nil
}

func (f *folder) close() error { return f.lock.Close() }
