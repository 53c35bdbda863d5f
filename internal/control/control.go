// Package control keeps the desired state: which sources, tables, views and sinks there are to be, whose they are, and
// what changed. It is versioned, durable through a Store and watchable.
package control

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
)

// Kind says what an object is.
type Kind string

// The kinds of object, in the order in which they are made.
const (
	Source Kind = "source"
	Table  Kind = "table"
	View   Kind = "view"
	Sink   Kind = "sink"
)

// Owner says who may change an object: the project's files or people.
type Owner string

// The owners.
const (
	Files  Owner = "files"
	People Owner = "people"
)

// Object is one thing that was declared in SQL.
type Object struct {
	Name  string `json:"name"`
	Kind  Kind   `json:"kind"`
	SQL   string `json:"sql"`
	Owner Owner  `json:"owner"`
	// Description is the comment above the statement.
	Description string `json:"description,omitempty"`
	// File and Line say where a file-owned object is declared.
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// Store keeps what people made. Save returns when the change is durable; a nil value removes the key.
type Store interface {
	Load(ctx context.Context) (map[string][]byte, error)
	Save(ctx context.Context, key string, value []byte) error
}

// OwnedError says that an object cannot be changed from here.
type OwnedError struct {
	Object Object
}

// Error implements error.
func (e *OwnedError) Error() string {
	if e.Object.Owner == Files {
		return fmt.Sprintf("%s %s belongs to %s:%d: change it there and run myelin apply", e.Object.Kind, e.Object.Name, e.Object.File, e.Object.Line)
	}
	return fmt.Sprintf("%s %s was made interactively: drop it first", e.Object.Kind, e.Object.Name)
}

// Registry is the desired state. Its methods may be called at the same time.
type Registry struct {
	store Store
	mu    struct {
		sync.Mutex
		version int64
		objects map[string]Object
		changed chan struct{}
	}
}

// Open loads what people made earlier.
func Open(ctx context.Context, store Store) (*Registry, error) {
	r := &Registry{store: store}
	r.mu.objects = map[string]Object{}
	r.mu.changed = make(chan struct{})
	entries, err := store.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("loading the desired state: %w", err)
	}
	for key, value := range entries {
		var o Object
		if err := json.Unmarshal(value, &o); err != nil {
			return nil, fmt.Errorf("reading object %s of the desired state: %w", key, err)
		}
		r.mu.objects[o.Name] = o
	}
	return r, nil
}

// Learn takes in what the store got from somebody else: the new value of a key, nil if it was removed. It reports whether anything
// changed. What the files of this process declare stays.
func (r *Registry) Learn(key string, value []byte) (changed bool, err error) {
	var o Object
	if value != nil {
		if err := json.Unmarshal(value, &o); err != nil {
			return false, fmt.Errorf("reading object %s of the desired state: %w", key, err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	have, ok := r.mu.objects[key]
	switch {
	case ok && have.Owner == Files, ok && value != nil && have == o, !ok && value == nil:
		return false, nil
	case value == nil:
		delete(r.mu.objects, key)
	default:
		r.mu.objects[o.Name] = o
	}
	r.notify()
	return true, nil
}

// Snapshot returns the objects in the order in which they are to be made, and the version of the state.
func (r *Registry) Snapshot() ([]Object, int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Object, 0, len(r.mu.objects))
	for _, o := range r.mu.objects {
		out = append(out, o)
	}
	rank := map[Kind]int{Source: 0, Table: 1, View: 2, Sink: 3}
	slices.SortFunc(out, func(a, b Object) int {
		return cmp.Or(cmp.Compare(rank[a.Kind], rank[b.Kind]), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Name, b.Name))
	})
	return out, r.mu.version
}

// Changed returns a channel that is closed at the next change.
func (r *Registry) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.changed
}

// Change is what a reconciliation did.
type Change struct{ Created, Updated, Removed, Kept []string }

// Reconcile makes the file-owned objects be exactly what the files declare. Objects that no file declares any more are
// removed only with prune. Objects that people made are never touched: declaring one of their names is an OwnedError, and
// then nothing changes.
func (r *Registry) Reconcile(declared []Object, prune bool) (Change, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	want := map[string]Object{}
	for _, o := range declared {
		if have, ok := r.mu.objects[o.Name]; ok && have.Owner == People {
			return Change{}, &OwnedError{Object: have}
		}
		o.Owner = Files
		want[o.Name] = o
	}
	var ch Change
	for name, have := range r.mu.objects {
		if _, ok := want[name]; ok || have.Owner != Files {
			continue
		}
		if !prune {
			ch.Kept = append(ch.Kept, name)
			continue
		}
		ch.Removed = append(ch.Removed, name)
		delete(r.mu.objects, name)
	}
	for name, o := range want {
		have, ok := r.mu.objects[name]
		switch {
		case !ok:
			ch.Created = append(ch.Created, name)
		case have.SQL != o.SQL:
			ch.Updated = append(ch.Updated, name)
		}
		r.mu.objects[name] = o
	}
	for _, names := range [][]string{ch.Created, ch.Updated, ch.Removed, ch.Kept} {
		slices.Sort(names)
	}
	r.notify()
	return ch, nil
}

// Put adds an object that a person made; it returns when the object is durable. A name in use is an OwnedError.
func (r *Registry) Put(ctx context.Context, o Object) error {
	r.mu.Lock()
	have, taken := r.mu.objects[o.Name]
	r.mu.Unlock()
	if taken {
		return &OwnedError{Object: have}
	}
	return r.put(ctx, o)
}

// Replace puts an object in the place of one that a person made; it returns when that is durable.
func (r *Registry) Replace(ctx context.Context, o Object) error {
	r.mu.Lock()
	have, taken := r.mu.objects[o.Name]
	r.mu.Unlock()
	if taken && have.Owner == Files {
		return &OwnedError{Object: have}
	}
	return r.put(ctx, o)
}

func (r *Registry) put(ctx context.Context, o Object) error {
	o.Owner = People
	value, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encoding %s %s: %w", o.Kind, o.Name, err)
	}
	if err := r.store.Save(ctx, o.Name, value); err != nil {
		return fmt.Errorf("storing %s %s: %w", o.Kind, o.Name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.objects[o.Name] = o
	r.notify()
	return nil
}

// Drop removes an object that a person made. Dropping one that does not exist does nothing.
func (r *Registry) Drop(ctx context.Context, name string) error {
	r.mu.Lock()
	have, ok := r.mu.objects[name]
	r.mu.Unlock()
	if !ok {
		return nil
	}
	if have.Owner == Files {
		return &OwnedError{Object: have}
	}
	if err := r.store.Save(ctx, name, nil); err != nil {
		return fmt.Errorf("removing %s %s: %w", have.Kind, name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.mu.objects, name)
	r.notify()
	return nil
}

// notify wakes the watchers; the caller holds mu.
func (r *Registry) notify() {
	r.mu.version++
	close(r.mu.changed)
	r.mu.changed = make(chan struct{})
}
