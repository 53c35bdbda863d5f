package pgwire

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"myelin/internal/auth/role"
	"myelin/internal/serve/query"
	"myelin/internal/serve/value"
)

// Limits of one session: what a client can make the server remember.
const (
	maxStatements = 1000
	maxPortals    = 1000
)

// session is one logged-in client. All but interrupt is called by its own goroutine.
type session struct {
	srv    *Server
	conn   net.Conn
	in     *pgproto3.Backend
	out    *out
	user   *query.Session
	person role.Person
	secret uint32

	tx         transaction
	statements map[string]*prepared
	portals    map[string]*portal
	// skipping: after an error in the extended protocol, everything up to the next Sync is ignored.
	skipping bool

	ctx     context.Context // of the whole session
	running struct {
		sync.Mutex
		cancel context.CancelCauseFunc // of the statement being run; nil between statements
	}
}

func newSession(srv *Server, conn net.Conn, in *pgproto3.Backend, o *out, user *query.Session) *session {
	return &session{srv: srv, conn: conn, in: in, out: o, user: user, tx: transaction{state: txIdle},
		statements: map[string]*prepared{}, portals: map[string]*portal{}}
}

// interrupt ends the statement that is running, if any. It may be called from any goroutine.
func (ss *session) interrupt(cause error) {
	ss.running.Lock()
	defer ss.running.Unlock()
	if ss.running.cancel != nil {
		ss.running.cancel(cause)
	}
}

// watch makes cancel reachable for interrupt and the statement timeout until the returned func is called.
func (ss *session) watch(cancel context.CancelCauseFunc) (done func()) {
	ss.running.Lock()
	ss.running.cancel = cancel
	ss.running.Unlock()
	var timer *time.Timer
	if d := ss.user.Timeout(); d > 0 {
		timer = time.AfterFunc(d, func() { cancel(query.ErrTimeout) })
	}
	return func() {
		if timer != nil {
			timer.Stop()
		}
		ss.running.Lock()
		ss.running.cancel = nil
		ss.running.Unlock()
	}
}

// run answers messages until the client leaves, misbehaves or the server stops.
func (ss *session) run(ctx context.Context) {
	ss.ctx = ctx
	for ss.out.err == nil {
		msg, err := ss.in.Receive()
		if err != nil {
			ss.farewell(err)
			return
		}
		if _, ok := msg.(*pgproto3.Terminate); ok {
			return
		}
		if ctx.Err() != nil {
			ss.farewell(ctx.Err())
			return
		}
		ss.handle(msg)
	}
}

// farewell tells the client why the session ends, where it can still be told.
func (ss *session) farewell(err error) {
	var tooLong *pgproto3.ExceededMaxBodyLenErr
	switch {
	case ss.ctx.Err() != nil:
		err = query.ErrShutdown
	case errors.As(err, &tooLong):
		err = &query.Error{Code: query.CodeProtocolViolation, Message: "message is too long",
			Hint: "Send large parameters in smaller statements."}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return
	default:
		var netErr net.Error
		if errors.As(err, &netErr) {
			return
		}
		err = query.Errorf(query.CodeProtocolViolation, "%s", err.Error())
	}
	ss.out.fail(err, "FATAL", "", 0)
	ss.out.flush()
}

// handle answers one message.
func (ss *session) handle(msg pgproto3.FrontendMessage) {
	switch m := msg.(type) {
	case *pgproto3.Query:
		ss.simple(m.String)
		ss.skipping = false
		ss.ready()
	case *pgproto3.Sync:
		ss.skipping = false
		ss.endImplicit()
		ss.ready()
	case *pgproto3.Flush:
		ss.out.flush()
	case *pgproto3.CopyData, *pgproto3.CopyDone, *pgproto3.CopyFail:
		// Left over from a COPY that failed: ignored, as PostgreSQL does.
	case *pgproto3.FunctionCall:
		ss.fail(query.Errorf(query.CodeFeatureNotSupported, "function call messages are not supported"), "", 0)
		ss.ready()
	default:
		if ss.skipping {
			return
		}
		if err := ss.extended(msg); err != nil {
			ss.fail(err, ss.source(msg), 0)
			ss.skipping = true
		}
	}
}

// fail reports an error of a statement; a transaction that it happens in can only be rolled back.
func (ss *session) fail(err error, script string, at int) {
	ss.srv.stats.errors.Inc()
	ss.out.fail(err, "ERROR", script, at)
	if ss.tx.state == txOpen {
		ss.tx.state = txFailed
	}
}

// ready tells the client that it is its turn.
func (ss *session) ready() {
	ss.out.send(&pgproto3.ReadyForQuery{TxStatus: byte(ss.tx.state)})
	ss.out.flush()
}

func (ss *session) reportSetting(name string) {
	if v, err := ss.user.Show(name); err == nil {
		ss.out.send(&pgproto3.ParameterStatus{Name: name, Value: v})
	}
}

// reportAll reports those of the settings that clients are told about.
func (ss *session) reportAll(names []string) {
	for _, name := range names {
		if s, ok := query.Settings[lower(name)]; ok && s.Report {
			ss.reportSetting(s.Name)
		}
	}
}

func (ss *session) style() value.Style { return value.Style{Zone: ss.user.Zone()} }

// close gives back what portals hold.
func (ss *session) close() {
	for name := range ss.portals {
		ss.closePortal(name)
	}
}
