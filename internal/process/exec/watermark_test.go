package exec

import (
	"math"
	"slices"
	"testing"
	"time"

	"myelin/internal/log"
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
	// read is a stream of which all is known as of a clock, but for the partitions that are behind.
	read := func(clock int64, behind ...int32) func(int32) reading {
		return func(p int32) reading {
			return reading{behind: slices.Contains(behind, p), known: log.Moment{Clock: clock, Tick: 1}}
		}
	}
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
		check(t, w.advance(1, read(start+20*sec)), start+2*sec)
	})
	t.Run("one that is told trails the last that every partition was told", func(t *testing.T) {
		w := newWatermark(0, 2*time.Second)
		w.told = true
		for p := range int32(2) {
			w.add(p, start)
		}
		w.observe(0, start+10*sec, start, start)
		check(t, w.advance(1, read(start+100*sec)), op.NoTime)
		w.observe(1, start+7*sec, start, start)
		check(t, w.advance(1, read(start+100*sec)), start+7*sec)
		check(t, w.advance(1, read(start+1000*sec)), start+7*sec)
		check(t, w.reaches(start+8*sec), math.MaxInt64)
	})
	t.Run("an idle partition leaves", func(t *testing.T) {
		w := fresh(2)
		w.observe(0, start+1*sec, start+1*sec, start+1*sec)
		w.observe(1, start+10*sec, start+10*sec, start+10*sec)
		check(t, w.advance(1, read(start+10*sec)), start+5*sec)
	})
	t.Run("a partition that was not read yet holds the others", func(t *testing.T) {
		w := fresh(2)
		w.observe(0, start+10*sec, start+10*sec, start+10*sec)
		check(t, w.advance(1, read(start+10*sec, 1)), op.NoTime)
	})
	t.Run("a new partition holds the others until it is idle", func(t *testing.T) {
		w := fresh(2)
		w.observe(0, start+1*sec, start+1*sec, start+1*sec)
		check(t, w.advance(1, read(start+1*sec)), op.NoTime)
		w.observe(0, start+2*sec, start+2*sec, start+2*sec)
		check(t, w.advance(1, read(start+2*sec)), start-3*sec)
	})
	t.Run("what the clock leaves behind unasked is not idle", func(t *testing.T) {
		w := fresh(2)
		w.observe(0, start, start, start)
		w.observe(1, start+1*sec, start+1*sec, start+1*sec)
		w.observe(0, start+100*sec, start+100*sec, start+100*sec)
		check(t, w.advance(1, read(start+2*sec)), start-4*sec)
	})
	t.Run("idle partitions must be known as of the records that move the others", func(t *testing.T) {
		w := fresh(2)
		at := func(tick uint64, beside bool) func(int32) reading {
			return func(p int32) reading {
				return reading{known: log.Moment{Clock: start + 9*sec, Tick: tick}, beside: beside}
			}
		}
		w.observe(0, start, start, start)
		w.observe(1, start+9*sec, start+9*sec, start+9*sec)
		check(t, w.advance(7, at(5, false)), op.NoTime)
		w.observe(1, start+10*sec, start+10*sec, start+10*sec)
		check(t, w.advance(9, at(8, false)), start+4*sec) // known of what came at 7
		check(t, w.advance(9, at(8, true)), start+5*sec)  // the same answer of the same broker
		w.observe(1, start+11*sec, start+11*sec, start+11*sec)
		check(t, w.advance(11, at(11, false)), start+6*sec)
	})
	t.Run("on a quiet stream time goes on with the clock", func(t *testing.T) {
		w := fresh(2)
		w.observe(0, start-3600*sec, start, start)
		check(t, w.advance(1, read(start+1*sec)), op.NoTime)
		check(t, w.advance(1, read(start+60*sec)), start-3545*sec)
		want := start + 1000*sec
		at := w.reaches(want)
		if w.advance(1, read(at-1)) >= want || w.advance(1, read(at)) < want {
			t.Errorf("reaches says %d", at)
		}
	})
	t.Run("a partition that was never written holds nobody", func(t *testing.T) {
		w := fresh(2)
		w.observe(0, start+1*sec, start+1*sec, start+1*sec)
		check(t, w.advance(1, func(p int32) reading {
			return reading{known: log.Moment{Clock: start + 1*sec, Tick: 1}, empty: p == 1}
		}), start-4*sec)
	})
	t.Run("records without a time that counts are as good as none", func(t *testing.T) {
		w := fresh(2)
		w.observe(0, start+1*sec, start+1*sec, start+1*sec)
		w.observe(1, op.NoTime, start+2*sec, start+2*sec)
		w.observe(0, start+3*sec, start+3*sec, start+3*sec)
		check(t, w.advance(1, read(start+3*sec)), start-2*sec)
	})
	t.Run("a time in the future counts as now", func(t *testing.T) {
		w := fresh(1)
		w.observe(0, start+100000*sec, start+1*sec, start+1*sec)
		check(t, w.advance(1, read(start+1*sec)), start-4*sec)
	})
	t.Run("it never goes back", func(t *testing.T) {
		w := fresh(1)
		w.observe(0, start, start, start)
		w.advance(1, read(start+100*sec))
		w.observe(0, start+1*sec, start+101*sec, start+101*sec)
		check(t, w.advance(1, read(start+101*sec)), start+95*sec)
	})
}

// TestAMergeTakenAgainHasTheWatermarksOfTheMainGroup has a view that caught up join one whose partitions were found idle before: taken
// again, the step must close the same windows.
func TestAMergeTakenAgainHasTheWatermarksOfTheMainGroup(t *testing.T) {
	at := func(marks map[string]int64) *group {
		g := &group{marks: map[string]*watermark{}}
		for stream, m := range marks {
			w := newWatermark(0, time.Second)
			w.At = m
			g.marks[stream] = w
			g.inputs = append(g.inputs, &input{topic: stream, times: []timed{{stream: stream}}})
		}
		return g
	}
	for _, joining := range []int64{op.NoTime, 3, 300} {
		s := &step{Kind: stepMerge, Marks: mergeMarks(at(map[string]int64{"bids": 70, "asks": 8}), at(map[string]int64{"bids": joining, "own": 5}))}
		s, err := parseStep(s.append(nil))
		if err != nil {
			t.Fatal(err)
		}
		again := at(map[string]int64{"bids": 2, "asks": 2, "own": 2})
		again.setMarks(s.Marks)
		if b, a, o := again.marks["bids"].At, again.marks["asks"].At, again.marks["own"].At; b != 70 || a != 8 || o != 5 {
			t.Errorf("joined at %d, the step taken again has the watermarks %d, %d and %d; had 70, 8 and 5", joining, b, a, o)
		}
	}
}
