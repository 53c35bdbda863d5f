package collect

import (
	"encoding/base64"
	"net/http"
	"strings"

	"myelin/internal/event"
	"myelin/internal/tape"
)

// settingsKey is the write key in a settings path: /v1/projects/KEY/settings (analytics.js, Swift) or
// /projects/KEY/settings (Kotlin).
func settingsKey(path string) (string, bool) {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(path, "/v1"), "/projects/")
	if !ok {
		return "", false
	}
	key, ok := strings.CutSuffix(rest, "/settings")
	return key, ok && key != "" && !strings.Contains(key, "/")
}

// settings serves the document that SDKs ask their CDN for at start. It tells them to send to the host they asked.
func (d *Doors) settings(w http.ResponseWriter, r *http.Request, key string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, OPTIONS")
		d.refuse(w, &refusal{status: http.StatusMethodNotAllowed, code: "method_not_allowed", message: "settings are read with GET", hint: "Use GET."})
		return
	}
	if _, fault := d.sender(key); fault != nil {
		fault.status = http.StatusNotFound
		d.refuse(w, fault)
		return
	}
	d.metrics.request("settings")
	proto := "http"
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		proto = "https"
	}
	b := append([]byte(nil), `{"integrations":{"Segment.io":{"apiKey":`...)
	b = tape.AppendQuoted(b, key)
	b = append(b, `,"apiHost":`...)
	b = tape.AppendQuoted(b, r.Host+"/v1")
	b = append(b, `,"protocol":"`...)
	b = append(b, proto...)
	// A second at most: a page's events are to be seen at once, and one request per event would be wasteful.
	b = append(b, `","deliveryStrategy":{"strategy":"batching","config":{"size":10,"timeout":1000}}}},`...)
	b = append(b, `"plan":{"track":{"__default":{"enabled":true,"integrations":{}}},"identify":{"__default":{"enabled":true}},"group":{"__default":{"enabled":true}}},`...)
	b = append(b, `"edgeFunction":{},"middlewareSettings":{},"enabledMiddleware":{},"metrics":{"sampleRate":0},"remotePlugins":[]}`...)
	w.Header().Set("Cache-Control", "no-cache")
	answer(w, b)
}

var gif = []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;")

// pixel takes one event from an image's address, /v1/pixel/track?data=<JSON in base64>. The answer is always the image,
// since nobody reads anything else; what went wrong is counted.
func (d *Doors) pixel(w http.ResponseWriter, r *http.Request, name string) {
	received := d.cfg.Clock.Now().UnixMicro()
	h := w.Header()
	h.Set("Content-Type", "image/gif")
	h.Set("Cache-Control", "no-store")
	defer func() { _, _ = w.Write(gif) }() // as in answer
	if fault := d.pixelEvent(r, event.ParseType(name), received); fault != nil {
		d.metrics.request(fault.code)
		return
	}
	d.metrics.request("stored")
}

func (d *Doors) pixelEvent(r *http.Request, typ event.Type, received int64) *refusal {
	if d.closed.Load() {
		return notReady()
	}
	if typ == event.Unknown {
		return &refusal{code: "unknown_path"}
	}
	data := strings.NewReplacer("-", "+", "_", "/", " ", "+", "=", "").Replace(r.URL.Query().Get("data"))
	body, err := base64.RawStdEncoding.DecodeString(data)
	if err != nil {
		return &refusal{code: "decode_failed"}
	}
	s := d.acquire()
	s.body = body
	from, fault := d.pixelWork(r, typ, s, received)
	if fault != nil {
		d.release(s)
		return fault
	}
	_ = d.cfg.Sluice.Take(1) // who shows an image does not wait for it
	if fault := d.store(r.Context(), from, s); fault != nil {
		return fault
	}
	d.release(s)
	return nil
}

func (d *Doors) pixelWork(r *http.Request, typ event.Type, s *scratch, received int64) (*sender, *refusal) {
	d.sit(s)
	defer d.rise(s)
	if fault := d.parse(s); fault != nil {
		return nil, fault
	}
	key := headerKey(r)
	if key == "" {
		key = bodyKey(s.doc)
	}
	from, fault := d.sender(key)
	if fault != nil {
		return nil, fault
	}
	s.base = event.Base{Source: from.Name, Type: typ, ReceivedAt: received, BatchContext: -1, BatchIntegrations: -1}
	d.take(from, s, 0, false)
	return from, nil
}
