package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"myelin/internal/auth/role"
	"myelin/internal/serve/api"
	"myelin/internal/trust/incident"
	"myelin/internal/trust/lineage"
	"myelin/internal/trust/watch"
)

// wrong is a list with one incident that somebody handled already.
type wrong struct {
	asked   chan string
	changes chan incident.Incident
}

func (w *wrong) one() incident.Incident {
	return incident.Incident{ID: "i1", State: incident.Open, Kind: watch.Missing, Title: "No Order Completed has come from shop since 14:05",
		Samples: []json.RawMessage{json.RawMessage(`{"email":"ana@shop.example"}`)}}
}

func (w *wrong) Incidents(_ context.Context, state string, limit int) (api.IncidentList, error) {
	if state == "resolved" {
		return api.IncidentList{Incidents: []incident.Incident{}, Counts: api.IncidentCounts{Open: 1}}, nil
	}
	return api.IncidentList{Incidents: []incident.Incident{w.one()}[:min(limit, 1)], Counts: api.IncidentCounts{Open: 1}}, nil
}

func (w *wrong) Incident(_ context.Context, id string) (api.IncidentDetail, error) {
	if id != "i1" {
		return api.IncidentDetail{}, api.ErrNotFound
	}
	return api.IncidentDetail{Incident: w.one(), Blast: lineage.Blast{}}, nil
}

func (w *wrong) HandleIncident(_ context.Context, who role.Person, id, verb, comment string, until time.Time) (incident.Incident, error) {
	i := w.one()
	switch {
	case id != "i1":
		return i, api.ErrNotFound
	case verb == "resolve":
		return i, errors.New("the incident is resolved already")
	case verb == "unmute":
		return i, &role.DeniedError{}
	case comment == "later":
		return i, fmt.Errorf("saving it: %w", kerr.NotLeaderForPartition)
	}
	at := "a day"
	if !until.IsZero() {
		at = until.UTC().Format(time.RFC3339)
	}
	w.asked <- strings.Join([]string{verb, comment, at}, "|")
	i.State = incident.Muted
	return i, nil
}

func (w *wrong) FollowIncidents(int) (<-chan incident.Incident, func()) { return w.changes, func() {} }

func post(t *testing.T, url, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestIncidentsAreShownAndHandled(t *testing.T) {
	list := &wrong{asked: make(chan string, 1), changes: make(chan incident.Incident, 1)}
	w := start(t, func(c *api.Config) { c.Incidents = list })
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/api/incidents", "", 200, `"id":"i1"`},
		{"GET", "/api/incidents?state=resolved", "", 200, `"incidents":[]`},
		{"GET", "/api/incidents?limit=0", "", 400, "limit"},
		{"GET", "/api/incidents/i1", "", 200, `"blast"`},
		{"GET", "/api/incidents/i2", "", 404, "not_found"},
		{"POST", "/api/incidents/i1/mute", `{"comment":"known","until":"2026-03-04T12:00:00Z"}`, 200, `"state":"muted"`},
		{"POST", "/api/incidents/i1/mute", `{"comment":1}`, 400, "bad_json"},
		{"POST", "/api/incidents/i1/mute", `{"why":"known"}`, 400, "why"},
		{"POST", "/api/incidents/i2/mute", "", 404, "not_found"},
		{"POST", "/api/incidents/i1/resolve", "", 409, "resolved already"},
		{"POST", "/api/incidents/i1/unmute", "", 403, "forbidden"},
		{"POST", "/api/incidents/i1/explode", "", 404, ""},
		{"POST", "/api/incidents/i1/acknowledge", `{"comment":"later"}`, 503, "not_ready"},
		{"GET", "/api/incidents?state=bogus", "", 400, "bad_parameter"},
	} {
		status, body := 0, ""
		if c.method == "GET" {
			status, body, _ = get(t, w.URL+c.path)
		} else {
			status, body = post(t, w.URL+c.path, c.body)
		}
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s %s: %d %s", c.method, c.path, c.body, status, body)
		}
	}
	if got := <-list.asked; got != "mute|known|2026-03-04T12:00:00Z" {
		t.Errorf("asked for %s", got)
	}
}

func TestIncidentsComeLive(t *testing.T) {
	list := &wrong{changes: make(chan incident.Incident, 1)}
	w := start(t, func(c *api.Config) { c.Incidents = list })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL+"/api/incidents/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	next := func() (out incident.Incident) {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				if err := json.Unmarshal([]byte(data), &out); err != nil {
					t.Fatal(err)
				}
				return out
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return out
	}
	if i := next(); i.ID != "i1" || i.State != incident.Open {
		t.Errorf("first came %+v", i)
	}
	changed := list.one()
	changed.State = incident.Resolved
	list.changes <- changed
	if i := next(); i.State != incident.Resolved {
		t.Errorf("then came %+v", i)
	}
}
