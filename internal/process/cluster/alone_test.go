package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/clock"
	"myelin/internal/log"
	"myelin/internal/process/exec"
	"myelin/internal/process/plan"
	"myelin/internal/process/sql"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// shop is a log with events in four partitions, and what is declared over it.
type shop struct {
	t       *testing.T
	ctx     context.Context
	cluster *log.Cluster
	fs      *vfs.MemFS
	clock   *clock.Manual
	rels    map[string]*plan.Relation
	objects exec.Objects
	alone   *Alone
	stop    func()
	sent    int
}

var noon = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

const partitions = 4

func newShop(t *testing.T) *shop {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	c, err := log.Open(log.Config{Brokers: fake.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	s := &shop{t: t, ctx: ctx, cluster: c, fs: vfs.NewCrashableMem(), clock: clock.NewManual(noon)}
	events := plan.EventStream("", "events", "events", nil, nil, 5e6, "")
	orders := plan.EventStream("", "orders", "events", []string{"Order"}, []plan.EventColumn{{Name: "total", Path: []string{"total"}, Kind: vec.Int64}}, 5e6, "")
	views := plan.EventStream("", "looks", "events", []string{"Look"}, []plan.EventColumn{{Name: "tags", Path: []string{"tags"}, Kind: vec.JSONB}}, 5e6, "")
	s.rels = map[string]*plan.Relation{"events": events, "orders": orders, "looks": views}
	for _, r := range s.rels {
		r.Partitions, r.Keyed = partitions, true
	}
	if _, err := c.EnsureTopics(ctx, log.TopicSpec{Name: "events", Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	return s
}

// Relation implements plan.Catalog.
func (s *shop) Relation(_, name string) (*plan.Relation, error) {
	if r := s.rels[name]; r != nil {
		return r, nil
	}
	return nil, errors.New("no such relation")
}

func (s *shop) declare(text string) {
	s.t.Helper()
	stmt, err := sql.ParseOne(text)
	if err != nil {
		s.t.Fatal(err)
	}
	switch x := stmt.(type) {
	case *sql.CreateRelation:
		r, err := plan.BindRelation(x, text)
		if err != nil {
			s.t.Fatal(err)
		}
		s.rels[r.Name] = r
		path, _ := plan.Option(x.With, "path")
		s.objects.Tables = append(s.objects.Tables, exec.Table{Relation: r, File: path.Value})
	case *sql.CreateView:
		q, r, err := plan.BindView(x, text, s)
		if err != nil {
			s.t.Fatalf("%s: %v", text, err)
		}
		s.rels[r.Name] = r
		s.objects.Views = append(s.objects.Views, exec.Definition{Relation: r, Query: q})
	case *sql.CreateSink:
		topic, _ := plan.Option(x.With, "topic")
		s.objects.Sinks = append(s.objects.Sinks, exec.Sink{Name: x.Name.Name, From: x.From.Name, Topic: topic.Value})
	}
}

func (s *shop) start() {
	s.t.Helper()
	a, err := NewAlone(exec.Config{
		Dir: "state", FS: s.fs, Clock: s.clock, Log: slog.New(slog.NewTextHandler(logTo{s.t}, nil)), MaxRows: 64, Remember: 1, Poll: 10 * time.Millisecond,
		Governed: func(string) bool { return true },
	}, s.cluster)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := a.Apply(s.ctx, s.objects); err != nil {
		s.t.Fatal(err)
	}
	s.alone = a
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("running views: %v", err)
		}
	}
	s.t.Cleanup(s.stop)
}

// crash ends the process and starts another on what is left: what was not synced is lost.
func (s *shop) crash() {
	s.t.Helper()
	left := s.fs.CrashClone(vfs.CrashCloneCfg{})
	s.stop()
	s.fs = left
	s.start()
}

type logTo struct{ t *testing.T }

func (l logTo) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// send appends events of 40 people, whose times go on with the clock: few at a time, so that none is late whatever is read first.
func (s *shop) send(random *rand.Rand, n int) {
	s.t.Helper()
	for ; n > 0; n -= 5 {
		var recs []*kgo.Record
		at := s.clock.Now()
		for range min(n, 5) {
			s.sent++
			at = at.Add(time.Duration(random.IntN(200)) * time.Millisecond)
			user := fmt.Sprintf("u%d", random.IntN(40))
			event := fmt.Sprintf(`"event":"Look","properties":{"tags":["a%d","b%d"]}`, random.IntN(4), random.IntN(4))
			if random.IntN(2) == 0 {
				event = fmt.Sprintf(`"event":"Order","properties":{"total":%d}`, random.IntN(100))
			}
			value := fmt.Sprintf(`{"messageId":"m%d","type":"track","userId":"%s","timestamp":"%s",%s}`, s.sent, user, at.Format(time.RFC3339Nano), event)
			recs = append(recs, &kgo.Record{Topic: "events", Key: []byte(user), Value: []byte(value), Timestamp: at})
		}
		s.clock.Advance(at.Sub(s.clock.Now()))
		if err := s.cluster.Client().ProduceSync(s.ctx, recs...).FirstErr(); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *shop) until(what func() string) {
	s.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		left := what()
		if left == "" {
			return
		}
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			s.t.Fatalf("%v: %s", s.ctx.Err(), left)
		}
	}
}

func (s *shop) view(name string) *exec.View {
	s.t.Helper()
	v, ok := s.alone.View(name)
	if !ok {
		s.t.Fatalf("there is no view %s", name)
	}
	return v
}

func (s *shop) rows(name string) string {
	return strings.Join(sorted(s.view(name).Table.Version()), "\n")
}

func sorted(v *state.Version) []string {
	var out []string
	for b := range v.Scan(0) {
		out = append(out, lines(b)...)
	}
	slices.Sort(out)
	return out
}

func lines(b *vec.Batch) []string {
	var out []string
	for k := range b.Rows() {
		i := k
		if b.Sel != nil {
			i = int(b.Sel[k])
		}
		var cells []string
		for _, v := range b.Cols {
			if v.IsNull(i) {
				cells = append(cells, "NULL")
				continue
			}
			cells = append(cells, string(vec.AppendText(nil, v, i)))
		}
		out = append(out, strings.Join(cells, " | "))
	}
	return out
}

// shapes are views that can be divided.
var shapes = map[string]string{
	"filtered":   `SELECT message_id, user_key, total * 2 AS twice FROM orders WHERE total > 20`,
	"unnested":   `SELECT user_key, t.tag FROM looks CROSS JOIN LATERAL jsonb_array_elements_text(tags) AS t(tag)`,
	"grouped":    `SELECT user_key, event, count(*) AS n, max(message_id) AS last FROM events GROUP BY user_key, event`,
	"summed":     `SELECT user_key, count(*) AS n, sum(total) AS total, min(total) AS low, avg(total) AS mean FROM orders GROUP BY user_key`,
	"windowed":   `SELECT window_start, window_end, user_key, count(*) AS n FROM tumble(events, ts, INTERVAL '10 seconds') GROUP BY window_start, window_end, user_key`,
	"closed":     `SELECT window_start, window_end, user_key, count(*) AS n FROM tumble(events, ts, INTERVAL '10 seconds') GROUP BY window_start, window_end, user_key EMIT ON WINDOW CLOSE`,
	"sessions":   `SELECT user_key, window_start, window_end, count(*) AS n FROM session(events PARTITION BY user_key, ts, INTERVAL '5 seconds') GROUP BY user_key, window_start, window_end`,
	"earliest":   `SELECT user_key, message_id, ts FROM (SELECT user_key, message_id, ts, row_number() OVER (PARTITION BY user_key ORDER BY ts) AS n FROM events) AS x WHERE n = 1`,
	"top":        `SELECT user_key, message_id, total, n FROM (SELECT user_key, message_id, total, row_number() OVER (PARTITION BY user_key ORDER BY total DESC, message_id) AS n FROM orders) AS x WHERE n <= 2`,
	"running":    `SELECT message_id, user_key, sum(total) OVER (PARTITION BY user_key ORDER BY ts) AS so_far FROM orders`,
	"pairs":      `SELECT DISTINCT user_key, event FROM events`,
	"joined":     `SELECT o.message_id, l.message_id AS looked, o.total FROM orders o JOIN looks l ON o.user_key = l.user_key AND l.ts BETWEEN o.ts - INTERVAL '3 seconds' AND o.ts`,
	"lookers":    `SELECT user_key, count(*) AS n FROM looks WHERE user_key NOT IN ('u1') AND EXISTS (SELECT 1 FROM orders o WHERE o.user_key = looks.user_key AND o.total > 90) GROUP BY user_key`,
	"enriched":   `SELECT p.city, o.user_key, o.total FROM orders o LEFT JOIN people p ON p.id = o.user_key`,
	"everything": `SELECT user_key, message_id FROM orders UNION ALL SELECT user_key, message_id FROM looks`,
	"regrouped":  `SELECT user_key, max(n) AS most FROM (SELECT user_key, event, count(*) AS n FROM events GROUP BY user_key, event) AS x GROUP BY user_key`,
}

// TestPartsThatReturnBeginAnew runs a view in parts, as a whole, and in parts again when the log no longer has its beginning: no part may go
// on with what it had at first, as the other begins with what is left.
func TestPartsThatReturnBeginAnew(t *testing.T) {
	s := newShop(t)
	random := rand.New(rand.NewPCG(7, 1))
	want := exec.Objects{}
	for _, with := range []string{"WITH (parallelism = 2)", "", "WITH (parallelism = 2)"} {
		s.objects = exec.Objects{}
		s.declare(`CREATE MATERIALIZED VIEW grouped ` + with + ` AS ` + shapes["grouped"])
		if want = s.objects; s.alone == nil {
			s.start()
		} else {
			s.crash()
		}
		s.send(random, 100)
		s.until(func() string {
			if st := s.view("grouped").Status(); st.Phase != exec.Live || st.Behind > 0 {
				return fmt.Sprintf("grouped is %s and %d records behind", st.Phase, st.Behind)
			}
			return ""
		})
		if tasks, _ := s.alone.state(); len(tasks) != 2 {
			t.Fatalf("%d tasks run %q", len(tasks), with)
		}
		if err := s.alone.Flush(s.ctx); err != nil {
			t.Fatal(err)
		}
		if with == "" {
			ends, err := kadm.NewClient(s.cluster.Client()).ListEndOffsets(s.ctx, "events")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := kadm.NewClient(s.cluster.Client()).DeleteRecords(s.ctx, ends.Offsets()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if v, err := s.alone.Verify(s.ctx, want.Views[0].Relation.Name); err != nil || v.Extra+v.Missing > 0 {
		t.Errorf("in parts again: %+v, %v", v, err)
	}
}

// TestADividedViewEqualsTheWhole runs views as a whole and in parts, while events come in and the process crashes, and compares them.
func TestADividedViewEqualsTheWhole(t *testing.T) {
	s := newShop(t)
	people := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(people, []byte("id,city\nu1,Bern\nu2,Rome\nu3,Bern\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.declare(fmt.Sprintf(`CREATE TABLE people (id TEXT PRIMARY KEY, city TEXT) WITH (connector = 'file', path = '%s')`, people))
	s.declare(`CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM events`)
	for i, name := range slices.Sorted(maps.Keys(shapes)) {
		with := []string{"", "ttl = '1 hour', "}[i%2]
		s.declare(fmt.Sprintf(`CREATE MATERIALIZED VIEW whole_%s WITH (%sparallelism = 1) AS %s`, name, with, shapes[name]))
		s.declare(fmt.Sprintf(`CREATE MATERIALIZED VIEW %s WITH (%sparallelism = %d) AS %s`, name, with, 2+i%3, shapes[name]))
	}
	s.declare(`CREATE SINK out FROM grouped WITH (topic = 'out')`)
	random := rand.New(rand.NewPCG(4, 2))
	same := func() {
		t.Helper()
		s.until(func() string {
			for _, v := range s.alone.Views() {
				if st := v.Status(); v.Query != nil && (st.Phase != exec.Live || st.Behind > 0) {
					return fmt.Sprintf("%s is %s and %d records behind", v.Relation.Name, st.Phase, st.Behind)
				}
			}
			if n := s.rows("counted"); n != fmt.Sprint(s.sent) {
				return "not all is counted: " + n
			}
			return ""
		})
		s.clock.Advance(30 * time.Second) // all windows close
		s.until(func() string {
			for name := range shapes {
				if a, b := s.rows("whole_"+name), s.rows(name); a != b || a == "" {
					return fmt.Sprintf("%s as a whole:\n%s\nin parts:\n%s", name, a, b)
				}
			}
			return ""
		})
	}
	s.start()
	for _, shown := range s.alone.Shown() {
		<-shown
	}
	stop := watchRows(t, s.view("grouped"))
	s.send(random, 300)
	same()
	s.send(random, 200)
	stop()
	s.crash()
	same()
	if err := s.alone.Flush(s.ctx); err != nil {
		t.Fatal(err)
	}
	s.send(random, 200)
	s.crash()
	s.send(random, 200)
	same()
	s.until(func() string { return s.sinkDiffers("out", "grouped") })
	for name := range shapes {
		v, err := s.alone.Verify(s.ctx, name)
		switch {
		case err != nil:
			t.Errorf("verifying %s: %v", name, err)
		case v.Extra+v.Missing > 0:
			t.Errorf("%s differs from its query: %+v", name, v)
		}
	}
	names := map[string]bool{}
	for _, v := range s.alone.Views() {
		names[v.Relation.Name] = true
	}
	if len(names) != 2*len(shapes)+2 || names["grouped#0"] || !names["grouped"] {
		t.Errorf("the views are %v", names)
	}
	if st := s.view("grouped").Status(); st.Phase != exec.Live || st.Behind != 0 || st.RowsIn == 0 {
		t.Errorf("the status of the whole: %+v", st)
	}
	if got := s.view("grouped").Table.Version().Get([]*vec.Vector{vec.TextOf("u7"), vec.TextOf("Look")}); got == nil || got.N != 1 {
		t.Errorf("looking up a key: %v", got)
	}
	ops, err := s.alone.Explain(s.ctx, "grouped")
	if err != nil || len(ops) < 2 || ops[0].Rows == 0 {
		t.Errorf("explaining: %v %v", ops, err)
	}
}

// watchRows follows a view as a subscriber does, and checks in the end that this gives its rows.
func watchRows(t *testing.T, v *exec.View) (stop func()) {
	t.Helper()
	first, sub := v.Table.Subscribe(1 << 16)
	rows := map[string]bool{}
	for _, line := range sorted(first) {
		rows[line] = true
	}
	keys := func(line string) string { return strings.Join(strings.SplitN(line, " | ", 3)[:2], " | ") }
	return func() {
		last := v.Table.Version()
		sub.Close()
		seen := first.Step
		for d := range sub.C() {
			if d.Step <= seen || d.Step > last.Step {
				continue
			}
			if d.Resync {
				t.Error("the subscriber lost changes")
			}
			seen = d.Step
			if d.Deletes != nil {
				for _, line := range lines(d.Deletes) {
					delete(rows, line)
				}
			}
			for _, line := range lines(d.Upserts) {
				for old := range rows {
					if keys(old) == keys(line) {
						delete(rows, old)
					}
				}
				rows[line] = true
			}
		}
		if got := slices.Sorted(maps.Keys(rows)); !slices.Equal(got, sorted(last)) {
			t.Errorf("a subscriber has\n%s\nand the view\n%s", strings.Join(got, "\n"), strings.Join(sorted(last), "\n"))
		}
	}
}

// sinkDiffers is how a topic differs from the view that it is fed from; "" if it does not. Each row must have come once.
func (s *shop) sinkDiffers(topic, view string) string {
	s.t.Helper()
	got := map[string]string{}
	err := s.cluster.ReadTail(s.ctx, topic, time.Time{}, func(r *kgo.Record) { got[string(r.Key)] = string(r.Value) })
	if err != nil {
		return err.Error()
	}
	if want := len(sorted(s.view(view).Table.Version())); len(got) != want {
		return fmt.Sprintf("topic %s has %d keys, the view %d rows", topic, len(got), want)
	}
	total := 0
	for _, v := range got {
		var n int
		if _, rest, ok := strings.Cut(v, `"n":`); ok {
			if _, err := fmt.Sscanf(rest, "%d", &n); err != nil {
				return err.Error()
			}
		}
		total += n
	}
	if total != s.sent {
		return fmt.Sprintf("topic %s counts %d of %d", topic, total, s.sent)
	}
	return ""
}

// TestWhatALaterTaskRefusesChangesNothing has an object that only a later task gets be wrong.
func TestWhatALaterTaskRefusesChangesNothing(t *testing.T) {
	s := newShop(t)
	s.declare(`CREATE MATERIALIZED VIEW per_user WITH (parallelism = 2) AS SELECT user_id, count(*) AS n FROM events GROUP BY user_id`)
	s.start()
	s.declare(`CREATE MATERIALIZED VIEW more AS SELECT count(*) AS n FROM events`)
	s.objects.Sinks = append(s.objects.Sinks, exec.Sink{Name: "out", From: exec.PartName("per_user", 1)})
	if err := s.alone.Apply(s.ctx, s.objects); err == nil || !strings.Contains(err.Error(), "sink out: no topic given") {
		t.Fatalf("it is taken: %v", err)
	}
	if _, ok := s.alone.View("more"); ok {
		t.Error("a view has begun beside it")
	}
	s.objects.Sinks[0].Topic = "out"
	if err := s.alone.Apply(s.ctx, s.objects); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.alone.View("more"); !ok {
		t.Error("the view has not begun")
	}
}
