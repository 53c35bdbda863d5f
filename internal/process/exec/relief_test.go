package exec

import (
	"fmt"
	"runtime"
	"testing"

	"myelin/internal/process/state"
)

// onTask runs f on the goroutine of the task.
func (w *world) onTask(f func(*task)) {
	w.t.Helper()
	done := make(chan struct{})
	w.engine.asks <- func(t *task) {
		defer close(done)
		f(t)
	}
	<-done
}

// heap is how much memory the state takes that is not in scratch memory.
func (t *task) heap() int64 {
	var n int64
	for _, j := range t.jobs {
		for _, s := range j.stores() {
			n += s.Size()
			if x, ok := s.(state.Spiller); ok {
				n -= x.Apart()
			}
		}
	}
	return n
}

// idleScratch is scratch memory that is too good for whatever there is.
func idleScratch(t *testing.T) *state.Scratch {
	return state.NewScratch(state.ScratchConfig{Dir: t.TempDir(), Disk: 1 << 30, Small: 1 << 40})
}

// TestChangedRowsThatAFlushRelievesStopNoView has rows change within a limit that has room for them, but not for all of them to be kept
// until the next flush that is due: one is made before its time.
func TestChangedRowsThatAFlushRelievesStopNoView(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(numbersDDL + `CREATE MATERIALIZED VIEW many AS SELECT n, count(*) AS c FROM numbers GROUP BY n;`)
	w.scratch = idleScratch(t)
	w.startQuick()
	const keys = 20_000
	send := func() {
		var recs []string
		for n := range keys {
			recs = append(recs, number(n, "k", 0))
		}
		w.send("numbers", recs...)
	}
	send()
	w.settle()
	if err := w.engine.Flush(w.ctx); err != nil {
		t.Fatal(err)
	}
	var before, limit int64
	var flushes uint64
	w.onTask(func(t *task) {
		before = t.heap()
		limit = before + before/8
		t.Engine.limit.Store(limit)
		t.tell()
		flushes = t.flush.started
	})
	send()
	w.settle()
	w.onTask(func(x *task) {
		if n := x.heap(); x.flush.started == flushes && n <= limit {
			t.Fatalf("changed rows take nothing: %d bytes, %d before", n, before)
		}
		x.tell()
	})
	w.until("the heap is within its limit", func() bool {
		var n int64
		var holds bool
		w.clock.Advance(1)
		w.onTask(func(t *task) { n, holds = t.heap(), t.budget.holds() })
		return n <= limit && !holds
	})
	send()
	w.until("all is counted", func() bool {
		w.clock.Advance(1)
		v, _ := w.engine.View("many")
		s := v.Status()
		if s.Phase == Paused || s.Problem != "" {
			t.Fatalf("the view is %v: %s", s.Phase, s.Problem)
		}
		return s.RowsIn == 3*keys
	})
}

// TestAViewStandsStillOnlyAfterAFlush goes through what becomes of state beyond its limit that a flush relieves of nothing.
func TestAViewStandsStillOnlyAfterAFlush(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(numbersDDL + `CREATE MATERIALIZED VIEW many AS SELECT n, count(*) AS c FROM numbers GROUP BY n;`)
	w.scratch = idleScratch(t)
	w.startQuick()
	var recs []string
	for n := range 2000 {
		recs = append(recs, number(n, "k", 0))
	}
	w.send("numbers", recs...)
	w.settle()
	w.onTask(func(x *task) {
		const limit = 1000
		x.Engine.limit.Store(limit)
		x.budget.ceiling = limit
		x.keepWithin(x.heap())
		if x.jobs["many"].group.paused || !x.budget.holds() || !x.flush.pending(x.budget.relief) {
			t.Errorf("at first, paused is %v, relief %d", x.jobs["many"].group.paused, x.budget.relief)
		}
		x.keepWithin(x.heap())
		if x.jobs["many"].group.paused || !x.budget.holds() {
			t.Error("it is not waited for the flush")
		}
	})
	w.until("the view stands still", func() bool {
		w.clock.Advance(1)
		v, _ := w.engine.View("many")
		return v.Status().Phase == Paused
	})
	w.onTask(func(x *task) {
		if x.budget.holds() {
			t.Error("all others stand still, too")
		}
	})
	if err := w.engine.Resume(w.ctx, "many"); err != nil {
		t.Error(err)
	}
}

// TestViewsGoOnByThemselves has a view stand still that takes memory: it goes on once there is room on the disk, or in memory, unless
// it takes far too much.
func TestViewsGoOnByThemselves(t *testing.T) {
	scratch := state.NewScratch(state.ScratchConfig{Dir: t.TempDir(), Disk: 1 << 30})
	if runtime.GOOS != "linux" || !scratch.Room() {
		t.Skip("there is no disk")
	}
	for _, c := range []struct {
		why        string
		all, limit int64
		goesOn     bool
	}{
		{"too much" + noRoom + "full", 1100, 1000, true},
		{"too much" + noRoom + "full", 1501, 1000, false},
		{"too much", 1100, 1000, false},
		{"too much", 990, 1000, false},
		{"too much", 900, 1000, true},
		{"", 900, 1000, false},
		{"", 0, 1000, false},
	} {
		t.Run(fmt.Sprint(c.why, c.all), func(t *testing.T) {
			w := newWorld(t, 1)
			w.scratch = scratch
			w.mustDeclare(numbersDDL + `CREATE MATERIALIZED VIEW many AS SELECT n, count(*) AS c FROM numbers GROUP BY n;`)
			w.startQuick()
			w.send("numbers", number(1, "k", 0))
			w.settle()
			if err := w.engine.Pause(w.ctx, "many"); err != nil {
				t.Fatal(err)
			}
			w.onTask(func(x *task) {
				g := x.jobs["many"].group
				g.why = c.why
				x.letGoOn(c.all, c.limit)
				if g.paused == c.goesOn {
					t.Errorf("with %d bytes of %d it goes on: %v; want %v", c.all, c.limit, !g.paused, c.goesOn)
				}
			})
		})
	}
}
