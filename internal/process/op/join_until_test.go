package op

import (
	"maps"
	"math/rand/v2"
	"testing"

	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// TestRowsThatCarryTheirEndGoWithIt joins rows whose partners' times end at one that each carries, over rows that come in disorder, as late
// as they may: the answer is that of all rows at once, and what is over goes, also among rows that stay.
func TestRowsThatCarryTheirEndGoWithIt(t *testing.T) {
	const lateness, second = 5_000_000, 1_000_000
	column := func(name string, k vec.Kind) plan.Column { return plan.Column{Name: name, Type: vec.Of(k)} }
	c := oneTable{rel: &plan.Relation{Schema: "public", Name: "r", Kind: plan.Stream, AppendOnly: true, TimeCol: 1, Columns: []plan.Column{
		column("k", vec.Int64), column("t", vec.Timestamp), column("ends", vec.Timestamp), column("x", vec.Int64),
	}}}
	for _, q := range []struct {
		text  string
		stays bool // the rows of one side
	}{
		{text: "SELECT a.x, b.x AS y FROM r a JOIN r b ON a.k = b.k AND b.t BETWEEN a.t AND a.ends"},
		{text: "SELECT a.x, b.x AS y FROM r b JOIN r a ON a.k = b.k AND NOT (b.t < a.t OR b.t >= a.ends)"},
		{text: "SELECT a.x, b.x AS y FROM r a JOIN r b ON a.k = b.k AND b.t <= a.ends AND a.x % 3 = 0", stays: true},
		{text: "SELECT a.x, b.x AS y FROM r a LEFT JOIN r b ON a.k = b.k AND b.t BETWEEN a.t AND a.ends AND a.x < b.x"},
		{text: "SELECT a.x, b.x AS y FROM r a FULL JOIN r b ON a.k = b.k AND a.t <= b.ends AND b.t <= a.ends"},
		{text: "SELECT a.x FROM r a WHERE EXISTS (SELECT 1 FROM r b WHERE a.k = b.k AND b.t BETWEEN a.t AND a.ends AND b.x > a.x)"},
		{text: "SELECT a.x, b.x AS y FROM r a JOIN r b ON a.k = b.k AND b.t BETWEEN a.t - INTERVAL '20 seconds' AND a.t - INTERVAL '10 seconds'"},
		{text: "SELECT a.x, b.x AS y FROM r a JOIN r b ON a.k = b.k AND (b.t BETWEEN a.t AND a.ends OR b.t BETWEEN a.t AND a.t + INTERVAL '3 seconds')"},
		{text: "SELECT a.x, b.x AS y FROM r a JOIN r b ON a.k = b.k AND b.t > a.t AND b.t - a.t < COALESCE(a.ends, a.t + INTERVAL '1 month') - a.t - INTERVAL '2 seconds'"},
	} {
		for seed := range uint64(2) {
			r := rand.New(rand.NewPCG(seed, 9))
			have := map[string]int{}
			late := 0
			ctx := &Ctx{Watermark: NoTime, Lateness: lateness, Late: func(*vec.Batch, int) { late++ }}
			p, err := Build(bindWindow(t, c, q.text, true), ctx, func(b *vec.Batch) {
				for k := range b.Rows() {
					i := rowAt(b, k)
					key := string(state.AppendRow(nil, b.Cols, i))
					if have[key] += int(b.Sign(i)); have[key] == 0 {
						delete(have, key)
					}
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			var all []*vec.Batch
			now, wm, most := int64(1_768_000_000*second), int64(NoTime), 0
			for range 300 {
				for range 1 + r.IntN(10) {
					at := now - r.Int64N(lateness)
					if at < wm-lateness+second {
						at = now
					}
					end := vec.New(vec.Of(vec.Timestamp), 0)
					switch r.IntN(40) {
					case 0:
						end.AppendNull()
					case 1:
						end.AppendInt(at - r.Int64N(10*second))
					case 2:
						end.AppendInt(at + 600*second)
					default:
						end.AppendInt(at + r.Int64N(8*second))
					}
					b := &vec.Batch{N: 1, Cols: []*vec.Vector{vec.IntOf(vec.Int64, r.Int64N(20)), vec.IntOf(vec.Timestamp, at), end, vec.IntOf(vec.Int64, r.Int64N(100))}}
					all = append(all, b)
					feed(p, b)
				}
				now += r.Int64N(second)
				wm = max(wm, now-r.Int64N(3*second))
				p.EndStep(wm)
				most = max(most, kept(p))
			}
			if want := once(t, c, q.text, all); !maps.Equal(have, want) {
				t.Errorf("seed %d: %s\n%d rows, want %d", seed, q.text, len(have), len(want))
			}
			if late > 0 {
				t.Errorf("%s: %d rows that are not late are told of", q.text, late)
			}
			if !q.stays && most > 1200 {
				t.Errorf("%s: %d rows are kept of %d", q.text, most, len(all))
			}
			p.EndStep(now + 40*86400*second)
			if n := kept(p); !q.stays && n > 0 || n > len(all) {
				t.Errorf("%s: %d rows are kept after their time", q.text, n)
			}
		}
	}
}

// feed pushes a row into all scans of a query.
func feed(p *Pipeline, b *vec.Batch) {
	for _, s := range p.Sources {
		in := &vec.Batch{N: b.N}
		for _, c := range s.Scan.Columns {
			in.Cols = append(in.Cols, b.Cols[c.Index])
		}
		s.Push(in)
	}
}

// kept is how many rows a query remembers.
func kept(p *Pipeline) (n int) {
	for _, s := range p.Stores() {
		n += s.Len()
	}
	return n
}

// TestAFewRowsThatStayKeepNoPages joins rows of which one in a hundred never ends.
func TestAFewRowsThatStayKeepNoPages(t *testing.T) {
	const second = 1_000_000
	column := func(name string, k vec.Kind) plan.Column { return plan.Column{Name: name, Type: vec.Of(k)} }
	c := oneTable{rel: &plan.Relation{Schema: "public", Name: "r", Kind: plan.Stream, AppendOnly: true, TimeCol: 1, Columns: []plan.Column{
		column("k", vec.Int64), column("t", vec.Timestamp), column("ends", vec.Timestamp),
	}}}
	const text = "SELECT a.k, b.t FROM r a JOIN r b ON a.k = b.k AND b.t BETWEEN a.t + INTERVAL '1 microsecond' AND a.ends"
	ctx := &Ctx{Watermark: NoTime, Lateness: second}
	rows := 0
	p, err := Build(bindWindow(t, c, text, true), ctx, func(b *vec.Batch) { rows += b.Rows() })
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(2, 9))
	const n, start = 50_000, 1_768_000_000 * second
	for i := range int64(n) {
		at := start + i*second/100
		end := at + r.Int64N(5*second)
		if i%100 == 0 {
			end = vec.InfinityMicros
		}
		feed(p, &vec.Batch{N: 1, Cols: []*vec.Vector{vec.IntOf(vec.Int64, i), vec.IntOf(vec.Timestamp, at), vec.IntOf(vec.Timestamp, end)}})
		if i%10 == 0 {
			p.EndStep(at - second)
		}
	}
	p.EndStep(start + 2*n*second/100)
	var left *rowLog
	for _, s := range p.Stores() {
		if l, ok := s.(*rowLog); ok && (left == nil || l.live > left.live) {
			left = l
		}
	}
	pages := 0
	for _, p := range left.pages {
		if p != nil {
			pages++
		}
	}
	if left.live != n/100 || pages > 12 {
		t.Errorf("%d rows in %d pages, want %d in a few", left.live, pages, n/100)
	}
	for i := range int64(n) { // those that stay are found
		feed(p, &vec.Batch{N: 1, Cols: []*vec.Vector{vec.IntOf(vec.Int64, i), vec.IntOf(vec.Timestamp, start+2*n*second/100), vec.IntOf(vec.Timestamp, 0)}})
	}
	p.EndStep(NoTime)
	if rows != n/100 {
		t.Errorf("%d rows, want %d", rows, n/100)
	}
}

// TestRowsThatWereMovedComeBack joins rows most of which go soon while some stay, with restarts on the way and without.
func TestRowsThatWereMovedComeBack(t *testing.T) {
	rowsThatWereMoved(t, nil)
	rowsThatWereMoved(t, state.NewScratch(state.ScratchConfig{Dir: t.TempDir(), Disk: 8 << 30, Small: -1}).Share(0))
}

func rowsThatWereMoved(t *testing.T, apart *state.Share) {
	t.Helper()
	const second = 1_000_000
	column := func(name string, k vec.Kind) plan.Column { return plan.Column{Name: name, Type: vec.Of(k)} }
	c := oneTable{rel: &plan.Relation{Schema: "public", Name: "r", Kind: plan.Stream, AppendOnly: true, TimeCol: 1, Columns: []plan.Column{
		column("k", vec.Int64), column("t", vec.Timestamp), column("ends", vec.Timestamp),
	}}}
	const text = "SELECT a.k, a.t AS u, b.t FROM r a JOIN r b ON a.k = b.k AND b.t > a.t AND b.t <= a.ends"
	plain, anew := newWatched(t, c, text, false, nil), newWatched(t, c, text, false, apart)
	r := rand.New(rand.NewPCG(3, 9))
	const start = 1_768_000_000 * second
	for i := range int64(12_000) {
		at := start + i*second/50
		end := at + r.Int64N(4*second)
		switch r.IntN(60) {
		case 0:
			end = vec.InfinityMicros
		case 1:
			end = at + 60*second
		}
		late := r.Int64N(3500 * second / 1000)
		b := &vec.Batch{N: 1, Cols: []*vec.Vector{vec.IntOf(vec.Int64, r.Int64N(500)), vec.IntOf(vec.Timestamp, at-late), vec.IntOf(vec.Timestamp, end)}}
		plain.push(b, 1)
		anew.push(b, 1)
		if r.IntN(5) == 0 {
			plain.p.EndStep(at)
			anew.p.EndStep(at)
		}
		switch r.IntN(600) {
		case 0:
			anew.restart()
		case 1:
			anew.flush()
		}
	}
	if !maps.Equal(plain.have, anew.have) || plain.late != anew.late || len(plain.have) < 1000 || plain.late == 0 {
		t.Errorf("with restarts %d rows and %d late, without %d and %d", len(anew.have), anew.late, len(plain.have), plain.late)
	}
	if n := kept(plain.p); n > 3000 {
		t.Errorf("%d rows are kept", n)
	}
}
