package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// inFolder starts a project that is in dir already, and returns how to end it.
func inFolder(t *testing.T, dir string) (addr Addresses, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended, ready := make(chan error, 1), make(chan Addresses, 1)
	go func() {
		ended <- Run(ctx, Options{Project: dir, Data: filepath.Join(dir, "data"), HTTP: "127.0.0.1:0", Kafka: "127.0.0.1:0", Postgres: "127.0.0.1:0"},
			func(a Addresses) { ready <- a })
	}()
	select {
	case addr = <-ready:
	case err := <-ended:
		t.Fatal(err)
	case <-time.After(time.Minute):
		t.Fatal("not ready within 30 s")
	}
	return addr, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// client is a connection over PostgreSQL's protocol that keeps what it was told.
type client struct {
	*pgx.Conn
	notices []string
}

func dial(t *testing.T, a Addresses) *client {
	t.Helper()
	cfg, err := pgx.ParseConfig(a.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{}
	cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { c.notices = append(c.notices, n.Message) }
	if c.Conn, err = pgx.ConnectConfig(within(t), cfg); err != nil {
		t.Fatal(err)
	}
	return c
}

// says runs a statement: "ok TAG [notices]", or "CODE at WORD: message; hint".
func (c *client) says(t *testing.T, statement string) string {
	t.Helper()
	c.notices = nil
	tag, err := c.Exec(within(t), statement)
	var e *pgconn.PgError
	if errors.As(err, &e) {
		word := ""
		if e.Position > 0 {
			word, _, _ = strings.Cut(string([]rune(statement)[e.Position-1:]), " ")
			word = strings.TrimRight(strings.SplitN(word, "\n", 2)[0], ",;)(")
		}
		return fmt.Sprintf("%s at %s: %s; %s", e.Code, word, e.Message, e.Hint)
	}
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return strings.TrimSpace("ok " + tag.String() + " " + strings.Join(c.notices, ", "))
}

func overHTTP(t *testing.T, a Addresses, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t), "POST", a.UI+"/api/query", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const changeConfig = "sources: [{name: shop, write_keys: [wk]}]\n"

func TestStatementsThatChangeThings(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"myelin.yaml": changeConfig,
		"sql/a.sql":   "CREATE MATERIALIZED VIEW of_files AS SELECT event, count(*) AS n FROM events GROUP BY event;\n",
		"crm.csv":     "id,segment\nu1,vip\n",
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755), os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	addr, stop := inFolder(t, dir)
	c := dial(t, addr)
	run := func(steps [][2]string) {
		t.Helper()
		for _, s := range steps {
			if got := c.says(t, s[0]); got != s[1] {
				t.Errorf("%s\n got %s\nwant %s", s[0], got, s[1])
			}
		}
	}
	run([][2]string{
		{"CREATE SOURCE clicks (id BIGINT) WITH (topik = 'c')", `22023 at topik: a source has no option "topik"; did you mean topic?`},
		{"CREATE SOURCE clicks (id BIGINT) WITH (topic = 'c', format = 'avro')", `22023 at 'avro': format of a source cannot be "avro"; write format = 'json', or leave it out`},
		{"CREATE SOURCE clicks (id BIGINT) WITH (topic = 'c', 'scan.startup.mode' = 'latest-offset')",
			`22023 at 'scan.startup.mode': a source has no option "scan.startup.mode"; leave it out: a source is read from the first record that its topic holds; a view of later ones says WHERE ts >= …`},
		{"CREATE SOURCE clicks (id BIGINT) WITH (topic = 'c', topic = 'd')", `42601 at topic: the option topic is given twice; remove one of them`},
		{"CREATE SOURCE clicks (id BIGNIT) WITH (topic = 'c')", `42704 at BIGNIT: type "bignit" does not exist; did you mean bigint?`},
		{"CREATE SOURCE clicks (id BIGINT) WITH (connector = 'kafka', topic = 'c')", "ok CREATE SOURCE"},
		{"CREATE SOURCE IF NOT EXISTS clicks (id BIGINT) WITH (topic = 'c')", `ok CREATE SOURCE relation "clicks" already exists, skipping`},
		{"CREATE TABLE crm (id TEXT PRIMARY KEY) WITH (connector = 'flie', path = 'crm.csv')", `22023 at 'flie': connector of a table cannot be "flie"; did you mean 'file'?`},
		{"CREATE TABLE crm (id TEXT PRIMARY KEY)", `22023 at crm: a table's rows come from a file; add WITH (connector = 'file', path = 'tables/crm.csv')`},
		{"CREATE TABLE crm AS SELECT 1 AS a", `0A000 at SELECT: a table's rows cannot come from a query; write CREATE MATERIALIZED VIEW crm AS SELECT …, which is kept up to date`},
		{"CREATE TABLE crm (id TEXT PRIMARY KEY, segment TEXT) WITH (path = 'crm.csv')", "ok CREATE TABLE"},
		{"-- who clicks\nCREATE MATERIALIZED VIEW per_id AS\n  SELECT idd, count(*) AS n FROM clicks GROUP BY idd;", `42703 at idd: column "idd" does not exist; did you mean id?`},
		{"-- who clicks\nCREATE MATERIALIZED VIEW per_id AS\n  SELECT id, count(*) AS n FROM clicks GROUP BY id;", "ok CREATE MATERIALIZED VIEW"},
		{"CREATE MATERIALIZED VIEW per_id AS SELECT 1 AS a", `42P07 at per_id: relation "per_id" already exists; write DROP MATERIALIZED VIEW per_id first, or choose another name`},
		{"CREATE MATERIALIZED VIEW of_files AS SELECT 1 AS a", `42P07 at of_files: relation "of_files" already exists; it is the materialized view of sql/a.sql:1: change it there and run myelin apply, or choose another name`},
		{"CREATE MATERIALIZED VIEW w WITH (fillfactor = 70) AS SELECT 1 AS a", `22023 at fillfactor: a view has no option "fillfactor"; the options are ttl, parallelism, rewrites`},
		{"CREATE MATERIALIZED VIEW w WITH (ttl = 'soon') AS SELECT 1 AS a", `22023 at 'soon': "soon" is no time span; write ttl = '30 days'`},
		{"CREATE MATERIALIZED VIEW w WITH (ttl = '0 s') AS SELECT 1 AS a", `22023 at '0: a ttl must be longer than nothing; write ttl = '30 days', or leave it out`},
		{"CREATE MATERIALIZED VIEW w WITH (retention_seconds = 5) AS SELECT 1 AS a", `22023 at retention_seconds: a view has no option "retention_seconds"; write ttl = '30 days'`},
		{"CREATE MATERIALIZED VIEW shop.w AS SELECT 1 AS a", `0A000 at shop.w: things are made in the schema public, not in "shop"; write w alone`},
		{"CREATE VIEW busy AS SELECT id FROM per_id WHERE n > 10", "ok CREATE VIEW"},
		{"CREATE OR REPLACE VIEW busy AS SELECT id, n FROM per_id WHERE n > 5", "ok CREATE VIEW"},
		{"CREATE VIEW busier AS SELECT id, n FROM busy WHERE n > 50", "ok CREATE VIEW"},
		{"CREATE OR REPLACE VIEW busy AS SELECT id FROM per_id", "2BP01 at : cannot replace view busy: what reads it would no longer work: busier; keep the columns that they use, or drop them first"},
		{"CREATE OR REPLACE VIEW per_id AS SELECT 1 AS a", `42809 at per_id: "per_id" is not a view; it is a materialized view: drop it first, or choose another name`},
		{"CREATE SINK s FROM per_id WITH (connector = 'webhok', url = 'https://a.example')", `22023 at 'webhok': there is no connector "webhok"; did you mean 'webhook'?`},
		{"CREATE SINK s FROM per_id WITH (connector = 'mailchimp')", `22023 at 'mailchimp': there is no connector "mailchimp"; there is webhook; or write WITH (topic = '…', format = 'json')`},
		{"CREATE SINK s FROM per_id WITH (connector = 'webhook', url = 'a.example')", `22023 at 'a.example': url "a.example" is not a web address; start it with https://`},
		{"CREATE SINK s FROM per_id WITH (connector = 'webhook', url = 'https://a.example', retry = '1 h')", `22023 at retry: a webhook sink has no option "retry"; the options are connector, url, signing_secret, key, cooldown, retry_for, max_attempts`},
		{"CREATE SINK s FROM per_id WITH (connector = 'webhook', url = 'https://a.example', key = 'ids')", `42703 at key: the key "ids" is no column of the sink; the columns are id, n`},
		{"CREATE SINK s FROM busy WITH (connector = 'webhook', url = 'https://a.example')", "0A000 at busy: busy is no materialized view, so that it has no changes to send; make a materialized view of the rows that are to be sent"},
		{"CREATE SINK s FROM per_id WITH (topic = 't', format = 'protobuf')", `22023 at 'protobuf': format of a sink to a topic cannot be "protobuf"; write format = 'json', or leave it out`},
		{"CREATE SINK s FROM per_id WITH (topic = 't', format = 'JSON')", "ok CREATE SINK"},
		{"CREATE SINK raw FROM clicks WITH (topic = 'u')", "ok CREATE SINK"},
		{"ALTER MATERIALIZED VIEW per_idd PAUSE", `42P01 at per_idd: materialized view "per_idd" does not exist; did you mean per_id?`},
		{"ALTER MATERIALIZED VIEW busy PAUSE", `42809 at busy: "busy" is not a materialized view; it is a view; only what is kept up to date can be paused`},
		{"COMMENT ON TABLE crm IS 'x'", "0A000 at COMMENT: COMMENT ON is not supported; write the description as a -- comment right above the CREATE statement"},
	})
	run([][2]string{ // what fails while a query runs is pointed at, where it is a constant
		{"SELECT 1 AS a, 7 / 0", "22012 at /: division by zero; Write x / nullif(y, 0), which gives NULL there."},
		{"SELECT 9223372036854775807 + n FROM (VALUES (1)) AS v(n)", "22003 at : bigint out of range; Cast to a larger type, such as bigint or numeric, before you compute."},
		{"SELECT 99999999999::int", "22003 at ::int: integer out of range; Cast to a larger type, such as bigint or numeric, before you compute."},
		{"SELECT ts AT TIME ZONE 'Europe/Berln' FROM (VALUES (now())) AS v(ts)", `22023 at 'Europe/Berln': time zone "Europe/Berln" not recognized; did you mean 'Europe/Berlin'?`},
		{"CREATE MATERIALIZED VIEW w AS SELECT date_trunc('dya', ts) AS d, count(*) AS n FROM events GROUP BY 1",
			`22023 at 'dya': unit "dya" not recognized for type timestamptz; did you mean 'day'?`},
		{"SELECT 'a' ~ '('", `2201B at ~: invalid regular expression "(": missing closing ); Regular expressions follow RE2; a backslash before a special character takes it as it is.`},
	})
	if got := overHTTP(t, addr, `{"sql": "CREATE MATERIALIZED VIEW é AS\n SELECT idd FROM clicks"}`); !strings.Contains(got, `"position":39`) || !strings.Contains(got, "did you mean id?") {
		t.Errorf("over HTTP: %s", got)
	}
	// What was made is there after a restart, plain views and replaced ones, too.
	_ = c.Close(within(t))
	stop()
	addr, stop = inFolder(t, dir)
	defer func() { stop() }()
	c = dial(t, addr)
	run([][2]string{
		{"SELECT id, n FROM busier", "ok SELECT 0"},
		{"DROP VIEW per_id", `42809 at per_id: "per_id" is not a view; use DROP MATERIALIZED VIEW to remove a materialized view`},
		{"DROP MATERIALIZED VIEW busy", `42809 at busy: "busy" is not a materialized view; use DROP VIEW to remove a view`},
		{"DROP SOURCE crm", `42809 at crm: "crm" is not a source; use DROP TABLE to remove a table`},
		{"DROP VIEW bussy", `42P01 at bussy: view "bussy" does not exist; did you mean busy?`},
		{"DROP VIEW IF EXISTS bussy", `ok DROP VIEW view "bussy" does not exist, skipping`},
		{"DROP SOURCE events", `42P01 at events: source "events" does not exist; events is a stream that comes with Myelin and its tracking plan; change the plan instead`},
		{"DROP MATERIALIZED VIEW of_files", "25006 at : view of_files belongs to sql/a.sql:1: change it there and run myelin apply; "},
		{"DROP VIEW busy", "2BP01 at busy: cannot drop view busy, because other objects read it: busier; drop those first, or write CASCADE to drop them, too"},
		{"DROP SOURCE clicks", "2BP01 at clicks: cannot drop source clicks, because other objects read it: per_id, raw, s, busy, busier; drop those first, or write CASCADE to drop them, too"},
		{"DROP VIEW busy CASCADE", "ok DROP VIEW drop cascades to busier"},
		{"CREATE VIEW busy AS SELECT id FROM per_id WHERE n > 10", "ok CREATE VIEW"},
		{"DROP SINK s, raw", "ok DROP SINK"},
		{"DROP SOURCE clicks CASCADE", "ok DROP SOURCE drop cascades to per_id, busy"},
		{"SELECT * FROM busy", `42P01 at busy: relation "busy" does not exist; there are crm, events, of_files, quarantine`},
	})
	_ = c.Close(within(t))
	stop()
	addr, stop = inFolder(t, dir)
	c = dial(t, addr)
	run([][2]string{
		{"DROP SOURCE clicks", `42P01 at clicks: source "clicks" does not exist; write DROP SOURCE IF EXISTS to go on without it`},
		{"DROP TABLE crm", "ok DROP TABLE"},
	})
	_ = c.Close(within(t))
}
