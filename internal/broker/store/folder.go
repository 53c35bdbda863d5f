package store

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"strings"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Names in the data folder.
const (
	lockName       = "LOCK"
	versionName    = "VERSION"
	checkpointName = "CHECKPOINT"
	ballastName    = "BALLAST"
	walDirName     = "wal"
	topicsDirName  = "topics"
	asideDirName   = "quarantine"
	tmpSuffix      = ".tmp"
	deletedSuffix  = "-delete"
	metadataName   = "partition.metadata"
)

// folder is the data folder: whose it is, which version, and its small files.
type folder struct {
	fs   vfs.FS
	dir  string
	lock io.Closer
	salt uint64
}

func (d *folder) path(name string) string { return d.fs.PathJoin(d.dir, name) }

// claim makes the folder, locks it and checks its version.
func (d *folder) claim() error {
	if err := d.fs.MkdirAll(d.dir, 0o755); err != nil {
		return fmt.Errorf("creating folder: %w", err)
	}
	lock, err := d.fs.Lock(d.path(lockName))
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			return fmt.Errorf("locking folder: %w", err)
		}
		return fmt.Errorf("%w (%w)", ErrLocked, err)
	}
	d.lock = lock
	if err := d.check(); err != nil {
		_ = lock.Close()
		return err
	}
	return nil
}

// check reads the version file, or writes it into a new folder.
func (d *folder) check() error {
	b, err := d.read(versionName)
	if oserror.IsNotExist(err) {
		return d.found()
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", versionName, err)
	}
	var version int
	var salt uint64
	if _, err := fmt.Sscanf(string(b), "myelin log %d\nsalt %x\n", &version, &salt); version != 1 || err != nil {
		return fmt.Errorf("%w: %s says %q, this program reads version 1", ErrFormat, versionName, firstLine(b))
	}
	if string(b) != versionFile(salt) {
		return fmt.Errorf("%w: %s is damaged", ErrFormat, versionName)
	}
	d.salt = salt
	return d.makeFolders()
}

// found lays out a new data folder. The version file comes first: a folder with other files but no version is not ours.
func (d *folder) found() error {
	names, err := d.fs.List(d.dir)
	if err != nil {
		return fmt.Errorf("listing folder: %w", err)
	}
	for _, name := range names {
		if name != lockName && name != versionName+tmpSuffix {
			return fmt.Errorf("%w: there is no %s file, but %q", ErrFormat, versionName, name)
		}
	}
	if err := syncDir(d.fs, d.fs.PathDir(d.dir)); err != nil {
		return err
	}
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return fmt.Errorf("drawing salt: %w", err)
	}
	salt := binary.LittleEndian.Uint64(b[:])
	if err := d.write(versionName, []byte(versionFile(salt))); err != nil {
		return fmt.Errorf("writing %s: %w", versionName, err)
	}
	d.salt = salt
	return d.makeFolders()
}

// versionFile is the content of the version file. Its checksum is there because with another salt the whole write-ahead log
// would look like someone else's.
func versionFile(salt uint64) string {
	head := fmt.Sprintf("myelin log 1\nsalt %016x\n", salt)
	return head + fmt.Sprintf("sum %08x\n", crc32.Checksum([]byte(head), castagnoli))
}

func firstLine(b []byte) string {
	line, _, _ := strings.Cut(string(b[:min(len(b), 80)]), "\n")
	return line
}

func (d *folder) makeFolders() error {
	for _, dir := range []string{d.path(walDirName), d.path(topicsDirName)} {
		if err := d.fs.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("creating folder: %w", err)
		}
	}
	return syncDir(d.fs, d.dir)
}

// writeWhole replaces a small file of the data folder: after a crash it has the old content or the new.
func (d *folder) write(name string, b []byte) error {
	path := d.path(name)
	f, err := d.fs.Create(path+tmpSuffix, ioCategory)
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err == nil {
		if err = f.Sync(); err != nil {
			err = syncError{err}
		}
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if err := d.fs.Rename(path+tmpSuffix, path); err != nil {
		return err
	}
	return syncDir(d.fs, d.dir)
}

// readWhole reads a small file of the data folder.
func (d *folder) read(name string) ([]byte, error) {
	f, err := d.fs.Open(d.path(name))
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return b, err
}

// syncError marks an error of fsync: after it nothing about the file is known, so it is never taken for a full disk.
type syncError struct{ err error }

func (e syncError) Error() string { return "fsync: " + e.err.Error() }

func (e syncError) Unwrap() error { return e.err }

// isNoSpace reports whether a write, not an fsync, found the disk full: nothing is in doubt and it can be tried again.
func isNoSpace(err error) bool {
	var se syncError
	return vfs.IsNoSpaceError(err) && !errors.As(err, &se)
}

// syncDir makes the names in a directory durable.
func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return fmt.Errorf("opening folder %s: %w", dir, err)
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("syncing folder %s: %w", dir, syncError{err})
	}
	return nil
}
