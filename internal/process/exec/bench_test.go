package exec

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"myelin/internal/process/decode"
	"myelin/internal/process/op"
	"myelin/internal/process/plan"
	"myelin/internal/process/sql"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// catalog is a plan.Catalog of a few relations.
type catalog map[string]*plan.Relation

// Relation implements plan.Catalog.
func (c catalog) Relation(_, name string) (*plan.Relation, error) {
	if r := c[name]; r != nil {
		return r, nil
	}
	return nil, errors.New("no such relation")
}

// nexmarkBids makes n bids of about 300 bytes of JSON in time order, 100,000 per second of event time.
func nexmarkBids(n, from int) ([]byte, []decode.Record) {
	rnd := rand.New(rand.NewPCG(1, uint64(from)))
	text := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte('a' + rnd.IntN(26))
		}
		return string(b)
	}
	var buf []byte
	var recs []decode.Record
	for i := range n {
		at := len(buf)
		buf = fmt.Appendf(buf, `{"event_type":2,"person":null,"auction":null,"bid":{"auction":%d,"bidder":%d,"price":%d,"channel":"channel-%d",`+
			`"url":"https://www.nexmark.com/%s/%s/%s/item.htm?query=1&channel_id=%d","dateTime":"%s","extra":"%s"}}`,
			1000+rnd.IntN(1000), 1000+rnd.IntN(5000), rnd.IntN(1e6), rnd.IntN(10000), text(5), text(5), text(5), rnd.IntN(1<<30),
			noon.Add(time.Duration(from+i)*10*time.Microsecond).Format("2006-01-02 15:04:05.000"), text(30))
		recs = append(recs, decode.Record{Key: vec.Span{Off: decode.NoBytes}, Value: vec.Span{Off: uint32(at), Len: uint32(len(buf) - at)}})
	}
	return buf, recs
}

// cpuTime is the CPU time that the process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPath measures JSON records → columns → operators → the view's table, on one core. The simple paths must not allocate
// per event.
func BenchmarkPath(b *testing.B) {
	const source = `CREATE SOURCE bids (auction BIGINT FROM 'bid.auction', bidder BIGINT FROM 'bid.bidder', price BIGINT FROM 'bid.price', url TEXT FROM 'bid.url',
		at TIMESTAMP FROM 'bid.dateTime', WATERMARK FOR at AS at - INTERVAL '4 seconds') WITH (topic = 'bids');`
	for _, q := range []struct{ name, sql string }{
		{"q0_pass", `SELECT auction, bidder, price, at FROM bids WHERE price < 0`},
		{"q1_project", `SELECT auction, bidder, price * 0.908 AS price, at FROM bids WHERE price * 0.908 < 0`},
		{"q2_filter", `SELECT auction, price FROM bids WHERE auction % 123 = 0 AND price < 0`},
		{"tumble_count", `SELECT window_start, auction, count(*) AS n FROM tumble(bids, at, INTERVAL '10 seconds') GROUP BY window_start, auction`},
		{"tumble_closed", `SELECT window_start, auction, count(*) AS n FROM tumble(bids, at, INTERVAL '10 seconds') GROUP BY window_start, auction EMIT ON WINDOW CLOSE`},
		{"hop_count", `SELECT window_start, auction, count(*) AS n FROM hop(bids, at, INTERVAL '2 seconds', INTERVAL '10 seconds') GROUP BY window_start, auction EMIT ON WINDOW CLOSE`},
		{"session", `SELECT bidder, window_start, window_end, count(*) AS n FROM session(bids PARTITION BY bidder, at, INTERVAL '10 seconds') GROUP BY bidder, window_start, window_end EMIT ON WINDOW CLOSE`},
		{"bidder_stats", `SELECT bidder, count(*) AS n, sum(price) AS s, max(price) AS m, avg(price) AS a FROM bids GROUP BY bidder`},
	} {
		b.Run(q.name, func(b *testing.B) {
			cat := catalog{}
			items := sql.Parse(source)
			r, err := plan.BindRelation(items[0].Stmt.(*sql.CreateRelation), source)
			if err != nil {
				b.Fatal(err)
			}
			cat["bids"] = r
			text := "CREATE MATERIALIZED VIEW v AS " + q.sql
			query, rel, err := plan.BindView(sql.Parse(text)[0].Stmt.(*sql.CreateView), text, cat)
			if err != nil {
				b.Fatal(err)
			}
			pub := &state.Publication{}
			table := state.NewTable(pub, columnTypes(rel.Columns), rel.Key)
			ctx := &op.Ctx{Replaces: true, Watermark: op.NoTime, Lateness: 7 * 24 * 3600 * 1e6, OnClose: query.Emit == plan.EmitOnWindowClose}
			p, err := op.Build(query, ctx, func(x *vec.Batch) { table.Stage(x) })
			if err != nil {
				b.Fatal(err)
			}
			const size, batches = 4096, 64
			var bufs [][]byte
			var recs [][]decode.Record
			bytes := 0
			for i := range batches {
				buf, rs := nexmarkBids(size, i*size)
				bufs, recs = append(bufs, buf), append(recs, rs)
				bytes += len(buf)
			}
			dec := decode.New(p.Sources[0].Scan.Columns, nil)
			dec.Foreign = true
			step := func(i int) {
				dec.Begin(bufs[i%batches], size)
				for _, r := range recs[i%batches] {
					dec.Add(r)
				}
				p.Sources[0].Push(dec.Batch())
				p.EndStep(noon.UnixMicro() + int64(i%batches)*size*10 - 4e6)
				pub.Apply(uint64(i), func() { table.Publish() })
				if i%batches == batches-1 {
					for _, s := range append(p.Stores(), table) {
						for range s.Dirty() {
						}
					}
				}
			}
			for i := range batches {
				step(i)
			}
			b.ReportAllocs()
			b.SetBytes(int64(bytes / batches))
			n := 0
			began := cpuTime()
			for b.Loop() {
				step(n)
				n++
			}
			used := cpuTime() - began // of the whole process, so with garbage collection, and right on a busy machine
			b.ReportMetric(float64(n)*size/used.Seconds()/1e6, "Mev/core-s")
			b.ReportMetric(float64(used.Nanoseconds())/(float64(n)*size), "cpu-ns/ev")
		})
	}
}

// manyViews makes views over one topic, each of which filters and counts by a column with few values, and returns a function that
// takes them all through one step of a batch of records.
func manyViews(tb testing.TB, views int) (step func(), size int) {
	cat := catalog{"events": plan.EventStream("", "events", "events", nil, nil, 5e6, "")}
	size = 4096
	var buf []byte
	var recs []decode.Record
	for i := range size {
		at := len(buf)
		buf = append(buf, event(i, fmt.Sprint("user-", i%500), []string{"Product Viewed", "Product Added", "Order Completed"}[i%3], i/100,
			fmt.Sprintf(`"product_id":"p-%d","price":%d.50,"currency":"EUR","country":"c%02d"`, i%97, i%50, i%20))...)
		recs = append(recs, decode.Record{Key: vec.Span{Off: decode.NoBytes}, Value: vec.Span{Off: uint32(at), Len: uint32(len(buf) - at)}})
	}
	e, err := New(Config{FS: vfs.NewMem(), Dir: "x"}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	in := &input{topic: "events", eventCol: -1, governed: true}
	g := &group{}
	for v := range views {
		text := fmt.Sprintf(`CREATE MATERIALIZED VIEW v%d AS SELECT event, count(*) AS n FROM events WHERE properties->>'country' = 'c%02d' GROUP BY event`, v, v%20)
		q, rel, err := plan.BindView(sql.Parse(text)[0].Stmt.(*sql.CreateView), text, cat)
		if err != nil {
			tb.Fatal(err)
		}
		view := &View{Relation: rel, Query: q, Table: state.NewTable(e.pub, columnTypes(rel.Columns), rel.Key)}
		j, err := e.newJob(uint32(v), rel.Name, view, q, fingerprint{}, &outputs{})
		if err != nil {
			tb.Fatal(err)
		}
		in.add(j, j.pipe.Sources[0])
		g.jobs = append(g.jobs, j)
	}
	dec := decode.New(in.cols, nil)
	n := uint64(0)
	return func() {
		dec.Begin(buf, size)
		for _, r := range recs {
			dec.Add(r)
		}
		pc := piece{in: in, batch: dec.Batch()}
		pc.push(noon.UnixMicro())
		g.endStep(noon.UnixMicro())
		n++
		e.pub.Apply(n, func() {
			for _, j := range g.jobs {
				j.view.Table.Publish()
			}
		})
	}, size
}

// BenchmarkViewsOverOneTopic measures how much dearer 100 views over a topic are than one: they share one decode.
func BenchmarkViewsOverOneTopic(b *testing.B) {
	for _, views := range []int{1, 100} {
		b.Run(fmt.Sprint(views), func(b *testing.B) {
			step, size := manyViews(b, views)
			b.ReportAllocs()
			n := 0
			began := cpuTime()
			for b.Loop() {
				step()
				n++
			}
			b.ReportMetric(float64((cpuTime()-began).Nanoseconds())/(float64(n)*float64(size)), "cpu-ns/ev")
		})
	}
}

// TestAHundredViewsCostAtMostTenOfOne compares CPU time, the least of a few tries.
func TestAHundredViewsCostAtMostTenOfOne(t *testing.T) {
	cost := func(views int) time.Duration {
		step, _ := manyViews(t, views)
		step()
		least := time.Duration(1 << 62)
		for range 3 {
			began := cpuTime()
			for range 40 {
				step()
			}
			least = min(least, cpuTime()-began)
		}
		return least
	}
	one, hundred := cost(1), cost(100)
	t.Logf("40 batches of 4096 events: one view %v, a hundred %v", one, hundred)
	if hundred > 10*one {
		t.Errorf("a hundred views cost %.1f times one", float64(hundred)/float64(one))
	}
}
