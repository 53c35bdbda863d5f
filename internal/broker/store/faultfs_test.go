package store_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"reflect"
	"sync"
	"unsafe"

	"github.com/cockroachdb/pebble/v2/vfs"

	"myelin/internal/broker/store"
)

// faultFS calls before ahead of every operation that changes the disk. before may take a crash clone, or return an error
// that the operation then answers with. For a write, it may first let part of the bytes through.
type faultFS struct {
	vfs.FS
	before func(op faultOp) error
	direct bool        // files can be written past the page cache
	refuse func() bool // says when that turns out not to work; nil: never
}

// faultOp is one operation about to happen.
type faultOp struct {
	kind string
	path string
	tear func(rng *rand.Rand) // lets some of a write's bytes through: a prefix, or some of its 512-byte sectors; or a cut
}

func (f *faultFS) wrap(file vfs.File, name string, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &faultFile{File: file, fs: f, name: name}, nil
}

func (f *faultFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.before(faultOp{kind: "create", path: name}); err != nil {
		return nil, err
	}
	file, err := f.FS.Create(name, c)
	return f.wrap(file, name, err)
}

func (f *faultFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	if err := f.before(faultOp{kind: "open", path: name}); err != nil {
		return nil, err
	}
	file, err := f.FS.OpenReadWrite(name, c, opts...)
	return f.wrap(file, name, err)
}

// OpenDirect implements store.DirectFS.
func (f *faultFS) OpenDirect(name string) (store.DirectFile, error) {
	if !f.direct {
		return nil, errors.ErrUnsupported
	}
	file, err := f.FS.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	return &faultFile{File: file, fs: f, name: name}, nil
}

// WriteBlocks implements store.DirectFile: a write that may be torn, and with durable a sync of just what it wrote, before which
// the disk may crash. That is the least that a disk does; most write all that they were given before.
func (f *faultFile) WriteBlocks(b []byte, off int64, durable bool) error {
	const block = 4096
	if len(b) == 0 || len(b)%block != 0 || off%block != 0 || uintptr(unsafe.Pointer(&b[0]))%block != 0 {
		panic("a direct write that is not aligned")
	}
	if f.fs.refuse != nil && f.fs.refuse() {
		if _, err := f.WriteAt(b[:len(b)/2], off); err != nil {
			return err
		}
		return errors.ErrUnsupported
	}
	if _, err := f.WriteAt(b, off); err != nil || !durable {
		return err
	}
	if err := f.fs.before(faultOp{kind: "sync", path: f.name}); err != nil {
		return err
	}
	node := memNode(f.File)
	defer node.lock()()
	copy((*node.contents("syncedData"))[off:], b)
	return nil
}

func (f *faultFS) OpenDir(name string) (vfs.File, error) {
	file, err := f.FS.OpenDir(name)
	return f.wrap(file, name, err)
}

func (f *faultFS) Remove(name string) error {
	if err := f.before(faultOp{kind: "remove", path: name}); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

func (f *faultFS) RemoveAll(name string) error {
	if err := f.before(faultOp{kind: "remove", path: name}); err != nil {
		return err
	}
	return f.FS.RemoveAll(name)
}

func (f *faultFS) Rename(from, to string) error {
	if err := f.before(faultOp{kind: "rename", path: from}); err != nil {
		return err
	}
	return f.FS.Rename(from, to)
}

func (f *faultFS) MkdirAll(name string, perm os.FileMode) error {
	if err := f.before(faultOp{kind: "mkdir", path: name}); err != nil {
		return err
	}
	return f.FS.MkdirAll(name, perm)
}

type faultFile struct {
	vfs.File
	fs   *faultFS
	name string
}

func (f *faultFile) WriteAt(b []byte, off int64) (int, error) {
	tear := func(rng *rand.Rand) {
		if rng.IntN(2) == 0 {
			_, _ = f.File.WriteAt(b[:rng.IntN(len(b)+1)], off)
			return
		}
		const sector = 512
		for at := int64(0); at < int64(len(b)); {
			end := min(int64(len(b)), (off+at)/sector*sector+sector-off)
			if rng.IntN(2) == 0 {
				_, _ = f.File.WriteAt(b[at:end], off+at)
			}
			at = end
		}
	}
	if err := f.fs.before(faultOp{kind: "write", path: f.name, tear: tear}); err != nil {
		return 0, err
	}
	return f.File.WriteAt(b, off)
}

func (f *faultFile) Write(b []byte) (int, error) {
	if err := f.fs.before(faultOp{kind: "write", path: f.name}); err != nil {
		return 0, err
	}
	return f.File.Write(b)
}

func (f *faultFile) SyncTo(length int64) (bool, error) {
	if err := f.fs.before(faultOp{kind: "send", path: f.name}); err != nil {
		return false, err
	}
	return f.File.SyncTo(length)
}

func (f *faultFile) Sync() error {
	if err := f.fs.before(faultOp{kind: "sync", path: f.name}); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *faultFile) SyncData() error {
	if err := f.fs.before(faultOp{kind: "sync", path: f.name}); err != nil {
		return err
	}
	return f.File.SyncData()
}

// Truncate cuts the file in place, which vfs.MemFS cannot. Until the file is synced a crash takes the cut back, unless tear
// let it through: then it is on disk whatever becomes of the file's name.
func (f *faultFile) Truncate(size int64) error {
	tear := func(*rand.Rand) { cutMem(f.File, size, "data", "syncedData") }
	if err := f.fs.before(faultOp{kind: "cut", path: f.name, tear: tear}); err != nil {
		return err
	}
	cutMem(f.File, size, "data")
	return nil
}

// cutMem cuts contents of a file of vfs.MemFS, which has no method for that.
func cutMem(f vfs.File, size int64, contents ...string) {
	node := memNode(f)
	defer node.lock()()
	for _, name := range contents {
		b := node.contents(name)
		*b = (*b)[:min(int64(len(*b)), size)]
	}
}

// node is the inside of a file of vfs.MemFS.
type node struct {
	of    reflect.Value
	mu    *sync.Mutex
	clone *sync.RWMutex // held by who makes a crash clone; nil where nobody can
}

func memNode(f vfs.File) node {
	file := reflect.ValueOf(f).Elem()
	n := node{of: file.FieldByName("n").Elem().FieldByName("mu")}
	n.mu = (*sync.Mutex)(unsafe.Pointer(n.of.FieldByName("Mutex").UnsafeAddr()))
	if fs := file.FieldByName("fs"); !fs.IsNil() {
		n.clone = (*sync.RWMutex)(unsafe.Pointer(fs.Elem().FieldByName("cloneMu").UnsafeAddr()))
	}
	return n
}

// lock keeps everybody else away from the node until what it returns is called.
func (n node) lock() (unlock func()) {
	if n.clone != nil {
		n.clone.RLock()
	}
	n.mu.Lock()
	return func() {
		n.mu.Unlock()
		if n.clone != nil {
			n.clone.RUnlock()
		}
	}
}

// contents are "data", or "syncedData" that a crash leaves.
func (n node) contents(name string) *[]byte {
	return (*[]byte)(unsafe.Pointer(n.of.FieldByName(name).UnsafeAddr()))
}
