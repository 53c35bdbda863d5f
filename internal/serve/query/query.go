// Package query runs one SQL statement now: bound by the planner, executed in batch over pinned versions of views and
// tables, the recent tail of streams and the system catalog.
package query

import (
	"context"
	"io"

	"myelin/internal/vec"
)

// Column describes one column of an answer.
type Column struct {
	Name string
	Type vec.Type
	// OID overrides the type that PostgreSQL clients are told; 0: the one of Type.
	OID uint32
	// Table and Attr say which stored column this is, 0 where it is computed.
	Table uint32
	Attr  int16
}

// Statement is a bound statement. It may be run many times, also at the same time; each run pins its own versions.
type Statement struct {
	// Columns of the answer; nil: the statement returns no rows.
	Columns []Column
	// Params are the types of $1, $2, …
	Params []vec.Type
	// Tag is what CommandComplete reports, without the row count ("SELECT").
	Tag string
	// Run starts the statement. args has one vector of one row per parameter.
	Run func(ctx context.Context, args []*vec.Vector) (Rows, error)
}

// Rows is a running answer. It is used by one goroutine and must be closed.
type Rows interface {
	// Next returns the next batch, valid until the following call, and io.EOF after the last.
	Next(ctx context.Context) (*vec.Batch, error)
	Close()
}

// Static returns rows that are already there.
func Static(batches ...*vec.Batch) Rows { return &static{batches: batches} }

type static struct{ batches []*vec.Batch }

func (s *static) Next(ctx context.Context) (*vec.Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if len(s.batches) == 0 {
		return nil, io.EOF
	}
	b := s.batches[0]
	s.batches = s.batches[1:]
	return b, nil
}

func (s *static) Close() { s.batches = nil }

// Done is the answer of a statement that returns no rows but knows its command tag only now.
func Done(tag string) Rows { return done(tag) }

type done string

// Next implements Rows.
func (done) Next(context.Context) (*vec.Batch, error) { return nil, io.EOF }

// Close implements Rows.
func (done) Close() {}

// CommandTag is what CommandComplete reports.
func (d done) CommandTag() string { return string(d) }
