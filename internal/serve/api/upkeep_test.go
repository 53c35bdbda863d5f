package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// keeper is an Upkeep that knows the view v.
type keeper struct{ paused bool }

func (keeper) VerifyView(_ context.Context, name string) (ViewVerification, error) {
	if name != "v" {
		return ViewVerification{}, ErrNotFound
	}
	return ViewVerification{Name: name, Same: true, Rows: 3}, nil
}

func (keeper) ViewLedger(context.Context, string) (ViewLedger, error) {
	return ViewLedger{Name: "v", Errors: 1, ErrorRows: []ViewRow{{At: time.Unix(0, 0).UTC(), Reason: "division by zero", Event: `{"n":0}`}}}, nil
}

func (keeper) ViewPlan(context.Context, string) (ViewPlan, error) {
	return ViewPlan{Name: "v", Operators: []ViewOperator{{What: "Aggregate", Rows: 5, StateKeys: 2}}}, nil
}

func (k *keeper) PauseView(_ context.Context, name string, paused bool) (ViewPause, error) {
	k.paused = paused
	return ViewPause{Name: name, Paused: paused}, nil
}

func TestViewsAreLookedAfter(t *testing.T) {
	k := &keeper{}
	s := &Server{cfg: Config{Upkeep: k}}
	mux := http.NewServeMux()
	for _, r := range s.upkeepRoutes() {
		mux.HandleFunc(r.method+" "+r.path, r.handler)
	}
	ask := func(method, path string) (int, string) {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w.Code, w.Body.String()
	}
	for _, c := range []struct {
		method, path string
		code         int
		want         string
	}{
		{"POST", "/api/views/v/verify", 200, `"same":true`},
		{"POST", "/api/views/w/verify", 404, "not_found"},
		{"GET", "/api/views/v/ledger", 200, `"event":"{\"n\":0}"`},
		{"GET", "/api/views/v/operators", 200, `"stateKeys":2`},
		{"POST", "/api/views/v/pause", 200, `"paused":true`},
	} {
		code, body := ask(c.method, c.path)
		if code != c.code || !strings.Contains(strings.ReplaceAll(body, ": ", ":"), c.want) || !json.Valid([]byte(body)) {
			t.Errorf("%s %s: %d %s", c.method, c.path, code, body)
		}
	}
	if ask("POST", "/api/views/v/resume"); k.paused {
		t.Error("the view is still paused")
	}
}
