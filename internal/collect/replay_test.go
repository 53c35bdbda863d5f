package collect

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"myelin/internal/clock"
	"myelin/internal/event"
)

// recording is one request of a real SDK, from testdata/sdk_requests.jsonl; Body is stored decoded.
type recording struct {
	T            int64
	Label, Mode  string
	Method, URL  string
	Headers      map[string]string
	Encoding     string
	Body         json.RawMessage
	Resp, RawLen int
}

// segmentCalls are the recordings that are Segment calls, RudderStack's included.
func segmentCalls(t testing.TB) []recording {
	t.Helper()
	f, err := os.Open("testdata/sdk_requests.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []recording
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var r recording
		if err := json.Unmarshal(sc.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		path, _, _ := strings.Cut(r.URL, "?")
		if _, known := routes[path]; known || strings.HasSuffix(path, "/settings") {
			out = append(out, r)
		}
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// bytesSent is the body as the SDK sent it.
func (r *recording) bytesSent(t testing.TB) []byte {
	t.Helper()
	body := []byte(r.Body)
	if len(body) > 0 && body[0] == '"' { // a body that the recorder kept as text
		var text string
		if err := json.Unmarshal(body, &text); err != nil {
			t.Fatal(err)
		}
		body = []byte(text)
	}
	if strings.HasPrefix(r.Encoding, "gzip") {
		body = pack(t, "gzip", body)
	}
	return body
}

// TestRecordedSDKsGetWhatTheyExpect sends each recorded Segment request again and compares what is stored with what the
// SDK said, read independently by encoding/json.
func TestRecordedSDKsGetWhatTheyExpect(t *testing.T) {
	calls := segmentCalls(t)
	if len(calls) < 70 {
		t.Fatalf("only %d recordings", len(calls))
	}
	events := 0
	for n, rec := range calls {
		name := fmt.Sprintf("%d %s %s %s", n, rec.Label, rec.Method, rec.URL)
		received := time.UnixMilli(rec.T)
		d, m := open(t, func(c *Config) { c.Clock = clock.NewManual(received) })
		r := httptest.NewRequest(rec.Method, "http://"+rec.Headers["host"]+rec.URL, bytes.NewReader(rec.bytesSent(t)))
		for k, v := range rec.Headers {
			if k != "content-length" {
				r.Header.Set(k, v)
			}
		}
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		if origin := rec.Headers["origin"]; origin != "" && w.Header().Get("Access-Control-Allow-Origin") != origin {
			t.Errorf("%s: the browser would hide the answer: %v", name, w.Header())
		}
		recs := m.take()
		switch {
		case rec.Method == "OPTIONS":
			if w.Code != 204 || w.Header().Get("Access-Control-Allow-Headers") != rec.Headers["access-control-request-headers"] || w.Header().Get("Access-Control-Max-Age") != "7200" {
				t.Errorf("%s: %d %v", name, w.Code, w.Header())
			}
			continue
		case rec.Method == "GET":
			checkSettings(t, name, w, rec.Headers["host"])
			continue
		case w.Code != 200 || w.Body.String() != `{"success":true}`:
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
			continue
		}
		sent := eventsOf(t, rec.bytesOf(t))
		if len(recs) != len(sent) || len(sent) == 0 {
			t.Errorf("%s: %d events became %d records", name, len(sent), len(recs))
			continue
		}
		for i := range recs {
			checkStored(t, name, sent[i], recs[i].Value, received)
			if got := string(event.Header(&recs[i], "status")); got != "valid" {
				t.Errorf("%s: %s %s", name, got, recs[i].Value)
			}
			events++
		}
	}
	if events < 95 {
		t.Errorf("only %d events", events)
	}
}

func (r *recording) bytesOf(t testing.TB) []byte {
	plain := *r
	plain.Encoding = ""
	return plain.bytesSent(t)
}

func checkSettings(t *testing.T, name string, w *httptest.ResponseRecorder, host string) {
	t.Helper()
	var doc struct {
		Integrations map[string]struct{ APIKey, APIHost, Protocol string }
		Plan         struct{ Track map[string]any }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Code != 200 {
		t.Errorf("%s: %d %v", name, w.Code, err)
	}
	if s := doc.Integrations["Segment.io"]; s.APIHost != host+"/v1" || s.APIKey != "WK_TEST" || s.Protocol != "http" || doc.Plan.Track["__default"] == nil {
		t.Errorf("%s: %s", name, w.Body)
	}
}

type loose = map[string]any

// eventsOf lists a call's events with the members that its batch gives to each.
func eventsOf(t *testing.T, body []byte) []loose {
	t.Helper()
	var root loose
	if err := json.Unmarshal(body, &root); err != nil {
		t.Fatal(err)
	}
	list, isBatch := root["batch"].([]any)
	if !isBatch {
		return []loose{root}
	}
	var out []loose
	for _, x := range list {
		e := x.(loose)
		if _, ok := e["sentAt"]; !ok && root["sentAt"] != nil {
			e["sentAt"] = root["sentAt"]
		}
		out = append(out, e)
	}
	return out
}

// checkStored compares a canonical event with what was sent.
func checkStored(t *testing.T, name string, sent loose, value []byte, received time.Time) {
	t.Helper()
	var got loose
	if err := json.Unmarshal(value, &got); err != nil {
		t.Errorf("%s: %v in %s", name, err, value)
		return
	}
	when := func(m loose, key string) time.Time {
		s, _ := m[key].(string)
		if s == "" {
			return time.Time{}
		}
		at, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Errorf("%s: %s %q", name, key, s)
		}
		return at
	}
	original := when(sent, "originalTimestamp")
	if original.IsZero() {
		original = when(sent, "timestamp")
	}
	want := original
	if at := when(sent, "sentAt"); !at.IsZero() && received.Sub(at).Abs() >= 2*time.Second {
		want = original.Add(received.Sub(at))
	}
	if !when(got, "timestamp").Equal(want) || !when(got, "originalTimestamp").Equal(original) || !when(got, "sentAt").Equal(when(sent, "sentAt")) || !when(got, "receivedAt").Equal(received) {
		t.Errorf("%s: times of %s; sent %v", name, value, sent)
	}
	m, _ := got["myelin"].(loose)
	if m["source"] != "web" || m["protocol"] != "segment" || m["plan"] != "shop" || m["status"] != "valid" {
		t.Errorf("%s: %v", name, m)
	}
	for _, key := range []string{"timestamp", "originalTimestamp", "sentAt", "receivedAt", "myelin", "writeKey"} {
		delete(sent, key)
		delete(got, key)
	}
	for k, v := range sent {
		if v == nil || v == "" && k == "userId" { // both mean absent
			delete(sent, k)
		}
	}
	a, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("%s:\nsent   %s\nstored %s", name, a, b)
	}
	if first := []byte(`{"messageId":"`); !bytes.HasPrefix(value, first) {
		t.Errorf("%s: %s", name, value)
	}
}
