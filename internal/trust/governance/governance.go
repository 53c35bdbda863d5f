// Package governance keeps who did what, in a log that shows tampering, and the proposals through which people change the
// tracking plan: one proposes, another approves, and the approved text becomes a file of the project.
package governance

import (
	"context"
	"errors"
)

// Table is a small durable map, for example log.Table.
type Table interface {
	Load(ctx context.Context) (map[string][]byte, error)
	Save(ctx context.Context, key string, value []byte) error
}

// Journal is a durable list that is only appended to, for example log.Journal.
type Journal interface {
	Append(ctx context.Context, key string, value []byte) error
	Read(ctx context.Context, each func(key string, value []byte)) error
}

// Files reads and writes the files of the project. Names are relative, with slashes.
type Files interface {
	// Read returns the text of a file; an absent one is empty.
	Read(name string) (string, error)
	// Write replaces a file, whole or not at all.
	Write(name, text string) error
	// Check reports what would be wrong if the file had this text; nil: nothing.
	Check(name, text string) error
}

// Errors that callers tell apart.
var (
	ErrNotFound = errors.New("there is no such proposal")
	// ErrOwn says that nobody approves their own proposal.
	ErrOwn = errors.New("nobody approves their own proposal")
	// ErrState says that a proposal is not in a state in which this can be done.
	ErrState = errors.New("that cannot be done with the proposal now")
	// ErrStale says that the file is not what it was when the change was proposed.
	ErrStale = errors.New("the file has changed since the proposal was made")
)
