package state

// Flag is a Store of one bit, which can only be raised.
type Flag struct{ on, dirty bool }

// On reports whether the flag was raised.
func (f *Flag) On() bool { return f.on }

// Raise raises the flag.
func (f *Flag) Raise() { f.on, f.dirty = true, true }

// Dirty implements Store.
func (f *Flag) Dirty() Changes {
	if !f.dirty {
		return Told(nil)
	}
	f.dirty = false
	return func(yield func(key, value []byte) bool) { yield([]byte{0}, []byte{1}) }
}

// Load implements Store.
func (f *Flag) Load(_, value []byte) error { f.on = len(value) > 0 && value[0] == 1; return nil }

// Len implements Store.
func (f *Flag) Len() int {
	if f.on {
		return 1
	}
	return 0
}

// Size implements Store.
func (f *Flag) Size() int64 { return 2 }
