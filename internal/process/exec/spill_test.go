package exec

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"myelin/internal/process/state"
)

// TestStateBeyondItsMemoryLiesOnTheDisk has a view and a join outgrow the memory that state may take: they go on. Once the disk has no more
// room either a view stands still, says so, and goes on when there is room, also over a crash, after which all of it must find its place again.
func TestStateBeyondItsMemoryLiesOnTheDisk(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(numbersDDL + `CREATE MATERIALIZED VIEW many AS SELECT n, count(*) AS c FROM numbers GROUP BY n;
		CREATE MATERIALIZED VIEW pairs AS SELECT count(*) AS c FROM numbers a JOIN numbers b ON a.n = b.n;`)
	w.maxState = 4 << 20
	dir := t.TempDir()
	scratch := func(disk int64) {
		w.scratch = state.NewScratch(state.ScratchConfig{Dir: dir, Memory: w.maxState, Disk: disk, Small: 32 << 10})
	}
	scratch(8 << 20)
	w.startQuick()
	stands := func() bool {
		v, _ := w.engine.View("many")
		p, _ := w.engine.View("pairs")
		return strings.Contains(v.Status().Problem+p.Status().Problem, noRoom)
	}
	sent := 0
	for !stands() {
		var recs []string
		for range 1000 {
			recs = append(recs, number(sent, "k", 0))
			sent++
		}
		w.send("numbers", recs...)
		w.until("it is read, or a view stands still", func() bool {
			w.clock.Advance(idleTick)
			v, _ := w.engine.View("many")
			p, _ := w.engine.View("pairs")
			return stands() || v.Status().RowsIn >= int64(sent) && p.Status().RowsIn >= 2*int64(sent)
		})
		if sent > 400_000 {
			t.Fatal("no view stood still")
		}
	}
	if err := w.scratch.Err(); err != nil && !errors.Is(err, state.ErrScratchFull) {
		t.Log("there is no disk: ", err)
		return
	}
	if w.scratch.Bytes() == 0 {
		t.Error("a view stands still, and there are no files")
	}
	w.scratch.Allow(1 << 30)
	w.until("all go on", func() bool { w.clock.Advance(idleTick); return !stands() })
	all := func() bool {
		w.clock.Advance(idleTick)
		v, _ := w.engine.View("many")
		return w.rows("pairs") == fmt.Sprint(sent) && v.Table.Version().Rows() == sent
	}
	w.until("all is counted", all)
	if err := w.engine.Flush(w.ctx); err != nil {
		t.Fatal(err)
	}
	scratch(1 << 30)
	w.crash()
	w.until("all is there again", all)
	if w.scratch.Bytes() == 0 {
		t.Error("nothing is on the disk after a restart")
	}
	v, _ := w.engine.View("many")
	p, _ := w.engine.View("pairs")
	w.until("it is told what lies on the disk", func() bool {
		w.clock.Advance(idleTick)
		return v.Status().DiskBytes+p.Status().DiskBytes > 0
	})
}
