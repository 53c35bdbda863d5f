package pgwire_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"myelin/internal/auth/role"
	"myelin/internal/serve/pgwire"
)

func TestQueriesInEveryProtocolGiveTheSameRows(t *testing.T) {
	dsn := start(t, pgwire.Config{})
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec,
		pgx.QueryExecModeDescribeExec, pgx.QueryExecModeCacheStatement} {
		c := connect(t, dsn)
		rows, err := c.Query(limit(t), "SELECT rows 1234", mode)
		if err != nil {
			t.Fatal(err)
		}
		n := int64(0)
		for rows.Next() {
			var got int64
			var text *string
			if err := rows.Scan(&got, &text); err != nil {
				t.Fatal(err)
			}
			if got != n || (text == nil) != (n%3 == 0) {
				t.Fatalf("%v: row %d is %d, %v", mode, n, got, text)
			}
			n++
		}
		if rows.Err() != nil || n != 1234 || rows.CommandTag().String() != "SELECT 1234" {
			t.Fatalf("%v: %d rows, %v, %s", mode, n, rows.Err(), rows.CommandTag())
		}
	}
}

func TestErrorsCarryCodePositionAndHint(t *testing.T) {
	c := connect(t, start(t, pgwire.Config{}))
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeDescribeExec} {
		_, err := c.Exec(limit(t), "/* ü */ SELECT !oops", mode)
		var e *pgconn.PgError
		if !errors.As(err, &e) || e.Code != "42601" || e.Hint != "Ask the fake." || e.Position != 16 {
			t.Fatalf("got %v %+v", err, e)
		}
		if _, err := c.Exec(limit(t), "SELECT rows 1", mode); err != nil {
			t.Fatalf("after an error: %v", err)
		}
	}
	_, err := c.Exec(limit(t), "SELECT rows 1; \n SELECT !", pgx.QueryExecModeSimpleProtocol)
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Position != 25 {
		t.Fatalf("got %+v", e)
	}
}

func TestTransactionBlocks(t *testing.T) {
	c := connect(t, start(t, pgwire.Config{}))
	ctx := limit(t)
	run := func(sql string) error { _, err := c.Exec(ctx, sql); return err }
	state := func() byte { return c.PgConn().TxStatus() }
	if err := errors.Join(run("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"), run("SAVEPOINT a"), run("SET application_name = 'x'")); err != nil {
		t.Fatal(err)
	}
	if err := run("SELECT !"); err == nil || state() != 'E' {
		t.Fatalf("state %c after %v", state(), err)
	}
	var e *pgconn.PgError
	if err := run("SELECT rows 1"); !errors.As(err, &e) || e.Code != "25P02" {
		t.Fatalf("got %v", err)
	}
	if err := run("ROLLBACK TO a"); err != nil || state() != 'T' {
		t.Fatalf("state %c, %v", state(), err)
	}
	var name string
	if err := c.QueryRow(ctx, "SHOW application_name").Scan(&name); err != nil || name != "" {
		t.Fatalf("application_name %q, %v", name, err)
	}
	if err := run("SELECT !"); err == nil {
		t.Fatal("no error")
	}
	tag, err := c.Exec(ctx, "COMMIT")
	if err != nil || tag.String() != "ROLLBACK" || state() != 'I' {
		t.Fatalf("commit of a failed block: %s, %v, %c", tag, err, state())
	}
}

func TestSettingsAreKeptReportedAndReset(t *testing.T) {
	c := connect(t, start(t, pgwire.Config{})+"&application_name=tests&timezone=Europe/Berlin")
	ctx := limit(t)
	show := func(name string) (v string) {
		t.Helper()
		if err := c.QueryRow(ctx, "SHOW "+name, pgx.QueryExecModeSimpleProtocol).Scan(&v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	if show("timezone") != "Europe/Berlin" || c.PgConn().ParameterStatus("TimeZone") != "Europe/Berlin" {
		t.Fatal("start-up parameter lost")
	}
	var at string
	if err := c.QueryRow(ctx, "SELECT echo $1::timestamptz", pgx.QueryResultFormats{0}, "2026-07-01 12:00:00").Scan(&at); err != nil || at != "2026-07-01 12:00:00+02" {
		t.Fatalf("got %q, %v", at, err)
	}
	for _, sql := range []string{"SET TIME ZONE 'UTC'", "SET search_path TO a, \"B\"", "SET extra_float_digits = 3", "SET SESSION statement_timeout = '5s'",
		"SET my.var = 'x'", "BEGIN; SET LOCAL work_mem = '1MB'; COMMIT"} {
		if _, err := c.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	if show("TIME ZONE") != "UTC" || show("search_path") != "a, B" || show("statement_timeout") != "5s" || show("my.var") != "x" || show("work_mem") != "65536" {
		t.Fatal(show("TIME ZONE"), show("search_path"), show("statement_timeout"), show("my.var"), show("work_mem"))
	}
	if _, err := c.Exec(ctx, "DISCARD ALL"); err != nil {
		t.Fatal(err)
	}
	if show("timezone") != "Europe/Berlin" || show("application_name") != "tests" {
		t.Fatal("DISCARD ALL must go back to what the client connected with")
	}
	if _, err := c.Exec(ctx, "SET nonsense = 1"); err == nil || !strings.Contains(err.Error(), "42704") {
		t.Fatalf("got %v", err)
	}
}

func TestPortalsAreSuspended(t *testing.T) {
	c := connect(t, start(t, pgwire.Config{}))
	ctx := limit(t)
	if _, err := c.Exec(ctx, "BEGIN; DECLARE cc CURSOR FOR SELECT rows 250"); err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, want := range []int{1, 120, 129, 0} {
		sql := map[int]string{1: "FETCH cc", 120: "FETCH FORWARD 120 FROM cc", 129: "FETCH ALL cc", 0: "FETCH 10 IN cc"}[want]
		rows, err := c.Query(ctx, sql)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for rows.Next() {
			n++
		}
		if rows.Err() != nil || n != want {
			t.Fatalf("%s: %d rows, %v", sql, n, rows.Err())
		}
		total += n
	}
	if _, err := c.Exec(ctx, "CLOSE cc; COMMIT"); err != nil || total != 250 {
		t.Fatal(err, total)
	}
}

func TestCopyOut(t *testing.T) {
	c := connect(t, start(t, pgwire.Config{}))
	for sql, want := range map[string]string{
		"COPY (SELECT rows 3) TO STDOUT":                                       "0\t\\N\n1\trow 1\n2\trow 2\n",
		"COPY (SELECT rows 2) TO STDOUT WITH (FORMAT csv, HEADER, NULL 'nix')": "n,t\n0,nix\n1,row 1\n",
		"COPY (SELECT rows 2) TO STDOUT CSV DELIMITER ' '":                     "0 \n1 \"row 1\"\n",
	} {
		var b strings.Builder
		tag, err := c.PgConn().CopyTo(limit(t), &b, sql)
		if err != nil || b.String() != want || !strings.HasPrefix(tag.String(), "COPY ") {
			t.Errorf("%s: %q, %s, %v", sql, b.String(), tag, err)
		}
	}
}

func TestCancelAndTimeoutEndAStatement(t *testing.T) {
	c := connect(t, start(t, pgwire.Config{}))
	ctx := limit(t)
	result := make(chan error, 1)
	started := make(chan struct{})
	go func() {
		close(started)
		_, err := c.Exec(ctx, "SELECT for ever", pgx.QueryExecModeSimpleProtocol)
		result <- err
	}()
	<-started
	pc := c.PgConn()
	var err error
	for done := false; !done; { // the first request may come before the statement
		if cerr := pc.CancelRequest(ctx); cerr != nil {
			t.Fatal(cerr)
		}
		select {
		case err = <-result:
			done = true
		case <-time.After(20 * time.Millisecond):
		}
	}
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Code != "57014" || !strings.Contains(e.Message, "user request") {
		t.Fatalf("got %v", err)
	}
	if _, err := c.Exec(ctx, "SET statement_timeout = 20"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(ctx, "SELECT for ever"); !errors.As(err, &e) || e.Code != "57014" || !strings.Contains(e.Message, "timeout") {
		t.Fatalf("got %v", err)
	}
}

func TestAPanicEndsOnlyItsSession(t *testing.T) {
	dsn := start(t, pgwire.Config{})
	bystander, victim := connect(t, dsn), connect(t, dsn)
	var e *pgconn.PgError
	if _, err := victim.Exec(limit(t), "SELECT panic"); !errors.As(err, &e) || e.Code != "XX000" {
		t.Fatalf("got %v", err)
	}
	if _, err := bystander.Exec(limit(t), "SELECT rows 1"); err != nil {
		t.Fatal(err)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	dsn := start(t, pgwire.Config{MaxConnections: 1})
	first := connect(t, dsn)
	_, err := pgx.Connect(limit(t), dsn)
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Code != "53300" {
		t.Fatalf("got %v", err)
	}
	if _, err := first.Exec(limit(t), "SELECT rows 1"); err != nil {
		t.Fatal(err)
	}
}

type passwords map[string]string

func (p passwords) Password(user string) (string, bool) { v, ok := p[user]; return v, ok }

// Find gives users a role of their own name, if there is such a one.
func (p passwords) Find(user string) (role.Person, bool) {
	if _, ok := p[user]; !ok {
		return role.Person{}, false
	}
	r, err := role.Parse(user)
	if err != nil {
		r = role.Analyst
	}
	return role.Person{Name: user, Role: r}, true
}

func TestPasswordsWhereTheClientIsNotTrusted(t *testing.T) {
	dsn := start(t, pgwire.Config{Trust: func(net.Addr) bool { return false }, Users: passwords{"ana": "s3cret ü"}})
	login := func(user, password string) error {
		cfg, err := pgx.ParseConfig(dsn)
		if err != nil {
			t.Fatal(err)
		}
		cfg.User, cfg.Password = user, password
		c, err := pgx.ConnectConfig(limit(t), cfg)
		if err == nil {
			_ = c.Close(context.Background())
		}
		return err
	}
	if err := login("ana", "s3cret ü"); err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][2]string{{"ana", "wrong"}, {"nobody", "s3cret ü"}, {"ana", ""}} {
		var e *pgconn.PgError
		if err := login(bad[0], bad[1]); !errors.As(err, &e) || e.Code != "28P01" {
			if bad[1] != "" {
				t.Errorf("%v: got %v", bad, err)
			}
		}
	}
}

func TestGarbageIsRefusedAndTheServerLives(t *testing.T) {
	dsn := start(t, pgwire.Config{StartupTimeout: time.Second})
	addr := strings.TrimPrefix(strings.SplitN(dsn, "@", 2)[1], "")
	addr = addr[:strings.IndexByte(addr, '/')]
	for n := range 40 {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		junk := make([]byte, 1+n*37)
		_, _ = rand.Read(junk)
		_, _ = conn.Write(junk)
		_ = conn.Close()
	}
	if _, err := connect(t, dsn).Exec(limit(t), "SELECT rows 1"); err != nil {
		t.Fatal(err)
	}
}

func TestClientsThatWantTLSGetIt(t *testing.T) {
	cert, pool := certificate(t)
	dsn := start(t, pgwire.Config{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
	cfg, err := pgx.ParseConfig(strings.Replace(dsn, "sslmode=disable", "sslmode=verify-full", 1))
	if err != nil {
		t.Fatal(err)
	}
	cfg.TLSConfig.RootCAs = pool
	c, err := pgx.ConnectConfig(limit(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(context.Background()) }()
	if _, err := c.Exec(limit(t), "SELECT rows 1"); err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t, dsn).Exec(limit(t), "SELECT rows 1"); err != nil {
		t.Fatal("TLS is offered, not forced:", err)
	}
	// Without a certificate the server says no, and a client that prefers TLS goes on without.
	plain := start(t, pgwire.Config{})
	if _, err := connect(t, strings.Replace(plain, "sslmode=disable", "sslmode=prefer", 1)).Exec(limit(t), "SELECT rows 1"); err != nil {
		t.Fatal(err)
	}
	if _, err := pgx.Connect(limit(t), strings.Replace(plain, "sslmode=disable", "sslmode=require", 1)); err == nil {
		t.Fatal("a client that demands TLS was let in without")
	}
}

// certificate makes one for 127.0.0.1 that signs itself.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestAStatementIsAnsweredInPartsWhenAskedTo(t *testing.T) {
	dsn := start(t, pgwire.Config{})
	c := connect(t, dsn).PgConn()
	f := c.Frontend()
	f.SendParse(&pgproto3.Parse{Query: "SELECT rows 5"})
	f.SendBind(&pgproto3.Bind{DestinationPortal: "p"})
	for range 3 {
		f.SendExecute(&pgproto3.Execute{Portal: "p", MaxRows: 2})
	}
	f.SendSync(&pgproto3.Sync{})
	if err := f.Flush(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for {
		msg, err := f.Receive()
		if err != nil {
			t.Fatal(err)
		}
		switch m := msg.(type) {
		case *pgproto3.DataRow:
			got = append(got, string(m.Values[0]))
		case *pgproto3.PortalSuspended:
			got = append(got, "suspended")
		case *pgproto3.CommandComplete:
			got = append(got, string(m.CommandTag))
		case *pgproto3.ErrorResponse:
			t.Fatal(m.Message)
		case *pgproto3.ReadyForQuery:
			if want := "0 1 suspended 2 3 suspended 4 SELECT 1"; strings.Join(got, " ") != want {
				t.Fatalf("got %s, want %s", got, want)
			}
			return
		}
	}
}
