package exec

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/log"
)

// layers are views that read each other.
const layers = `
CREATE MATERIALIZED VIEW per_key AS SELECT k, count(*) AS c, sum(n) AS s, max(id) AS last FROM l GROUP BY k;
CREATE MATERIALIZED VIEW per_count AS SELECT c, count(*) AS keys FROM per_key GROUP BY c;
CREATE MATERIALIZED VIEW dear AS SELECT id, k, x FROM l WHERE x > 2;
CREATE MATERIALIZED VIEW named AS SELECT p.k, p.c, d.g, q.keys FROM per_key p JOIN d ON p.k = d.k LEFT JOIN per_count q ON q.c = p.c;
CREATE MATERIALIZED VIEW top AS SELECT id, k, x FROM dear ORDER BY x DESC, id LIMIT 5;
CREATE MATERIALIZED VIEW pairs AS SELECT k FROM per_key UNION ALL SELECT k FROM dear;
`

// stand runs views without a log: what steps read is handed to it.
type stand struct {
	t    *testing.T
	task *task
	g    *group
	seq  uint64
}

func newStand(t *testing.T, c *testCase, workers int) *stand {
	w := bareWorld(t)
	w.mustDeclare(c.ddl)
	e, err := New(Config{FS: vfs.NewMem(), Dir: "x", Remember: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Apply(t.Context(), w.objects); err != nil {
		t.Fatal(err)
	}
	s := &stand{t: t, g: &group{}, task: &task{Engine: e, jobs: map[string]*job{}, crew: newCrew(workers, 1)}}
	t.Cleanup(s.task.crew.close)
	s.task.groups = []*group{s.g}
	wanted := e.wanted()
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		x := wanted[name]
		j, err := e.newJob(uint32(len(s.g.jobs)+1), name, x.view, x.query, x.print, &outputs{})
		if err != nil {
			t.Fatal(err)
		}
		j.told, j.group = true, s.g
		s.g.jobs, s.task.jobs[name] = append(s.g.jobs, j), j
	}
	for _, j := range s.g.jobs {
		j.connect(s.task.find)
	}
	s.g.jobs = order(s.g.jobs)
	s.g.inputs = e.inputsOf(s.g.jobs, positions{"l": {0, 0, 0}, "r": {0, 0}})
	s.g.watch(e, noon.UnixMicro())
	s.g.lots = s.g.allot()
	return s
}

// tables are the changes that bring tables in line with their files.
func (s *stand) tables(c *testCase) []tableChange {
	var out []tableChange
	dir := s.t.TempDir()
	for _, j := range s.g.jobs {
		if j.query != nil {
			continue
		}
		path := filepath.Join(dir, j.view.File)
		if err := os.WriteFile(path, []byte(c.files[j.view.File]), 0o600); err != nil {
			s.t.Fatal(err)
		}
		recs, err := j.diffFile(path)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, r := range recs {
			out = append(out, tableChange{name: j.name, print: j.print, key: r.Key[len(j.name)+9:], row: r.Value})
		}
	}
	return out
}

// step takes values of partitions, and tells what it changed.
func (s *stand) step(tables []tableChange, values map[string][][][]byte, clock int64) string {
	g := s.g
	g.pieces = g.pieces[:0]
	for _, in := range g.inputs {
		for _, p := range in.parts {
			vs := values[in.topic][p.n]
			if len(vs) == 0 {
				continue
			}
			c, err := log.NewChunk(in.topic, p.n, recordBatch(s.t, p.pos, clock/1000, vs, kgo.Lz4Compression()))
			if err != nil {
				s.t.Fatal(err)
			}
			p.chunk, p.cur = c, log.Cursor{}
			pc, _ := in.hand(p, math.MaxInt64)
			g.pieces = append(g.pieces, pc)
		}
	}
	s.task.compute(g, tables, clock, func() bool {
		for i := range g.pieces {
			g.pieces[i].moves(g, clock)
		}
		for _, w := range g.marks {
			w.least()
		}
		return true
	})
	var out strings.Builder
	s.seq++
	s.task.pub.Apply(s.seq, func() {
		for _, j := range g.jobs {
			if j.changed != nil {
				fmt.Fprintf(&out, "%s at %d: %s %v\n", j.name, j.mark, strings.Join(batchText(j.changed), "; "), j.changed.Diff)
			}
			j.view.Table.Publish()
		}
	})
	g.settle()
	g.release()
	return out.String()
}

// left is the state of all jobs, and what they know of rows that they left out.
func (s *stand) left() string {
	var out strings.Builder
	for _, j := range s.g.jobs {
		if j.broken {
			s.t.Errorf("%s stopped: %s", j.name, j.stat().mu.problem)
		}
		st := j.view.Status()
		fmt.Fprintf(&out, "%s: %d in, %d out, %d errors, %d late, %d ahead, %v\n", j.name, st.RowsIn, st.RowsOut, st.Errors, st.Late, st.Ahead, st.Misfits)
		for _, b := range append(st.RecentErrors, st.RecentLate...) {
			fmt.Fprintf(&out, "  %s: %s of %s/%d/%d\n", b.Reason, b.Row, b.Topic, b.Partition, b.Offset)
		}
		for i, store := range j.stores() {
			var keys [][]byte
			for k, v := range store.Dirty() {
				keys = append(keys, slices.Concat(k, []byte{0}, v))
			}
			slices.SortFunc(keys, bytes.Compare)
			h := fnv.New64a()
			for _, k := range keys {
				h.Write(k)
			}
			fmt.Fprintf(&out, "  store %d: %d keys, %x\n", i, len(keys), h.Sum64())
		}
	}
	return out.String()
}

// TestWorkersChangeNoAnswer takes random views through random steps with one worker and with several: each step changes the same rows in
// the same order, and all leave the same state.
func TestWorkersChangeNoAnswer(t *testing.T) {
	rounds := 3
	if n, err := strconv.Atoi(os.Getenv("MYELIN_ROUNDS")); err == nil {
		rounds = n
	}
	for round := range rounds {
		g := &generator{Rand: rand.New(rand.NewPCG(78, uint64(round)))}
		c := g.testCase(t, 20)
		c.ddl += layers
		c.data = append(c.data, topicRecord{"l", "no object"}, topicRecord{"l", `{"id":"x","k":7,"n":1,"at":"2026-01-15T11:02:00"}`},
			topicRecord{"l", `{"id":900,"k":"a","n":3,"x":1,"at":"2070-01-15T11:02:00"}`}, topicRecord{"r", `{"id":901,"k":"a","m":"","at":"2026-01-15T08:00:00"}`})
		g.Shuffle(len(c.data), func(i, j int) { c.data[i], c.data[j] = c.data[j], c.data[i] })
		var steps []map[string][][][]byte
		for at := 0; at < len(c.data); {
			values := map[string][][][]byte{"l": make([][][]byte, 3), "r": make([][][]byte, 2)}
			for range 1 + g.IntN(30) {
				if at < len(c.data) {
					d := c.data[at]
					n := g.IntN(len(values[d.topic]))
					values[d.topic][n] = append(values[d.topic][n], []byte(d.value))
					at++
				}
			}
			steps = append(steps, values)
		}
		run := func(workers int) (shown []string, left string) {
			s := newStand(t, c, workers)
			clock := noon.Add(-time.Hour).UnixMicro()
			for i, values := range steps {
				var tables []tableChange
				if i == 1 {
					tables = s.tables(c)
				}
				clock += 20e6
				shown = append(shown, s.step(tables, values, clock))
			}
			return shown, s.left()
		}
		want, wantLeft := run(1)
		for _, workers := range []int{2, 4, 8} {
			got, left := run(workers)
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("round %d, %d workers, step %d changes\n%s\nwant\n%s\nof\n%s", round, workers, i, got[i], want[i], c.ddl)
				}
			}
			if left != wantLeft {
				t.Fatalf("round %d: %d workers leave\n%s\nwant\n%s", round, workers, left, wantLeft)
			}
		}
	}
}

// TestReadersAreFoundByWayOfEachOther: what changes in a group goes through all that read it.
func TestReadersAreFoundByWayOfEachOther(t *testing.T) {
	a, b, c := &group{}, &group{}, &group{}
	x, y, z := &job{group: a}, &job{group: b}, &job{group: c}
	y.ups, z.ups = []*job{x}, []*job{y}
	a.jobs, b.jobs, c.jobs = []*job{x}, []*job{y}, []*job{z}
	k := &task{groups: []*group{a, b, c}}
	if got := k.readers(a); !slices.Equal(got, []*group{b, c}) {
		t.Errorf("%d groups read the first; want 2", len(got))
	}
	if got := k.readers(b); !slices.Equal(got, []*group{c}) {
		t.Errorf("%d groups read the second; want 1", len(got))
	}
}
