package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"myelin/internal/auth/role"
	"myelin/internal/log"
	"myelin/internal/trust/incident"
	"myelin/internal/trust/lineage"
	"myelin/internal/trust/watch"
)

// Incidents shows and steers what went wrong. Unknown ids give ErrNotFound.
type Incidents interface {
	Incidents(ctx context.Context, state string, limit int) (IncidentList, error)
	Incident(ctx context.Context, id string) (IncidentDetail, error)
	// HandleIncident does what verb says: acknowledge, mute, unmute or resolve.
	HandleIncident(ctx context.Context, who role.Person, id, verb, comment string, until time.Time) (incident.Incident, error)
	FollowIncidents(buf int) (changes <-chan incident.Incident, stop func())
}

// Watching shows what is watched, and what is made of what.
type Watching interface {
	Watched(ctx context.Context) (watch.Health, error)
	// Lineage is the graph around a node; "" is all of it. An unknown node gives ErrNotFound.
	Lineage(ctx context.Context, focus string) (lineage.Graph, error)
}

// IncidentList are incidents, the latest first.
type IncidentList struct {
	Incidents []incident.Incident `json:"incidents"`
	Counts    IncidentCounts      `json:"counts"`
}

var incidentStates = []string{"", "all", string(incident.Open), string(incident.Acknowledged), string(incident.Muted), string(incident.Resolved)}

// IncidentCounts is how many there are in each state.
type IncidentCounts struct {
	Open         int `json:"open"`
	Acknowledged int `json:"acknowledged"`
	Muted        int `json:"muted"`
	Resolved     int `json:"resolved"`
}

// IncidentDetail is an incident and what it reaches.
type IncidentDetail struct {
	incident.Incident
	Blast lineage.Blast `json:"blast"`
}

// Handling is what somebody says with an action on an incident.
type Handling struct {
	Comment string     `json:"comment"`
	Until   *time.Time `json:"until" doc:"of mute; a day if there is none"`
}

func (s *Server) incidentRoutes() []route {
	act := func(verb, summary string) route {
		return route{"POST", "/api/incidents/{id}/" + verb, summary, []param{idParam}, Handling{}, incident.Incident{}, nil, s.handleIncident(verb)}
	}
	return []route{
		{"GET", "/api/incidents", "What is wrong, or was.", []param{q("state", "string", "open, acknowledged, muted, resolved or all; else all that are not resolved"), q("limit", "integer", "most incidents (200; up to 1000)")}, nil, IncidentList{}, nil, s.incidents},
		{"GET", "/api/incidents/{id}", "One incident and what it reaches.", []param{idParam}, nil, IncidentDetail{}, nil, s.incident},
		act("acknowledge", "Say that somebody takes care."), act("mute", "Keep an incident quiet for a while."), act("unmute", "End that."), act("resolve", "End an incident by hand."),
		{"GET", "/api/incidents/live", "Incidents as they change; first those that are not resolved.", nil, nil, nil, map[string]any{"incident": incident.Incident{}}, s.incidentsLive},
		{"GET", "/api/watch", "What is watched, and how it does.", nil, nil, watch.Health{}, nil, plain(s, "The watch", s.cfg.Watching, Watching.Watched)},
		{"GET", "/api/lineage", "What is made of what.", []param{q("focus", "string", "a node's id: only what feeds it and what it feeds")}, nil, lineage.Graph{}, nil, s.lineage},
	}
}

// hidden says whether whole events, and what events can be sent with, are not for whoever asks.
func hidden(ctx context.Context) bool { return !role.Of(ctx).Role.May(role.ReadEvents) }

// seen hides whole events from those who may not read them.
func seen(who role.Person, i *incident.Incident) {
	if !who.Role.May(role.ReadEvents) {
		i.Samples = []json.RawMessage{}
	}
}

func (s *Server) incidents(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Incidents == nil {
		s.unavailable(w, r, "The list of incidents")
		return
	}
	n, ok := s.limit(w, r, 200, 1000)
	if !ok {
		return
	}
	state := r.URL.Query().Get("state")
	if !slices.Contains(incidentStates, state) {
		s.fail(w, r, http.StatusBadRequest, FailureBody{Code: "bad_parameter", Message: "There is no state " + strconv.Quote(state) + ".", Hint: "state is open, acknowledged, muted, resolved or all; leave it out for all that are not resolved."})
		return
	}
	list, err := s.cfg.Incidents.Incidents(r.Context(), state, n)
	if err != nil {
		s.failWith(w, r, err, "")
		return
	}
	for i := range list.Incidents {
		seen(role.Of(r.Context()), &list.Incidents[i])
	}
	s.send(w, r, http.StatusOK, list)
}

func (s *Server) incident(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Incidents == nil {
		s.unavailable(w, r, "The list of incidents")
		return
	}
	d, err := s.cfg.Incidents.Incident(r.Context(), r.PathValue("id"))
	if err != nil {
		s.failWith(w, r, err, "")
		return
	}
	seen(role.Of(r.Context()), &d.Incident)
	s.send(w, r, http.StatusOK, d)
}

func (s *Server) handleIncident(verb string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.cfg.Incidents == nil {
			s.unavailable(w, r, "The list of incidents")
			return
		}
		var h Handling
		if !s.small(w, r, &h) {
			return
		}
		var until time.Time
		if h.Until != nil {
			until = *h.Until
		}
		i, err := s.cfg.Incidents.HandleIncident(r.Context(), role.Of(r.Context()), r.PathValue("id"), verb, h.Comment, until)
		if err != nil {
			s.refused(w, r, err)
			return
		}
		seen(role.Of(r.Context()), &i)
		s.send(w, r, http.StatusOK, i)
	}
}

// small reads a short JSON body; an empty one is allowed. ok is false where it cannot be read, and the request has been answered.
func (s *Server) small(w http.ResponseWriter, r *http.Request, into any) (ok bool) {
	if r.ContentLength == 0 {
		return true
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		s.fail(w, r, http.StatusBadRequest, FailureBody{Code: "bad_json", Message: "The body cannot be read: " + err.Error() + ".", Hint: `For example {"comment": "on it"}.`})
		return false
	}
	return true
}

// refused answers with why somebody's wish was not granted.
func (s *Server) refused(w http.ResponseWriter, r *http.Request, err error) {
	var denied *role.DeniedError
	switch {
	case errors.As(err, &denied):
		s.fail(w, r, http.StatusForbidden, FailureBody{Code: "forbidden", Message: denied.Error() + ".", Hint: "Ask somebody with one of these roles."})
	case errors.Is(err, ErrNotFound):
		s.failWith(w, r, err, "")
	case log.Away(err):
		s.notReady(w, r, err)
	default:
		s.fail(w, r, http.StatusConflict, FailureBody{Code: "conflict", Message: err.Error() + ".", Hint: "Load the page again to see how things stand."})
	}
}

func (s *Server) incidentsLive(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Incidents == nil {
		s.unavailable(w, r, "The list of incidents")
		return
	}
	who := role.Of(r.Context())
	s.live(w, r, func(st *stream, r *http.Request) {
		for st.err == nil && r.Context().Err() == nil {
			s.followIncidents(st, r, who)
		}
	})
}

// followIncidents sends all that are not resolved and then each change, until the client or the feed ends.
func (s *Server) followIncidents(st *stream, r *http.Request, who role.Person) {
	changes, stop := s.cfg.Incidents.FollowIncidents(64)
	defer stop()
	list, err := s.cfg.Incidents.Incidents(r.Context(), "", 1000)
	if err != nil {
		st.err = err
		return
	}
	send := func(i *incident.Incident) {
		seen(who, i)
		st.send("incident", "", i)
	}
	for i := range list.Incidents {
		send(&list.Incidents[i])
	}
	st.flush()
	for st.err == nil {
		select {
		case <-r.Context().Done():
			return
		case i, ok := <-changes:
			if !ok {
				return // we fell behind: from the start
			}
			send(&i)
			st.flush()
		case <-s.cfg.Clock.After(heartbeat):
			st.beat()
		}
	}
}

func (s *Server) lineage(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Watching == nil {
		s.unavailable(w, r, "Lineage")
		return
	}
	g, err := s.cfg.Watching.Lineage(r.Context(), r.URL.Query().Get("focus"))
	if err != nil {
		s.failWith(w, r, err, "")
		return
	}
	s.send(w, r, http.StatusOK, g)
}
