package exec

import (
	"testing"
	"time"

	"myelin/internal/process/op"
)

const sec = int64(1e6)

func TestWatermark(t *testing.T) {
	start := int64(1_700_000_000) * sec
	fresh := func(parts int32) *watermark {
		w := newWatermark(5*sec, 2*time.Second)
		for p := range parts {
			w.add(p, start)
		}
		return w
	}
	none := func(int32) bool { return false }
	check := func(t *testing.T, got, want int64) {
		t.Helper()
		if got != want {
			t.Errorf("watermark %+ds; want %+ds", (got-start)/sec, (want-start)/sec)
		}
	}
	t.Run("it trails the slowest active partition", func(t *testing.T) {
		w := fresh(2)
		w.observe(0, start+10*sec, start+20*sec, start+20*sec)
		w.observe(1, start+7*sec, start+20*sec, start+20*sec)
		check(t, w.advance(start+20*sec, none), start+2*sec)
	})
	t.Run("an idle partition leaves", func(t *testing.T) {
		w := fresh(2)
		w.observe(0, start+1*sec, start+1*sec, start+1*sec)
		w.observe(1, start+10*sec, start+10*sec, start+10*sec)
		check(t, w.advance(start+10*sec, none), start+5*sec)
	})
	t.Run("a partition that was not read yet holds the others", func(t *testing.T) {
		w := fresh(2)
		w.observe(0, start+10*sec, start+10*sec, start+10*sec)
		check(t, w.advance(start+10*sec, func(p int32) bool { return p == 1 }), op.NoTime)
	})
	t.Run("on a quiet stream time goes on with the clock", func(t *testing.T) {
		w := fresh(2)
		w.observe(0, start-3600*sec, start, start)
		check(t, w.advance(start+1*sec, none), start-3605*sec)
		check(t, w.advance(start+60*sec, none), start-3545*sec)
		want := start + 1000*sec
		at := w.reaches(want)
		if w.advance(at-1, none) >= want || w.advance(at, none) < want {
			t.Errorf("reaches says %d", at)
		}
	})
	t.Run("a time in the future counts as now", func(t *testing.T) {
		w := fresh(1)
		w.observe(0, start+100000*sec, start+1*sec, start+1*sec)
		check(t, w.advance(start+1*sec, none), start-4*sec)
	})
	t.Run("it never goes back", func(t *testing.T) {
		w := fresh(1)
		w.observe(0, start, start, start)
		w.advance(start+100*sec, none)
		w.observe(0, start+1*sec, start+101*sec, start+101*sec)
		check(t, w.advance(start+101*sec, none), start+95*sec)
	})
}
