package demo

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// Receiver is the shop's mail service: it takes signed webhooks, checks the signature and counts them.
type Receiver struct {
	listener net.Listener
	server   *http.Server
	secret   []byte
	taken    atomic.Int64
	refused  atomic.Int64
}

// Listen opens the receiver. secret is a Standard Webhooks secret (whsec_…).
func Listen(addr, secret string) (*Receiver, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return nil, fmt.Errorf("reading the webhook secret: %w", err)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("opening the demo's webhook receiver: %w", err)
	}
	r := &Receiver{listener: l, secret: key}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second}
	return r, nil
}

// URL is where webhooks are to be sent.
func (r *Receiver) URL() string { return "http://" + r.listener.Addr().String() + "/cart" }

// Taken is how many webhooks had a good signature.
func (r *Receiver) Taken() int64 { return r.taken.Load() }

// Run serves until ctx ends.
func (r *Receiver) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { r.server.Close() })
	defer stop()
	if err := r.server.Serve(r.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("receiving webhooks: %w", err)
	}
	return nil
}

// ServeHTTP takes one webhook (Standard Webhooks 1.0: HMAC-SHA256 over id.timestamp.body).
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 1<<20))
	if err != nil {
		http.Error(w, "the body could not be read", http.StatusBadRequest)
		return
	}
	mac := hmac.New(sha256.New, r.secret)
	fmt.Fprintf(mac, "%s.%s.", req.Header.Get("webhook-id"), req.Header.Get("webhook-timestamp"))
	mac.Write(body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for _, got := range strings.Fields(req.Header.Get("webhook-signature")) {
		if hmac.Equal([]byte(got), []byte(want)) {
			r.taken.Add(1)
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
	r.refused.Add(1)
	http.Error(w, "the signature does not fit", http.StatusUnauthorized)
}
