package exec

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/log"
	"myelin/internal/process/nexmark"
	"myelin/internal/process/plan"
	"myelin/internal/process/sql"
	"myelin/internal/process/state"
)

// recordBatch makes a record batch as producers do.
func recordBatch(tb testing.TB, base, first int64, values [][]byte, codec kgo.CompressionCodec) []byte {
	var body []byte
	for i, v := range values {
		var r []byte
		r = append(r, 0)
		r = binary.AppendVarint(r, 0)
		r = binary.AppendVarint(r, int64(i))
		r = binary.AppendVarint(r, -1)
		r = binary.AppendVarint(r, int64(len(v)))
		r = append(append(r, v...), 0)
		body = append(binary.AppendVarint(body, int64(len(r))), r...)
	}
	attrs := uint16(0)
	if c, err := kgo.DefaultCompressor(codec); err != nil {
		tb.Fatal(err)
	} else if c != nil {
		packed, used := c.Compress(new(bytes.Buffer), body)
		body, attrs = packed, uint16(used)
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(base))
	b = binary.BigEndian.AppendUint32(b, uint32(49+len(body)))
	b = binary.BigEndian.AppendUint32(b, 0)
	b = append(b, 2, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, attrs)
	b = binary.BigEndian.AppendUint32(b, uint32(len(values)-1))
	b = binary.BigEndian.AppendUint64(b, uint64(first))
	b = binary.BigEndian.AppendUint64(b, uint64(first))
	b = binary.BigEndian.AppendUint64(b, ^uint64(0))
	b = append(b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	b = binary.BigEndian.AppendUint32(b, uint32(len(values)))
	b = append(b, body...)
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// nexmarkTopic makes what fetches bring of a topic with so many events: a few record batches each, 100,000 events per second.
func nexmarkTopic(tb testing.TB, events int) (fetches [][]byte) {
	s := nexmark.NewStream(1, 100_000)
	const perBatch, perFetch = 1000, 10
	for n := 0; n < events; {
		var fetch []byte
		for range perFetch {
			values := make([][]byte, 0, perBatch)
			at := s.At()
			for range perBatch {
				values = append(values, s.Append(nil))
			}
			fetch = append(fetch, recordBatch(tb, int64(n), at/1000, values, kgo.Lz4Compression())...)
			n += perBatch
		}
		fetches = append(fetches, fetch)
	}
	return fetches
}

// path is a query as the engine runs it, without brokers: from what fetches bring to its view or to nothing.
type path struct {
	e   *Engine
	j   *job
	g   *group
	seq uint64
	at  int64
}

func nexmarkPath(tb testing.TB, text string, view bool) *path {
	return nexmarkPathWithout(tb, text, view, 0)
}

// nexmarkPathWithout leaves some rewrites of the query out.
func nexmarkPathWithout(tb testing.TB, text string, view bool, without plan.Rewrites) *path {
	cat := catalog{}
	for _, item := range sql.Parse(nexmark.Sources) {
		var r *plan.Relation
		var err error
		switch s := item.Stmt.(type) {
		case *sql.CreateRelation:
			r, err = plan.BindRelation(s, nexmark.Sources)
		case *sql.CreateView:
			r, err = plan.BindPlainView(s, nexmark.Sources, cat)
		default:
			tb.Fatal(item.Err)
		}
		if err != nil {
			tb.Fatal(err)
		}
		cat[r.Name] = r
	}
	e, err := New(Config{FS: vfs.NewMem(), Dir: "x"}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	p := &path{e: e, g: &group{}}
	text = "CREATE MATERIALIZED VIEW v AS " + text
	q, rel, err := plan.BindViewFor(sql.Parse(text)[0].Stmt.(*sql.CreateView), text, cat, plan.Options{Without: without})
	if err != nil {
		tb.Fatal(err)
	}
	var v *View
	if view {
		v = &View{Relation: rel, Query: q, Table: state.NewTable(e.pub, columnTypes(rel.Columns), rel.Key)}
	}
	if p.j, err = e.newJob(1, "v", v, q, fingerprint{}, &outputs{discard: !view}); err != nil {
		tb.Fatal(err)
	}
	p.g.jobs = []*job{p.j}
	p.j.group = p.g
	p.g.inputs = e.inputsOf(p.g.jobs, positions{"nexmark": {0}})
	p.g.watch(e, 0)
	return p
}

// fetched takes all steps over one fetch.
func (p *path) fetched(tb testing.TB, raw []byte) {
	c, err := log.NewChunk("nexmark", 0, raw)
	if err != nil {
		tb.Fatal(err)
	}
	in := p.g.inputs[0]
	in.parts[0].chunk, in.parts[0].cur = c, log.Cursor{}
	for in.parts[0].chunk != nil {
		pc, ok := in.next(in.parts[0], p.e.cfg.MaxRows, 1<<62)
		if !ok {
			tb.Fatal("nothing to read")
		}
		p.step(pc)
		if pc.last {
			pc.chunk.Release()
		}
	}
}

func (p *path) step(pc piece) {
	pc.limit = math.MaxInt64 // no time is ahead
	for _, t := range pc.in.times {
		w := p.g.marks[t.stream]
		if at := pc.latest(t.col); at > w.At {
			w.At = at - 4e6
		}
	}
	pc.push(noon.UnixMicro())
	p.g.endStep(noon.UnixMicro())
	p.seq++
	p.e.pub.Apply(p.seq, func() {
		if v := p.j.view; v != nil {
			v.Table.Publish()
		}
	})
	p.g.settle()
}

// flush collects the state that changed.
func (p *path) flush() (keys, bytes int) {
	var changes []state.Change
	for _, s := range p.j.stores() {
		for key, value := range s.Dirty() {
			c := state.Change{Key: append([]byte{1, 2, 3, 4, 5}, key...)}
			if value != nil {
				c.Value = append([]byte{}, value...)
			}
			bytes += len(key) + len(value)
			changes = append(changes, c)
		}
	}
	return len(changes), bytes
}

var nexmarkFetches = sync.OnceValue(func() [][]byte {
	n, err := strconv.Atoi(os.Getenv("MYELIN_NEXMARK_EVENTS"))
	if err != nil {
		n = 1_000_000
	}
	return nexmarkTopic(&testing.B{}, n)
})

// BenchmarkNexmark measures what an event costs from the fetched record batches on, checksums, decompression and the collection of
// changed state included, for each query of Nexmark: with its changes dropped, and kept as a view.
func BenchmarkNexmark(b *testing.B) {
	for _, q := range nexmark.Queries {
		for _, to := range []string{"sink", "view"} {
			b.Run(q.Name+"/"+to, func(b *testing.B) {
				fetches := nexmarkFetches()
				b.ReportAllocs()
				var events, keys, rows int
				var size int64
				var m0, m1 runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m0)
				began := cpuTime()
				for b.Loop() {
					p := nexmarkPath(b, q.SQL, to == "view")
					keys = 0
					for i, f := range fetches {
						p.fetched(b, f)
						if i%100 == 99 { // a million events
							k, _ := p.flush()
							keys += k
						}
					}
					rows = int(p.j.stat().out.Load())
					size = 0
					for _, s := range p.j.stores() {
						size += s.Size()
					}
					events += len(fetches) * 10_000
				}
				used := cpuTime() - began
				runtime.ReadMemStats(&m1)
				b.ReportMetric(float64(events)/used.Seconds()/1e6, "Mev/core-s")
				b.ReportMetric(float64(used.Nanoseconds())/float64(events), "cpu-ns/ev")
				b.ReportMetric(float64(m1.Mallocs-m0.Mallocs)/float64(events), "allocs/ev")
				b.ReportMetric(float64(rows)*float64(b.N)/float64(events), "rows/ev")
				b.ReportMetric(float64(keys), "flushed")
				b.ReportMetric(float64(size)/1e6, "state-MB")
			})
		}
	}
}

// TestNexmarkQueriesBind runs each query over some events.
func TestNexmarkQueriesRun(t *testing.T) {
	fetches := nexmarkTopic(t, 20_000)
	for _, q := range nexmark.Queries {
		t.Run(q.Name, func(t *testing.T) {
			p := nexmarkPath(t, q.SQL, true)
			for _, f := range fetches {
				p.fetched(t, f)
			}
			if p.j.broken {
				t.Fatal("an operator panicked")
			}
			t.Logf("%d rows", p.j.view.Table.Version().Rows())
		})
	}
}
