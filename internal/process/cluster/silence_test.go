package cluster

import (
	"fmt"
	"testing"
	"time"
)

// hearing is a process that hears beats, on a clock of its own.
type hearing struct {
	*pulses
	now  time.Time
	runs map[string]uint64
}

func newHearing(self string) *hearing {
	return &hearing{newPulses(self, 0), time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), map[string]uint64{}}
}

// pass lets time go by, in which these processes beat every so often; it returns whom it gave up, and after how long.
func (h *hearing) pass(d, every time.Duration, names ...string) map[string]time.Duration {
	out := map[string]time.Duration{}
	for began := h.now; h.now.Before(began.Add(d)); {
		h.now = h.now.Add(every)
		for _, name := range names {
			h.hear(beat{Node: name, Run: h.runs[name]}, h.now)
		}
		for _, name := range h.silent(h.now) {
			out[name] = h.now.Sub(began)
		}
	}
	return out
}

func TestASilentProcessIsGivenUpByOneOther(t *testing.T) {
	b, a := newHearing("b"), newHearing("a")
	for _, h := range []*hearing{a, b} {
		if lost := h.pass(20*time.Second, pulseEvery, "a", "b", "c"); len(lost) > 0 {
			t.Fatalf("all beat, and %v were given up", lost)
		}
	}
	soon := a.pass(10*time.Second, pulseEvery, "a", "b")
	if soon["c"] != shortSilence || len(soon) != 1 {
		t.Errorf("a gave up %v", soon)
	}
	if late := b.pass(10*time.Second, pulseEvery/5, "a", "b"); late["c"] != shortSilence+apart {
		t.Errorf("b gave up %v", late)
	}
	members := fmt.Sprint(a.members(a.now)[2].Name, a.members(a.now)[2].Silent, a.members(a.now)[0].Silent)
	if members != "ctrue false" {
		t.Errorf("a tells %s", members)
	}
	if a.pass(lostFor, pulseEvery, "a", "b"); len(a.members(a.now)) != 2 {
		t.Errorf("a still tells of %v", a.members(a.now))
	}
}

func TestNobodyIsGivenUpWhileTheBrokersAreAway(t *testing.T) {
	a := newHearing("a")
	a.pass(10*time.Second, pulseEvery, "a", "b", "c")
	if lost := a.pass(time.Minute, pulseEvery); len(lost) > 0 {
		t.Errorf("nothing came through, and %v were given up", lost)
	}
	// Ours comes through first, the others' a moment later.
	if lost := a.pass(ownBeats/2*pulseEvery, pulseEvery, "a"); len(lost) > 0 {
		t.Errorf("the brokers are back, and %v were given up", lost)
	}
	if lost := a.pass(10*time.Second, pulseEvery, "a", "b", "c"); len(lost) > 0 {
		t.Errorf("all beat again, and %v were given up", lost)
	}
}

func TestOverloadedMachinesGetMoreTime(t *testing.T) {
	a := newHearing("a")
	slow := func(gap time.Duration) {
		for range 20 {
			a.pass(gap-pulseEvery, pulseEvery, "a")
			a.pass(pulseEvery, pulseEvery, "a", "b")
		}
	}
	slow(1500 * time.Millisecond)
	lost := a.pass(20*time.Second, 100*time.Millisecond, "a")
	if lost["b"] != gapTimes*1500*time.Millisecond {
		t.Errorf("gave up %v", lost)
	}
	a.runs["b"]++
	slow(2500 * time.Millisecond)
	if lost := a.pass(20*time.Second, 100*time.Millisecond, "a"); lost["b"] != longSilence {
		t.Errorf("gave up %v", lost)
	}
}

func TestAProcessThatIsHardlyHeardIsNotGivenUpTimeAndAgain(t *testing.T) {
	a := newHearing("a")
	a.pass(10*time.Second, pulseEvery, "a", "b")
	given := 0
	for range 10 {
		given += len(a.pass(4*time.Second, pulseEvery, "a"))
		a.pass(time.Second, pulseEvery, "a", "b")
	}
	if given != 2 { // in 50 s
		t.Errorf("it was given up %d times", given)
	}
	a.runs["b"]++ // started anew: it is another one
	a.pass(time.Second, pulseEvery, "a", "b")
	if lost := a.pass(4*time.Second, pulseEvery, "a"); len(lost) != 1 {
		t.Errorf("gave up %v", lost)
	}
}

func TestAProcessThatLeavesIsNotMissed(t *testing.T) {
	a := newHearing("a")
	a.pass(10*time.Second, pulseEvery, "a", "b")
	a.hear(beat{Node: "b", Gone: true}, a.now)
	if lost := a.pass(time.Minute, pulseEvery, "a"); len(lost) > 0 || len(a.members(a.now)) != 1 {
		t.Errorf("gave up %v, tells of %v", lost, a.members(a.now))
	}
}

func TestOfTwoThatRunATaskTheLaterOneDoes(t *testing.T) {
	began := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	tasks := make([]Task, 3)
	running([]Member{
		{Name: "a", Tasks: []Running{{Task: 1, Since: began}, {Task: 7, Since: began}}},
		{Name: "b", Tasks: []Running{{Task: 1, Since: began.Add(time.Second)}}},
		{Name: "c", Silent: true, Tasks: []Running{{Task: 1, Since: began.Add(time.Minute)}, {Task: 2, Since: began}}},
	}, tasks)
	if got := fmt.Sprintf("%q %q %q", tasks[0].Node, tasks[1].Node, tasks[2].Node); got != `"" "b" ""` {
		t.Errorf("the tasks are run by %s", got)
	}
}
