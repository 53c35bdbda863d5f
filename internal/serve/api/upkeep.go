package api

import (
	"context"
	"net/http"
	"time"
)

// Upkeep looks after views. Unknown names give ErrNotFound.
type Upkeep interface {
	VerifyView(ctx context.Context, name string) (ViewVerification, error)
	ViewLedger(ctx context.Context, name string) (ViewLedger, error)
	ViewPlan(ctx context.Context, name string) (ViewPlan, error)
	// PauseView makes a view stand still, or go on where it stood.
	PauseView(ctx context.Context, name string, paused bool) (ViewPause, error)
}

// ViewVerification compares a view with its query, computed anew over the same records.
type ViewVerification struct {
	Name         string   `json:"name"`
	Same         bool     `json:"same" doc:"the view is what its query gives"`
	Unsure       bool     `json:"unsure" doc:"the view differs, but rows that came too late may be all that does"`
	Step         uint64   `json:"step"`
	Rows         int      `json:"rows" doc:"of the view"`
	Extra        int      `json:"extra" doc:"rows that the query does not give"`
	Missing      int      `json:"missing" doc:"rows that only the query gives"`
	ExtraFirst   []string `json:"extraFirst" doc:"the first of them, as JSON"`
	MissingFirst []string `json:"missingFirst"`
	Records      int64    `json:"records" doc:"that the query read"`
	Notes        []string `json:"notes" doc:"why the two may differ"`
}

// ViewLedger is the rows that have no part in a view, or not all of them, the newest last; the last hundred of each kind, the last
// twenty after a restart.
type ViewLedger struct {
	Name      string       `json:"name"`
	Errors    int64        `json:"errors" doc:"rows that could not be computed, and records that are no JSON objects, since the view began"`
	Late      int64        `json:"late" doc:"rows that came after their window had been given up"`
	Ahead     int64        `json:"ahead" doc:"rows whose time is so far ahead of the clock that event time does not follow; among lateRows"`
	Misfits   []ViewMisfit `json:"misfits" doc:"values that were not of their column's type and are NULL; their rows are among errorRows"`
	ErrorRows []ViewRow    `json:"errorRows"`
	LateRows  []ViewRow    `json:"lateRows"`
}

// ViewMisfit is how many values did not fit a column.
type ViewMisfit struct {
	Column string `json:"column"`
	Count  int64  `json:"count"`
}

// ViewRow is a row that has no part in a view.
type ViewRow struct {
	At        time.Time `json:"at"`
	Reason    string    `json:"reason"`
	Row       string    `json:"row" doc:"as JSON"`
	Event     string    `json:"event" doc:"the record that it came from; empty where it came from several"`
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
}

// ViewPlan is what the operators of a view do.
type ViewPlan struct {
	Name      string         `json:"name"`
	Operators []ViewOperator `json:"operators" doc:"from the result down; each before its inputs"`
}

// ViewOperator is one operator of a running view.
type ViewOperator struct {
	Depth      int     `json:"depth"`
	What       string  `json:"what"`
	Rows       int64   `json:"rows" doc:"that it gave since the process began"`
	CPUMs      float64 `json:"cpuMs" doc:"about how long it has computed"`
	StateKeys  int64   `json:"stateKeys"`
	StateBytes int64   `json:"stateBytes"`
}

// ViewPause says whether a view stands still.
type ViewPause struct {
	Name   string `json:"name"`
	Paused bool   `json:"paused"`
}

// upkeepRoutes are the doors to what goes on inside views.
func (s *Server) upkeepRoutes() []route {
	name := []param{nameParam}
	return []route{
		{"POST", "/api/views/{name}/verify", "Compute a view anew over what it has seen, and compare.", name, nil, ViewVerification{}, nil, tended(s, Upkeep.VerifyView)},
		{"GET", "/api/views/{name}/ledger", "Rows that could not be computed or came too late.", name, nil, ViewLedger{}, nil, tended(s, Upkeep.ViewLedger)},
		{"GET", "/api/views/{name}/operators", "What each operator of a view did, with its state.", name, nil, ViewPlan{}, nil, tended(s, Upkeep.ViewPlan)},
		{"POST", "/api/views/{name}/pause", "Make a view stand still.", name, nil, ViewPause{}, nil, tended(s, pausing(true))},
		{"POST", "/api/views/{name}/resume", "Let a view go on where it stands.", name, nil, ViewPause{}, nil, tended(s, pausing(false))},
	}
}

func pausing(paused bool) func(Upkeep, context.Context, string) (ViewPause, error) {
	return func(u Upkeep, ctx context.Context, name string) (ViewPause, error) {
		return u.PauseView(ctx, name, paused)
	}
}

// tended is a door to one view by its name in the path.
func tended[T any](s *Server, method func(Upkeep, context.Context, string) (T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.cfg.Upkeep == nil {
			s.unavailable(w, r, "The engine")
			return
		}
		v, err := method(s.cfg.Upkeep, r.Context(), r.PathValue("name"))
		if err != nil {
			s.failWith(w, r, err, "")
			return
		}
		s.send(w, r, http.StatusOK, v)
	}
}
