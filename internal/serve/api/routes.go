package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"myelin/internal/serve/tail"
)

// route is one door and its description.
type route struct {
	method, path string
	summary      string
	params       []param
	body         any // zero value of the request's JSON; nil: none
	answer       any // zero value of the answer's JSON; nil: not JSON
	// streams are the events of a live connection by name; nil: an ordinary answer.
	streams map[string]any
	handler http.HandlerFunc
}

// param is a parameter in the query or the path.
type param struct {
	name, help string
	in         string // query or path
	kind       string // string, integer or boolean
}

func q(name, kind, help string) param { return param{name: name, help: help, in: "query", kind: kind} }

var nameParam = param{name: "name", help: "name as in SQL", in: "path", kind: "string"}

// dropped says how many live events were left out because they came too fast.
type dropped struct {
	Dropped int64 `json:"dropped"`
}

// health is what probes read.
type health struct {
	Status string `json:"status"`
}

// table lists every door of the API.
func (s *Server) table() []route {
	filters := []param{q("status", "string", "all, valid, warn, fixed or quarantined"), q("q", "string", "text that must occur in the event")}
	rows := []param{nameParam, q("limit", "integer", "most rows (200; up to 10000)"), q("order", "string", "column to sort by"),
		q("desc", "boolean", "largest first"), q("where.{column}", "string", "only rows whose column has this value")}
	return slices.Concat(s.quarantineRoutes(), s.planRoutes(), s.incidentRoutes(), s.governanceRoutes(), s.topicRoutes(), s.sqlRoutes(), s.upkeepRoutes(), []route{
		{"GET", "/api/overview", "The river at a glance.", nil, nil, Overview{}, nil, plain(s, "The overview", s.cfg.River, River.Overview)},
		{"GET", "/api/overview/live", "The overview, every second.", nil, nil, nil, map[string]any{"overview": Overview{}}, s.overviewLive},
		{"GET", "/api/events", "The latest events, newest first.", append([]param{q("limit", "integer", "most events (100; up to 1000)")}, filters...), nil, tail.Events{}, nil, s.events},
		{"GET", "/api/events/live", "Events as they are judged, sampled when they come too fast to read.", filters, nil, nil, map[string]any{"event": tail.EventRow{}, "dropped": dropped{}}, s.eventsLive},
		{"GET", "/api/quality", "Violations of the tracking plan, grouped.", nil, nil, Quality{}, nil, plain(s, "The quality page", s.cfg.Judged, quality)},
		{"GET", "/api/sources", "Who sends events.", nil, nil, Sources{}, nil, plain(s, "The list of sources", s.cfg.River, sources)},
		{"GET", "/api/views", "Views and tables.", nil, nil, Views{}, nil, s.views},
		{"GET", "/api/views/{name}", "Rows of a view or table.", rows, nil, Rows{}, nil, s.viewRows},
		{"GET", "/api/views/{name}/live", "A view and its changes as they happen. The id of an event is its step; a client that comes back with Last-Event-ID gets the rows again only if they changed.", []param{nameParam, q("limit", "integer", "most rows of the first snapshot (5000)")}, nil, nil, map[string]any{"snapshot": Rows{}, "change": Change{}}, s.viewLive},
		{"GET", "/api/sinks", "Where results go.", nil, nil, Sinks{}, nil, plain(s, "The list of sinks", s.cfg.Delivering, Delivering.Sinks)},
		{"GET", "/api/sinks/{name}/deliveries", "The latest deliveries of a sink.", []param{nameParam, q("limit", "integer", "most deliveries (50; up to 1000)")}, nil, Deliveries{}, nil, s.deliveries},
		{"POST", "/api/sinks/{name}/deadletters/replay", "Send the dead letters of a sink again.", []param{nameParam}, nil, Replayed{}, nil, s.replay},
		{"GET", "/api/cluster", "The processes that share the work, and which views each runs.", nil, nil, Cluster{}, nil, plain(s, "The list of processes", s.cfg.Nodes, Nodes.Cluster)},
		{"GET", "/api/problems", "What is wrong with the project's files.", nil, nil, Problems{}, nil, plain(s, "The list of problems", s.cfg.Files, Files.Problems)},
		{"POST", "/api/apply", "Follow the project's plan and SQL files as they are now.", []param{q("prune", "boolean", "also remove what the files do not declare any more")}, nil, Applied{}, nil, s.apply},
		{"POST", "/api/query", "Run one SELECT.", nil, QueryRequest{}, Rows{}, nil, s.query},
		{"GET", "/api/me", "Who asks, and what they may do.", nil, nil, Me{}, nil, s.me},
		{"POST", "/api/login", "Log in: the answer sets a cookie. Pages with a login form send the header X-Login: form elsewhere, so that the browser does not ask, too.", nil, Login{}, Me{}, nil, s.login},
		{"POST", "/api/logout", "End the login.", nil, nil, nil, nil, s.logout},
		{"GET", "/api/openapi.json", "This description.", nil, nil, nil, nil, s.openAPI},
		{"GET", "/healthz", "Whether the process lives.", nil, nil, health{}, nil, func(w http.ResponseWriter, r *http.Request) {
			s.send(w, r, http.StatusOK, health{"ok"})
		}},
		{"GET", "/readyz", "Whether every port takes work.", nil, nil, health{}, nil, s.ready},
		{"GET", "/metrics", "Counters in the Prometheus text format.", nil, nil, nil, nil, s.metrics},
	})
}

// quality is the list of violations; samples of events only for those who may read them.
func quality(part Judged, ctx context.Context) (Quality, error) {
	q, err := part.Quality(ctx)
	if hidden(ctx) {
		for i := range q.Groups {
			q.Groups[i].Sample = nil
		}
	}
	return q, err
}

// sources are the senders. Whoever has a write key can send events, so that viewers, who change nothing, do not get them.
func sources(part River, ctx context.Context) (Sources, error) {
	list, err := part.Sources(ctx)
	if hidden(ctx) {
		for i := range list.Sources {
			list.Sources[i].WriteKeys = []string{}
		}
	}
	return list, err
}

// plain is a door that answers with what one method of a part returns.
func plain[P comparable, T any](s *Server, what string, part P, method func(P, context.Context) (T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var none P
		if part == none {
			s.unavailable(w, r, what)
			return
		}
		v, err := method(part, r.Context())
		if err != nil {
			s.failWith(w, r, err, "")
			return
		}
		s.send(w, r, http.StatusOK, v)
	}
}

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Ready != nil {
		if err := s.cfg.Ready(); err != nil {
			w.Header().Set("Retry-After", "1")
			s.fail(w, r, http.StatusServiceUnavailable, FailureBody{Code: "not_ready", Message: err.Error(), Hint: "Ask again in a second."})
			return
		}
	}
	s.send(w, r, http.StatusOK, health{"ready"})
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Metrics == nil {
		s.unavailable(w, r, "The metrics page")
		return
	}
	s.cfg.Metrics.ServeHTTP(w, r)
}

// limit reads ?limit=; ok is false where it is not a whole number above zero, and the request has been answered.
func (s *Server) limit(w http.ResponseWriter, r *http.Request, def, most int) (n int, ok bool) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return def, true
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		s.fail(w, r, http.StatusBadRequest, FailureBody{Code: "bad_parameter", Message: "limit must be a whole number above 0, not \"" + text + "\".",
			Hint: "For example ?limit=" + strconv.Itoa(def) + "."})
		return 0, false
	}
	return min(n, most), true
}

func (s *Server) filter(w http.ResponseWriter, r *http.Request) (tail.Filter, bool) {
	f := tail.Filter{Status: r.URL.Query().Get("status"), Text: r.URL.Query().Get("q")}
	known := []string{"", "all", "valid", "warn", "fixed", "quarantined"}
	if !slices.Contains(known, f.Status) {
		s.fail(w, r, http.StatusBadRequest, FailureBody{Code: "bad_parameter", Message: "There is no status \"" + f.Status + "\".",
			Hint: "Use one of " + strings.Join(known[1:], ", ") + "."})
		return f, false
	}
	return f, true
}

func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Events == nil {
		s.unavailable(w, r, "The list of events")
		return
	}
	f, ok := s.filter(w, r)
	if !ok {
		return
	}
	n, ok := s.limit(w, r, 100, 1000)
	if !ok {
		return
	}
	s.send(w, r, http.StatusOK, tail.Events{Events: s.cfg.Events.Recent(r.Context(), f, n)})
}

func (s *Server) deliveries(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Delivering == nil {
		s.unavailable(w, r, "The list of deliveries")
		return
	}
	n, ok := s.limit(w, r, 50, 1000)
	if !ok {
		return
	}
	d, err := s.cfg.Delivering.Deliveries(r.Context(), r.PathValue("name"), n)
	if err != nil {
		s.failWith(w, r, err, "")
		return
	}
	s.send(w, r, http.StatusOK, d)
}

func (s *Server) replay(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Delivering == nil {
		s.unavailable(w, r, "Delivery")
		return
	}
	n, err := s.cfg.Delivering.ReplayDeadLetters(r.Context(), r.PathValue("name"))
	if err != nil {
		s.failWith(w, r, err, "")
		return
	}
	s.send(w, r, http.StatusOK, n)
}

func (s *Server) apply(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Files == nil {
		s.unavailable(w, r, "The project")
		return
	}
	applied, err := s.cfg.Files.Apply(r.Context(), r.URL.Query().Get("prune") == "true")
	if err != nil {
		s.failWith(w, r, err, "")
		return
	}
	s.send(w, r, http.StatusOK, applied)
}
