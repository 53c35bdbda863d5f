package query_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"myelin/internal/clock"
	"myelin/internal/lint/leak"
	"myelin/internal/process/exec"
	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/serve/catalog"
	"myelin/internal/serve/pgwire"
	"myelin/internal/serve/query"
	"myelin/internal/serve/view"
	"myelin/internal/vec"
)

func TestMain(m *testing.M) { leak.Main(m) }

// world is a query engine behind a PostgreSQL port, over two views and a table.
type world struct {
	dir   *view.Directory
	addr  *net.TCPAddr
	pub   *state.Publication
	steps uint64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: view.New(), pub: &state.Publication{}}
	revenue := w.put("revenue_per_minute", plan.View, []int{0, 1}, "Revenue by campaign, minute by minute.",
		column("window_start", vec.Of(vec.Timestamptz)), column("campaign", vec.Of(vec.Text)), column("orders", vec.Of(vec.Int64)),
		column("revenue", vec.Type{Kind: vec.Numeric}))
	crm := w.put("crm", plan.Table, []int{0}, "", column("user_id", vec.Of(vec.Text)), column("segment", vec.Of(vec.Text)), column("ltv", vec.Of(vec.Float64)))
	for i := range 1000 {
		d := vec.NewDecimal(int64(i*150), 2)
		revenue.Stage(&vec.Batch{N: 1, Cols: []*vec.Vector{vec.IntOf(vec.Timestamptz, int64(1_700_000_000+60*(i/4))*1e6), vec.TextOf(fmt.Sprintf("c%d", i%4)),
			vec.IntOf(vec.Int64, int64(i%7)), vec.DecimalOf(d)}})
	}
	for i := range 50 {
		segment := vec.TextOf("vip")
		if i%3 == 0 {
			segment = vec.NullOf(vec.Of(vec.Text))
		}
		crm.Stage(&vec.Batch{N: 1, Cols: []*vec.Vector{vec.TextOf(fmt.Sprintf("u%02d", i)), segment, vec.FloatOf(float64(i) / 4)}})
	}
	w.pub.Apply(1, func() { revenue.Publish(); crm.Publish() })
	engine, err := query.New(query.Config{Batch: exec.RunBatch, Views: w.dir, System: catalog.New(w.dir, nil, clock.Real{})})
	if err != nil {
		t.Fatal(err)
	}
	w.serve(t, engine)
	return w
}

func column(name string, typ vec.Type) plan.Column { return plan.Column{Name: name, Type: typ} }

func (w *world) put(name string, kind plan.RelationKind, key []int, comment string, cols ...plan.Column) *state.Table {
	types := make([]vec.Type, len(cols))
	for i, c := range cols {
		types[i] = c.Type
	}
	table := state.NewTable(w.pub, types, key)
	w.dir.Put(view.Entry{Table: table, SQL: "SELECT …", Description: comment,
		Relation: &plan.Relation{Name: name, Kind: kind, Columns: cols, Key: key, TimeCol: -1}})
	return table
}

func (w *world) serve(t *testing.T, engine *query.Engine) {
	srv, err := pgwire.New(pgwire.Config{Engine: engine})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Error("server did not stop")
		}
	})
	w.addr = ln.Addr().(*net.TCPAddr)
}
