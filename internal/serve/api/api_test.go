package api_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"myelin/internal/auth"
	"myelin/internal/auth/role"
	"myelin/internal/lint/leak"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/serve/api"
	"myelin/internal/serve/query"
	"myelin/internal/serve/view"
	"myelin/internal/vec"
)

func TestMain(m *testing.M) { leak.Main(m) }

// world is a server over one view, revenue(campaign key, total).
type world struct {
	*httptest.Server
	table *state.Table
	pub   *state.Publication
	step  uint64
}

func start(t *testing.T, change ...func(*api.Config)) *world {
	t.Helper()
	w := &world{pub: &state.Publication{}}
	types := []vec.Type{vec.Of(vec.Text), vec.Of(vec.Int64)}
	w.table = state.NewTable(w.pub, types, []int{0})
	dir := view.New()
	dir.Put(view.Entry{Table: w.table, SQL: "SELECT 1", Emit: "changes", Description: "Revenue.", Relation: &plan.Relation{
		Name: "revenue", Kind: plan.View, Key: []int{0}, TimeCol: -1,
		Columns: []plan.Column{{Name: "campaign", Type: types[0]}, {Name: "total", Type: types[1]}}}})
	dir.Put(view.Entry{Relation: &plan.Relation{Name: "events", Kind: plan.Stream}})
	cfg := api.Config{Views: dir, Engine: constant{}, River: river{}, Version: "test",
		UI: fstest.MapFS{"index.html": {Data: []byte("<!doctype html>" + strings.Repeat(" ", 2000))}, "assets/app-1.js": {Data: []byte("1")}}}
	for _, f := range change {
		f(&cfg)
	}
	srv, err := api.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.Server = httptest.NewServer(srv)
	t.Cleanup(func() { srv.Close(); w.Close() })
	return w
}

// set makes key's total n in a step of its own; a negative n removes the key.
func (w *world) set(key string, old, n int64) {
	w.step++
	row := func(n int64, diff int8) *vec.Batch {
		return &vec.Batch{Cols: []*vec.Vector{vec.TextOf(key), vec.IntOf(vec.Int64, n)}, N: 1, Diff: []int8{diff}}
	}
	if old >= 0 {
		w.table.Stage(row(old, -1))
	}
	if n >= 0 {
		w.table.Stage(row(n, 1))
	}
	w.pub.Apply(w.step, func() { w.table.Publish() })
}

type river struct{}

func (river) Overview(context.Context) (api.Overview, error) {
	return api.Overview{Version: "test", Stages: []api.Stage{{ID: "collect", In: 3}}}, nil
}
func (river) Sources(context.Context) (api.Sources, error) { return api.Sources{}, api.ErrNotFound }

// constant is an engine that answers every statement with its first parameter, or fails at "!".
type constant struct{}

func (constant) Prepare(_ context.Context, _ *query.Session, sql string, hints []vec.Type) (*query.Statement, error) {
	if at := strings.IndexByte(sql, '!'); at >= 0 {
		return nil, &query.Error{Code: query.CodeSyntax, Message: "no", Hint: "Yes.", Position: at + 1}
	}
	st := &query.Statement{Columns: []query.Column{{Name: "x", Type: vec.Of(vec.Int64)}}}
	for range hints {
		st.Params = append(st.Params, vec.Of(vec.Int64))
	}
	st.Run = func(_ context.Context, args []*vec.Vector) (query.Rows, error) {
		if len(args) == 0 {
			args = []*vec.Vector{vec.IntOf(vec.Int64, 1<<60)}
		}
		return query.Static(&vec.Batch{Cols: args, N: 1}), nil
	}
	return st, nil
}

func get(t *testing.T, url string) (int, string, http.Header) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

func TestViewRowsAreFilteredSortedAndLimited(t *testing.T) {
	w := start(t)
	for i := range int64(3000) {
		w.set(fmt.Sprintf("c%d", i), -1, i*7%3000)
	}
	for path, want := range map[string]string{
		"?where.campaign=c5":            `"rows":[["c5",35]],"step":3000,"total":1`,
		"?order=total&desc=1&limit=2":   `"rows":[["c857",2999],["c1714",2998]],"step":3000,"total":3000`,
		"?order=total&limit=1":          `"rows":[["c0",0]],"step":3000,"total":3000`,
		"?where.total=7&order=campaign": `"rows":[["c1",7]],"step":3000,"total":1`,
	} {
		if code, body, _ := get(t, w.URL+"/api/views/revenue"+path); code != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %.300s", path, code, body)
		}
	}
	for path, want := range map[string]string{"revenue?order=x": "It has campaign, total", "revenue?limit=-1": "above 0",
		"revenue?where.total=x": "bigint", "nothing": "no view", "events": "stream"} {
		if code, body, _ := get(t, w.URL+"/api/views/"+path); code < 400 || code >= 500 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
}

func TestTheListOfViewsDescribesThem(t *testing.T) {
	w := start(t)
	w.set("a", -1, 1)
	_, body, _ := get(t, w.URL+"/api/views")
	var list api.Views
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Views) != 2 {
		t.Fatal(err, body)
	}
	if v := list.Views[1]; v.Name != "revenue" || v.Kind != "view" || v.Rows != 1 || v.Key[0] != "campaign" || v.Columns[1].Type != "bigint" {
		t.Fatalf("%+v", v)
	}
}

// events reads a live connection event by event.
func events(t *testing.T, url, lastID string) func() (name, id, data string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	return func() (name, id, data string) {
		for lines.Scan() {
			key, v, _ := strings.Cut(lines.Text(), ": ")
			switch key {
			case "event":
				name = v
			case "id":
				id = v
			case "data":
				return name, id, v
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return "", "", ""
	}
}

func TestLiveViewSendsSnapshotThenEveryChange(t *testing.T) {
	w := start(t)
	w.set("a", -1, 1)
	next := events(t, w.URL+"/api/views/revenue/live", "")
	if name, id, data := next(); name != "snapshot" || id != "1" || !strings.Contains(data, `"rows":[["a",1]],"step":1,"total":1`) {
		t.Fatal(name, id, data)
	}
	w.set("a", 1, 2)
	if name, id, data := next(); name != "change" || id != "2" || data != `{"step":2,"upserts":[["a",2]],"deletes":[]}` {
		t.Fatal(name, id, data)
	}
	w.set("b", -1, 5)
	w.set("b", 5, -1)
	if _, id, data := next(); id != "3" || !strings.Contains(data, `"upserts":[["b",5]]`) {
		t.Fatal(id, data)
	}
	if _, id, data := next(); id != "4" || data != `{"step":4,"upserts":[],"deletes":[["b"]]}` {
		t.Fatal(id, data)
	}
	// Coming back with the present step there is nothing to repeat; with an older one there is.
	again := events(t, w.URL+"/api/views/revenue/live", "4")
	old := events(t, w.URL+"/api/views/revenue/live", "3")
	if name, id, _ := old(); name != "snapshot" || id != "4" {
		t.Fatal(name, id)
	}
	w.set("c", -1, 1)
	if name, id, _ := again(); name != "change" || id != "5" {
		t.Fatal(name, id)
	}
}

func TestLiveConnectionsAreBounded(t *testing.T) {
	w := start(t, func(c *api.Config) { c.MaxStreams = 1 })
	next := events(t, w.URL+"/api/overview/live", "")
	if name, _, data := next(); name != "overview" || !strings.Contains(data, `"id":"collect"`) {
		t.Fatal(name, data)
	}
	if code, body, h := get(t, w.URL+"/api/overview/live"); code != 503 || h.Get("Retry-After") == "" {
		t.Fatal(code, body)
	}
}

func TestQueriesRunOnce(t *testing.T) {
	w := start(t)
	post := func(kind, body string) (int, string) {
		resp, err := http.Post(w.URL+"/api/query", kind, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	if code, body := post("application/json", `{"sql":"SELECT $1","params":["42"]}`); code != 200 || body != `{"columns":[{"name":"x","type":"bigint"}],"rows":[[42]],"step":0,"total":1}` {
		t.Error(code, body)
	}
	if _, body := post("application/json; charset=utf-8", `{"sql":"SELECT 1"}`); !strings.Contains(body, `[["1152921504606846976"]]`) {
		t.Error(body)
	}
	if code, body := post("application/json", `{"sql":"é !"}`); code != 400 || body != `{"error":{"code":"42601","message":"no","hint":"Yes.","position":3}}` {
		t.Error(code, body)
	}
	for kind, body := range map[string]string{"text/plain": `{"sql":"x"}`, "application/json": `{"sqk":1}`} {
		if code, answer := post(kind, body); code < 400 || code >= 500 || !strings.Contains(answer, `"hint"`) {
			t.Error(code, answer)
		}
	}
}

func TestPagesAndFilesOfTheInterface(t *testing.T) {
	w := start(t)
	code, body, h := get(t, w.URL+"/views/revenue")
	if code != 200 || !strings.HasPrefix(body, "<!doctype") || h.Get("Content-Security-Policy") == "" || h.Get("Cache-Control") != "no-cache" {
		t.Fatal(code, body, h)
	}
	if _, _, h := get(t, w.URL+"/assets/app-1.js"); !strings.Contains(h.Get("Cache-Control"), "immutable") || !strings.HasPrefix(h.Get("Content-Type"), "text/javascript") {
		t.Fatal(h)
	}
	if code, _, _ := get(t, w.URL+"/assets/missing.js"); code != 404 {
		t.Fatal(code)
	}
	req, _ := http.NewRequest(http.MethodGet, w.URL+"/", nil)
	req.Header.Set("If-None-Match", h.Get("ETag"))
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusNotModified {
		t.Fatal(resp.StatusCode, resp.Header)
	}
}

func TestBigAnswersAreCompressed(t *testing.T) {
	w := start(t)
	req, _ := http.NewRequest(http.MethodGet, w.URL+"/api/openapi.json", nil)
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	zip, err := gzip.NewReader(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			OperationID string `json:"operationId"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.NewDecoder(zip).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" || doc.Paths["/api/views/{name}/live"]["get"].OperationID != "getViewsNameLive" || doc.Components.Schemas["EventRow"] == nil {
		t.Fatalf("%+v", doc)
	}
}

type users map[string]string

func (u users) Login(name, password, _ string) (role.Person, error) {
	if u[name] != password || password == "" {
		return role.Person{}, auth.ErrWrong
	}
	return role.Person{Name: name, Role: role.Role(name)}, nil
}

func TestWhoGetsIn(t *testing.T) {
	w := start(t, func(c *api.Config) {
		c.Access = api.Access{Trust: func(net.Addr) bool { return false }, Users: users{"analyst": "pw"}}
	})
	if code, _, h := get(t, w.URL+"/api/overview"); code != 401 || !strings.HasPrefix(h.Get("WWW-Authenticate"), "Basic") {
		t.Error(code, h)
	}
	if code, _, _ := get(t, strings.Replace(w.URL, "://", "://analyst:pw@", 1)+"/api/overview"); code != 200 {
		t.Error(code)
	}
	if code, _, _ := get(t, w.URL+"/healthz"); code != 200 {
		t.Error(code)
	}
	// A foreign name that points here, and a form on a foreign page.
	w = start(t)
	for _, h := range []http.Header{{"Host": {"evil.example"}}, {"Sec-Fetch-Site": {"cross-site"}, "Host": {"localhost"}}} {
		req, _ := http.NewRequest(http.MethodPost, w.URL+"/api/query", strings.NewReader(`{"sql":"SELECT 1"}`))
		req.Header = h.Clone()
		req.Header.Set("Content-Type", "application/json")
		req.Host = h.Get("Host")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Error(h, resp.StatusCode)
		}
	}
}

func TestPartsThatAreNotThereSaySo(t *testing.T) {
	w := start(t, func(c *api.Config) { c.River = nil })
	for _, path := range []string{"/api/overview", "/api/overview/live", "/api/quality", "/api/events", "/api/sinks", "/api/problems", "/metrics"} {
		if code, body, h := get(t, w.URL+path); code != 503 || !strings.Contains(body, "not running") || h.Get("Retry-After") == "" {
			t.Error(path, code, body)
		}
	}
	if code, body, _ := get(t, w.URL+"/api/nonsense"); code != 404 || !strings.Contains(body, "openapi") {
		t.Error(code, body)
	}
}
