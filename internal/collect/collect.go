// Package collect is every way in over HTTP: it knows the sender by its write key, decodes the body, has each event
// judged, and answers 200 only once all of them are durable in the doorstep topic.
//
// A request goes through admit (who, how much, are we able) → body (bytes, decoded) → intake (events, verdicts, records)
// → Append → answer. All of its memory is one pooled scratch, so an event costs no allocation.
package collect

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/clock"
	"myelin/internal/event"
	"myelin/internal/sluice"
	"myelin/internal/tape"
	"myelin/internal/telemetry"
)

// Judge decides on an event that was read, adding to v. It is not asked about events of type Unknown, which are already
// quarantined. It may be called at the same time.
type Judge interface {
	Judge(source string, e *event.Event, v *event.Verdict)
}

// Appender makes records durable: it returns nil only once all of them are. The records and every byte they point to are
// the Appender's until it returns; after nil they are used again for other requests, after an error never. An error that
// wraps log.ErrOverloaded is answered 429, any other 500. It may be called at the same time. An Appender that also has the
// method Full() bool is asked before a request is read.
type Appender interface {
	Append(ctx context.Context, recs []*kgo.Record) error
}

// Source is a sender of events.
type Source struct {
	Name string
	// Plan is the name of its tracking plan.
	Plan      string
	WriteKeys []string
}

// Config says who may send and how much. Zero fields mean the defaults named.
type Config struct {
	Sources []Source
	// Topic is the doorstep: events.in.
	Topic string
	// Sealer marks records as judged here; nil leaves them without a seal, to be judged again at release.
	Sealer *event.Sealer
	// Clock: the machine's.
	Clock  clock.Clock
	Limits Limits
	// Sluice says how long senders have to wait because of what waits behind the doors. nil: not at all.
	Sluice *sluice.Door
}

// Limits bound what a request may cost. Zero fields mean the defaults named.
type Limits struct {
	// BodyBytes is the size of one request's decoded body: 4 MiB.
	BodyBytes int
	// BatchEvents is the number of events in one request: 10,000.
	BatchEvents int
	// RecordBytes is what the events of one request may grow to as records: 64 MiB. Members that a batch gives to all of
	// its events make it grow.
	RecordBytes int
	// InFlightBytes is the memory of all bodies at once: 128 MiB. More is answered 429.
	InFlightBytes int64
	// BodyTimeout is how long a body may take to arrive: 20 s.
	BodyTimeout time.Duration
}

func (c *Config) setDefaults() {
	if c.Topic == "" {
		c.Topic = "events.in"
	}
	if c.Clock == nil {
		c.Clock = clock.Real{}
	}
	l := &c.Limits
	if l.BodyBytes == 0 {
		l.BodyBytes = 4 << 20
	}
	if l.BatchEvents == 0 {
		l.BatchEvents = 10_000
	}
	if l.RecordBytes == 0 {
		l.RecordBytes = 64 << 20
	}
	if l.InFlightBytes == 0 {
		l.InFlightBytes = 128 << 20
	}
	if l.BodyTimeout == 0 {
		l.BodyTimeout = 20 * time.Second
	}
}

// Doors serves the collecting part of the HTTP interface. It may be used from many goroutines.
type Doors struct {
	cfg      Config
	judge    Judge
	appender Appender
	metrics  *metrics
	senders  atomic.Pointer[senders]
	full     func() bool // of the appender; nil if it cannot say
	closed   atomic.Bool
	inFlight atomic.Int64
	scratch  sync.Pool      // *scratch
	seats    chan *tape.Doc // those of requests that may be worked on
}

// Routes are the patterns, in the syntax of http.ServeMux, of what Doors serves.
var Routes = []string{"/v1/", "/b", "/projects/", "/beacon/v1/"}

// New returns doors that hand judged events to appender.
func New(cfg Config, judge Judge, appender Appender, reg *telemetry.Registry) (*Doors, error) {
	cfg.setDefaults()
	if reg == nil {
		reg = telemetry.New()
	}
	d := &Doors{cfg: cfg, judge: judge, appender: appender, metrics: newMetrics(reg)}
	if a, ok := appender.(interface{ Full() bool }); ok {
		d.full = a.Full
	}
	d.scratch.New = func() any { return new(scratch) }
	d.seats = make(chan *tape.Doc, max(4, 2*runtime.GOMAXPROCS(0)))
	for range cap(d.seats) {
		d.seats <- new(tape.Doc)
	}
	if err := d.SetSources(cfg.Sources); err != nil {
		return nil, err
	}
	return d, nil
}

// SetReady opens or closes the doors. While closed (starting, draining) every event is answered 429, so that its sender
// keeps it and comes back. New doors are open.
func (d *Doors) SetReady(ready bool) { d.closed.Store(!ready) }

// Harden prepares a server, whose handler is set, for the doors: limits on connections where it has none (time for the
// header of a request and for an idle connection, the size of a header), and paths made straight before they reach
// http.ServeMux. The mux would redirect //v1/batch, which is what a base address with a slash at its end leads to, and
// SDKs take a redirect for success.
func Harden(s *http.Server) {
	if next := s.Handler; next != nil {
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "//") {
				u := *r.URL
				u.Path, u.RawPath = slashes.ReplaceAllString(u.Path, "/"), ""
				r = r.WithContext(r.Context()) // a copy
				r.URL = &u
			}
			next.ServeHTTP(w, r)
		})
	}
	if s.ReadHeaderTimeout == 0 {
		s.ReadHeaderTimeout = 10 * time.Second
	}
	if s.IdleTimeout == 0 {
		s.IdleTimeout = 2 * time.Minute
	}
	if s.MaxHeaderBytes == 0 {
		s.MaxHeaderBytes = 32 << 10
	}
}

var slashes = regexp.MustCompile("//+")

type kind uint8

const (
	single kind = iota
	batch
	validate
)

type route struct {
	kind kind
	typ  event.Type
}

var routes = func() map[string]route {
	m := map[string]route{
		"/v1/batch": {kind: batch}, "/v1/b": {kind: batch}, "/b": {kind: batch}, "/v1/import": {kind: batch},
		"/beacon/v1/batch": {kind: batch}, "/v1/validate": {kind: validate},
	}
	for t := event.Track; t <= event.Alias; t++ {
		m["/v1/"+t.String()] = route{kind: single, typ: t}
		m["/v1/"+t.String()[:1]] = route{kind: single, typ: t}
	}
	return m
}()

// ServeHTTP implements http.Handler.
func (d *Doors) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	allowOrigin(w.Header(), r)
	if r.Method == http.MethodOptions {
		preflight(w, r)
		return
	}
	path := strings.TrimSuffix(r.URL.Path, "/")
	rt, known := routes[path]
	switch {
	case known && r.Method == http.MethodPost:
		d.collect(w, r, rt)
	case known:
		w.Header().Set("Allow", "POST, OPTIONS")
		d.refuse(w, &refusal{status: http.StatusMethodNotAllowed, code: "method_not_allowed",
			message: fmt.Sprintf("%s takes POST, not %s", path, r.Method), hint: "Send the event as JSON in the body of a POST request."})
	case strings.HasPrefix(path, "/v1/pixel/"):
		d.pixel(w, r, strings.TrimPrefix(path, "/v1/pixel/"))
	default:
		if key, ok := settingsKey(path); ok {
			d.settings(w, r, key)
			return
		}
		d.refuse(w, &refusal{status: http.StatusNotFound, code: "unknown_path",
			message: "there is no " + path + " here", hint: "Events go to /v1/track, /v1/identify, /v1/page, /v1/screen, /v1/group, /v1/alias or, many at once, /v1/batch."})
	}
}
