// Package pgwire speaks the PostgreSQL wire protocol 3.0 (PostgreSQL §55): clients connect, prepare and run statements.
//
// One goroutine serves one connection; it reads a message, answers it and writes when the client waits for it. A session
// shares nothing with others but the table of cancel keys, so that a panic in one ends only that one.
package pgwire

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"myelin/internal/auth/role"
	"myelin/internal/serve/query"
	"myelin/internal/telemetry"
	"myelin/internal/vec"
)

// Engine prepares statements. SET, BEGIN and the like are answered by the session and never reach it.
type Engine interface {
	// Prepare binds one statement. hints are the parameter types that the client declared; Unknown where it did not.
	Prepare(ctx context.Context, s *query.Session, sql string, hints []vec.Type) (*query.Statement, error)
}

// Users knows passwords.
type Users interface {
	// Password returns the user's password; ok is false where there is no such user.
	Password(user string) (password string, ok bool)
	// Find returns the user with the role.
	Find(user string) (role.Person, bool)
}

// Guard slows down who guesses passwords.
type Guard interface {
	// Wait is how long an address has to wait before its next attempt; 0: not at all.
	Wait(from string) time.Duration
	// Fail counts a wrong password.
	Fail(from string)
}

// Config says how a server behaves. Zero values mean the defaults named.
type Config struct {
	Engine Engine
	// Users is asked for passwords where one is needed; nil: nobody can log in with one.
	Users Users
	// Guard counts wrong passwords; nil: nobody does.
	Guard Guard
	// Trust reports whether a client may connect without a password; nil: clients on loopback may.
	Trust func(remote net.Addr) bool
	// TLS is offered to clients that ask for it; nil: they are told there is none.
	TLS *tls.Config
	// Database is the one database that exists (myelin).
	Database string
	// MaxConnections at a time (100); more are refused with 53300.
	MaxConnections int
	// MaxMessage is the largest message in bytes that a client may send (16 MiB).
	MaxMessage int
	// StartupTimeout bounds the time until a client is logged in (30 s), WriteTimeout one write to a client that does not
	// read (60 s).
	StartupTimeout, WriteTimeout time.Duration
	Logger                       *slog.Logger
	Telemetry                    *telemetry.Registry
}

// Server accepts PostgreSQL clients.
type Server struct {
	cfg   Config
	stats stats
	salt  [16]byte // makes SCRAM salts of this process
	wait  sync.WaitGroup

	mu struct {
		sync.Mutex
		sessions map[uint32]*session // by process id
		conns    map[net.Conn]struct{}
		nextPID  uint32
	}
}

type stats struct{ sessions, statements, errors, refused, panics *telemetry.Counter }

func newStats(r *telemetry.Registry) stats {
	if r == nil {
		r = telemetry.New()
	}
	return stats{
		sessions:   r.Counter("myelin_serve_pg_sessions_total", "PostgreSQL clients that logged in."),
		statements: r.Counter("myelin_serve_pg_statements_total", "Statements run for PostgreSQL clients."),
		errors:     r.Counter("myelin_serve_pg_errors_total", "Errors sent to PostgreSQL clients."),
		refused:    r.Counter("myelin_serve_pg_refused_total", "PostgreSQL connections refused or not logged in."),
		panics:     r.Counter("myelin_serve_pg_panics_total", "PostgreSQL sessions ended by a panic."),
	}
}

// New returns a server that is not listening yet.
func New(cfg Config) (*Server, error) {
	if cfg.Engine == nil {
		return nil, errors.New("pgwire needs an engine")
	}
	if cfg.Trust == nil {
		cfg.Trust = loopback
	}
	if cfg.Database == "" {
		cfg.Database = "myelin"
	}
	if cfg.MaxConnections == 0 {
		cfg.MaxConnections = 100
	}
	if cfg.MaxMessage == 0 {
		cfg.MaxMessage = 16 << 20
	}
	if cfg.StartupTimeout == 0 {
		cfg.StartupTimeout = 30 * time.Second
	}
	if cfg.WriteTimeout == 0 {
		cfg.WriteTimeout = time.Minute
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, stats: newStats(cfg.Telemetry)}
	s.mu.sessions, s.mu.conns = map[uint32]*session{}, map[net.Conn]struct{}{}
	if _, err := rand.Read(s.salt[:]); err != nil {
		return nil, fmt.Errorf("reading random bytes: %w", err)
	}
	return s, nil
}

func loopback(remote net.Addr) bool {
	tcp, ok := remote.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback() || remote.Network() == "unix" || remote.Network() == "pipe"
}

// Serve accepts clients until ctx ends; then it ends their sessions, waits for them and returns nil. It closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	ctx, stop := context.WithCancelCause(ctx)
	unhook := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer func() {
		stop(query.ErrShutdown)
		if unhook() {
			_ = ln.Close()
		}
		s.hangUp()
		s.wait.Wait()
	}()
	backoff := 5 * time.Millisecond
	for {
		conn, err := ln.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = conn.Close()
			}
			return nil
		}
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("accepting PostgreSQL clients: %w", err)
			}
			// Out of file descriptors, most likely: those in use will be given back.
			s.cfg.Logger.Warn("accepting a PostgreSQL client failed", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(backoff):
			}
			backoff = min(backoff*2, time.Second)
			continue
		}
		backoff = 5 * time.Millisecond
		s.wait.Go(func() { s.serveConn(ctx, conn) })
	}
}

// hangUp closes every connection, which wakes sessions that wait for their client.
func (s *Server) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ss := range s.mu.sessions {
		ss.interrupt(query.ErrShutdown)
	}
	for conn := range s.mu.conns {
		_ = conn.SetReadDeadline(time.Unix(1, 0)) // ends a wait for input; what is being written still goes out
	}
}

// admit counts a connection in; it reports false where there are too many.
func (s *Server) admit(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.conns[conn] = struct{}{}
	return len(s.mu.conns) <= s.cfg.MaxConnections
}

func (s *Server) dismiss(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.conns, conn)
}

// register gives the session a process id and a secret, under which a cancel request finds it.
func (s *Server) register(ss *session) error {
	var secret [4]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return fmt.Errorf("reading random bytes: %w", err)
	}
	ss.secret = binary.BigEndian.Uint32(secret[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		s.mu.nextPID++
		if _, taken := s.mu.sessions[s.mu.nextPID]; !taken && s.mu.nextPID != 0 && s.mu.nextPID < 1<<31 {
			break
		}
		s.mu.nextPID %= 1<<31 - 1
	}
	ss.user.PID = s.mu.nextPID
	s.mu.sessions[ss.user.PID] = ss
	return nil
}

func (s *Server) unregister(ss *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.sessions, ss.user.PID)
}

// cancel ends the statement that a session is running, if the secret is right. It says nothing to whoever asked.
func (s *Server) cancel(pid, secret uint32) {
	s.mu.Lock()
	ss := s.mu.sessions[pid]
	s.mu.Unlock()
	if ss != nil && ss.secret == secret {
		ss.interrupt(query.ErrCanceled)
	}
}
