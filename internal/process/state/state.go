// Package state holds what continuous SQL remembers: rows as bytes, pointer-free hash tables whose dirty keys are written
// to a changelog, their restore from a local store, and tables whose versions readers can pin.
//
// Lock order: Publication.mu, then Subscription.mu; Scratch.mu is the last. Everything else belongs to the engine's goroutine.
package state

import "iter"

// Changes are the keys of a store that changed up to a moment, each with its value as of then, which is nil where the key is gone.
// They stay as they are whatever becomes of the store, and may be gone through more than once, by any goroutine but by one at a time.
// The slices are valid until the next pair.
type Changes = iter.Seq2[[]byte, []byte]

// Store is a keyed piece of state that can be written out by its dirty keys and loaded again.
type Store interface {
	// Dirty takes the keys that changed since the last call. The work of it is for whoever goes through them: the owner of the store
	// does not stand still for that.
	Dirty() Changes
	// Load puts one key back. It is called on an empty store, in key order, with what Dirty gave.
	Load(key, value []byte) error
	// Len is the number of keys, Size a close guess of the memory in bytes.
	Len() int
	Size() int64
}
