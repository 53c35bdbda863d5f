// Package api serves the web interface and its JSON API: REST for what is, server-sent events for what changes. One table
// of routes makes both the doors and their OpenAPI description.
package api

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"myelin/internal/auth/role"
	"myelin/internal/clock"
	"myelin/internal/serve/query"
	"myelin/internal/serve/tail"
	"myelin/internal/serve/view"
	"myelin/internal/vec"
)

// River shows how much flows.
type River interface {
	Overview(ctx context.Context) (Overview, error)
	Sources(ctx context.Context) (Sources, error)
}

// Judged shows what the tracking plan says of events.
type Judged interface {
	Quality(ctx context.Context) (Quality, error)
	Plans(ctx context.Context) (Plans, error)
}

// Events are the latest events.
type Events interface {
	Recent(ctx context.Context, filter tail.Filter, limit int) []tail.EventRow
	Follow(filter tail.Filter) *tail.Feed
}

// Status says how views do; ok is false for names that it does not know.
type Status interface {
	ViewStatus(name string) (status ViewStatus, ok bool)
}

// Delivering shows and steers sinks. Unknown names give ErrNotFound.
type Delivering interface {
	Sinks(ctx context.Context) (Sinks, error)
	Deliveries(ctx context.Context, sink string, limit int) (Deliveries, error)
	ReplayDeadLetters(ctx context.Context, sink string) (Replayed, error)
}

// Files shows what is wrong with the project's files, and follows them again.
type Files interface {
	Problems(ctx context.Context) (Problems, error)
	// Apply reads the files again; with prune it also removes what they do not declare any more.
	Apply(ctx context.Context, prune bool) (Applied, error)
}

// Engine runs SQL.
type Engine interface {
	Prepare(ctx context.Context, s *query.Session, sql string, hints []vec.Type) (*query.Statement, error)
}

// ErrNotFound says that there is nothing of that name.
var ErrNotFound = errors.New("not found")

// Config says what is served. Parts that are nil answer 503 until they are there.
type Config struct {
	River  River
	Judged Judged
	Events Events
	Views  *view.Directory
	// Await waits until views have their rows, after a restart. nil: they have them.
	Await      func(ctx context.Context) error
	Status     Status
	Upkeep     Upkeep
	Delivering Delivering
	Files      Files
	Engine     Engine
	Explorer   Explorer
	Quarantine Quarantine
	Planning   Planning
	Incidents  Incidents
	Watching   Watching
	Governance Governance
	Topics     Topics
	Nodes      Nodes
	// UI are the files of the web interface; nil: none.
	UI fs.FS
	// Metrics answers /metrics, Ready /readyz: nil once every port takes work, else why not.
	Metrics http.Handler
	Ready   func() error
	Access  Access
	Clock   clock.Clock
	Logger  *slog.Logger
	Version string
	// Record notes what somebody does in the audit log; nil: nobody does.
	Record func(ctx context.Context, who role.Person, action, object string, detail map[string]string) error
	// MaxStreams is how many live connections there may be at a time (200), MaxQueries how many queries run at a time (8).
	MaxStreams, MaxQueries int
}

// Access says who gets in.
type Access struct {
	// Users checks names and passwords where they are needed; nil: nobody has one.
	Users Users
	// Sessions makes logins last; nil: every request carries its password.
	Sessions Sessions
	// Trust reports whether a client needs no password; nil: clients on loopback need none.
	Trust func(remote net.Addr) bool
	// Hosts are further names under which this server is reached; loopback names and addresses always count.
	Hosts []string
}

// Users knows who may log in.
type Users interface {
	// Login checks a password that came from an address; the error is auth.ErrWrong or an *auth.TooManyError.
	Login(name, password, from string) (role.Person, error)
}

// Sessions remembers who has logged in.
type Sessions interface {
	Start(p role.Person) (token string, ends time.Time, err error)
	Find(token string) (role.Person, bool)
	End(token string)
}

// Server answers HTTP requests. It is an http.Handler.
type Server struct {
	cfg     Config
	mux     *http.ServeMux
	routes  []route
	assets  *assets
	streams chan struct{} // a token per live connection
	queries chan struct{}
	stop    context.Context // ends live connections
	cancel  context.CancelFunc
}

// heartbeat is how often a quiet live connection hears that it is alive.
const heartbeat = 15 * time.Second

// writeTimeout is how long a client may take to read what it was sent.
const writeTimeout = 30 * time.Second

// New returns a server.
func New(cfg Config) (*Server, error) {
	if cfg.Views == nil {
		cfg.Views = view.New()
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.Real{}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxStreams == 0 {
		cfg.MaxStreams = 200
	}
	if cfg.MaxQueries == 0 {
		cfg.MaxQueries = 8
	}
	s := &Server{cfg: cfg, mux: http.NewServeMux(), streams: make(chan struct{}, cfg.MaxStreams), queries: make(chan struct{}, cfg.MaxQueries)}
	s.stop, s.cancel = context.WithCancel(context.Background())
	s.routes = s.table()
	for _, rt := range s.routes {
		h := rt.handler
		if guarded(rt.path) && !slices.Contains(openPaths, rt.path) {
			h = s.permit(need(rt.method, rt.path), h)
		}
		s.mux.Handle(rt.method+" "+rt.path, h)
	}
	s.mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, http.StatusNotFound, FailureBody{Code: "not_found", Message: "There is no " + r.Method + " " + r.URL.Path + ".",
			Hint: "GET /api/openapi.json lists what there is."})
	})
	if cfg.UI != nil {
		var err error
		if s.assets, err = loadAssets(cfg.UI); err != nil {
			return nil, err
		}
		s.mux.Handle("/", s.assets)
	}
	return s, nil
}

// Close ends live connections, so that an http.Server can shut down.
func (s *Server) Close() { s.cancel() }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler { //nolint:errorlint // a sentinel panic value
				panic(p)
			}
			s.cfg.Logger.Error("an HTTP request panicked", "path", r.URL.Path, "panic", p)
			s.fail(w, r, http.StatusInternalServerError, FailureBody{Code: "internal", Message: "Something went wrong inside Myelin.",
				Hint: "The log of the server says more."})
		}
	}()
	r, ok := s.admit(w, r)
	if !ok {
		return
	}
	s.mux.ServeHTTP(w, r)
}
