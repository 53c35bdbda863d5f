package exec

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/clock"
	"myelin/internal/log"
	"myelin/internal/process/plan"
	"myelin/internal/process/sql"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// world is a log, a project and the engine that runs it, for tests.
type world struct {
	t       *testing.T
	ctx     context.Context
	cluster *log.Cluster
	fs      *vfs.MemFS
	clock   *clock.Manual
	parts   int32
	rels    map[string]*plan.Relation
	objects Objects
	engine  *Engine
	stop    func()

	maxState int64
	lateness time.Duration
	workers  int  // 0: as MYELIN_TEST_WORKERS says, or 4
	shared   bool // the brokers may be others', too
	apart    bool // no state may stay in memory
	scratch  *state.Scratch
}

// noon is when every test world begins.
var noon = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

func newWorld(t *testing.T, parts int32) *world {
	t.Helper()
	return newWorldOn(t, parts, brokers(t))
}

func newWorldOn(t *testing.T, parts int32, brokers []string) *world {
	t.Helper()
	cluster, err := log.Open(log.Config{Brokers: brokers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	w := bareWorld(t)
	w.ctx, w.cluster, w.fs, w.clock, w.parts = ctx, cluster, vfs.NewCrashableMem(), clock.NewManual(noon), parts
	w.topic("events")
	return w
}

// bareWorld has no log: one can only declare in it.
func bareWorld(t *testing.T) *world {
	w := &world{t: t}
	w.rels = map[string]*plan.Relation{
		"events": plan.EventStream("", "events", "events", nil, nil, 5e6, ""),
		"order_completed": plan.EventStream("", "order_completed", "events", []string{"Order Completed"},
			[]plan.EventColumn{{Name: "total", Path: []string{"total"}, Kind: vec.Numeric}}, 5e6, ""),
	}
	return w
}

// brokers are a fake of our own, or, emptied, those of MYELIN_TEST_KAFKA, which must be nobody else's.
func brokers(t *testing.T) []string {
	t.Helper()
	addrs := os.Getenv("MYELIN_TEST_KAFKA")
	if addrs == "" {
		fake, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(fake.Close)
		return fake.ListenAddrs()
	}
	list := strings.Split(addrs, ",")
	cl, err := kgo.NewClient(kgo.SeedBrokers(list...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	for {
		topics, err := admin.ListTopics(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(topics) == 0 {
			return list
		}
		if _, err := admin.DeleteTopics(t.Context(), topics.Names()...); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) topic(name string) {
	w.t.Helper()
	if w.cluster == nil {
		return
	}
	if _, err := w.cluster.EnsureTopics(w.ctx, log.TopicSpec{Name: name, Partitions: w.parts}); err != nil {
		w.t.Fatal(err)
	}
}

// Relation implements plan.Catalog.
func (w *world) Relation(_, name string) (*plan.Relation, error) {
	if r := w.rels[name]; r != nil {
		return r, nil
	}
	return nil, errors.New("no such relation")
}

// declare takes in DDL.
func (w *world) declare(text string) error {
	for _, it := range sql.Parse(text) {
		if it.Err != nil {
			return it.Err
		}
		switch s := it.Stmt.(type) {
		case *sql.CreateRelation:
			r, err := plan.BindRelation(s, text)
			if err != nil {
				return err
			}
			w.rels[r.Name] = r
			if s.Source {
				w.topic(r.Topic)
				continue
			}
			path, _ := plan.Option(s.With, "path")
			w.objects.Tables = append(w.objects.Tables, Table{Relation: r, File: path.Value})
		case *sql.CreateView:
			q, r, err := plan.BindView(s, text, w)
			if err != nil {
				return err
			}
			w.rels[r.Name] = r
			w.objects.Views = append(w.objects.Views, Definition{Relation: r, Query: q})
		case *sql.CreateSink:
			topic, _ := plan.Option(s.With, "topic")
			sink := Sink{Name: s.Name.Name, Topic: topic.Value}
			if s.From != nil {
				sink.From = s.From.Name
			} else {
				q, err := plan.BindSink(s, text, w, false)
				if err != nil {
					return err
				}
				sink.Query = q
			}
			w.objects.Sinks = append(w.objects.Sinks, sink)
		default:
			return fmt.Errorf("unexpected statement %T", s)
		}
	}
	return nil
}

func (w *world) mustDeclare(text string) {
	w.t.Helper()
	if err := w.declare(text); err != nil {
		w.t.Fatal(err)
	}
}

// start runs an engine over what the world's disk holds.
func (w *world) start() { w.startWith(64) } // small steps, so that there are many

// startQuick runs an engine as it is in earnest.
func (w *world) startQuick() { w.startWith(0) }

func (w *world) startWith(maxRows int) {
	w.t.Helper()
	// MYELIN_SPILL has all tests keep no state in memory.
	if w.apart = w.apart || os.Getenv("MYELIN_SPILL") != "" && w.scratch == nil; w.apart {
		w.scratch = state.NewScratch(state.ScratchConfig{Dir: w.t.TempDir(), Disk: 8 << 30, Small: -1})
	}
	e, err := New(Config{
		Dir: "state", FS: w.fs, Clock: w.clock, Log: slog.New(slog.NewTextHandler(logTo{w.t}, nil)), MaxRows: maxRows, MaxState: w.maxState, Shared: w.shared, Lateness: w.lateness,
		Remember: 1, Scratch: w.scratch, Poll: 10 * time.Millisecond, Workers: w.crew(), leastShared: 1,
	}, w.cluster)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.apart {
		e.settleEvery = 0
	}
	if err := e.Apply(w.ctx, w.objects); err != nil {
		w.t.Fatal(err)
	}
	w.engine = e
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	stopped := false
	w.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("engine: %v", err)
		}
	}
	w.t.Cleanup(w.stop)
}

// crew is how many workers an engine has, which share all its steps however small.
func (w *world) crew() int {
	if w.workers > 0 {
		return w.workers
	}
	if n, err := strconv.Atoi(os.Getenv("MYELIN_TEST_WORKERS")); err == nil {
		return n
	}
	return 4
}

type logTo struct{ t *testing.T }

func (l logTo) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// crash kills the engine and starts another on what is left: what was not synced is lost.
func (w *world) crash() {
	w.t.Helper()
	left := w.fs.CrashClone(vfs.CrashCloneCfg{})
	w.stop()
	w.fs = left
	w.start()
}

// send appends JSON records to a topic; user spreads them over partitions.
func (w *world) send(topic string, records ...string) {
	w.t.Helper()
	var recs []*kgo.Record
	for _, r := range records {
		recs = append(recs, &kgo.Record{Topic: topic, Key: []byte(userOf(r)), Value: []byte(r), Timestamp: w.clock.Now()})
	}
	if err := w.cluster.Client().ProduceSync(w.ctx, recs...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

func userOf(record string) string {
	_, rest, _ := strings.Cut(record, `"userId":"`)
	user, _, ok := strings.Cut(rest, `"`)
	if !ok {
		return record
	}
	return user
}

// until polls a condition.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	for !ok() {
		select {
		case <-time.After(2 * time.Millisecond):
		case <-w.ctx.Done():
			w.t.Fatalf("waiting until %s: %v", what, w.ctx.Err())
		}
	}
}

// settle waits until every view is live and has read all there is.
func (w *world) settle() {
	w.t.Helper()
	ends := map[string][]int64{}
	topics := map[string]bool{}
	for _, d := range w.objects.Views {
		for _, s := range scans(d.Query.Root) {
			if s.Relation.Kind == plan.Stream {
				topics[s.Relation.Topic] = true
			}
		}
	}
	for topic := range topics {
		listed, err := w.cluster.Admin().ListCommittedOffsets(w.ctx, topic)
		if err != nil {
			w.t.Fatal(err)
		}
		for n := range w.parts {
			o, _ := listed.Lookup(topic, n)
			ends[topic] = append(ends[topic], o.Offset)
		}
	}
	w.until("all is read", func() bool {
		for _, v := range w.engine.Views() {
			if v.Status().Phase != Live {
				return false
			}
		}
		pos := w.engine.Positions()
		for topic, at := range ends {
			if !slices.Equal(pos[topic], at) {
				return false
			}
		}
		return true
	})
}

// falsify adds rows to a view between two steps.
func (w *world) falsify(view string, b *vec.Batch) {
	w.t.Helper()
	done := make(chan struct{})
	err := w.engine.ask(w.ctx, func(t *task) {
		defer close(done)
		tb := t.jobs[view].view.Table
		tb.Stage(b)
		t.pub.Apply(t.pub.Step(), func() { tb.Publish() })
	})
	if err != nil {
		w.t.Fatal(err)
	}
	<-done
}

// rows are the rows of a view, sorted.
func (w *world) rows(view string) string {
	w.t.Helper()
	v, ok := w.engine.View(view)
	if !ok {
		w.t.Fatalf("there is no view %s", view)
	}
	var out []string
	for b := range v.Table.Version().Scan(0) {
		out = append(out, batchText(b)...)
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func batchText(b *vec.Batch) []string {
	var out []string
	for k := range b.Rows() {
		i := k
		if b.Sel != nil {
			i = int(b.Sel[k])
		}
		var cells []string
		for _, v := range b.Cols {
			r := i
			if v.Len() == 1 {
				r = 0
			}
			if v.IsNull(r) {
				cells = append(cells, "NULL")
				continue
			}
			cells = append(cells, string(vec.AppendText(nil, v, r)))
		}
		out = append(out, strings.Join(cells, " | "))
	}
	return out
}

// table is the state table of a view.
func (w *world) table(view string) *state.Table {
	v, _ := w.engine.View(view)
	return v.Table
}
