// Package webhook delivers rows as signed HTTP calls after the Standard Webhooks specification 1.0.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"myelin/internal/connect"
)

// Connector makes webhook sinks.
type Connector struct{}

// Spec implements connect.Connector.
func (Connector) Spec() connect.Spec {
	return connect.Spec{
		Name:  "webhook",
		Title: "Webhook",
		Help:  "Sends each row as a signed POST request (Standard Webhooks).",
		Fields: []connect.Field{
			{Name: "url", Title: "Address", Kind: connect.URLField, Required: true, Example: "https://mail.example/cart", Help: "Where the requests go."},
			{Name: "signing_secret", Title: "Signing secret", Kind: connect.SecretField, Example: "${CART_SECRET}", Help: "whsec_ and a base64 key, or any text; without it requests are not signed."},
		},
		Caps: connect.Caps{MaxRecords: 16, Deletes: false, DedupesByID: true},
	}
}

// Validate implements connect.Connector.
func (Connector) Validate(o connect.Options) []connect.FieldError {
	u, err := url.Parse(o["url"])
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return []connect.FieldError{{Field: "url", Message: fmt.Sprintf("%q is not a web address", o["url"]), Hint: "start it with https://"}}
	}
	if _, err := key(o["signing_secret"]); err != nil {
		return []connect.FieldError{{Field: "signing_secret", Message: err.Error(), Hint: "after whsec_ comes base64"}}
	}
	return nil
}

// Open implements connect.Connector.
func (c Connector) Open(_ context.Context, o connect.Options, rt connect.Runtime) (connect.Sink, error) {
	if errs := c.Validate(o); len(errs) > 0 {
		return nil, errs[0]
	}
	k, err := key(o["signing_secret"])
	if err != nil {
		return nil, err
	}
	return &sink{url: o["url"], key: k, rt: rt}, nil
}

// key decodes a secret; nil if there is none.
func key(secret string) ([]byte, error) {
	if secret == "" {
		return nil, nil
	}
	encoded, ok := strings.CutPrefix(secret, "whsec_")
	if !ok {
		return []byte(secret), nil
	}
	k, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errors.New("the secret cannot be read")
	}
	return k, nil
}

// Sign computes the webhook-signature header of a message.
func Sign(key []byte, id string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.", id, at.Unix())
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

type sink struct {
	url string
	key []byte
	rt  connect.Runtime
}

// Close implements connect.Sink.
func (s *sink) Close() error {
	s.rt.HTTP.CloseIdleConnections()
	return nil
}

// Write sends the records side by side: the runtime never hands over two of one key at once.
func (s *sink) Write(ctx context.Context, records []connect.Record) []connect.Outcome {
	out := make([]connect.Outcome, len(records))
	var wg sync.WaitGroup
	for i := range records {
		wg.Go(func() { out[i] = s.send(ctx, records[i]) })
	}
	wg.Wait()
	return out
}

// message is the body of a request.
type message struct {
	Type      string          `json:"type"`
	Timestamp time.Time       `json:"timestamp"`
	Data      json.RawMessage `json:"data"`
}

func (s *sink) send(ctx context.Context, r connect.Record) connect.Outcome {
	body, err := json.Marshal(message{Type: s.rt.Name + "." + string(r.Op), Timestamp: r.Time.UTC(), Data: r.Value})
	if err != nil {
		return connect.Outcome{Class: connect.Reject, Reason: "the row is not JSON: " + err.Error()}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return connect.Outcome{Class: connect.Fatal, Reason: err.Error()}
	}
	now := s.rt.Now()
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Myelin-Webhook/1")
	req.Header.Set("webhook-id", r.ID)
	req.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	if s.key != nil {
		req.Header.Set("webhook-signature", Sign(s.key, r.ID, now, body))
	}
	resp, err := s.rt.HTTP.Do(req)
	if errors.Is(err, connect.ErrForbiddenAddress) {
		return connect.Outcome{Class: connect.Reject, Reason: err.Error()}
	}
	if err != nil {
		return connect.Outcome{Class: connect.Unknown, Reason: err.Error()}
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, 512)) // only shown to people: an unreadable answer says nothing more
	return classify(resp, strings.TrimSpace(string(answer)), now)
}

func classify(resp *http.Response, answer string, now time.Time) connect.Outcome {
	out := connect.Outcome{Status: resp.StatusCode, Reason: resp.Status}
	if answer != "" {
		out.Reason += ": " + answer
	}
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		out.Class, out.Reason = connect.OK, ""
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable:
		out.Class, out.RetryAfter = connect.Throttled, retryAfter(resp.Header.Get("Retry-After"), now)
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code >= 500:
		out.Class = connect.Retry
	default:
		out.Class = connect.Reject
	}
	return out
}

// retryAfter reads both forms of the header (RFC 9110 §10.2.3).
func retryAfter(h string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(h); err == nil && seconds >= 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(h); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
