package certs_test

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"myelin/internal/auth/certs"
	"myelin/internal/auth/certs/certtest"
)

// echo serves one listener until the test ends; each connection gets its bytes back.
func echo(t *testing.T, s *certs.Source) string {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", s.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	return ln.Addr().String()
}

func dial(t *testing.T, addr string, c certs.Client) (*tls.Conn, error) {
	t.Helper()
	config, err := c.Config()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", addr, config)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { conn.Close() })
	return conn, say(conn)
}

func say(c net.Conn) error {
	c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := c.Write([]byte("hello")); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 5))
	return err
}

func TestChangedCertificateCountsForNewConnectionsOnly(t *testing.T) {
	a := certtest.New(t)
	cert, key := a.Issue(t, "server")
	s, err := certs.Open(certs.Files{Cert: cert, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	addr := echo(t, s)
	old, err := dial(t, addr, certs.Client{CA: a.File})
	if err != nil {
		t.Fatal(err)
	}
	serial := func(c *tls.Conn) string { return c.ConnectionState().PeerCertificates[0].SerialNumber.String() }

	if err := os.WriteFile(cert, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(1500 * time.Millisecond)
	for time.Now().Before(deadline) { // beyond one look at the files
		c, err := dial(t, addr, certs.Client{CA: a.File})
		if err != nil || serial(c) != serial(old) {
			t.Fatalf("a broken file took the certificate out of force: %v", err)
		}
	}
	a.Issue(t, "server")
	deadline = time.Now().Add(time.Minute)
	for {
		c, err := dial(t, addr, certs.Client{CA: a.File})
		if err != nil {
			t.Fatal(err)
		}
		if serial(c) != serial(old) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the new certificate is not in force")
		}
	}
	if err := say(old); err != nil {
		t.Fatalf("the open connection broke: %v", err)
	}
	if left := time.Until(s.Expires()); left < 11*time.Hour || left > 12*time.Hour {
		t.Fatalf("expires in %s", left)
	}
}

func TestClientCertificateIsDemanded(t *testing.T) {
	a, foreign := certtest.New(t), certtest.New(t)
	cert, key := a.Issue(t, "server")
	s, err := certs.Open(certs.Files{Cert: cert, Key: key, ClientCA: a.File})
	if err != nil {
		t.Fatal(err)
	}
	addr := echo(t, s)
	if _, err := dial(t, addr, certs.Client{CA: a.File}); err == nil {
		t.Error("a client without a certificate got in")
	}
	foreignCert, foreignKey := foreign.Issue(t, "client")
	if _, err := dial(t, addr, certs.Client{CA: a.File, Cert: foreignCert, Key: foreignKey}); err == nil {
		t.Error("a client of another authority got in")
	}
	cert, key = a.Issue(t, "client")
	if _, err := dial(t, addr, certs.Client{CA: a.File, Cert: cert, Key: key}); err != nil {
		t.Error(err)
	}
}

func TestUnusableFilesAreNamed(t *testing.T) {
	a := certtest.New(t)
	cert, key := a.Issue(t, "server")
	_, otherKey := a.Issue(t, "other")
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		files certs.Files
		says  string
	}{
		{certs.Files{Cert: "missing.pem", Key: key}, "missing.pem"},
		{certs.Files{Cert: cert, Key: "missing.key"}, "missing.key"},
		{certs.Files{Cert: cert, Key: otherKey}, "does not match"},
		{certs.Files{Cert: cert, Key: key, ClientCA: empty}, "empty.pem holds none"},
	} {
		if _, err := certs.Open(tc.files); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%+v: %v", tc.files, err)
		}
	}
}
