package cluster

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// hearsOf is a process that is told some objects and hears beats.
func hearsOf(t *testing.T, self string, objects map[string]string) (*Node, *strings.Builder) {
	said := &strings.Builder{}
	n := &Node{cfg: Config{Name: self, About: About{Release: "1"}, Log: slog.New(slog.NewTextHandler(said, nil))}, run: 7, pulses: newPulses(self, 7)}
	n.mu.prints = objects
	return n, said
}

// pass lets beats come for a time; it returns the problems that there are then.
func (n *Node) pass(from time.Time, d time.Duration, beats ...beat) []string {
	for at := from; at.Before(from.Add(d)); at = at.Add(pulseEvery) {
		for _, b := range beats {
			n.pulses.hear(b, at)
		}
		n.compare(at)
	}
	var out []string
	for _, p := range n.Problems() {
		out = append(out, p.Message)
	}
	return out
}

var may = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func TestTwoProcessesOfOneNameAreTold(t *testing.T) {
	one := beat{Node: "a", Run: 7, Started: may, About: About{Address: "http://one:8080"}}
	two := beat{Node: "a", Run: 8, Started: may.Add(time.Hour), About: About{Address: "http://two:8080"}}
	for _, self := range []string{"a", "b"} {
		n, said := hearsOf(t, self, nil)
		if got := n.pass(may, time.Minute, one, beat{Node: "b", Run: 7}); len(got) > 0 {
			t.Fatalf("%s tells, of one process: %v", self, got)
		}
		got := n.pass(may.Add(time.Minute), time.Minute, one, beat{Node: "b", Run: 7}, two)
		if len(got) != 1 || !strings.Contains(got[0], "2 processes of the cluster are called a (http://one:8080, started at 2026-05-01T12:00:00Z; http://two:8080, started at 2026-05-01T13:00:00Z)") {
			t.Errorf("%s tells %q", self, got)
		}
		if hint := n.Problems()[0].Hint; !strings.Contains(hint, "cluster: {node: NAME}") || strings.Count(said.String(), "level=ERROR") != 1 {
			t.Errorf("%s: hint %q, log:\n%s", self, hint, said)
		}
		if got = n.pass(may.Add(2*time.Minute), 10*time.Second, one, beat{Node: "b", Run: 7}); len(got) > 0 {
			t.Errorf("%s tells, when one of them has gone: %v", self, got)
		}
	}
}

func TestARestartIsNoSecondProcess(t *testing.T) {
	n, _ := hearsOf(t, "b", nil)
	old, next := beat{Node: "a", Run: 1}, beat{Node: "a", Run: 2}
	n.pass(may, 10*time.Second, old)
	n.pulses.hear(next, may.Add(10*time.Second)) // the old one was stopped, and says its last while the next begins
	n.pulses.hear(old, may.Add(10*time.Second))
	gone := old
	gone.Gone = true
	n.pulses.hear(gone, may.Add(10*time.Second))
	for at := may.Add(10 * time.Second); at.Before(may.Add(time.Minute)); at = at.Add(pulseEvery) {
		if got := n.pass(at, pulseEvery, next); len(got) > 0 {
			t.Fatalf("after %v: %v", at.Sub(may), got)
		}
	}
}

func TestProcessesWithOtherObjectsAreTold(t *testing.T) {
	own := map[string]string{"orders": "1", "visits": "2", "sink alerts": "3"}
	with := func(changes map[string]string, but ...string) map[string]string {
		out := maps.Clone(own)
		maps.Copy(out, changes)
		maps.DeleteFunc(out, func(name, _ string) bool { return slices.Contains(but, name) })
		return out
	}
	for _, c := range []struct {
		name    string
		objects map[string]string
		about   About
		keeper  bool
		want    string
	}{
		{"the same", with(nil), About{Release: "1"}, false, ""},
		{"one that has said nothing", nil, About{Release: "1"}, false, ""},
		{"an older file", with(nil, "visits", "sink alerts"), About{Release: "1"}, false, "process b does not know sink alerts, visits, which this one has: it does not show them, and does not run them"},
		{"an older file of the keeper", with(nil, "visits"), About{Release: "1"}, true, "process b does not know visits, which this one has: it does not show them, and as the keeper of the cluster it finds no task"},
		{"a newer file", with(map[string]string{"new": "4"}), About{Release: "1"}, false, "this process does not know new, which process b has"},
		{"another definition", with(map[string]string{"visits": "9"}), About{Release: "1"}, false, "process b has visits with other definitions than this one"},
		{"the same definition to another release", with(map[string]string{"visits": "9"}), About{Release: "2"}, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, said := hearsOf(t, "a", own)
			self := beat{Node: "a", Run: 7}
			other := beat{Node: "b", Run: 8, About: c.about, Keeper: c.keeper}
			first := other
			first.Objects = c.objects
			n.pulses.hear(first, may)
			if got := n.pass(may, unlikeFor, self, other); len(got) > 0 {
				t.Errorf("told at once: %v", got)
			}
			got := n.pass(may.Add(unlikeFor), time.Minute, self, other)
			if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], c.want)) {
				t.Errorf("told %q, want %q", got, c.want)
			}
			if n := strings.Count(said.String(), "level=ERROR"); n != len(got) {
				t.Errorf("%d lines in the log:\n%s", n, said)
			}
			same := other
			same.Objects = own
			if got = n.pass(may.Add(2*time.Minute), time.Second, self, same); len(got) > 0 {
				t.Errorf("told when they have the same: %v", got)
			}
		})
	}
}
