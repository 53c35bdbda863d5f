package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"myelin/internal/auth"
	"myelin/internal/auth/certs"
	"myelin/internal/auth/certs/certtest"
	"myelin/internal/auth/role"
	"myelin/internal/broker"
	"myelin/internal/broker/access"
	"myelin/internal/broker/store"
	"myelin/internal/clock"
)

// running is a process on ports of its own.
type running struct {
	Addresses
	pg  string // host:port
	tls *tls.Config
}

// runProject starts everything in this process and stops it when the test ends.
func runProject(t *testing.T, a *certtest.Authority, config string) running {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "myelin.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended, ready := make(chan error, 1), make(chan Addresses, 1)
	go func() {
		ended <- Run(ctx, Options{Project: dir, Data: filepath.Join(dir, "data"), HTTP: "127.0.0.1:0", Kafka: "127.0.0.1:0", Postgres: "127.0.0.1:0"},
			func(a Addresses) { ready <- a })
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	trust, err := certs.Client{CA: a.File}.Config()
	if err != nil {
		t.Fatal(err)
	}
	select {
	case addr := <-ready:
		_, pg, _ := strings.Cut(addr.Postgres, "@")
		return running{Addresses: addr, pg: strings.TrimSuffix(pg, "/myelin"), tls: trust}
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	case <-time.After(time.Minute):
		t.Fatal("not ready within 30 s")
	}
	panic("unreachable")
}

func (r running) do(t *testing.T, method, path, user, body string) (int, string) {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: r.tls.Clone(), ForceAttemptHTTP2: true}, Timeout: time.Minute}
	defer c.CloseIdleConnections()
	req, err := http.NewRequest(method, r.UI+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if name, password, ok := strings.Cut(user, ":"); ok {
		req.SetBasicAuth(name, password)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestEveryPortAsksWhoItIs(t *testing.T) {
	a := certtest.New(t)
	cert, key := a.Issue(t, "server")
	files := fmt.Sprintf("tls: {cert: %s, key: %s}", cert, key)
	r := runProject(t, a, `
http: {`+files+`}
kafka: {`+files+`}
postgres: {`+files+`}
trust_loopback: false
sources: [{name: shop, write_keys: [wk]}]
users:
  - {name: ana, password: "ana's password", role: analyst}
  - {name: eve, password: "eve's password", role: engineer}
  - {name: vic, password: "vic's password", role: viewer}
`)
	if code, body := r.do(t, "POST", "/v1/track", "wk:", `{"event":"Signed Up","userId":"u1"}`); code != 200 {
		t.Errorf("an event over HTTPS: %d %s", code, body)
	}
	for user, want := range map[string]int{"": 401, "ana:wrong": 401, "ana:ana's password": 200} {
		if code, _ := r.do(t, "GET", "/api/overview", user, ""); code != want {
			t.Errorf("%q: %d", user, code)
		}
	}
	if code, _ := r.do(t, "GET", "/metrics", "", ""); code != 401 {
		t.Errorf("metrics without a password: %d", code)
	}
	if code, body := r.do(t, "GET", "/metrics", "vic:vic's password", ""); code != 200 || !strings.Contains(body, `myelin_tls_expiry_seconds{port="kafka"}`) {
		t.Errorf("metrics: %d", code)
	}

	sql := func(user, password, statement string) error {
		cfg, err := pgx.ParseConfig(fmt.Sprintf("postgres://%s/myelin?sslmode=require", r.pg))
		if err != nil {
			t.Fatal(err)
		}
		cfg.User, cfg.Password = user, password
		cfg.TLSConfig = r.tls.Clone()
		cfg.TLSConfig.ServerName = "localhost"
		c, err := pgx.ConnectConfig(within(t), cfg)
		if err != nil {
			return err
		}
		defer c.Close(context.Background())
		_, err = c.Exec(within(t), statement)
		return err
	}
	const view = "CREATE MATERIALIZED VIEW v AS SELECT user_key, count(*) AS n FROM events GROUP BY user_key"
	const sink = "CREATE SINK s FROM v WITH (connector = 'webhook', url = 'http://127.0.0.1:9/x', key = 'user_key')"
	for _, tc := range []struct{ user, password, statement, says string }{
		{"ana", "ana's password", "SELECT 1", ""},
		{"ana", "wrong", "SELECT 1", "28P01"},
		{"vic", "vic's password", "SELECT 1", "28000"},
		{"ana", "ana's password", view, ""},
		{"ana", "ana's password", sink, "42501"},
		{"eve", "eve's password", sink, ""},
		{"ana", "ana's password", "DROP SINK s", "42501"},
	} {
		err := sql(tc.user, tc.password, tc.statement)
		if tc.says == "" && err != nil || tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)) {
			t.Errorf("%s %s: %v", tc.user, tc.statement, err)
		}
	}

	kafka := func(user, password string) *kgo.Client {
		c, err := kgo.NewClient(kgo.SeedBrokers(r.Kafka), kgo.DialTLSConfig(r.tls.Clone()), kgo.RetryTimeout(30*time.Second), kgo.ConsumeTopics("events.in"),
			kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism()), kgo.DisableIdempotentWrite())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	event := func() *kgo.Record {
		return &kgo.Record{Topic: "events.in", Value: []byte(`{"type":"track","event":"Signed Up","userId":"u2"}`), Headers: []kgo.RecordHeader{{Key: "source", Value: []byte("shop")}}}
	}
	if err := kafka("eve", "eve's password").ProduceSync(within(t), event()).FirstErr(); err != nil {
		t.Errorf("an engineer over Kafka: %v", err)
	}
	viewer := kafka("vic", "vic's password")
	if err := viewer.ProduceSync(within(t), event()).FirstErr(); err == nil {
		t.Error("a viewer produced")
	}
	if fs := viewer.PollFetches(within(t)); fs.Err() != nil || fs.NumRecords() == 0 {
		t.Errorf("a viewer over Kafka: %v", fs.Err())
	}
	if err := kafka("eve", "wrong").Ping(within(t)); err == nil {
		t.Error("a wrong password got in over Kafka")
	}
}

func TestClusterBehindTLSAndLogin(t *testing.T) {
	a := certtest.New(t)
	cert, key := a.Issue(t, "server")
	source, err := certs.Open(certs.Files{Cert: cert, Key: key, ClientCA: a.File})
	if err != nil {
		t.Fatal(err)
	}
	users, err := auth.NewUsers([]auth.Credential{{Person: role.Person{Name: "myelin", Role: role.Engineer}, Password: "the cluster's password"}}, clock.Real{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := broker.Open(broker.Config{
		Dir: "data", FS: vfs.NewMem(), Store: store.Config{WALFileBytes: 32 << 20, MinFreeBytes: -1, BallastBytes: -1}, TLS: source.Config(),
		Access: access.Config{Users: users, Trust: func(net.Addr) bool { return false }},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- b.Serve(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	clientCert, clientKey := a.Issue(t, "somebody")
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			r := runProject(t, a, fmt.Sprintf(`
kafka:
  brokers: [%q]
  tls: {ca: %s, cert: %s, key: %s}
  sasl: {mechanism: %s, username: myelin, password: "the cluster's password"}
sources: [{name: shop, write_keys: [wk]}]
`, ln.Addr(), a.File, clientCert, clientKey, mechanism))
			if code, body := r.do(t, "POST", "/v1/track", "wk:", `{"event":"Signed Up","userId":"`+mechanism+`"}`); code != 200 {
				t.Fatalf("%d %s", code, body)
			}
			for deadline := time.Now().Add(time.Minute); ; {
				code, body := r.do(t, "GET", "/api/events", "", "")
				if code == 200 && strings.Contains(body, `"`+mechanism+`"`) {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("the event is not in the checked events: %d %s", code, body)
				}
			}
		})
	}
}
