package pgwire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"myelin/internal/auth/role"
	"myelin/internal/serve/query"
)

// serveConn is the life of one connection.
func (s *Server) serveConn(ctx context.Context, conn net.Conn) {
	defer func() { _ = conn.Close() }()
	o := &out{conn: conn, timeout: s.cfg.WriteTimeout}
	defer s.dismiss(conn)
	admitted := s.admit(conn)
	defer func() {
		if p := recover(); p != nil {
			s.stats.panics.Inc()
			s.cfg.Logger.Error("a PostgreSQL session panicked", "panic", p, "stack", string(debug.Stack()))
			o.buf = o.buf[:0]
			o.fail(query.Errorf(query.CodeInternal, "internal error: %v", p), "FATAL", "", 0)
			o.flush()
		}
	}()
	if err := conn.SetReadDeadline(time.Now().Add(s.cfg.StartupTimeout)); err != nil {
		return
	}
	ss, err := s.startup(conn, o, admitted)
	if err != nil {
		s.stats.refused.Inc()
		if !errors.Is(err, errGone) {
			o.fail(err, "FATAL", "", 0)
			o.flush()
		}
		return
	}
	defer s.unregister(ss)
	defer ss.close()
	s.stats.sessions.Inc()
	if ctx.Err() != nil || conn.SetReadDeadline(time.Time{}) != nil {
		return
	}
	// hangUp may have run before the deadline was lifted: look again, now that a later one cannot be undone.
	if ctx.Err() != nil {
		return
	}
	ss.run(role.With(ctx, ss.person))
}

// errGone: the client needs no answer (it left, or it only cancelled something).
var errGone = errors.New("client is gone")

// startup takes a client from its first byte to the first ReadyForQuery (PostgreSQL §55.2.1).
func (s *Server) startup(conn net.Conn, o *out, admitted bool) (*session, error) {
	in := pgproto3.NewBackend(conn, io.Discard)
	in.SetMaxBodyLen(s.cfg.MaxMessage)
	encrypted := false
	for range 4 { // SSLRequest and GSSENCRequest may each come once before the rest
		msg, err := in.ReceiveStartupMessage()
		if err != nil {
			return nil, startupError(err)
		}
		switch m := msg.(type) {
		case *pgproto3.SSLRequest:
			if s.cfg.TLS == nil || encrypted {
				o.buf = append(o.buf, 'N')
				o.flush()
				continue
			}
			o.buf = append(o.buf, 'S')
			o.flush()
			secure := tls.Server(conn, s.cfg.TLS)
			if err := secure.Handshake(); err != nil {
				return nil, errGone
			}
			// A fresh reader: bytes that were sent in the clear before the handshake must not count (CVE-2021-23214).
			conn, encrypted = secure, true
			o.conn = secure
			in = pgproto3.NewBackend(conn, io.Discard)
			in.SetMaxBodyLen(s.cfg.MaxMessage)
		case *pgproto3.GSSEncRequest:
			o.buf = append(o.buf, 'N')
			o.flush()
		case *pgproto3.CancelRequest:
			if len(m.SecretKey) == 4 {
				key := m.SecretKey
				s.cancel(m.ProcessID, uint32(key[0])<<24|uint32(key[1])<<16|uint32(key[2])<<8|uint32(key[3]))
			}
			return nil, errGone
		case *pgproto3.StartupMessage:
			if !admitted {
				return nil, &query.Error{Code: query.CodeTooManyConnections, Message: "sorry, too many clients already",
					Hint: fmt.Sprintf("At most %d clients can be connected at a time; use a connection pool.", s.cfg.MaxConnections)}
			}
			return s.login(conn, in, o, m)
		}
	}
	return nil, query.Errorf(query.CodeProtocolViolation, "expected a startup message")
}

func startupError(err error) error {
	var netErr net.Error
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &netErr) {
		return errGone
	}
	return query.Errorf(query.CodeProtocolViolation, "%s", err.Error())
}

// login authenticates the client and tells it about the session.
func (s *Server) login(conn net.Conn, in *pgproto3.Backend, o *out, m *pgproto3.StartupMessage) (*session, error) {
	name := m.Parameters["user"]
	if name == "" {
		return nil, query.Errorf(query.CodeInvalidAuth, "no PostgreSQL user name specified in startup packet")
	}
	database := m.Parameters["database"]
	if database == "" {
		database = name
	}
	s.negotiate(o, m)
	person, err := s.identify(conn, in, o, name)
	if err != nil {
		return nil, err
	}
	if database != s.cfg.Database {
		return nil, &query.Error{Code: query.CodeNoDatabase, Message: fmt.Sprintf("database \"%s\" does not exist", database),
			Hint: fmt.Sprintf("Connect to the database \"%s\".", s.cfg.Database)}
	}
	ss := newSession(s, conn, in, o, query.NewSession(name, database))
	ss.person = person
	for key, v := range m.Parameters {
		switch key {
		case "user", "database", "replication":
			continue
		case "options":
			if err := ss.options(v); err != nil {
				return nil, err
			}
			continue
		}
		if strings.HasPrefix(key, "_pq_.") {
			continue
		}
		if _, err := ss.user.Set(key, v); err != nil {
			return nil, err
		}
	}
	ss.user.Keep()
	if err := s.register(ss); err != nil {
		return nil, err
	}
	o.send(&pgproto3.AuthenticationOk{})
	for _, name := range query.SettingNames() {
		if query.Settings[strings.ToLower(name)].Report {
			ss.reportSetting(name)
		}
	}
	secret := []byte{byte(ss.secret >> 24), byte(ss.secret >> 16), byte(ss.secret >> 8), byte(ss.secret)}
	o.send(&pgproto3.BackendKeyData{ProcessID: ss.user.PID, SecretKey: secret})
	ss.ready()
	return ss, nil
}

// identify finds out who a client is, by its password where one is needed. Somebody at this machine who gives a user's name has
// that user's role.
func (s *Server) identify(conn net.Conn, in *pgproto3.Backend, o *out, name string) (role.Person, error) {
	if !s.cfg.Trust(conn.RemoteAddr()) {
		if err := s.askPassword(conn, in, o, name); err != nil {
			return role.Person{}, err
		}
	}
	person := role.Local
	if s.cfg.Users != nil {
		if p, ok := s.cfg.Users.Find(name); ok {
			person = p
		}
	}
	if err := person.Check(role.Query); err != nil {
		return role.Person{}, &query.Error{Code: query.CodeInvalidAuth, Message: err.Error()}
	}
	return person, nil
}

// askPassword asks for it, unless too many were wrong.
func (s *Server) askPassword(conn net.Conn, in *pgproto3.Backend, o *out, name string) error {
	from := conn.RemoteAddr().String()
	if s.cfg.Guard != nil {
		if wait := s.cfg.Guard.Wait(from); wait > 0 {
			return &query.Error{Code: query.CodeInvalidAuth, Message: "too many wrong passwords came from this address",
				Hint: fmt.Sprintf("Try again in %s.", wait.Round(time.Second))}
		}
	}
	err := s.scram(in, o, name)
	if err != nil && !errors.Is(err, errGone) && s.cfg.Guard != nil {
		s.cfg.Guard.Fail(from)
	}
	return err
}

// negotiate takes a client that speaks 3.2, or names options that nobody knows, back to plain 3.0.
func (s *Server) negotiate(o *out, m *pgproto3.StartupMessage) {
	var unknown []string
	for key := range m.Parameters {
		if strings.HasPrefix(key, "_pq_.") {
			unknown = append(unknown, key)
		}
	}
	if m.ProtocolVersion > pgproto3.ProtocolVersion30 || len(unknown) > 0 {
		o.send(&pgproto3.NegotiateProtocolVersion{NewestMinorProtocol: pgproto3.ProtocolVersion30, UnrecognizedOptions: unknown})
	}
}

// options reads the startup packet's "options": -c name=value, --name=value.
func (ss *session) options(text string) error {
	fields := strings.Fields(text)
	for i := 0; i < len(fields); i++ {
		f := fields[i]
		switch {
		case f == "-c" && i+1 < len(fields):
			i++
			f = fields[i]
		case strings.HasPrefix(f, "-c"):
			f = f[2:]
		case strings.HasPrefix(f, "--"):
			f = f[2:]
		default:
			return query.Errorf(query.CodeInvalidParameter, "invalid command-line argument in startup options: %s", f)
		}
		name, v, _ := strings.Cut(f, "=")
		if _, err := ss.user.Set(strings.ReplaceAll(name, "-", "_"), v); err != nil {
			return err
		}
	}
	return nil
}
