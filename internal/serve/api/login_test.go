package api_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"myelin/internal/auth"
	"myelin/internal/clock"
	"myelin/internal/serve/api"
)

func closed(c *api.Config) {
	c.Access = api.Access{
		Trust:    func(net.Addr) bool { return false },
		Users:    users{"viewer": "pw", "marketer": "pw", "analyst": "pw", "engineer": "pw", "admin": "pw"},
		Sessions: auth.NewSessions(clock.Real{}, time.Hour),
	}
}

func send(t *testing.T, method, url, body string, edit func(*http.Request)) *http.Response {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if edit != nil {
		edit(req)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func TestLoginLastsUntilLogout(t *testing.T) {
	w := start(t, closed)
	form := func(r *http.Request) { r.Header.Set("X-Login", "form") }
	if resp := send(t, "GET", w.URL+"/api/me", "", form); resp.StatusCode != 401 || resp.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("%d, %v", resp.StatusCode, resp.Header)
	}
	page := func(r *http.Request) { r.Header.Set("Sec-Fetch-Dest", "empty") }
	if resp := send(t, "GET", w.URL+"/api/events/live", "", page); resp.StatusCode != 401 || resp.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("a page's own request: %d, %v", resp.StatusCode, resp.Header)
	}
	if resp := send(t, "POST", w.URL+"/api/login", `{"name":"analyst","password":"no"}`, nil); resp.StatusCode != 401 || len(resp.Cookies()) > 0 {
		t.Errorf("%d, %v", resp.StatusCode, resp.Cookies())
	}
	foreign := func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }
	if resp := send(t, "POST", w.URL+"/api/login", `{"name":"analyst","password":"pw"}`, foreign); resp.StatusCode != 403 {
		t.Errorf("another site logged its visitor in: %d", resp.StatusCode)
	}
	resp := send(t, "POST", w.URL+"/api/login", `{"name":"analyst","password":"pw"}`, nil)
	if resp.StatusCode != 200 || len(resp.Cookies()) != 1 {
		t.Fatalf("%d, %v", resp.StatusCode, resp.Cookies())
	}
	cookie := resp.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode {
		t.Errorf("%+v", cookie)
	}
	with := func(r *http.Request) { r.AddCookie(cookie) }
	var me api.Me
	resp = send(t, "GET", w.URL+"/api/me", "", with)
	if err := json.NewDecoder(resp.Body).Decode(&me); err != nil || me.Name != "analyst" || me.Role != "analyst" || !me.LoggedIn || !slices.Contains(me.May, "query") {
		t.Errorf("%+v %v", me, err)
	}
	if resp := send(t, "POST", w.URL+"/api/query", `{"sql":"SELECT 1"}`, func(r *http.Request) { with(r); foreign(r) }); resp.StatusCode != 403 {
		t.Errorf("another site used the cookie: %d", resp.StatusCode)
	}
	if resp := send(t, "POST", w.URL+"/api/logout", "", with); resp.StatusCode != 204 {
		t.Error(resp.StatusCode)
	}
	if resp := send(t, "GET", w.URL+"/api/me", "", with); resp.StatusCode != 401 {
		t.Errorf("the cookie outlived the logout: %d", resp.StatusCode)
	}
}

func TestRolesOverHTTP(t *testing.T) {
	w := start(t, closed)
	for _, tc := range []struct {
		user, method, path, body string
		allowed                  bool
	}{
		{"viewer", "GET", "/api/overview", "", true},
		{"viewer", "GET", "/api/views", "", true},
		{"viewer", "GET", "/api/events", "", false},
		{"viewer", "GET", "/api/plan/infer", "", false},
		{"viewer", "POST", "/api/query", `{"sql":"SELECT 1"}`, false},
		{"viewer", "GET", "/api/sinks/x/deliveries", "", false},
		{"marketer", "GET", "/api/sinks/x/deliveries", "", true},
		{"viewer", "POST", "/api/sql/preview", `{"sql":"SELECT 1"}`, false},
		{"analyst", "POST", "/api/sql/preview", `{"sql":"SELECT 1"}`, true},
		{"analyst", "POST", "/api/sql/explain", `{"sql":"SELECT 1"}`, true},
		{"viewer", "POST", "/api/apply", "", false},
		{"viewer", "POST", "/api/sinks/x/deadletters/replay", "", false},
		{"marketer", "GET", "/api/events", "", true},
		{"marketer", "POST", "/api/query", `{"sql":"SELECT 1"}`, false},
		{"analyst", "POST", "/api/query", `{"sql":"SELECT 1"}`, true},
		{"analyst", "POST", "/api/apply", "", false},
		{"engineer", "POST", "/api/apply", "", true},
		{"engineer", "POST", "/api/sinks/x/deadletters/replay", "", true},
		{"admin", "POST", "/api/apply", "", true},
	} {
		resp := send(t, tc.method, w.URL+tc.path, tc.body, func(r *http.Request) { r.SetBasicAuth(tc.user, "pw") })
		if (resp.StatusCode != http.StatusForbidden) != tc.allowed || resp.StatusCode == http.StatusUnauthorized {
			t.Errorf("%s %s %s: %d", tc.user, tc.method, tc.path, resp.StatusCode)
		}
	}
}

func TestWrongPasswordIsRefusedOnLoopbackToo(t *testing.T) {
	w := start(t, func(c *api.Config) { c.Access.Users = users{"viewer": "pw"} })
	if code, _, _ := get(t, w.URL+"/api/overview"); code != 200 {
		t.Error(code)
	}
	if code, _, _ := get(t, strings.Replace(w.URL, "://", "://viewer:no@", 1)+"/api/overview"); code != 401 {
		t.Error(code)
	}
	if code, _, _ := get(t, strings.Replace(w.URL, "://", "://viewer:pw@", 1)+"/api/events"); code != 403 {
		t.Errorf("a viewer who logged in saw events: %d", code)
	}
}

type samples struct {
	api.River
	api.Judged
}

func (samples) Quality(context.Context) (api.Quality, error) {
	return api.Quality{Groups: []api.QualityGroup{{ID: "g1", Sample: json.RawMessage(`{"userId":"ana"}`)}}}, nil
}

func (samples) Sources(context.Context) (api.Sources, error) {
	return api.Sources{Sources: []api.SourceInfo{{Name: "web", WriteKeys: []string{"wk_web"}}}}, nil
}

// A viewer sees figures, but neither whole events nor what events can be sent with.
func TestViewersSeeNeitherEventsNorWriteKeys(t *testing.T) {
	w := start(t, closed, func(c *api.Config) { c.River, c.Judged = samples{}, samples{} })
	for path, secret := range map[string]string{"/api/quality": "userId", "/api/sources": "wk_web"} {
		for user, sees := range map[string]bool{"viewer": false, "marketer": true} {
			resp := send(t, "GET", w.URL+path, "", func(r *http.Request) { r.SetBasicAuth(user, "pw") })
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("%s %s: %d, %v", user, path, resp.StatusCode, err)
			}
			if strings.Contains(string(body), secret) != sees {
				t.Errorf("%s reads at %s: %s", user, path, body)
			}
		}
	}
}
