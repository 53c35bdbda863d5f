package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"myelin/internal/collect"
	"myelin/internal/telemetry"
)

// front is the HTTP listener: the doors of collect, health, metrics, and everything else for the API and the UI once they
// are there.
type front struct {
	server   *http.Server
	listener net.Listener
	rest     atomic.Pointer[http.Handler] // API and UI
	ready    atomic.Pointer[func() error] // nil: starting
	stop     context.CancelFunc
	done     chan error
}

// openFront listens at once, so that senders meet a door that says "come back" rather than none.
func openFront(addr string, secure *tls.Config, doors *collect.Doors, metrics *telemetry.Registry, open bool) (*front, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("opening the HTTP port: %w; choose another with --http or http.listen in myelin.yaml", err)
	}
	mux := http.NewServeMux()
	ctx, stop := context.WithCancel(context.Background())
	f := &front{listener: l, stop: stop, done: make(chan error, 1)}
	if doors != nil {
		for _, pattern := range collect.Routes {
			mux.Handle(pattern, doors)
		}
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", f.answerReady)
	if open { // elsewhere the API asks for a password first
		mux.Handle("GET /metrics", metrics.Handler())
	}
	mux.HandleFunc("/", f.answerRest)
	f.server = &http.Server{Handler: mux, BaseContext: func(net.Listener) context.Context { return ctx }}
	collect.Harden(f.server)
	go func() {
		serve := f.server.Serve
		if secure != nil {
			f.server.TLSConfig = secure
			serve = func(l net.Listener) error { return f.server.ServeTLS(l, "", "") }
		}
		err := serve(l)
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		f.done <- err
	}()
	return f, nil
}

func (f *front) answerReady(w http.ResponseWriter, _ *http.Request) {
	check := f.ready.Load()
	if check == nil {
		http.Error(w, "starting", http.StatusServiceUnavailable)
		return
	}
	if err := (*check)(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

func (f *front) answerRest(w http.ResponseWriter, r *http.Request) {
	if h := f.rest.Load(); h != nil {
		(*h).ServeHTTP(w, r)
		return
	}
	w.Header().Set("Retry-After", "1")
	http.Error(w, "myelin is starting; try again in a second", http.StatusServiceUnavailable)
}

// serve hands everything but the doors to h.
func (f *front) serve(h http.Handler) { f.rest.Store(&h) }

// setReady makes /readyz ask check.
func (f *front) setReady(check func() error) { f.ready.Store(&check) }

// close lets requests end for a while; live streams are told to end at once.
func (f *front) close(ctx context.Context) error {
	f.stop()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	err := f.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("closing the HTTP port: %w", err), f.server.Close())
	}
	return errors.Join(err, <-f.done)
}
