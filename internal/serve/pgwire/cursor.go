package pgwire

import (
	"context"
	"io"
	"strconv"
	"strings"

	"myelin/internal/serve/query"
	"myelin/internal/vec"
)

// cursorCommand reads DECLARE, FETCH, MOVE and CLOSE. A cursor is a portal with a name, as in PostgreSQL.
func (ss *session) cursorCommand(verb string, w *words) (*prepared, error) {
	switch verb {
	case "DECLARE":
		return ss.declare(w)
	case "CLOSE":
		all := w.peek("ALL")
		name := w.name()
		if name == "" || !w.done() {
			return nil, syntaxAt(w)
		}
		return action(func() (string, error) {
			if all {
				ss.dropPortals(true)
				return "CLOSE CURSOR ALL", nil
			}
			if ss.portals[name] == nil {
				return "", query.Errorf(query.CodeNoCursor, "cursor \"%s\" does not exist", name)
			}
			ss.closePortal(name)
			return "CLOSE CURSOR", nil
		}), nil
	}
	return ss.fetch(verb, w)
}

// declare is DECLARE name [BINARY] [[NO] SCROLL] CURSOR [WITH HOLD] FOR query.
func (ss *session) declare(w *words) (*prepared, error) {
	name := w.name()
	if name == "" {
		return nil, syntaxAt(w)
	}
	format, hold := int16(0), false
	for !w.is("CURSOR") {
		switch {
		case w.is("BINARY"):
			format = 1
		case w.is("INSENSITIVE"), w.is("ASENSITIVE"), w.is("SCROLL"), w.is("NO") && w.is("SCROLL"):
		default:
			return nil, syntaxAt(w)
		}
	}
	if w.is("WITH") {
		hold = true
		if !w.is("HOLD") {
			return nil, syntaxAt(w)
		}
	} else if w.is("WITHOUT") && !w.is("HOLD") {
		return nil, syntaxAt(w)
	}
	if !w.is("FOR") {
		return nil, syntaxAt(w)
	}
	_, at := w.rest()
	inner, err := ss.prepareQuery(strings.Repeat(" ", at)+w.s[at:], nil)
	if err != nil {
		return nil, err
	}
	st := &prepared{Statement: &query.Statement{Params: inner.Params}, oids: inner.oids}
	st.Run = func(_ context.Context, args []*vec.Vector) (query.Rows, error) {
		if ss.tx.state == txIdle && !hold {
			return nil, &query.Error{Code: query.CodeNoTransaction, Message: "DECLARE CURSOR can only be used in transaction blocks",
				Hint: "Send BEGIN first, or declare the cursor WITH HOLD."}
		}
		if ss.portals[name] != nil {
			return nil, query.Errorf(query.CodeDuplicateCursor, "cursor \"%s\" already exists", name)
		}
		if len(ss.portals) >= maxPortals {
			return nil, query.Errorf(query.CodeTooManyRows, "too many open cursors")
		}
		formats := make([]int16, len(inner.Columns))
		for i := range formats {
			formats[i] = format
		}
		p := newPortal(inner, args, formats)
		p.hold, p.cursor = hold, true
		ss.portals[name] = p
		return outcome{query.Static(), "DECLARE CURSOR"}, nil
	}
	return st, nil
}

// fetch is FETCH or MOVE [NEXT | n | ALL | FORWARD [n | ALL]] [FROM | IN] name. Cursors only move forward.
func (ss *session) fetch(verb string, w *words) (*prepared, error) {
	count := int64(1)
	backward := query.Errorf("55000", "cursor can only scan forward")
	take := func() error {
		switch {
		case w.is("ALL"):
			count = 0
		case w.kind == tokNumber:
			n, err := strconv.ParseInt(w.text, 10, 64)
			if err != nil {
				return syntaxAt(w)
			}
			if count = n; n == 0 {
				count = -1
			}
			w.next()
		case w.text == "-":
			return backward
		}
		return nil
	}
	switch {
	case w.is("NEXT"):
	case w.is("FORWARD"):
		if err := take(); err != nil {
			return nil, err
		}
	case w.peek("PRIOR"), w.peek("BACKWARD"), w.peek("FIRST"), w.peek("LAST"), w.peek("ABSOLUTE"), w.peek("RELATIVE"):
		return nil, backward
	default:
		if err := take(); err != nil {
			return nil, err
		}
	}
	_ = w.is("FROM") || w.is("IN")
	name := w.name()
	if name == "" || !w.done() {
		return nil, syntaxAt(w)
	}
	p := ss.portals[name]
	if p == nil || !p.cursor {
		return nil, query.Errorf(query.CodeNoCursor, "cursor \"%s\" does not exist", name)
	}
	st := &prepared{Statement: &query.Statement{Tag: verb}}
	if verb == "FETCH" {
		st.Columns = p.st.Columns
	}
	st.Run = func(ctx context.Context, _ []*vec.Vector) (query.Rows, error) {
		if err := ss.open(p); err != nil {
			return nil, err
		}
		f := &fetched{from: p, left: count}
		if verb == "FETCH" {
			return f, nil
		}
		var n int64
		for {
			b, err := f.Next(ctx)
			if err == io.EOF {
				return outcome{query.Static(), "MOVE " + strconv.FormatInt(n, 10)}, nil
			}
			if err != nil {
				return nil, err
			}
			n += int64(b.Rows())
		}
	}
	return st, nil
}

// fetched reads the next rows of a cursor; left 0 means all, below 0 none.
type fetched struct {
	from *portal
	left int64
}

// Next implements query.Rows.
func (f *fetched) Next(ctx context.Context) (*vec.Batch, error) {
	p := f.from
	for f.left >= 0 && !p.ended {
		if p.batch == nil {
			b, err := p.rows.Next(ctx)
			if err != nil {
				p.ended = true
				return nil, err
			}
			p.batch, p.at = b, 0
		}
		n := p.batch.Rows() - p.at
		if n == 0 {
			p.batch = nil
			continue
		}
		if f.left > 0 && int64(n) >= f.left {
			n, f.left = int(f.left), -1
		} else if f.left > 0 {
			f.left -= int64(n)
		}
		part := *p.batch
		part.Sel = window(p.batch, p.at, n)
		p.at += n
		return &part, nil
	}
	return nil, io.EOF
}

// Close implements query.Rows; the cursor stays open.
func (f *fetched) Close() {}

// window selects n rows of a batch from its at-th on.
func window(b *vec.Batch, at, n int) []int32 {
	if b.Sel != nil {
		return b.Sel[at : at+n]
	}
	sel := make([]int32, n)
	for i := range sel {
		sel[i] = int32(at + i)
	}
	return sel
}
