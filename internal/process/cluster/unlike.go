package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"myelin/internal/process/exec"
)

// Processes of a cluster have a name each, and are all told the same objects. Where that is not so some idle, and views are missing without
// any of them being wrong: each process compares what the others tell with what it has itself.

const (
	// objectsEvery is in how many beats one says what the process has been told to run.
	objectsEvery = 10
	// twinBeats beats of each must have come while the other beat, too: a process that is followed by another run of itself is none of two.
	twinBeats = 5
	// unlikeFor is how long objects may differ until that is told: files come to one process after the other.
	unlikeFor = 15 * time.Second
)

// namesake is one of the processes of a name.
type namesake struct {
	beat   beat
	heard  time.Time
	beside int // beats while there was another
}

// nameLocked notes which process beats under a name.
func (p *pulses) nameLocked(b beat, now time.Time) {
	runs := p.mu.runs[b.Node]
	if runs == nil {
		runs = map[uint64]*namesake{}
		p.mu.runs[b.Node] = runs
	}
	maps.DeleteFunc(runs, func(_ uint64, x *namesake) bool { return now.Sub(x.heard) > longSilence })
	if b.Gone {
		delete(runs, b.Run)
		return
	}
	x := runs[b.Run]
	if x == nil {
		x = &namesake{}
		runs[b.Run] = x
	}
	if x.beside++; len(runs) == 1 {
		x.beside = 0
	}
	x.beat, x.heard = b, now
}

// twins are processes that share a name, those of one name in a row.
func (p *pulses) twins(now time.Time) map[string][]beat {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[string][]beat{}
	for name, runs := range p.mu.runs {
		var beats []beat
		for _, x := range runs {
			if x.beside >= twinBeats && now.Sub(x.heard) <= longSilence {
				beats = append(beats, x.beat)
			}
		}
		if len(beats) > 1 {
			slices.SortFunc(beats, func(a, b beat) int { return a.Started.Compare(b.Started) })
			out[name] = beats
		}
	}
	return out
}

// told are the others that are there and have said what they have been told to run.
func (p *pulses) told(now time.Time) []beat {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []beat
	for name, x := range p.mu.peers {
		if name != p.self && x.beat.Objects != nil && now.Sub(x.heard) <= longSilence {
			out = append(out, x.beat)
		}
	}
	slices.SortFunc(out, func(a, b beat) int { return strings.Compare(a.Node, b.Node) })
	return out
}

// printsOf are the fingerprints of objects, by name: a view in parts has one of all of them.
func printsOf(all exec.Objects) map[string]string {
	prints, err := exec.Prints(all)
	if err != nil {
		return nil // Apply refuses them
	}
	out := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(prints)) {
		whole := name
		if exec.IsPart(name) {
			whole = name[:strings.LastIndexByte(name, '#')]
		}
		out[whole] += prints[name]
	}
	return out
}

func (n *Node) prints() map[string]string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.prints
}

// unlike is how other processes differ from this one.
type unlike struct {
	since map[difference]time.Time
	told  map[string]bool
}

// difference is of an object that two processes do not both have as it is.
type difference struct {
	node string
	how  int
	name string
}

const (
	missingThere = iota
	missingHere
	otherThere
)

// differences compares what a process has been told to run with what this one has.
func differences(own map[string]string, release string, b *beat) []difference {
	var out []difference
	for name, print := range own {
		switch there, ok := b.Objects[name]; {
		case !ok:
			out = append(out, difference{b.Node, missingThere, name})
		case there != print && b.Release == release: // another release may tell the same definition otherwise
			out = append(out, difference{b.Node, otherThere, name})
		}
	}
	for name := range b.Objects {
		if _, ok := own[name]; !ok {
			out = append(out, difference{b.Node, missingHere, name})
		}
	}
	return out
}

// compare finds out what is wrong among the processes, and tells what is new.
func (n *Node) compare(now time.Time) {
	var out []Problem
	twins := n.pulses.twins(now)
	for _, name := range slices.Sorted(maps.Keys(twins)) {
		out = append(out, twinProblem(name, twins[name]))
	}
	since := map[difference]time.Time{}
	if own := n.prints(); own != nil {
		for _, b := range n.pulses.told(now) {
			names := [3][]string{}
			for _, d := range differences(own, n.cfg.Release, &b) {
				at, ok := n.unlike.since[d]
				if !ok {
					at = now
				}
				if since[d] = at; now.Sub(at) >= unlikeFor {
					names[d.how] = append(names[d.how], d.name)
				}
			}
			for how, list := range names {
				if len(list) > 0 {
					out = append(out, unlikeProblem(&b, how, list))
				}
			}
		}
	}
	told := map[string]bool{}
	for _, p := range out {
		if told[p.Message] = true; !n.unlike.told[p.Message] {
			n.cfg.Log.Error("processes of the cluster do not fit together", "problem", p.Message, "hint", p.Hint)
		}
	}
	n.unlike = unlike{since, told}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.others = out
}

func twinProblem(name string, beats []beat) Problem {
	var who []string
	for _, b := range beats {
		who = append(who, fmt.Sprintf("%s, started at %s", b.Address, b.Started.UTC().Format(time.RFC3339)))
	}
	return Problem{
		fmt.Sprintf("%d processes of the cluster are called %s (%s): Kafka takes them for one, so that only one of them runs views, and the others idle", len(beats), name, strings.Join(who, "; ")),
		"give each a name of its own, cluster: {node: NAME} in its myelin.yaml, and a data folder of its own, and start them again",
	}
}

func unlikeProblem(b *beat, how int, names []string) Problem {
	slices.Sort(names)
	const most = 10
	list := strings.Join(names[:min(len(names), most)], ", ")
	if more := len(names) - most; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	hint := "give all processes the same SQL files and plans, and run myelin apply"
	switch how {
	case missingHere:
		return Problem{fmt.Sprintf("this process does not know %s, which process %s has: it does not show them, and does not run them where their task is its own", list, b.Node), hint}
	case otherThere:
		return Problem{fmt.Sprintf("process %s has %s with other definitions than this one: they run, and are shown, only where the definition is the one that a task was found for last", b.Node, list), hint}
	}
	what := "it does not show them, and does not run them where their task is its own"
	if b.Keeper {
		what = "it does not show them, and as the keeper of the cluster it finds no task for those that are new"
	}
	return Problem{fmt.Sprintf("process %s does not know %s, which this one has: %s", b.Node, list, what), hint}
}
