package op

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"myelin/internal/process/plan"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// watched is a query over a stream, with what it has let out.
type watched struct {
	flow
	onClose bool
	late    int
	told    []state.Changes // taken, and not written yet
	apart   *state.Share    // where its state lies; nil: in memory
}

func newWatched(t *testing.T, c oneTable, text string, onClose bool, apart *state.Share) *watched {
	w := &watched{flow: flow{t: t, q: bindWindow(t, c, text, true), have: map[string]int{}}, onClose: onClose, apart: apart}
	w.build(NoTime)
	for range w.p.Stores() {
		w.stored = append(w.stored, map[string]string{})
	}
	return w
}

func (w *watched) build(wm int64) {
	ctx := &Ctx{
		Watermark: wm, Lateness: 3 * 1e6, OnClose: w.onClose, Late: func(*vec.Batch, int) { w.late++ },
		Failed: func(_ *vec.Batch, _ int, err error) { w.t.Fatal(err) },
	}
	p, err := Build(w.q, ctx, func(b *vec.Batch) {
		for k := range b.Rows() {
			i := rowAt(b, k)
			key := string(state.AppendRow(nil, b.Cols, i))
			if w.have[key] += int(b.Sign(i)); w.have[key] == 0 {
				delete(w.have, key)
			}
		}
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.p = p
	p.Spill(w.apart)
}

// flush takes what changed. It is written when the next flush begins, after steps that must not change it, and twice, as after a
// transaction that failed.
func (w *watched) flush() {
	w.write()
	for _, s := range w.p.Stores() {
		w.told = append(w.told, s.Dirty())
		s.(state.Spiller).Settle(true)
	}
}

func (w *watched) write() {
	for i, told := range w.told {
		apply := func() {
			for key, value := range told {
				if value == nil {
					delete(w.stored[i], string(key))
					continue
				}
				w.stored[i][string(key)] = string(value)
			}
		}
		apply()
		once := maps.Clone(w.stored[i])
		if apply(); !maps.Equal(once, w.stored[i]) {
			w.t.Fatal("what was told differs when it is gone through again")
		}
	}
	w.told = nil
}

func (w *watched) restart() {
	wm := w.p.Ctx.Watermark
	w.flush()
	w.write()
	w.build(wm)
	for i, s := range w.p.Stores() {
		for _, key := range slices.Sorted(maps.Keys(w.stored[i])) {
			if err := s.Load([]byte(key), []byte(w.stored[i][key])); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	w.p.Restored()
}

// TestRestartsChangeNothingOfWhatWatermarksLetGo runs queries whose state goes with the watermark over rows that come late, tie and have
// NULLs, with and without restarts in between.
func TestRestartsChangeNothingOfWhatWatermarksLetGo(t *testing.T) {
	column := func(name string, k vec.Kind) plan.Column { return plan.Column{Name: name, Type: vec.Of(k)} }
	c := oneTable{rel: &plan.Relation{Schema: "public", Name: "r", Kind: plan.Stream, AppendOnly: true, TimeCol: 1, Columns: []plan.Column{
		column("k", vec.Int64), column("t", vec.Timestamp), column("x", vec.Int64), column("s", vec.Text),
	}}}
	const win = "tumble(r, t, INTERVAL '10 seconds')"
	const hop = "hop(r, t, INTERVAL '5 seconds', INTERVAL '15 seconds')"
	for _, q := range []struct {
		text    string
		onClose bool
	}{
		{text: "SELECT a.k, a.t, b.t AS u, b.x FROM r a JOIN r b ON a.k = b.k AND b.t BETWEEN a.t - INTERVAL '4 seconds' AND a.t + INTERVAL '6 seconds'"},
		{text: "SELECT a.k, a.t, b.t AS u, b.x FROM r a JOIN r b ON a.k = b.k AND b.t >= a.t - INTERVAL '4 seconds'"},
		{text: "SELECT a.k, a.t, b.t AS u, b.x FROM r a LEFT JOIN r b ON a.k = b.k AND a.x < b.x AND b.t BETWEEN a.t AND a.t + INTERVAL '6 seconds'"},
		{text: "SELECT a.k, a.t, b.t AS u, b.x FROM r a FULL JOIN r b ON a.k = b.x AND b.t BETWEEN a.t AND a.t + INTERVAL '6 seconds'"},
		{text: "SELECT a.k, a.t, b.t AS u, b.x FROM r a JOIN r b ON a.k = b.k AND b.t BETWEEN a.t AND a.t + a.x * INTERVAL '4 seconds'"},
		{text: "SELECT a.k, a.t, b.t AS u, b.x FROM r a JOIN r b ON a.k = b.k AND b.t <= a.t + a.x * INTERVAL '40 seconds' AND a.x > 2"},
		{text: "SELECT a.k, a.t, b.t AS u, b.x FROM r a LEFT JOIN r b ON a.k = b.k AND b.t BETWEEN a.t AND a.t + a.x * INTERVAL '2 seconds' AND a.t <= b.t + b.x * INTERVAL '9 seconds'"},
		{text: "SELECT a.k, a.t, a.x FROM r a WHERE NOT EXISTS (SELECT 1 FROM r b WHERE a.k = b.k AND b.x < a.x AND b.t BETWEEN a.t AND a.t + a.x * INTERVAL '1 second')"},
		{text: "SELECT a.k, a.x, b.s, a.window_start FROM " + win + " a JOIN " + win + " b ON a.k = b.x AND a.window_end = b.window_end"},
		{text: "SELECT r.k, r.x, r.t, m.high FROM r JOIN (SELECT max(x) AS high, window_start AS a, window_end AS z FROM " + win +
			" GROUP BY window_start, window_end) m ON r.x = m.high AND r.t BETWEEN m.a AND m.z"},
		{text: "SELECT r.k, r.x, r.t, m.low FROM r JOIN (SELECT k, min(x) AS low, window_end AS z FROM " + win +
			" GROUP BY k, window_end) m ON r.x = m.low AND r.k = m.k AND r.t >= m.z - INTERVAL '10 seconds' AND r.t < m.z"},
		{text: "SELECT window_start, k, count(*) AS n, sum(x) AS s, max(t) AS last FROM " + hop + " GROUP BY window_start, k", onClose: true},
		{text: "SELECT window_start, k, count(*) AS n, sum(x) AS s FROM " + hop + " GROUP BY window_start, k"},
		{text: "SELECT window_end, k, n FROM (SELECT window_end, k, count(*) AS n FROM " + hop + " GROUP BY window_end, k) u QUALIFY rank() OVER (PARTITION BY window_end ORDER BY n DESC) <= 2", onClose: true},
		{text: "SELECT window_end, k, n FROM (SELECT window_end, k, count(*) AS n FROM " + hop + " GROUP BY window_end, k) u QUALIFY rank() OVER (PARTITION BY window_end ORDER BY n DESC) <= 2"},
		{text: "SELECT k, window_end, count(DISTINCT x) AS n, count(DISTINCT x) FILTER (WHERE x > 3) AS m, count(DISTINCT s) AS o FROM " + win + " GROUP BY k, window_end"},
		{text: "SELECT k, window_end, count(DISTINCT x) AS n, count(DISTINCT x) FILTER (WHERE x > 3) AS m, count(DISTINCT s) AS o FROM " + win + " GROUP BY k, window_end", onClose: true},
	} {
		for seed := range uint64(4) {
			r := rand.New(rand.NewPCG(seed, 5))
			var apart *state.Share
			if seed%2 == 1 { // no state may stay in memory
				apart = state.NewScratch(state.ScratchConfig{Dir: t.TempDir(), Disk: 8 << 30, Small: -1}).Share(0)
			}
			plain, anew := newWatched(t, c, q.text, q.onClose, nil), newWatched(t, c, q.text, q.onClose, apart)
			now, wm := int64(1_768_000_000), int64(NoTime)
			value := func(b *vec.Batch, k vec.Kind, n, of int64) {
				v := vec.New(vec.Of(k), 0)
				switch {
				case r.IntN(25) == 0:
					v.AppendNull()
				case k == vec.Text:
					v.AppendString(string(rune('a' + r.Int64N(of))))
				default:
					v.AppendInt(n + r.Int64N(of))
				}
				b.Cols = append(b.Cols, v)
			}
			for step := range 150 {
				for range r.IntN(12) {
					b := &vec.Batch{N: 1}
					value(b, vec.Int64, 0, 4)
					back := int64(r.IntN(1 << r.IntN(6)))
					value(b, vec.Timestamp, (now-back)*1e6, 1)
					value(b, vec.Int64, 0, 7)
					value(b, vec.Text, 0, 5)
					plain.push(b, 1)
					anew.push(b, 1)
				}
				now += r.Int64N(3)
				if r.IntN(3) > 0 {
					wm = max(wm, (now-int64(r.IntN(8)))*1e6)
				}
				plain.p.EndStep(wm)
				anew.p.EndStep(wm)
				switch r.IntN(6) {
				case 0:
					anew.restart()
				case 1:
					anew.flush()
				}
				if !maps.Equal(plain.have, anew.have) || plain.late != anew.late {
					t.Fatalf("seed %d, step %d: %s\nwith restarts %d rows and %d late, without %d and %d", seed, step, q.text, len(anew.have), anew.late, len(plain.have), plain.late)
				}
			}
			if len(plain.have) == 0 {
				t.Errorf("%s gives nothing", q.text)
			}
		}
	}
}
