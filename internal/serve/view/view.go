// Package view is the directory of what can be read: names of tables, views and streams, and the pinned versions of those
// that are stored.
package view

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"myelin/internal/process/plan"
	"myelin/internal/process/state"
)

// Schema is where every relation of a project lives.
const Schema = "public"

// firstOID is the first object identifier that PostgreSQL gives to users' objects.
const firstOID = 16384

// Entry is one relation that can be read. It never changes; a relation that changes gets a new entry.
type Entry struct {
	Relation *plan.Relation
	// Table holds the rows; nil: a stream, whose recent records are read from the log.
	Table *state.Table
	// SQL is the statement that made it, Description the comment above that.
	SQL, Description string
	// Emit says when a view's results come out: "changes" or "window close"; empty for others.
	Emit string
	// TTL is how long a view remembers what nothing comes for, such as "30 days"; empty: for ever.
	TTL string
	// OID identifies the relation to PostgreSQL clients. Put fills it in; one name keeps one OID as long as the process
	// runs, and normally after it, for it is derived from the name.
	OID uint32
}

// Schema is the schema of the relation.
func (e *Entry) Schema() string {
	if e.Relation.Schema == "" {
		return Schema
	}
	return e.Relation.Schema
}

// Directory maps names to entries. Readers take a snapshot and never wait.
type Directory struct {
	mu   sync.Mutex // serialises writers
	snap atomic.Pointer[Snapshot]
}

// Snapshot is the directory as it was at one moment.
type Snapshot struct {
	byName  map[string]*Entry
	ordered []*Entry
	oids    map[string]uint32 // also of names that are gone
	// Version grows with every change.
	Version uint64
}

// New returns an empty directory.
func New() *Directory {
	d := &Directory{}
	d.snap.Store(&Snapshot{byName: map[string]*Entry{}, oids: map[string]uint32{}})
	return d
}

// Snapshot is the directory as it is now.
func (d *Directory) Snapshot() *Snapshot { return d.snap.Load() }

// Put adds an entry or replaces the one of its name.
func (d *Directory) Put(e Entry) {
	d.change(func(next *Snapshot) {
		key := keyOf(e.Schema(), e.Relation.Name)
		if next.oids[key] == 0 {
			next.oids[key] = next.freeOID(key)
		}
		e.OID = next.oids[key]
		next.byName[key] = &e
	})
}

// Drop removes a name; an unknown one is ignored.
func (d *Directory) Drop(schema, name string) {
	d.change(func(next *Snapshot) { delete(next.byName, keyOf(cmp.Or(schema, Schema), name)) })
}

func (d *Directory) change(f func(next *Snapshot)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.snap.Load()
	next := &Snapshot{byName: maps.Clone(old.byName), oids: maps.Clone(old.oids), Version: old.Version + 1}
	f(next)
	next.ordered = slices.SortedFunc(maps.Values(next.byName), func(a, b *Entry) int {
		return cmp.Or(cmp.Compare(a.Schema(), b.Schema()), cmp.Compare(a.Relation.Name, b.Relation.Name))
	})
	d.snap.Store(next)
}

func keyOf(schema, name string) string { return schema + "." + name }

// freeOID derives an identifier from a name, so that clients that remember one find the same relation after a restart.
// Names are few and identifiers many; where two meet, the later one moves on.
func (s *Snapshot) freeOID(key string) uint32 {
	h := uint32(2166136261) // FNV-1a
	for i := range len(key) {
		h = (h ^ uint32(key[i])) * 16777619
	}
	taken := map[uint32]bool{}
	for _, oid := range s.oids {
		taken[oid] = true
	}
	const span = 1 << 24 // room for the index of each relation above
	oid := firstOID + h%span
	for taken[oid] {
		oid = firstOID + (oid-firstOID+1)%span
	}
	return oid
}

// Lookup finds an entry by name; schema "" means the search path.
func (s *Snapshot) Lookup(schema, name string) (*Entry, bool) {
	if schema == "" || strings.EqualFold(schema, Schema) {
		schema = Schema
	}
	e, ok := s.byName[keyOf(schema, name)]
	return e, ok
}

// ByOID finds an entry by its object identifier.
func (s *Snapshot) ByOID(oid uint32) (*Entry, bool) {
	for _, e := range s.ordered {
		if e.OID == oid {
			return e, true
		}
	}
	return nil, false
}

// All are the entries by schema and name.
func (s *Snapshot) All() []*Entry { return s.ordered }
