// Package state holds what continuous SQL remembers: rows as bytes, pointer-free hash tables whose dirty keys are written
// to a changelog, their restore from a local store, and tables whose versions readers can pin.
//
// Lock order: Publication.mu, then Subscription.mu. Everything else belongs to the engine's goroutine.
package state

// Store is a keyed piece of state that can be written out by its dirty keys and loaded again.
type Store interface {
	// Dirty calls emit for each key that changed since the last call, with a nil value where it is gone. The slices are
	// valid during the call only.
	Dirty(emit func(key, value []byte))
	// Load puts one key back. It is called on an empty store, in key order, with what Dirty gave.
	Load(key, value []byte) error
	// Len is the number of keys, Size a close guess of the memory in bytes.
	Len() int
	Size() int64
}
