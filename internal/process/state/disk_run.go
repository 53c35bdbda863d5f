package state

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// run gathers changes of the local copy, in the form of their keys on disk. They are sorted once and become one file, which the store
// takes as it is: they pass through no write-ahead log, no table in memory and no first merge.
type run struct {
	pages [][]byte
	spare [][]byte // empty pages
	list  []runChange
	size  int
}

// runChange is a change: its key lies at a place of a page, its value behind that.
type runChange struct {
	order    uint64 // the first eight bytes of the key
	page, at uint32
	key      uint32 // length
	value    uint32 // length plus one; 0: the key goes
}

const (
	runPage = 1 << 20
	// runBytes is how much becomes one file, and how much of it lies in memory.
	runBytes = 32 << 20
	// runLeast is how much is worth a file of its own. Less is written to the log of the store, which makes few files of many of those.
	runLeast = 2 << 20
	// runName is the file before it is one of the store's.
	runName = "next-run"
)

func (r *run) add(key, value []byte) {
	n := len(key) + len(value)
	last := len(r.pages) - 1
	if last < 0 || cap(r.pages[last])-len(r.pages[last]) < n {
		r.pages = append(r.pages, r.page(n))
		last++
	}
	p := r.pages[last]
	c := runChange{order: firstBytes(key), page: uint32(last), at: uint32(len(p)), key: uint32(len(key))}
	if value != nil {
		c.value = uint32(len(value)) + 1
	}
	r.pages[last] = append(append(p, key...), value...)
	r.list = append(r.list, c)
	r.size += n
}

// page is an empty page with room for n bytes.
func (r *run) page(n int) []byte {
	if last := len(r.spare) - 1; last >= 0 && n <= runPage {
		p := r.spare[last]
		r.spare = r.spare[:last]
		return p
	}
	return make([]byte, 0, max(n, runPage))
}

// firstBytes are the first eight bytes of a key as a number that sorts like them.
func firstBytes(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}

func (r *run) keyOf(c *runChange) []byte { return r.pages[c.page][c.at : c.at+c.key] }

func (r *run) valueOf(c *runChange) []byte {
	from := c.at + c.key
	return r.pages[c.page][from : from+c.value-1]
}

// sort brings the changes into the order of their keys, those of one key into the order in which they came.
func (r *run) sort() {
	slices.SortFunc(r.list, func(a, b runChange) int {
		if a.order != b.order {
			return cmp.Compare(a.order, b.order)
		}
		if c := bytes.Compare(r.keyOf(&a), r.keyOf(&b)); c != 0 {
			return c
		}
		if a.page != b.page {
			return cmp.Compare(a.page, b.page)
		}
		return cmp.Compare(a.at, b.at)
	})
}

// each calls f for the last change of every key, by key; value is nil where it goes.
func (r *run) each(f func(key, value []byte) error) error {
	r.sort()
	for i := range r.list {
		c := &r.list[i]
		key := r.keyOf(c)
		if i+1 < len(r.list) && r.list[i+1].order == c.order && bytes.Equal(r.keyOf(&r.list[i+1]), key) {
			continue
		}
		var value []byte
		if c.value > 0 {
			value = r.valueOf(c)
		}
		if err := f(key, value); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) reset() {
	for _, p := range r.pages {
		if cap(p) == runPage {
			r.spare = append(r.spare, p[:0])
		}
	}
	r.pages, r.list, r.size = r.pages[:0], r.list[:0], 0
}

// ingest makes a run durable, as one file of the store.
func (d *Disk) ingest(r *run) error {
	path := d.fs.PathJoin(d.dir, runName)
	f, err := d.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	f = vfs.NewSyncingFile(f, vfs.SyncingFileOptions{BytesPerSync: runPage}) // bit by bit: others wait for the disk, too
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), d.opts.MakeWriterOptions(0, d.db.TableFormat()))
	err = r.each(func(key, value []byte) error {
		if value == nil {
			return w.Delete(key)
		}
		return w.Set(key, value)
	})
	if err = errors.Join(err, w.Close()); err != nil { // syncs the file
		return err
	}
	return d.db.Ingest(context.Background(), []string{path})
}
