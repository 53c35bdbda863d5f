package api

import (
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"time"

	"myelin/internal/auth/role"
	"myelin/internal/log"
	"myelin/internal/trust/replay"
)

// Quarantine shows what waits in quarantine, and brings it back. Unknown jobs give ErrNotFound.
type Quarantine interface {
	QuarantineGroups(ctx context.Context) (QuarantineGroups, error)
	QuarantineSamples(ctx context.Context, f replay.Filter, limit int) (QuarantineSamples, error)
	PreviewRepair(ctx context.Context, r replay.Request, limit int) (replay.Preview, error)
	// StartJob makes a replay or a discard; it is durable when this returns, and runs by itself.
	StartJob(ctx context.Context, k replay.Kind, r replay.Request) (QuarantineJob, error)
	QuarantineJobs(ctx context.Context) (QuarantineJobs, error)
	QuarantineJob(ctx context.Context, id string) (QuarantineJob, error)
	CancelJob(ctx context.Context, id string) (QuarantineJob, error)
	MuteGroup(ctx context.Context, group string, m *replay.Mute) error
}

// QuarantineGroups lists the causes of what is in quarantine.
type QuarantineGroups struct {
	Totals QuarantineTotals  `json:"totals"`
	Groups []QuarantineGroup `json:"groups"`
	// Forgotten counts causes that were dropped to bound the memory; their events wait all the same.
	Forgotten int64 `json:"forgotten" doc:"causes that are not listed any more, because there were too many; their events wait all the same"`
}

// QuarantineTotals count the events that quarantine holds.
type QuarantineTotals struct {
	Waiting   int64 `json:"waiting"`
	Replayed  int64 `json:"replayed"`
	Discarded int64 `json:"discarded"`
}

// QuarantineGroup is one cause: an event, a code, a path, a rule, from one source. An event with several faults is in
// several groups.
type QuarantineGroup struct {
	QualityGroup
	Waiting   int64 `json:"waiting"`
	Replayed  int64 `json:"replayed"`
	Discarded int64 `json:"discarded"`
	// Suggested are repairs that often help with this cause; try them in a preview.
	Suggested []replay.Repair `json:"suggested" doc:"repairs that often help; try them in a preview"`
	Muted     *replay.Mute    `json:"muted"`
}

// QuarantineSamples are events that wait.
type QuarantineSamples struct {
	Samples []replay.Sample `json:"samples"`
}

// QuarantineJobs lists replays and discards, the newest first.
type QuarantineJobs struct {
	Jobs []QuarantineJob `json:"jobs"`
}

// QuarantineJob is a replay or a discard, and how far it is.
type QuarantineJob struct {
	replay.Job
	Progress float64 `json:"progress" doc:"0 to 1"`
	Accepted int64   `json:"accepted" doc:"of those sent: released into the governed topic"`
	Rejected int64   `json:"rejected" doc:"of those sent: quarantined again"`
}

// PreviewRequest asks what repairs would do.
type PreviewRequest struct {
	Filter  replay.Filter   `json:"filter"`
	Repairs []replay.Repair `json:"repairs,omitempty"`
	Limit   int             `json:"limit,omitempty" doc:"most samples (6; up to 50)"`
}

// JobRequest asks for a replay or a discard.
type JobRequest struct {
	Filter  replay.Filter   `json:"filter"`
	Repairs []replay.Repair `json:"repairs,omitempty" doc:"for a replay"`
	All     bool            `json:"all,omitempty" doc:"also send events that still break the plan"`
	// Everything confirms a replay of all that waits.
	Everything bool   `json:"everything,omitempty" doc:"confirms a filter that selects all that waits; without it a replay needs a filter"`
	Reason     string `json:"reason,omitempty" doc:"kept in the ledger; a discard needs one"`
}

// MuteRequest silences a cause for a while or for good.
type MuteRequest struct {
	Group  string     `json:"group"`
	Reason string     `json:"reason,omitempty"`
	Until  *time.Time `json:"until,omitempty" doc:"absent: for good"`
}

// Acknowledged says that something was done.
type Acknowledged struct {
	Success bool `json:"success"`
}

var idParam = param{name: "id", help: "id, as the list gives it", in: "path", kind: "string"}

func (s *Server) quarantineRoutes() []route {
	part := s.cfg.Quarantine
	one := func(method func(Quarantine, context.Context, string) (QuarantineJob, error)) http.HandlerFunc {
		return plainly(s, part, func(r *http.Request) (QuarantineJob, error) { return method(part, r.Context(), r.PathValue("id")) })
	}
	start := func(k replay.Kind) http.HandlerFunc {
		return posted(s, part, func(r *http.Request, q JobRequest) (QuarantineJob, error) {
			return part.StartJob(r.Context(), k, replay.Request{Filter: q.Filter, Repairs: q.Repairs, All: q.All, Everything: q.Everything, Reason: q.Reason, By: role.Of(r.Context()).Name})
		})
	}
	mute := func(on bool) http.HandlerFunc {
		return posted(s, part, func(r *http.Request, q MuteRequest) (Acknowledged, error) {
			if q.Group == "" {
				return Acknowledged{}, errors.New("name the group to mute by its id")
			}
			if !on {
				return Acknowledged{true}, part.MuteGroup(r.Context(), q.Group, nil)
			}
			return Acknowledged{true}, part.MuteGroup(r.Context(), q.Group, &replay.Mute{Reason: q.Reason, Until: q.Until, By: role.Of(r.Context()).Name})
		})
	}
	return []route{
		{"GET", "/api/quarantine/groups", "What waits in quarantine, by cause.", nil, nil, QuarantineGroups{}, nil, plain(s, "Quarantine", part, quarantineGroups)},
		{"GET", "/api/quarantine/samples", "Events that wait, the newest last.", []param{q("group", "string", "id of a group"), q("limit", "integer", "most events (10; up to 200)")}, nil, QuarantineSamples{}, nil, s.samples},
		{"POST", "/api/quarantine/preview", "What repairs would do to the events that wait. Changes nothing.", nil, PreviewRequest{}, replay.Preview{}, nil,
			posted(s, part, func(r *http.Request, q PreviewRequest) (replay.Preview, error) {
				if q.Limit <= 0 {
					q.Limit = 6
				}
				return part.PreviewRepair(r.Context(), replay.Request{Filter: q.Filter, Repairs: q.Repairs}, min(q.Limit, 50))
			})},
		{"POST", "/api/quarantine/replay", "Repair events that wait and send them through the doorstep again, each exactly once. The job survives restarts.", nil, JobRequest{}, QuarantineJob{}, nil, start(replay.Replay)},
		{"POST", "/api/quarantine/discard", "Give events that wait up, for a reason that is kept.", nil, JobRequest{}, QuarantineJob{}, nil, start(replay.Discard)},
		{"GET", "/api/quarantine/jobs", "Replays and discards, the newest first.", nil, nil, QuarantineJobs{}, nil, plain(s, "Quarantine", part, Quarantine.QuarantineJobs)},
		{"GET", "/api/quarantine/jobs/{id}", "One job.", []param{idParam}, nil, QuarantineJob{}, nil, one(Quarantine.QuarantineJob)},
		{"POST", "/api/quarantine/jobs/{id}/cancel", "Stop a job. What it has done stays done.", []param{idParam}, nil, QuarantineJob{}, nil, one(Quarantine.CancelJob)},
		{"POST", "/api/quarantine/mute", "Silence a cause: it is kept and counted, but asks for no attention.", nil, MuteRequest{}, Acknowledged{}, nil, mute(true)},
		{"POST", "/api/quarantine/unmute", "End a mute.", nil, MuteRequest{}, Acknowledged{}, nil, mute(false)},
	}
}

// quarantineGroups are the causes; samples of events only for those who may read them.
func quarantineGroups(part Quarantine, ctx context.Context) (QuarantineGroups, error) {
	g, err := part.QuarantineGroups(ctx)
	if hidden(ctx) {
		for i := range g.Groups {
			g.Groups[i].Sample = nil
		}
	}
	return g, err
}

func (s *Server) samples(w http.ResponseWriter, r *http.Request) {
	n, ok := s.limit(w, r, 10, 200)
	if !ok {
		return
	}
	plainly(s, s.cfg.Quarantine, func(r *http.Request) (QuarantineSamples, error) {
		f := replay.Filter{}
		if g := r.URL.Query().Get("group"); g != "" {
			f.Groups = []string{g}
		}
		return s.cfg.Quarantine.QuarantineSamples(r.Context(), f, n)
	})(w, r)
}

// maxPostBody is the largest JSON that a door of this API takes: a tracking plan fits.
const maxPostBody = 4 << 20

// plainly is a door that answers with what f returns, once part is there.
func plainly[P comparable, T any](s *Server, part P, f func(r *http.Request) (T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var none P
		if part == none {
			s.unavailable(w, r, "This part")
			return
		}
		v, err := f(r)
		if err != nil {
			s.failAsked(w, r, err)
			return
		}
		s.send(w, r, http.StatusOK, v)
	}
}

// posted is a door that takes JSON and answers with what f returns.
func posted[P comparable, Q, T any](s *Server, part P, f func(r *http.Request, q Q) (T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
			s.fail(w, r, http.StatusUnsupportedMediaType, FailureBody{Code: "not_json", Message: "The request is not JSON.", Hint: "Send it with Content-Type: application/json."})
			return
		}
		var in Q
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxPostBody))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&in); err != nil {
			s.fail(w, r, http.StatusBadRequest, FailureBody{Code: "bad_json", Message: "The request cannot be read: " + err.Error() + ".", Hint: "GET /api/openapi.json describes it."})
			return
		}
		plainly(s, part, func(r *http.Request) (T, error) { return f(r, in) })(w, r)
	}
}

// notReady answers that what was asked for cannot be had now, through no fault of whoever asked.
func (s *Server) notReady(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("Retry-After", "1")
	s.fail(w, r, http.StatusServiceUnavailable, FailureBody{Code: "not_ready", Message: err.Error() + ".", Hint: "Ask again in a second."})
}

// failAsked answers with what is wrong with a request; faults of our own are told apart.
func (s *Server) failAsked(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, replay.ErrNotFound):
		s.failWith(w, r, ErrNotFound, "")
	case errors.Is(err, replay.ErrEnded):
		s.fail(w, r, http.StatusConflict, FailureBody{Code: "ended", Message: err.Error() + ".", Hint: "Start another one."})
	case errors.Is(err, replay.ErrNotReady), log.Away(err):
		s.notReady(w, r, err)
	case r.Context().Err() != nil: // nobody listens any more
	default:
		s.fail(w, r, http.StatusBadRequest, FailureBody{Code: "bad_request", Message: err.Error() + ".", Hint: "GET /api/openapi.json describes the request."})
	}
}
