package pgwire

import (
	"context"
	"errors"
	"io"
	"strconv"

	"github.com/jackc/pgx/v5/pgproto3"

	"myelin/internal/serve/query"
	"myelin/internal/vec"
)

// prepared is a statement that is ready to be bound to parameters.
type prepared struct {
	*query.Statement
	sql string
	// oids are the parameter types as the client knows them.
	oids []uint32
	// ends: the statement ends a transaction, so it may run in a failed one.
	ends bool
	// copyOut: the answer goes out as COPY data.
	copyOut *copyOptions
	// empty: there is no statement at all.
	empty bool
}

// portal is a statement that is being run: the place up to which its answer has been sent.
type portal struct {
	st      *prepared
	args    []*vec.Vector
	formats []int16 // one per column
	// hold: the portal is a cursor that outlives its transaction; cursor: it was made by DECLARE.
	hold, cursor bool

	ctx    context.Context
	cancel context.CancelCauseFunc
	rows   query.Rows
	batch  *vec.Batch
	at     int // next row of batch
	ended  bool
}

func newPortal(st *prepared, args []*vec.Vector, formats []int16) *portal {
	if formats == nil {
		formats = make([]int16, len(st.Columns))
	}
	return &portal{st: st, args: args, formats: formats}
}

func (p *portal) close() {
	if p.rows != nil {
		p.rows.Close()
		p.rows = nil
	}
	if p.cancel != nil {
		p.cancel(context.Canceled)
	}
	p.batch, p.ended = nil, true
}

// open starts the statement on first use. Its context lives as long as the portal.
func (ss *session) open(p *portal) error {
	if p.rows != nil || p.ended {
		return nil
	}
	p.ctx, p.cancel = context.WithCancelCause(ss.ctx)
	ss.srv.stats.statements.Inc()
	defer ss.watch(p.cancel)()
	rows, err := p.st.Run(p.ctx, p.args)
	for _, x := range ss.user.Notices() {
		ss.out.notice(x.Severity, x.Code, x.Message)
	}
	if err != nil {
		return causeOf(p.ctx, err)
	}
	if rows == nil {
		rows = query.Static()
	}
	p.rows = rows
	return nil
}

// causeOf prefers the reason why a statement was cancelled to the bare context error.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return context.Cause(ctx)
	}
	return err
}

// each hands at most limit rows (0: all) to emit and reports whether more may follow.
func (ss *session) each(p *portal, limit int64, emit func(b *vec.Batch, row int)) (n int64, more bool, err error) {
	if p.ended {
		return 0, false, nil
	}
	defer ss.watch(p.cancel)()
	for ss.out.err == nil {
		if p.batch == nil {
			p.batch, err = p.rows.Next(p.ctx)
			if errors.Is(err, io.EOF) {
				p.batch, p.ended = nil, true
				return n, false, nil
			}
			if err != nil {
				p.batch = nil
				return n, false, causeOf(p.ctx, err)
			}
			p.at = 0
		}
		for total := p.batch.Rows(); p.at < total; p.at++ {
			if limit > 0 && n == limit {
				return n, true, nil
			}
			row := p.at
			if p.batch.Sel != nil {
				row = int(p.batch.Sel[row])
			}
			emit(p.batch, row)
			n++
		}
		p.batch = nil
		if p.ctx.Err() != nil {
			return n, false, context.Cause(p.ctx)
		}
	}
	return n, false, ss.out.err
}

// execute runs a portal and reports its end to the client, or that it is suspended after limit rows.
func (ss *session) execute(p *portal, limit int64) (suspended bool, err error) {
	if p.st.empty {
		ss.out.send(&pgproto3.EmptyQueryResponse{})
		return false, nil
	}
	if err := ss.open(p); err != nil {
		return false, err
	}
	if p.st.copyOut != nil {
		return false, ss.runCopy(p)
	}
	style := ss.style()
	n, more, err := ss.each(p, limit, func(b *vec.Batch, row int) { ss.out.row(b, row, p.st.Columns, p.formats, style) })
	if err != nil {
		return false, err
	}
	if more {
		ss.out.send(&pgproto3.PortalSuspended{})
		return true, nil
	}
	ss.out.send(&pgproto3.CommandComplete{CommandTag: p.tag(n)})
	if !p.cursor && p.rows != nil {
		p.rows.Close()
		p.rows, p.ended = nil, true
	}
	return false, nil
}

// tagged is a result that knows its command tag only once it has run.
type tagged interface{ CommandTag() string }

func (p *portal) tag(n int64) []byte {
	tag := p.st.Tag
	if t, ok := p.rows.(tagged); ok {
		tag = t.CommandTag()
	}
	if tag == "SELECT" || tag == "FETCH" || tag == "COPY" {
		tag += " " + strconv.FormatInt(n, 10)
	}
	return []byte(tag)
}
