package pgwire_test

import (
	"bytes"
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"myelin/internal/serve/pgwire"
	"myelin/internal/telemetry"
)

// pipes is a listener whose connections are made in memory.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "fuzz", Net: "unix"} }

// scripted is a client that sends what it has, hears everything and leaves.
type scripted struct {
	net.Conn
	in     *bytes.Reader
	out    bytes.Buffer
	closed chan struct{}
	once   sync.Once
}

func (c *scripted) Read(b []byte) (int, error)       { return c.in.Read(b) }
func (c *scripted) Write(b []byte) (int, error)      { return c.out.Write(b) }
func (c *scripted) Close() error                     { c.once.Do(func() { close(c.closed) }); return nil }
func (c *scripted) RemoteAddr() net.Addr             { return &net.UnixAddr{Net: "unix"} }
func (c *scripted) SetReadDeadline(time.Time) error  { return nil }
func (c *scripted) SetWriteDeadline(time.Time) error { return nil }

// encode gives the bytes of client messages.
func encode(t testing.TB, messages ...pgproto3.FrontendMessage) []byte {
	var b []byte
	for _, m := range messages {
		var err error
		if b, err = m.Encode(b); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// FuzzSession sends arbitrary bytes to a session that is logged in. It must end, and must not panic.
func FuzzSession(f *testing.F) {
	f.Add(encode(f, &pgproto3.Query{String: "SELECT rows 3; SET a.b = 'c'; BEGIN; SAVEPOINT x; ROLLBACK TO x; COMMIT"}))
	f.Add(encode(f, &pgproto3.Parse{Name: "s", Query: "SELECT echo $1::integer", ParameterOIDs: []uint32{23}},
		&pgproto3.Describe{ObjectType: 'S', Name: "s"},
		&pgproto3.Bind{DestinationPortal: "p", PreparedStatement: "s", ParameterFormatCodes: []int16{1}, Parameters: [][]byte{{0, 0, 0, 7}}, ResultFormatCodes: []int16{1}},
		&pgproto3.Describe{ObjectType: 'P', Name: "p"}, &pgproto3.Execute{Portal: "p", MaxRows: 1}, &pgproto3.Close{ObjectType: 'P', Name: "p"}, &pgproto3.Sync{}))
	f.Add(encode(f, &pgproto3.Query{String: "BEGIN; DECLARE c CURSOR FOR SELECT rows 9; FETCH 2 c; MOVE 3 c; FETCH ALL c; CLOSE ALL"}))
	f.Add(encode(f, &pgproto3.Query{String: "COPY (SELECT rows 2) TO STDOUT (FORMAT csv, HEADER); PREPARE q (int, text) AS SELECT echo $1; EXECUTE q ('x', -1)"}))
	f.Add(encode(f, &pgproto3.Query{String: "SHOW ALL; RESET ALL; DISCARD ALL; DEALLOCATE ALL; SET TIME ZONE INTERVAL '+02:00' HOUR TO MINUTE; SHOW TIME ZONE"}))
	f.Add(encode(f, &pgproto3.Query{String: "SELECT kinds"}, &pgproto3.Flush{}, &pgproto3.CopyData{Data: []byte("x")}, &pgproto3.FunctionCall{}, &pgproto3.Terminate{}))

	// One statement of the fake never ends by itself; its session's client leaves, so the server must be told.
	registry := telemetry.New()
	srv, err := pgwire.New(pgwire.Config{Engine: fake{}, Telemetry: registry, StartupTimeout: time.Second, WriteTimeout: time.Second, MaxMessage: 1 << 16})
	if err != nil {
		f.Fatal(err)
	}
	ln := make(pipes)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, ln) }()
	f.Cleanup(func() {
		stop()
		close(ln)
		if err := <-done; err != nil {
			f.Error(err)
		}
	})
	hello := encode(f, &pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30,
		Parameters: map[string]string{"user": "u", "database": "myelin", "statement_timeout": "50"}})
	f.Fuzz(func(t *testing.T, input []byte) {
		conn := &scripted{in: bytes.NewReader(slices.Concat(hello, input)), closed: make(chan struct{})}
		ln <- conn
		<-conn.closed
		answer := conn.out.Bytes()
		if pgwire.Panicked(answer) {
			t.Fatalf("the session panicked: %q", answer)
		}
	})
}
