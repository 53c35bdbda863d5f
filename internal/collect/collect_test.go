package collect

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/clock"
	"myelin/internal/event"
	"myelin/internal/lint/leak"
	"myelin/internal/log"
	"myelin/internal/tape"
)

func TestMain(m *testing.M) { leak.Main(m) }

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// memory is an Appender that keeps copies of what it is given.
type memory struct {
	mu struct {
		sync.Mutex
		calls   int
		records []kgo.Record
		err     error
	}
}

func (m *memory) Append(_ context.Context, recs []*kgo.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.calls++
	if m.mu.err != nil {
		return m.mu.err
	}
	for _, r := range recs {
		c := kgo.Record{Topic: r.Topic, Timestamp: r.Timestamp, Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value)}
		for _, h := range r.Headers {
			c.Headers = append(c.Headers, kgo.RecordHeader{Key: h.Key, Value: bytes.Clone(h.Value)})
		}
		m.mu.records = append(m.mu.records, c)
	}
	return nil
}

func (m *memory) take() []kgo.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := m.mu.records
	m.mu.records = nil
	return out
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.err = err
}

// strict is a Judge that knows one event and wants its total to be a number.
type strict struct{}

func (strict) Judge(_ string, e *event.Event, v *event.Verdict) {
	v.Plan = "shop"
	if e.Type != event.Track {
		return
	}
	if string(e.Name) == "Unplanned" {
		v.Add(event.Violation{Code: event.UnplannedEvent, Path: "/event", Severity: event.Error})
	}
	if i := e.Doc.Get(e.Properties, "total"); i >= 0 && e.Doc.Kind(i) == tape.String {
		v.Add(event.Violation{Code: event.TypeMismatch, Path: "/properties/total", Expected: "number", Got: "string", Severity: event.Error})
	}
}

func open(t testing.TB, change func(*Config)) (*Doors, *memory) {
	t.Helper()
	sealer, err := event.NewSealer([32]byte{7})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Sources: []Source{{Name: "web", Plan: "shop", WriteKeys: []string{"WK_TEST", "wk2"}}}, Sealer: sealer, Clock: clock.NewManual(noon)}
	if change != nil {
		change(&cfg)
	}
	m := new(memory)
	d, err := New(cfg, strict{}, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d, m
}

// send posts body with header pairs and returns the answer.
func send(d http.Handler, path string, body []byte, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, bytes.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

const keyed = "Basic V0tfVEVTVDo="

func TestEveryPathStoresItsType(t *testing.T) {
	d, m := open(t, nil)
	for _, c := range []struct{ path, typ string }{
		{"/v1/track", "track"}, {"/v1/t", "track"}, {"/v1/identify", "identify"}, {"/v1/i", "identify"}, {"/v1/page", "page"}, {"/v1/p", "page"}, {"/v1/page/", "page"},
		{"/v1/screen", "screen"}, {"/v1/s", "screen"}, {"/v1/group", "group"}, {"/v1/g", "group"}, {"/v1/alias", "alias"}, {"/v1/a", "alias"},
	} {
		w := send(d, c.path, []byte(`{"event":"E","userId":"u","messageId":"m1","type":"whatever"}`), "Authorization", keyed)
		recs := m.take()
		if w.Code != 200 || w.Body.String() != `{"success":true}` || w.Header().Get("Content-Type") != "application/json" || len(recs) != 1 {
			t.Fatalf("%s: %d %s, %d records", c.path, w.Code, w.Body, len(recs))
		}
		r := &recs[0]
		if got := string(event.Header(r, "type")); got != c.typ || r.Topic != "events.in" || string(r.Key) != "u" || string(event.Header(r, "mid")) != "m1" || !r.Timestamp.Equal(noon) {
			t.Errorf("%s: type %s, topic %s, key %s", c.path, got, r.Topic, r.Key)
		}
		if !d.cfg.Sealer.Check(r) {
			t.Errorf("%s: the record's seal does not hold", c.path)
		}
	}
	for _, path := range []string{"/v1/batch", "/v1/b", "/b", "/v1/import", "/beacon/v1/batch"} {
		w := send(d, path, []byte(`{"batch":[{"type":"track","event":"E","userId":"u"},{"type":"page","anonymousId":"a"},7],"sentAt":"2026-11-22T12:00:00Z"}`), "Authorization", keyed)
		if recs := m.take(); w.Code != 200 || len(recs) != 3 {
			t.Errorf("%s: %d %s, %d records", path, w.Code, w.Body, len(recs))
		}
	}
}

func TestWriteKeyCountsWhereverItStands(t *testing.T) {
	d, m := open(t, nil)
	const plain = `{"event":"E","userId":"u"}`
	for name, w := range map[string]*httptest.ResponseRecorder{
		"basic":             send(d, "/v1/track", []byte(plain), "Authorization", keyed),
		"basic, no colon":   send(d, "/v1/track", []byte(plain), "Authorization", "basic "+base64.StdEncoding.EncodeToString([]byte("wk2"))),
		"basic, password":   send(d, "/v1/track", []byte(plain), "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("wk2:x"))),
		"query":             send(d, "/v1/track?a=b&writeKey=WK_TEST", []byte(plain)),
		"header":            send(d, "/v1/track", []byte(plain), "X-Write-Key", "WK_TEST"),
		"header and secret": send(d, "/v1/track", []byte(plain), "X-Write-Key", "WK_TEST:s3cret"),
		"body":              send(d, "/v1/track", []byte(`{"event":"E","userId":"u","writeKey":"WK_TEST"}`)),
		"batch body":        send(d, "/v1/batch", []byte(`{"batch":[],"writeKey":"WK_TEST"}`)),
		"batch item":        send(d, "/v1/batch", []byte(`{"batch":[{"type":"page","userId":"u","writeKey":"WK_TEST"}]}`)),
		"empty basic, body": send(d, "/v1/track", []byte(`{"event":"E","userId":"u","writeKey":"wk2"}`), "Authorization", "Basic Og=="),
	} {
		if w.Code != 200 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	m.take()
	for name, c := range map[string]struct {
		w    *httptest.ResponseRecorder
		code string
	}{
		"none":         {send(d, "/v1/track", []byte(plain)), "no_write_key"},
		"unknown":      {send(d, "/v1/track", []byte(plain), "X-Write-Key", "nope"), "unknown_key"},
		"unknown body": {send(d, "/v1/batch", []byte(`{"batch":[{"type":"page","userId":"u"}],"writeKey":"secretkey1"}`)), "unknown_key"},
		"bearer":       {send(d, "/v1/track", []byte(plain), "Authorization", "Bearer WK_TEST"), "no_write_key"},
		"not base64":   {send(d, "/v1/track", []byte(plain), "Authorization", "Basic ***"), "no_write_key"},
		"not a string": {send(d, "/v1/track", []byte(`{"writeKey":5}`)), "no_write_key"},
		"long":         {send(d, "/v1/track", []byte(plain), "Authorization", "Basic "+strings.Repeat("QUJD", 100)), "no_write_key"},
	} {
		if c.w.Code != 401 || !strings.Contains(c.w.Body.String(), `"code":"`+c.code+`"`) || strings.Contains(c.w.Body.String(), "secretkey1") {
			t.Errorf("%s: %d %s", name, c.w.Code, c.w.Body)
		}
		var e struct {
			Success bool
			Error   struct{ Code, Message, Hint string }
		}
		if err := json.Unmarshal(c.w.Body.Bytes(), &e); err != nil || e.Error.Hint == "" || e.Error.Message == "" {
			t.Errorf("%s: %v %s", name, err, c.w.Body)
		}
	}
	if recs := m.take(); len(recs) != 0 {
		t.Errorf("%d records without a key", len(recs))
	}
}

func pack(t testing.TB, how string, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	var w io.WriteCloser
	switch how {
	case "gzip":
		w = gzip.NewWriter(&buf)
	case "zlib":
		w = zlib.NewWriter(&buf)
	case "flate":
		w, _ = flate.NewWriter(&buf, 6)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestBodiesOfEveryEncoding(t *testing.T) {
	d, m := open(t, nil)
	body := []byte(`{"event":"E","userId":"u","properties":{"x":"` + strings.Repeat("ab", 3000) + `"}}`)
	for range 3 { // decoders are reused
		for name, c := range map[string]struct {
			body    []byte
			headers []string
		}{
			"text/plain":       {body, []string{"Content-Type", "text/plain"}},
			"gzip":             {pack(t, "gzip", body), []string{"Content-Encoding", "gzip"}},
			"gzip, form":       {pack(t, "gzip", body), []string{"Content-Encoding", "gzip", "Content-Type", "application/x-www-form-urlencoded"}},
			"gzip, undeclared": {pack(t, "gzip", body), nil},
			"deflate":          {pack(t, "zlib", body), []string{"Content-Encoding", "deflate"}},
			"bare deflate":     {pack(t, "flate", body), []string{"Content-Encoding", "deflate"}},
			"BOM":              {append([]byte("\xef\xbb\xbf"), body...), nil},
		} {
			w := send(d, "/v1/track", c.body, append(c.headers, "Authorization", keyed)...)
			if recs := m.take(); w.Code != 200 || len(recs) != 1 || !bytes.Contains(recs[0].Value, []byte(strings.Repeat("ab", 3000))) {
				t.Errorf("%s: %d %s, %d records", name, w.Code, w.Body, len(recs))
			}
		}
	}
}

func TestBadRequestsAreRefusedInJSON(t *testing.T) {
	d, m := open(t, nil)
	ok := []byte(`{"event":"E","userId":"u"}`)
	bomb := pack(t, "gzip", bytes.Repeat([]byte(" "), 64<<20))
	for name, c := range map[string]struct {
		w      *httptest.ResponseRecorder
		status int
		code   string
	}{
		"not JSON":         {send(d, "/v1/track", []byte("hello"), "Authorization", keyed), 400, "bad_json"},
		"cut JSON":         {send(d, "/v1/batch", []byte(`{"batch":[`), "Authorization", keyed), 400, "bad_json"},
		"invalid UTF-8":    {send(d, "/v1/track", []byte("{\"event\":\"\xff\"}"), "Authorization", keyed), 400, "bad_json"},
		"empty":            {send(d, "/v1/track", nil, "Authorization", keyed), 400, "bad_json"},
		"no batch":         {send(d, "/v1/batch", []byte(`{"x":1}`), "Authorization", keyed), 400, "not_a_batch"},
		"batch of text":    {send(d, "/v1/batch", []byte(`{"batch":"x"}`), "Authorization", keyed), 400, "not_a_batch"},
		"batch is a word":  {send(d, "/v1/batch", []byte(`null`), "Authorization", keyed), 400, "not_a_batch"},
		"10 MB":            {send(d, "/v1/track", bytes.Repeat([]byte(" "), 10<<20), "Authorization", keyed), 413, "too_large"},
		"gzip bomb":        {send(d, "/v1/track", bomb, "Authorization", keyed, "Content-Encoding", "gzip"), 413, "too_large"},
		"broken gzip":      {send(d, "/v1/track", pack(t, "gzip", ok)[:15], "Authorization", keyed, "Content-Encoding", "gzip"), 400, "decode_failed"},
		"gzip in name":     {send(d, "/v1/track", ok, "Authorization", keyed, "Content-Encoding", "gzip"), 400, "decode_failed"},
		"brotli":           {send(d, "/v1/track", ok, "Authorization", keyed, "Content-Encoding", "br"), 415, "unsupported_encoding"},
		"deep":             {send(d, "/v1/track", bytes.Repeat([]byte("["), 1<<20), "Authorization", keyed), 400, "bad_json"},
		"too many events":  {send(d, "/v1/batch", []byte(`{"batch":[`+strings.Repeat("0,", 20000)+`0]}`), "Authorization", keyed), 413, "too_many_events"},
		"swelling context": {send(d, "/v1/batch", []byte(`{"context":{"x":"`+strings.Repeat("y", 1<<20)+`"},"batch":[`+strings.Repeat("{},", 500)+`{}]}`), "Authorization", keyed), 413, "too_large"},
		"swelling batch":   {send(d, "/v1/batch", []byte(`{"context":{"x":"`+strings.Repeat("y", 200<<10)+`"},"batch":[`+strings.Repeat("{},", 500)+`{}]}`), "Authorization", keyed), 413, "too_large"},
		"path":             {send(d, "/v1/nothing", ok, "Authorization", keyed), 404, "unknown_path"},
		"settings by POST": {send(d, "/v1/projects/WK_TEST/settings", ok), 405, "method_not_allowed"},
	} {
		var e struct {
			Success bool
			Error   struct{ Code, Message, Hint string }
		}
		if err := json.Unmarshal(c.w.Body.Bytes(), &e); err != nil || c.w.Code != c.status || e.Error.Code != c.code || e.Error.Hint == "" || c.w.Header().Get("Retry-After") != "" {
			t.Errorf("%s: %d %s %v", name, c.w.Code, c.w.Body, err)
		}
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, httptest.NewRequest("GET", "/v1/track", nil))
	if w.Code != 405 || w.Header().Get("Allow") != "POST, OPTIONS" {
		t.Errorf("GET: %d %v", w.Code, w.Header())
	}
	if recs := m.take(); len(recs) != 0 {
		t.Errorf("%d records of bad requests", len(recs))
	}
	if n := d.inFlight.Load(); n != 0 {
		t.Errorf("%d bytes still accounted", n)
	}
}

func TestWhatTheLogCannotTakeIsAnswered429(t *testing.T) {
	d, m := open(t, nil)
	ok := []byte(`{"event":"E","userId":"u"}`)
	for _, c := range []struct {
		err        error
		status     int
		retryAfter bool
	}{
		{fmt.Errorf("buffer: %w", log.ErrOverloaded), 429, true}, {errors.New("disk on fire"), 500, false}, {nil, 200, false},
	} {
		m.fail(c.err)
		w := send(d, "/v1/track", ok, "Authorization", keyed, "Origin", "https://shop.example")
		if w.Code != c.status || (w.Header().Get("Retry-After") != "") != c.retryAfter || w.Header().Get("Access-Control-Expose-Headers") != "Retry-After" {
			t.Errorf("%v: %d %v", c.err, w.Code, w.Header())
		}
	}
	d.SetReady(false)
	if w := send(d, "/v1/track", ok, "Authorization", keyed); w.Code != 429 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("closed doors: %d %v", w.Code, w.Header())
	}
	d.SetReady(true)
	st := d.Stats()
	if st.Stored != [4]int64{1, 0, 0, 0} || st.Refused != 2 || st.RefusedRequests["not_ready"] != 1 || st.PerSecond[59] != 1 {
		t.Errorf("%+v", st)
	}
	if n := m.mu.calls; n != 3 {
		t.Errorf("%d appends", n)
	}
}

func TestMemoryOfBodiesIsBounded(t *testing.T) {
	d, _ := open(t, func(c *Config) { c.Limits.InFlightBytes = 1 << 20 })
	w := send(d, "/v1/track", bytes.Repeat([]byte(" "), 2<<20), "Authorization", keyed)
	if w.Code != 429 || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := send(d, "/v1/track", []byte(`{"event":"E","userId":"u"}`), "Authorization", keyed); w.Code != 200 {
		t.Errorf("afterwards: %d %s", w.Code, w.Body)
	}
}

func TestAPlanViolationNeverFailsARequest(t *testing.T) {
	d, m := open(t, nil)
	body := []byte(`{"batch":[{"type":"track","event":"Unplanned","userId":"u","messageId":"1"},{"type":"track","event":"E","userId":"u","properties":{"total":"12"},"messageId":"2"},{"type":"track","event":"E","messageId":"3"},{"type":"track","event":"E","userId":"u","messageId":"4"},{"type":"nope","userId":"u","messageId":"5"}]}`)
	w := send(d, "/v1/batch", body, "Authorization", keyed, "Myelin-Validate", "report")
	if w.Code != 200 {
		t.Fatal(w.Code)
	}
	var got struct {
		Success, Valid bool
		Results        []struct {
			MessageID, Type, Event, Status string
			Violations                     []struct{ Code, Path string }
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, r := range got.Results {
		for _, v := range r.Violations {
			said = append(said, r.MessageID+" "+r.Status+" "+v.Code+" "+v.Path)
		}
	}
	want := []string{"1 quarantined unplanned_event /event", "2 quarantined type_mismatch /properties/total", "3 quarantined no_id /userId", "5 quarantined unknown_type /type"}
	if !slices.Equal(said, want) || !got.Success || got.Valid || len(got.Results) != 5 {
		t.Errorf("%q %s", said, w.Body)
	}
	recs := m.take()
	if len(recs) != 5 || string(event.Header(&recs[0], "status")) != "quarantined" || string(event.Header(&recs[3], "status")) != "valid" || !bytes.Contains(recs[1].Value, []byte(`"properties":{"total":"12"}`)) {
		t.Errorf("%d records", len(recs))
	}
	if w = send(d, "/v1/validate", body, "Authorization", keyed); w.Code != 200 || !strings.Contains(w.Body.String(), `"valid":false`) || len(m.take()) != 0 {
		t.Errorf("validate: %d %s", w.Code, w.Body)
	}
	if w = send(d, "/v1/validate", []byte(`{"type":"track","event":"E","userId":"u"}`), "Authorization", keyed); w.Code != 200 || !strings.Contains(w.Body.String(), `"valid":true`) {
		t.Errorf("validate: %d %s", w.Code, w.Body)
	}
}

func TestRetriesWithoutMessageIDAreRecognised(t *testing.T) {
	d, m := open(t, nil)
	ids := func(headers ...string) string {
		send(d, "/v1/batch", []byte(`{"batch":[{"type":"track","event":"E","userId":"u"},{"type":"track","event":"E","userId":"u"}]}`), append(headers, "Authorization", keyed)...)
		recs := m.take()
		return string(event.Header(&recs[0], "mid")) + " " + string(event.Header(&recs[1], "mid"))
	}
	if ids() == ids() || ids("X-Retry-Count", "0") == ids("X-Retry-Count", "0") {
		t.Error("first tries get fresh ids")
	}
	if a, b := ids("X-Retry-Count", "1"), ids("X-Retry-Count", "2"); a != b || a[:36] == a[37:] {
		t.Errorf("%s, %s", a, b)
	}
}

func TestBrowsersAreLetIn(t *testing.T) {
	d, _ := open(t, nil)
	r := httptest.NewRequest("OPTIONS", "/v1/b", nil)
	r.Header.Set("Origin", "https://shop.example")
	r.Header.Set("Access-Control-Request-Method", "POST")
	r.Header.Set("Access-Control-Request-Headers", "authorization,x-retry-count")
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	for k, want := range map[string]string{
		"Access-Control-Allow-Origin": "https://shop.example", "Access-Control-Allow-Headers": "authorization,x-retry-count", "Access-Control-Max-Age": "7200",
		"Access-Control-Allow-Credentials": "true", "Access-Control-Allow-Methods": "GET, POST, OPTIONS", "Vary": "Origin",
	} {
		if got := w.Header().Get(k); got != want {
			t.Errorf("%s: %q", k, got)
		}
	}
	if w.Code != 204 || w.Body.Len() != 0 {
		t.Errorf("preflight: %d", w.Code)
	}
	for _, c := range []struct{ path, body string }{{"/v1/t", `{"event":"E","userId":"u"}`}, {"/v1/t", `nope`}, {"/v1/nowhere", ``}} {
		w := send(d, c.path, []byte(c.body), "Authorization", keyed, "Origin", "null")
		if w.Header().Get("Access-Control-Allow-Origin") != "null" || w.Header().Get("Access-Control-Expose-Headers") != "Retry-After" {
			t.Errorf("%s: %v", c.path, w.Header())
		}
	}
}

func TestSettings(t *testing.T) {
	d, _ := open(t, nil)
	for path, want := range map[string]int{"/v1/projects/WK_TEST/settings": 200, "/projects/wk2/settings": 200, "/v1/projects/nope/settings": 404, "/v1/projects//settings": 404, "/v1/projects/a/b/settings": 404, "/projects/wk2": 404} {
		w := httptest.NewRecorder()
		d.ServeHTTP(w, httptest.NewRequest("GET", "http://collect.example:8080"+path, nil))
		if w.Code != want || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if want == 200 && !strings.Contains(w.Body.String(), `"apiHost":"collect.example:8080/v1","protocol":"http"`) {
			t.Errorf("%s: %s", path, w.Body)
		}
	}
}

func TestPixel(t *testing.T) {
	d, m := open(t, nil)
	data := base64.RawURLEncoding.EncodeToString([]byte(`{"writeKey":"WK_TEST","event":"Email Opened","userId":"ü?>u"}`))
	for path, want := range map[string]int{"/v1/pixel/track?data=" + data: 1, "/v1/pixel/track?data=***": 0, "/v1/pixel/what?data=" + data: 0, "/v1/pixel/page": 0} {
		w := httptest.NewRecorder()
		d.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if recs := m.take(); w.Code != 200 || w.Header().Get("Content-Type") != "image/gif" || len(recs) != want {
			t.Errorf("%s: %d %v, %d records", path, w.Code, w.Header(), len(recs))
		}
	}
}

func TestSourcesCanChange(t *testing.T) {
	d, _ := open(t, nil)
	ok := []byte(`{"event":"E","userId":"u"}`)
	send(d, "/v1/track", ok, "X-Write-Key", "wk2")
	if err := d.SetSources([]Source{{Name: "web", WriteKeys: []string{"new"}}, {Name: "app", WriteKeys: []string{"new"}}}); err == nil {
		t.Error("two sources with one key")
	}
	if err := d.SetSources([]Source{{Name: "web", WriteKeys: []string{"new"}}}); err != nil {
		t.Fatal(err)
	}
	if w := send(d, "/v1/track", ok, "X-Write-Key", "wk2"); w.Code != 401 {
		t.Error(w.Code)
	}
	send(d, "/v1/track", ok, "X-Write-Key", "new")
	if s := d.Sources(); len(s) != 1 || s[0].Total() != 2 || !s[0].LastSeen.Equal(noon) || s[0].PerSecond[59] != 2 {
		t.Errorf("%+v", s)
	}
}

func TestNoPathIsRedirected(t *testing.T) {
	d, m := open(t, nil)
	mux := http.NewServeMux()
	for _, pattern := range Routes {
		mux.Handle(pattern, d)
	}
	s := &http.Server{Handler: mux}
	Harden(s)
	for _, path := range []string{"/v1/batch", "//v1/batch", "//v1//b/", "/b"} {
		w := send(s.Handler, path, []byte(`{"batch":[{"event":"E","userId":"u"}]}`), "Authorization", keyed)
		if recs := m.take(); w.Code != 200 || len(recs) != 1 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if s.ReadHeaderTimeout == 0 || s.IdleTimeout == 0 || s.MaxHeaderBytes == 0 {
		t.Error("a server without limits")
	}
}

// TestSlowBodyIsCutOff runs over a real connection, since only those have deadlines.
func TestSlowBodyIsCutOff(t *testing.T) {
	d, m := open(t, func(c *Config) { c.Limits.BodyTimeout = 50 * time.Millisecond })
	srv := httptest.NewServer(d)
	defer srv.Close()
	for key, want := range map[string][]string{
		keyed:            {"HTTP/1.1 429", "slow_body"},
		"Basic bm9wZTo=": {"HTTP/1.1 401", "unknown_key"}, // refused unread, and yet not waited for
	} {
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Length: 1000\r\n\r\n{\"event\"", key)
		answer, err := io.ReadAll(conn)
		if err != nil || !bytes.HasPrefix(answer, []byte(want[0])) || !bytes.Contains(answer, []byte(want[1])) {
			t.Errorf("%v %s", err, answer)
		}
	}
	if recs := m.take(); len(recs) != 0 {
		t.Errorf("%d records", len(recs))
	}
}

// TestHangingUpKeepsWhatWasRead has the sender go away while its event waits for the disk.
func TestHangingUpKeepsWhatWasRead(t *testing.T) {
	d, _ := open(t, nil)
	entered, leave, result := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	d.appender = appendFunc(func(ctx context.Context, _ []*kgo.Record) error {
		close(entered)
		<-leave
		result <- ctx.Err()
		return ctx.Err()
	})
	srv := httptest.NewServer(d)
	defer srv.Close()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, "POST", srv.URL+"/v1/track?writeKey=WK_TEST", strings.NewReader(`{"event":"E","userId":"u"}`))
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		resp, err := srv.Client().Do(req)
		if err == nil {
			resp.Body.Close()
		}
	}()
	<-entered
	cancel()
	<-gone
	close(leave)
	if err := <-result; err != nil {
		t.Error(err)
	}
}

type appendFunc func(context.Context, []*kgo.Record) error

func (f appendFunc) Append(ctx context.Context, recs []*kgo.Record) error { return f(ctx, recs) }
