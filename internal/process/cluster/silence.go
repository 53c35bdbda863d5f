package cluster

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// When a process counts as silent.
const (
	// A silence is shortSilence at least, or gapTimes as long as the longest pause of late in which beats of ours came through: on a
	// machine that is overloaded everything takes longer. Beyond longSilence Kafka gives it up itself.
	shortSilence = 2500 * time.Millisecond
	longSilence  = sessionTimeout
	gapTimes     = 3
	gapFades     = 0.97 // with each beat
	// ownBeats of our own must have come through after its last one: when nobody's do, it is the brokers that are away.
	ownBeats = 4
	// apart is by how much processes differ in their patience, so that one gives the silent one up and not all.
	apart = 400 * time.Millisecond
	// A process that was given up, but beats, is not given up again before expelAgain: it can hardly be heard, but it works.
	expelAgain = 30 * time.Second
	// lostFor is how long a lost process is told of.
	lostFor = 10 * time.Minute
)

// pulses is what was heard of the processes.
type pulses struct {
	self string
	run  uint64
	mu   struct {
		sync.Mutex
		peers map[string]*peer
		runs  map[string]map[uint64]*namesake // of each name, the processes that call themselves so
		own   int                             // beats of ours that came through
	}
}

// peer is a process that was heard.
type peer struct {
	beat     beat
	heard    time.Time
	gap      time.Duration // the longest between beats, fading
	own      int           // beats of ours that had come through by then
	expelled time.Time     // when this process was given up last
	asked    bool          // to be given up, in this silence
}

func newPulses(self string, run uint64) *pulses {
	p := &pulses{self: self, run: run}
	p.mu.peers, p.mu.runs = map[string]*peer{}, map[string]map[uint64]*namesake{}
	return p
}

// hear takes in a beat.
func (p *pulses) hear(b beat, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nameLocked(b, now)
	if b.Node == p.self {
		if b.Run != p.run {
			return // it says nothing of how our own beats come through
		}
		p.mu.own++
	}
	x := p.mu.peers[b.Node]
	switch {
	case b.Gone:
		if x != nil && x.beat.Run == b.Run {
			delete(p.mu.peers, b.Node)
		}
		return
	case x == nil || x.beat.Run != b.Run:
		x = &peer{}
		p.mu.peers[b.Node] = x
	case x.asked: // how long it was lost does not tell how long it may be silent
	case p.mu.own > x.own+1: // else ours took as long: it is the brokers
		x.gap = max(now.Sub(x.heard), time.Duration(float64(x.gap)*gapFades))
	default:
		x.gap = time.Duration(float64(x.gap) * gapFades)
	}
	if b.Objects == nil {
		b.Objects = x.beat.Objects
	}
	x.beat, x.heard, x.own, x.asked = b, now, p.mu.own, false
}

// limit is for how long the process may be silent.
func (x *peer) limit() time.Duration { return min(max(gapTimes*x.gap, shortSilence), longSilence) }

// silent are the processes that are to be given up now by this one.
func (p *pulses) silent(now time.Time) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	rank := 0 // among those that can do it
	for name, x := range p.mu.peers {
		if name < p.self && now.Sub(x.heard) < x.limit() {
			rank++
		}
	}
	for name, x := range p.mu.peers {
		silence := now.Sub(x.heard)
		if name == p.self || x.asked || silence < x.limit()+time.Duration(rank)*apart || p.mu.own < x.own+ownBeats {
			continue
		}
		x.asked = true
		if x.expelled.IsZero() || now.Sub(x.expelled) >= expelAgain {
			x.expelled = now
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// members lists what is known.
func (p *pulses) members(now time.Time) []Member {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Member
	for name, x := range p.mu.peers {
		if name != p.self && now.Sub(x.heard) > lostFor {
			delete(p.mu.peers, name)
			continue
		}
		b := &x.beat
		out = append(out, Member{
			About: b.About, Name: name, Keeper: b.Keeper, Started: b.Started, Heard: x.heard, Silent: now.Sub(x.heard) >= x.limit() && p.mu.own >= x.own+ownBeats, Tasks: b.Tasks,
		})
	}
	slices.SortFunc(out, func(a, b Member) int { return cmp.Compare(a.Name, b.Name) })
	return out
}
