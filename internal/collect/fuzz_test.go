package collect

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"testing"
)

// FuzzServeHTTP feeds the doors any body under any encoding: they answer in JSON with a known status, and what they store
// is canonical.
func FuzzServeHTTP(f *testing.F) {
	for _, rec := range segmentCalls(f) {
		if rec.Method == "POST" {
			f.Add(rec.URL, rec.Headers["content-encoding"], rec.bytesSent(f))
		}
	}
	f.Add("/v1/batch", "deflate", pack(f, "zlib", []byte(`{"batch":[1,null,{}]}`)))
	f.Add("/v1/track", "", []byte("\x1f\x8b"))
	d, m := open(f, nil)
	f.Fuzz(func(t *testing.T, url, encoding string, body []byte) {
		r := httptest.NewRequest("POST", "/v1/batch", bytes.NewReader(body))
		r.URL.Path = url
		r.Header.Set("Content-Encoding", encoding)
		r.Header.Set("Authorization", keyed)
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		switch w.Code {
		case 200:
		case 400, 401, 404, 405, 413, 415:
			if !json.Valid(w.Body.Bytes()) {
				t.Fatalf("%d %q", w.Code, w.Body)
			}
		default:
			t.Fatalf("%d %q", w.Code, w.Body)
		}
		for _, x := range m.take() {
			var e struct {
				MessageID, Timestamp, ReceivedAt string
				Myelin                           struct{ Status string }
			}
			if err := json.Unmarshal(x.Value, &e); err != nil || e.MessageID == "" || e.Timestamp == "" || e.ReceivedAt == "" || e.Myelin.Status == "" {
				t.Fatalf("%v in %q", err, x.Value)
			}
		}
		if n := d.inFlight.Load(); n != 0 {
			t.Fatalf("%d bytes still accounted", n)
		}
	})
}
