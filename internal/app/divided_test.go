package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestADividedViewIsOneView makes a view that two tasks of the process run, and looks at it from all sides, also after a restart.
func TestADividedViewIsOneView(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "myelin.yaml"), []byte(changeConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	addr, stop := inFolder(t, dir)
	defer func() { stop() }()
	c := dial(t, addr)
	want := map[string]int{}
	send := func(n int) {
		t.Helper()
		var batch []string
		for i := range n {
			user := fmt.Sprintf("u%d", i%17)
			want[user]++
			batch = append(batch, fmt.Sprintf(`{"type":"track","event":"Order Completed","userId":%q}`, user))
		}
		req, err := http.NewRequestWithContext(within(t), "POST", addr.UI+"/v1/batch", strings.NewReader(`{"batch":[`+strings.Join(batch, ",")+`]}`))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("wk", "")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
	}
	lines := func() []string {
		var out []string
		for user, n := range want {
			out = append(out, fmt.Sprintf("%s %d", user, n))
		}
		slices.Sort(out)
		return out
	}
	ask := func() []string {
		t.Helper()
		rows, err := c.Query(within(t), "SELECT user_key || ' ' || n FROM per_user")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var out []string
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				t.Fatal(err)
			}
			out = append(out, s)
		}
		slices.Sort(out)
		return out
	}
	soon := func(what string, ok func() bool) {
		t.Helper()
		ctx := within(t)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for !ok() {
			select {
			case <-tick.C:
			case <-ctx.Done():
				t.Fatalf("waiting for %s", what)
			}
		}
	}
	for _, s := range [][2]string{
		{"CREATE MATERIALIZED VIEW per_event WITH (parallelism = 2) AS SELECT event, string_agg(user_key, ',') AS users FROM events GROUP BY event",
			"0A000 at parallelism: the view cannot be divided: string_agg cannot be computed from what it gives for parts of the rows; leave parallelism out, or put user_key (of a source: a TEXT column with FROM '$key') into GROUP BY"},
		{"CREATE MATERIALIZED VIEW per_user WITH (parallelism = 9) AS SELECT user_key, count(*) AS n FROM events GROUP BY user_key",
			"22023 at 9: topic events has 4 partitions, too few for 9 parts; write parallelism = 4 or less"},
		{`CREATE MATERIALIZED VIEW "per_user#0" AS SELECT user_key FROM events`, `22023 at "per_user#0": the name "per_user#0" is kept for a part of a view; leave the # out`},
		{"CREATE MATERIALIZED VIEW per_user WITH (parallelism = 2) AS SELECT user_key, count(*) AS n FROM events GROUP BY user_key", "ok CREATE MATERIALIZED VIEW"},
		{"CREATE MATERIALIZED VIEW busy AS SELECT user_key FROM per_user WHERE n > 1",
			"0A000 at per_user: per_user is run in 2 parts, which no view can read; make per_user without parallelism, let a sink send its rows to a topic and read that, or read the view in a query of its own"},
		{"CREATE SINK told FROM per_user WITH (topic = 'told')", "ok CREATE SINK"},
		{`CREATE SINK "told#0" FROM quarantine WITH (topic = 'other')`, `22023 at "told#0": the name "told#0" is kept for a part of a view; leave the # out`},
		{"CREATE VIEW many AS SELECT user_key FROM per_user WHERE n > 1", "ok CREATE VIEW"},
	} {
		if got := c.says(t, s[0]); got != s[1] {
			t.Errorf("%s\n got %s\nwant %s", s[0], got, s[1])
		}
	}
	send(100)
	soon("all rows", func() bool { return slices.Equal(ask(), lines()) })
	live := liveRows(t, addr, "per_user")
	send(100)
	soon("all rows", func() bool { return slices.Equal(ask(), lines()) })
	soon("all changes", func() bool { return slices.Equal(live(), lines()) })

	get := func(path string, into any) {
		t.Helper()
		req, err := http.NewRequestWithContext(within(t), "GET", addr.UI+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
	}
	var list struct {
		Views []struct {
			Name string
			Rows int64
		}
	}
	get("/api/views", &list)
	if got := fmt.Sprint(list.Views); got != "[{events 0} {many 0} {per_user 17} {quarantine 0}]" {
		t.Errorf("the views are %s", got)
	}
	if got := c.says(t, "ALTER MATERIALIZED VIEW per_user PAUSE"); !strings.HasPrefix(got, "ok") {
		t.Error(got)
	}
	before := lines()
	send(50)
	if got := ask(); !slices.Equal(got, before) {
		t.Errorf("a paused view has %q, and had %q", got, before)
	}
	if got := c.says(t, "ALTER MATERIALIZED VIEW per_user RESUME"); !strings.HasPrefix(got, "ok") {
		t.Error(got)
	}
	soon("all rows", func() bool { return slices.Equal(ask(), lines()) })

	_ = c.Close(within(t))
	stop()
	addr, stop = inFolder(t, dir)
	c = dial(t, addr)
	if got := ask(); !slices.Equal(got, lines()) { // a query waits for the state of all parts
		t.Errorf("after a restart the view has %q, want %q", got, lines())
	}
	send(30)
	soon("all rows", func() bool { return slices.Equal(ask(), lines()) })
	if got := c.says(t, "DROP MATERIALIZED VIEW per_user CASCADE"); got != "ok DROP MATERIALIZED VIEW drop cascades to told, many" {
		t.Error(got)
	}
	_ = c.Close(within(t))
}

// liveRows follows a view over HTTP, and returns what tells its rows so far.
func liveRows(t *testing.T, a Addresses, view string) func() []string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", a.UI+"/api/views/"+view+"/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	texts, done := make(chan string, 1024), make(chan struct{})
	go func() {
		defer close(done)
		defer resp.Body.Close()
		scan := bufio.NewScanner(resp.Body)
		for scan.Scan() {
			if data, ok := strings.CutPrefix(scan.Text(), "data: "); ok {
				texts <- data
			}
		}
		if err := scan.Err(); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	rows := map[string]string{}
	return func() []string {
		for len(texts) > 0 {
			var news struct {
				Rows, Upserts [][]any
				Deletes       [][]any
			}
			if err := json.Unmarshal([]byte(<-texts), &news); err != nil {
				t.Fatal(err)
			}
			if news.Rows != nil {
				clear(rows)
			}
			for _, r := range slices.Concat(news.Rows, news.Upserts) {
				rows[fmt.Sprint(r[0])] = fmt.Sprint(r[0], " ", r[1])
			}
			for _, k := range news.Deletes {
				delete(rows, fmt.Sprint(k[0]))
			}
		}
		var out []string
		for _, line := range rows {
			out = append(out, line)
		}
		slices.Sort(out)
		return out
	}
}
