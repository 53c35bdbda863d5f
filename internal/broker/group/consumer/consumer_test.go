package consumer

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// catalog is a set of topics.
type catalog struct {
	version uint64
	ids     map[string]TopicID
	sizes   map[string]int32
}

func newCatalog(sizes map[string]int32) *catalog {
	c := &catalog{ids: map[string]TopicID{}, sizes: map[string]int32{}}
	for name, n := range sizes {
		c.set(name, n)
	}
	return c
}

func (c *catalog) set(name string, n int32) {
	c.version++
	if n == 0 {
		delete(c.ids, name)
		delete(c.sizes, name)
		return
	}
	if _, ok := c.ids[name]; !ok {
		c.ids[name] = TopicID{byte(c.version), name[0]}
	}
	c.sizes[name] = n
}

func (c *catalog) Version() uint64 { return c.version }
func (c *catalog) Names() []string { return slices.Collect(maps.Keys(c.ids)) }

func (c *catalog) Describe(name string) (TopicID, int32, bool) {
	id, ok := c.ids[name]
	return id, c.sizes[name], ok
}

// sim is a consumer that does as it is told, when it hears it.
type sim struct {
	id       string
	instance *string
	epoch    int32
	names    []string
	regex    *string
	assignor string
	owned    Partitions // what it works on
	assigned Partitions // what it was last told
	unheard  bool       // the last answer did not arrive: the next heartbeat says everything
}

// beat sends one heartbeat. With lost set the answer does not arrive.
func (s *sim) beat(g *Group, full, lost bool) *Refusal {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.MemberEpoch, req.InstanceID = 1, "g", s.id, s.epoch, s.instance
	full = full || s.unheard
	if s.unheard = lost; s.epoch == 0 || full {
		req.RebalanceTimeoutMillis, req.SubscribedTopicNames, req.SubscribedTopicRegex = 1000, s.names, s.regex
		if s.assignor != "" {
			req.ServerAssignor = &s.assignor
		}
	}
	req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	for id, parts := range s.owned {
		req.Topics = append(req.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: id, Partitions: parts})
	}
	if e := Check(req); e != nil {
		return e
	}
	m, assignment, e := g.Heartbeat(req, Client{})
	if e != nil || lost {
		return e
	}
	s.epoch = m.Epoch
	if assignment {
		s.assigned = m.Assigned.clone()
	}
	return nil
}

// revoke gives up what is no longer assigned, and work takes up what is.
func (s *sim) revoke() { s.owned = s.owned.where(s.assigned.has) }
func (s *sim) work()   { s.owned = s.assigned.clone() }

func (s *sim) leave(g *Group, epoch int32) {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch, req.InstanceID = "g", s.id, epoch, s.instance
	g.Leave(req)
}

// disk keeps the records, the last of each key.
type disk struct{ log []Record }

func (d *disk) write(g *Group) { d.log = append(d.log, g.Changes("g")...) }

func (d *disk) restore(t *testing.T, topics Topics) *Group {
	t.Helper()
	g := New(topics, 100, 0)
	for _, r := range d.log {
		if err := g.Replay(r.Key, r.Value); err != nil {
			t.Fatal(err)
		}
	}
	g.Restored()
	return g
}

func seeds() uint64 {
	n, _ := strconv.Atoi(os.Getenv("MYELIN_SOAK_SEEDS"))
	return uint64(max(n, 150))
}

// TestRandomMembersNeverShareAPartition lets members come, go, fall silent, lose answers and change their minds while topics
// change and the broker restarts: no partition is ever worked on by two, and when all is quiet each has one reader.
func TestRandomMembersNeverShareAPartition(t *testing.T) {
	for seed := range seeds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { randomGroup(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func randomGroup(t *testing.T, r *rand.Rand) {
	topics := newCatalog(map[string]int32{"a": 5, "b": 3, "c": 1})
	g, d := New(topics, 100, 0), &disk{}
	var sims []*sim
	next := 0
	pattern := "a|b.*"
	join := func(instance *string) {
		s := &sim{id: fmt.Sprintf("m%d", next), instance: instance, owned: Partitions{}, assigned: Partitions{}}
		next++
		switch r.IntN(4) {
		case 0:
			s.regex = &pattern
		case 1:
			s.names = []string{"a", "c"}
		default:
			s.names = []string{"a", "b", "c"}
		}
		s.assignor = []string{"", "uniform", "range"}[r.IntN(3)]
		sims = append(sims, s)
	}
	check := func() {
		t.Helper()
		worker := map[spot]string{}
		for _, s := range sims {
			for id, parts := range s.owned {
				for _, p := range parts {
					if other, taken := worker[spot{id, p}]; taken {
						t.Fatalf("%s and %s both work on %v-%d", other, s.id, id[:2], p)
					}
					worker[spot{id, p}] = s.id
				}
			}
		}
	}
	drop := func(s *sim) { sims = slices.DeleteFunc(sims, func(o *sim) bool { return o == s }) }
	join(nil)
	for range 200 {
		if len(sims) == 0 {
			join(nil)
		}
		s := sims[r.IntN(len(sims))]
		switch r.IntN(20) {
		case 0:
			if len(sims) < 8 {
				join(nil)
			}
		case 1:
			if name := fmt.Sprint("i", r.IntN(2)); len(sims) < 8 && !slices.ContainsFunc(sims, func(o *sim) bool { return o.instance != nil && *o.instance == name }) {
				join(&name)
			}
		case 2:
			s.leave(g, -1)
			drop(s)
		case 3:
			if s.instance != nil && s.epoch > 0 { // restarts
				s.leave(g, -2)
				drop(s)
				join(s.instance)
			}
		case 4: // falls silent until its session is over, and notices that itself
			if m := g.Member(s.id); m != nil {
				g.Remove(m)
			}
			s.owned = Partitions{}
		case 5:
			topics.set(string('a'+byte(r.IntN(4))), int32(r.IntN(7)))
		case 6:
			d.write(g)
			g = d.restore(t, topics)
		case 7:
			s.regex = nil
			s.names = [][]string{{"a"}, {"b", "c"}, {"a", "b", "c", "d"}}[r.IntN(3)]
			none := ""
			s.regex = &none
			s.turn(g, r, true, false)
		default:
			s.turn(g, r, r.IntN(4) == 0, r.IntN(8) == 0)
		}
		check()
		d.write(g)
	}
	g = d.restore(t, topics)
	for _, m := range g.Members() { // static members whose successors never came
		if m.Epoch == Away && !slices.ContainsFunc(sims, func(s *sim) bool { return s.instance != nil && *s.instance == *m.Instance }) {
			g.Remove(m)
		}
	}
	for range 30 {
		for _, s := range sims {
			s.turn(g, nil, true, false)
			check()
		}
	}
	if g.State() != Stable && len(sims) > 0 {
		for _, m := range g.Members() {
			t.Logf("%s epoch %d progress %d assigned %v revoking %v target %v", m.ID, m.Epoch, m.Progress, m.Assigned, m.Revoking, g.Target(m.ID))
		}
		t.Fatalf("the group is %s in epoch %d, target %d", g.State(), g.Epoch, g.TargetEpoch)
	}
	wanted, has := map[spot]bool{}, 0
	for _, m := range g.Members() {
		for id, n := range m.wants {
			for p := range n {
				wanted[spot{id, p}] = true
			}
		}
		has += m.Assigned.count()
	}
	if has != len(wanted) {
		t.Fatalf("%d of %d partitions are read", has, len(wanted))
	}
}

// turn sends a heartbeat and does what its answer says. A nil r is a client that does all at once.
func (s *sim) turn(g *Group, r *rand.Rand, full, lost bool) {
	e := s.beat(g, full, lost)
	if lost {
		return
	}
	if e != nil {
		switch e.Err {
		case kerr.UnknownMemberID, kerr.FencedMemberEpoch:
			s.epoch, s.owned, s.assigned = 0, Partitions{}, Partitions{}
		}
		return
	}
	if s.epoch == 0 {
		return
	}
	s.revoke()
	if r == nil || r.IntN(3) > 0 {
		s.work()
	}
}

func TestUniformMovesNoMoreThanItMust(t *testing.T) {
	topics := newCatalog(map[string]int32{"a": 12})
	g := New(topics, 100, 0)
	var sims []*sim
	for i := range 4 {
		s := &sim{id: fmt.Sprint("m", i), names: []string{"a"}, owned: Partitions{}, assigned: Partitions{}}
		sims = append(sims, s)
		before := map[string]Partitions{}
		for _, m := range g.Members() {
			before[m.ID] = g.Target(m.ID).clone()
		}
		s.turn(g, nil, true, false)
		for id, old := range before {
			if !g.Target(id).within(old) {
				t.Errorf("%s got partitions when %s came", id, s.id)
			}
		}
		for range 3 {
			for _, s := range sims {
				s.turn(g, nil, true, false)
			}
		}
		for _, s := range sims {
			if n := s.owned.count(); n != 12/(i+1) {
				t.Fatalf("%s has %d of 12 partitions among %d", s.id, n, i+1)
			}
		}
	}
}

func TestRangeJoinsTopicsOfOneSize(t *testing.T) {
	topics := newCatalog(map[string]int32{"a": 7, "b": 7})
	g := New(topics, 100, 0)
	for i := range 3 {
		s := &sim{id: fmt.Sprint("m", i), names: []string{"a", "b"}, assignor: "range", owned: Partitions{}, assigned: Partitions{}}
		s.turn(g, nil, true, false)
	}
	for _, m := range g.Members() {
		if a, b := g.Target(m.ID)[topics.ids["a"]], g.Target(m.ID)[topics.ids["b"]]; !slices.Equal(a, b) || len(a) < 2 {
			t.Errorf("%s is to have %v and %v", m.ID, a, b)
		}
	}
}

// FuzzReplay feeds damaged records: an error is fine, a panic or a hang is not.
func FuzzReplay(f *testing.F) {
	topics := newCatalog(map[string]int32{"a": 5})
	g := New(topics, 100, 0)
	one := "i"
	s := &sim{id: "m", instance: &one, names: []string{"a"}, owned: Partitions{}, assigned: Partitions{}}
	s.turn(g, nil, true, false)
	g.Member("m").Classic = &Classic{Protocols: []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("x")}}}
	for _, r := range g.Records("g") {
		f.Add(r.Key, r.Value)
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		h := New(topics, 100, 0)
		h.Replay(key, value)
		h.Restored()
		h.Changes("g")
	})
}
