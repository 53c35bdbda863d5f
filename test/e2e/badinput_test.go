package e2e

import (
	"bytes"
	"compress/gzip"
	enc "encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// alive demands that the server still takes and releases an event.
func (s *server) alive(id string) {
	s.t.Helper()
	s.send("wk_web", track(id, "alive", "Order Completed", map[string]any{"order_id": id, "total": 1}))
	eventually(s.t, patience, func() error {
		events, err := s.topic("events")
		if err != nil {
			return err
		}
		for _, e := range events {
			if e.MessageID == id {
				return nil
			}
		}
		return fmt.Errorf("%s has not come through", id)
	})
}

// raw sends a body and returns the answer. Who answers before a body is through closes the connection, and the answer may be lost on a
// sender who is slow to read it: it asks again.
func (s *server) raw(body string, header map[string]string) (status int, text string) {
	s.t.Helper()
	eventually(s.t, patience, func() error {
		req, err := http.NewRequest(http.MethodPost, s.url("/v1/batch"), io.MultiReader(strings.NewReader(body))) // whose length is not told
		if err != nil {
			return err
		}
		for k, v := range header {
			req.Header.Set(k, v)
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		all, err := io.ReadAll(resp.Body)
		status, text = resp.StatusCode, string(all)
		return err
	})
	return status, text
}

func TestBadRequestsAreAnsweredAndHarmNobody(t *testing.T) {
	s := run(t, shop)
	web := map[string]string{"X-Write-Key": "wk_web"}
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 200 { // 200 MB of spaces
		if _, err := z.Write(bytes.Repeat([]byte(" "), 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		body   string
		header map[string]string
		status []int
	}{
		{"not JSON", "{\"batch\":[nonsense", web, []int{400}},
		{"10 MB", `{"batch":["` + strings.Repeat("x", 10<<20) + `"]}`, web, []int{400, 413}},
		{"gzip bomb", bomb.String(), map[string]string{"X-Write-Key": "wk_web", "Content-Encoding": "gzip"}, []int{400, 413}},
		{"broken gzip", "\x1f\x8b\x08 broken", map[string]string{"X-Write-Key": "wk_web", "Content-Encoding": "gzip"}, []int{400}},
		{"unknown key", `{"batch":[]}`, map[string]string{"X-Write-Key": "wk_nobody"}, []int{401}},
		{"no key", `{"batch":[]}`, nil, []int{401}},
		{"deep nesting", `{"batch":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, web, []int{400}},
		{"empty", "", web, []int{400}},
	} {
		status, text := s.raw(tc.body, tc.header)
		ok := false
		for _, want := range tc.status {
			ok = ok || status == want
		}
		if !ok || !strings.Contains(text, `"message"`) {
			t.Errorf("%s: %d %s; want %v and a message", tc.name, status, text, tc.status)
		}
	}
	s.alive("after-bad-requests")
}

func TestSlowClientsDoNotHoldOthersUp(t *testing.T) {
	s := run(t, shop)
	for range 50 {
		conn, err := net.Dial("tcp", s.http)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "POST /v1/batch HTTP/1.1\r\nHost: x\r\nX-Write-Key: wk_web\r\nContent-Length: 1000\r\n\r\n{\"batch\""); err != nil {
			t.Fatal(err)
		}
	}
	s.alive("beside-slow-clients")
}

func TestGarbageOnTheKafkaAndPostgresPorts(t *testing.T) {
	s := run(t, shop)
	huge := enc.BigEndian.AppendUint32(nil, 0x7fffffff)
	for _, addr := range []string{s.kafka, s.postgres} {
		for _, garbage := range [][]byte{
			huge, []byte("GET / HTTP/1.1\r\n\r\n"), bytes.Repeat([]byte{0xff}, 4096), bytes.Repeat([]byte{0}, 64),
			append([]byte{0, 0, 0, 12}, bytes.Repeat([]byte{0x7f}, 12)...),
		} {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Write(garbage); err != nil {
				t.Fatal(err)
			}
			conn.Close()
		}
	}
	if rows, err := s.query("SELECT 1 + 1"); err != nil || len(rows) != 1 || rows[0] != "2" {
		t.Errorf("SELECT 1 + 1: %v, %v", rows, err)
	}
	s.alive("after-garbage")
}

func TestBrokenFilesAreReportedAndTheRestRuns(t *testing.T) {
	s := run(t, shop.with(project{
		"plan/broken.yaml": "apiVersion: myelin/v1\nkind: TrackingPlan\nname: broken\nevents:\n  E:\n    proprties: {}\n",
		"sql/broken.sql":   "CREATE MATERIALIZED VIEW oops AS\nSELECT kampaign FROM order_completed;\nCREATE MATERIALIZED VIEW worse AS SELEC;\n",
	}))
	type problem struct {
		File          string
		Line, Column  int
		Message, Hint string
	}
	var got struct{ Problems []problem }
	if err := s.get("/api/problems", &got); err != nil {
		t.Fatal(err)
	}
	find := func(file string, line int) problem {
		for _, p := range got.Problems {
			if p.File == file && p.Line == line {
				return p
			}
		}
		t.Errorf("no problem at %s:%d in %+v", file, line, got.Problems)
		return problem{}
	}
	if p := find("plan/broken.yaml", 6); !strings.Contains(p.Hint+p.Message, "properties") || p.Column == 0 {
		t.Errorf("the plan's problem has no hint: %+v", p)
	}
	if p := find("sql/broken.sql", 2); !strings.Contains(p.Message, "kampaign") || p.Column != 8 {
		t.Errorf("the view's problem: %+v", p)
	}
	find("sql/broken.sql", 3)
	s.send("wk_web", track("b1", "u1", "Order Completed", map[string]any{"order_id": "o1", "total": 2}))
	s.eventuallyRows(`SELECT orders, revenue FROM revenue`, "1|2")

	// The files are mended, and applied without a restart.
	s.write(project{"plan/broken.yaml": "apiVersion: myelin/v1\nkind: TrackingPlan\nname: broken\nevents: {}\n",
		"sql/broken.sql": "CREATE MATERIALIZED VIEW oops AS SELECT count(*) AS n FROM order_completed;\n"})
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := command(bin, "apply", "--url", s.url("")); err != nil || !strings.Contains(out, "oops") {
		t.Fatalf("apply: %v\n%s", err, out)
	}
	s.eventuallyRows(`SELECT n FROM oops`, "1")
}

func TestOneFolderBelongsToOneProcess(t *testing.T) {
	s := run(t, shop)
	other := &server{t: t, dir: s.dir, http: "127.0.0.1:0", kafka: "127.0.0.1:0", postgres: "127.0.0.1:0"}
	err := other.launch()
	if err == nil || !strings.Contains(err.Error(), "in use by another myelin") {
		t.Errorf("a second process on the folder: %v", err)
	}
	s.alive("beside-a-second-process")
}

func TestABrokenConfigurationSaysWhere(t *testing.T) {
	s := prepare(t, shop.with(project{"myelin.yaml": "htp: {listen: x}\n"}))
	err := s.launch()
	if err == nil || !strings.Contains(err.Error(), `myelin.yaml:1:1: unknown key "htp" (did you mean "http"?)`) {
		t.Errorf("error %v", err)
	}
}

var errFull = errors.New("still takes events")

func TestAFullDiskAsksSendersToComeBack(t *testing.T) {
	// More free disk is demanded than there is: the same code path as a disk that fills up, without filling one.
	s := run(t, shop)
	s.alive("before-full")
	s.stop()
	s.write(project{"myelin.yaml": shop["myelin.yaml"] + "limits: {free_disk_bytes: 9000000000000000}\n"})
	err := s.launch()
	if err != nil { // refusing to start is not enough: what is there must stay readable
		t.Fatalf("a full disk keeps the server from starting: %v", err)
	}
	eventually(t, patience, func() error {
		req, err := http.NewRequest(http.MethodPost, s.url("/v1/batch"), strings.NewReader(`{"batch":[{"type":"track","event":"x","userId":"u"}]}`))
		if err != nil {
			return err
		}
		req.SetBasicAuth("wk_web", "")
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
			return fmt.Errorf("%w: %s", errFull, resp.Status)
		}
		return nil
	})
	if events, err := s.topic("events"); err != nil || len(events) != 1 {
		t.Errorf("events on a full disk: %v, %v; want the one from before", ids(events), err)
	}
}
