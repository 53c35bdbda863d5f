package notify_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"myelin/internal/auth/role"
	"myelin/internal/clock"
	"myelin/internal/connect/webhook"
	"myelin/internal/trust/incident"
	"myelin/internal/trust/notify"
	"myelin/internal/trust/watch"
)

type table map[string][]byte

func (t table) Load(context.Context) (map[string][]byte, error) { return t, nil }

func (t table) Save(_ context.Context, key string, value []byte) error { t[key] = value; return nil }

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// post is a mail server: one session at a time, STARTTLS and PLAIN login demanded, mails kept.
type post struct {
	listener net.Listener
	tls      *tls.Config
	roots    *x509.CertPool
	mails    chan string
	refuse   chan bool
}

func newPost(t *testing.T) *post {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	p := &post{mails: make(chan string, 10), refuse: make(chan bool, 1), roots: x509.NewCertPool(),
		tls: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}}
	p.roots.AddCert(cert)
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := p.listener.Accept()
			if err != nil {
				return
			}
			p.serve(conn)
		}
	}()
	t.Cleanup(func() { _ = p.listener.Close(); <-done })
	return p
}

func (p *post) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	c := textproto.NewConn(conn)
	say := func(line string) { _ = c.PrintfLine("%s", line) }
	say("220 mail ready")
	secure, known := false, false
	for {
		line, err := c.ReadLine()
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(line, " ")
		switch strings.ToUpper(verb) {
		case "EHLO":
			say("250-mail")
			if secure {
				say("250 AUTH PLAIN")
			} else {
				say("250 STARTTLS")
			}
		case "STARTTLS":
			say("220 go on")
			conn = tls.Server(conn, p.tls)
			c, secure = textproto.NewConn(conn), true
		case "AUTH":
			login, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(rest, "PLAIN "))
			if known = err == nil && string(login) == "\x00ana\x00secret"; known {
				say("235 welcome")
			} else {
				say("535 no")
			}
		case "MAIL", "RCPT":
			select {
			case <-p.refuse:
				say("451 come back later")
				continue
			default:
			}
			if !secure || !known {
				say("530 log in first")
				continue
			}
			say("250 fine")
		case "DATA":
			say("354 go on")
			text, err := c.ReadDotBytes()
			if err != nil {
				return
			}
			p.mails <- string(text)
			say("250 kept")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("502 what")
		}
	}
}

// world is a manager with one open incident, and a notifier.
type world struct {
	manager  *incident.Manager
	notifier *notify.Notifier
	clock    *clock.Manual
	table    table
}

func newWorld(t *testing.T, channels ...notify.Channel) *world {
	t.Helper()
	w := &world{clock: clock.NewManual(noon.Add(10 * time.Minute)), table: table{}}
	w.restart(t, channels...)
	return w
}

func (w *world) restart(t *testing.T, channels ...notify.Channel) {
	t.Helper()
	var err error
	if w.manager, err = incident.OpenManager(t.Context(), incident.Config{Table: w.table, Clock: w.clock}); err != nil {
		t.Fatal(err)
	}
	w.notifier = notify.New(notify.Config{Incidents: w.manager, Channels: channels, Table: w.table, URL: "https://myelin.example", Clock: w.clock, DigestAt: 13 * time.Hour,
		Lines: func(time.Time, time.Time) []string { return []string{"12,345 events came in."} }})
}

func (w *world) find(t *testing.T, open bool) {
	t.Helper()
	f := watch.Finding{Kind: watch.Nulls, Source: "shop-ios", Event: "Order Completed", Property: "currency", Open: open, Since: noon, At: noon.Add(5 * time.Minute), Observed: 0.2, Unit: "share",
		Samples: []json.RawMessage{json.RawMessage(`{"userId":"secret-person"}`)}}
	if err := w.manager.Found(t.Context(), []watch.Finding{f}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) look(t *testing.T) {
	t.Helper()
	if err := w.notifier.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestMailIsSentOnceOverSTARTTLSWithALogin(t *testing.T) {
	p := newPost(t)
	channel := notify.Channel{Name: "team", Sender: &notify.Mail{Server: p.listener.Addr().String(), User: "ana", Password: "secret",
		From: "Myelin <m@shop.example>", To: []string{"ana@shop.example", "Bo <bo@shop.example>"}, TLS: &tls.Config{RootCAs: p.roots}}}
	w := newWorld(t, channel)
	w.find(t, true)
	p.refuse <- true
	if err := w.notifier.Look(t.Context()); err == nil || !strings.Contains(err.Error(), "451") {
		t.Fatalf("the refusal went unnoticed: %v", err)
	}
	w.look(t) // too early
	if len(p.mails) != 0 {
		t.Fatal("tried again at once")
	}
	w.clock.Advance(time.Minute)
	w.look(t)
	w.restart(t, channel)
	w.look(t)
	if len(p.mails) != 1 {
		t.Fatalf("%d mails", len(p.mails))
	}
	head, body, _ := strings.Cut(<-p.mails, "\n\n")
	plain, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(head, "To: ana@shop.example, Bo <bo@shop.example>") || !strings.Contains(head, "Subject: =?utf-8?q?") && !strings.Contains(head, "lost `currency` in 20") ||
		!strings.Contains(string(plain), "Order Completed from shop-ios lost `currency` in 20 % of events since 12:00 UTC") || !strings.Contains(string(plain), "https://myelin.example/incidents/i-") {
		t.Errorf("got %s\n\n%s", head, plain)
	}
	w.find(t, false)
	w.look(t)
	if mail := <-p.mails; !strings.Contains(mail, "It is over: recovered.") {
		t.Errorf("got %s", mail)
	}
}

// inbox keeps what is posted to it.
type inbox struct {
	*httptest.Server
	bodies  chan []byte
	headers chan http.Header
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	b := &inbox{bodies: make(chan []byte, 10), headers: make(chan http.Header, 10)}
	b.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.bodies <- body
		b.headers <- r.Header
	}))
	t.Cleanup(b.Close)
	return b
}

func TestWebhooksAreSignedAndKeepPeopleInside(t *testing.T) {
	b := newInbox(t)
	w := newWorld(t, notify.Channel{Name: "ops", Sender: &notify.Webhook{URL: b.URL, Secret: "whsec_c2VjcmV0", Client: b.Client()}})
	w.find(t, true)
	w.look(t)
	body, header := <-b.bodies, <-b.headers
	if want := webhook.Sign([]byte("secret"), header.Get("webhook-id"), w.clock.Now(), body); header.Get("webhook-signature") != want {
		t.Errorf("the signature is %s, not %s", header.Get("webhook-signature"), want)
	}
	var p struct {
		Type     string
		Incident incident.Incident
	}
	if err := json.Unmarshal(body, &p); err != nil || p.Type != "incident.opened" || p.Incident.Property != "currency" {
		t.Errorf("got %s, %v", body, err)
	}
	if strings.Contains(string(body), "secret-person") {
		t.Error("the webhook carries somebody's event")
	}
}

// TestDigestsKeepPeopleInside has a digest that lists an incident, which holds whole events.
func TestDigestsKeepPeopleInside(t *testing.T) {
	b := newInbox(t)
	w := newWorld(t, notify.Channel{Name: "ops", Sender: &notify.Webhook{URL: b.URL, Client: b.Client()}, Digest: true})
	w.find(t, true)
	w.look(t)
	<-b.bodies
	w.clock.Advance(time.Hour)
	w.look(t)
	if body := string(<-b.bodies); !strings.Contains(body, `"type":"digest"`) || !strings.Contains(body, `"currency"`) || strings.Contains(body, "secret-person") {
		t.Errorf("the digest is %s", body)
	}
	if i := w.manager.List("", 1)[0]; len(i.Samples) != 1 {
		t.Error("the incident lost its events")
	}
}

func TestSlackAndDigest(t *testing.T) {
	b := newInbox(t)
	w := newWorld(t, notify.Channel{Name: "marketing", Sender: &notify.Slack{URL: b.URL, Client: b.Client()}, Digest: true})
	w.find(t, true)
	w.look(t)
	if body := string(<-b.bodies); !strings.Contains(body, `"blocks"`) || !strings.Contains(body, "lost `currency`") || !strings.Contains(body, "|Open in Myelin") {
		t.Errorf("got %s", body)
	}
	w.clock.Advance(time.Hour)
	w.look(t)
	if body := string(<-b.bodies); !strings.Contains(body, "1 open, 1 new, 0 resolved") || !strings.Contains(body, "12,345 events came in.") {
		t.Errorf("got %s", body)
	}
	w.clock.Advance(time.Hour)
	w.look(t)
	if len(b.bodies) != 0 {
		t.Error("two digests on one day")
	}
}

func TestChannelsAreToldOfWhatTheyWant(t *testing.T) {
	b := newInbox(t)
	sender := &notify.Slack{URL: b.URL, Client: b.Client()}
	w := newWorld(t, notify.Channel{Name: "a", Sender: sender, Severity: incident.Critical}, notify.Channel{Name: "b", Sender: sender, Sources: []string{"shop-web"}})
	w.find(t, true)
	w.look(t)
	if len(b.bodies) != 0 {
		t.Errorf("told: %s", <-b.bodies)
	}
	id := w.manager.List("", 1)[0].ID
	w = newWorld(t, notify.Channel{Name: "a", Sender: sender})
	w.find(t, true)
	if _, err := w.manager.Mute(t.Context(), role.Local, id, "", time.Time{}); err != nil {
		t.Fatal(err)
	}
	w.look(t)
	if len(b.bodies) != 0 {
		t.Errorf("told of a muted incident: %s", <-b.bodies)
	}
}

func TestAServerThatRefusesIsAnError(t *testing.T) {
	refusing := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusForbidden) }))
	defer refusing.Close()
	s := &notify.Slack{URL: refusing.URL, Client: refusing.Client()}
	if err := s.Send(t.Context(), notify.Message{Verb: notify.Opened, Zone: time.UTC}); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("got %v", err)
	}
	m := &notify.Mail{Server: "127.0.0.1:1", From: "a@b.c", To: []string{"a@b.c"}}
	if err := m.Send(t.Context(), notify.Message{Verb: notify.Opened, Zone: time.UTC}); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestAChannelThatFailsIsKnownUntilItIsTold: whoever is not told must be able to see it, and no secret address is shown.
func TestAChannelThatFailsIsKnownUntilItIsTold(t *testing.T) {
	b := newInbox(t)
	down := &notify.Slack{URL: "http://127.0.0.1:1/services/secret", Client: b.Client()}
	w := newWorld(t, notify.Channel{Name: "team", Sender: down}, notify.Channel{Name: "ops", Sender: &notify.Slack{URL: b.URL, Client: b.Client()}})
	w.find(t, true)
	if err := w.notifier.Look(t.Context()); err == nil {
		t.Fatal("nothing failed")
	}
	<-b.bodies
	failing := w.notifier.Failing()
	if len(failing) != 1 || failing[0].Channel != "team" || strings.Contains(failing[0].Err.Error(), "secret") {
		t.Fatalf("got %+v", failing)
	}
	*down = notify.Slack{URL: b.URL, Client: b.Client()}
	w.clock.Advance(time.Minute)
	w.look(t)
	<-b.bodies
	if failing := w.notifier.Failing(); len(failing) != 0 {
		t.Errorf("still failing: %+v", failing)
	}
}
