package api

import (
	"container/list"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/alarm"
)

// Fetch sessions (KIP-227): the broker remembers the partitions of a consumer, which from then on says only what is new about
// them, and is told only of those with news.

// Bounds of the sessions. Whoever gets none fetches in full.
const (
	maxSessions          = 1000
	maxSessionPartitions = 200_000         // of all sessions together
	sessionIdle          = 2 * time.Minute // after which one makes room for another
)

// Epochs with a meaning of their own.
const (
	epochNew  = 0  // begin a session
	epochNone = -1 // end the session, if any, and fetch in full
)

// fetchSession is what one consumer fetches. Its request holds it alone, from take to done.
type fetchSession struct {
	id      int32
	epoch   int32 // of the next request
	byID    bool
	topics  []kmsg.FetchRequestTopic
	index   map[partitionKey]place
	targets []fetchTarget // of topics, in order
	stale   bool          // targets have to be looked up
	version uint64        // of the registry that targets were looked up in
	start   int           // the target to read first, so that each has its turn
	much    bool          // the last answer was large
	size    int

	busy bool
	used time.Time
	at   *list.Element
}

// fetchSessions are the sessions of a broker, those least recently used first.
type fetchSessions struct {
	alarms *alarm.Alarms

	mu         sync.Mutex
	byID       map[int32]*fetchSession
	order      list.List
	partitions int
}

// take finds the session of a request and brings it up to date; nil for a fetch without one. done must be called after it.
func (f *fetchSessions) take(req *kmsg.FetchRequest) (*fetchSession, *kerr.Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if req.SessionEpoch == epochNone || req.SessionEpoch == epochNew {
		if s := f.byID[req.SessionID]; s != nil && !s.busy {
			f.drop(s)
		}
		if req.SessionEpoch == epochNone || req.Version < 7 {
			return nil, nil
		}
		return f.begin(req), nil
	}
	s := f.byID[req.SessionID]
	switch {
	case s == nil:
		return nil, kerr.FetchSessionIDNotFound
	case s.busy || s.epoch != req.SessionEpoch:
		return nil, kerr.InvalidFetchSessionEpoch
	case s.byID != (req.Version >= 13):
		return nil, kerr.FetchSessionTopicIDError
	}
	s.busy, s.used = true, f.alarms.Now()
	f.order.MoveToBack(s.at)
	if s.epoch++; s.epoch == math.MaxInt32 {
		s.epoch = 1
	}
	old := s.size
	s.update(req)
	f.partitions += s.size - old
	if s.size > old && f.partitions > maxSessionPartitions {
		f.drop(s) // no room for more: the consumer begins anew, and fetches in full
		return nil, kerr.FetchSessionIDNotFound
	}
	return s, nil
}

// begin makes a session, or returns nil when there are too many that are in use.
func (f *fetchSessions) begin(req *kmsg.FetchRequest) *fetchSession {
	s := &fetchSession{epoch: 1, byID: req.Version >= 13, busy: true, used: f.alarms.Now()}
	s.update(req)
	for len(f.byID) >= maxSessions || f.partitions+s.size > maxSessionPartitions {
		first := f.order.Front()
		if first == nil || s.size == 0 {
			return nil
		}
		oldest := first.Value.(*fetchSession)
		if oldest.busy || s.used.Sub(oldest.used) < sessionIdle {
			return nil
		}
		f.drop(oldest)
	}
	if s.size == 0 {
		return nil
	}
	for s.id = rand.Int32(); s.id <= 0 || f.byID[s.id] != nil; {
		s.id = rand.Int32()
	}
	f.byID[s.id] = s
	f.partitions += s.size
	s.at = f.order.PushBack(s)
	return s
}

// done lets the session's next request in.
func (f *fetchSessions) done(s *fetchSession) {
	if s == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s.busy = false
}

func (f *fetchSessions) drop(s *fetchSession) {
	delete(f.byID, s.id)
	f.order.Remove(s.at)
	f.partitions -= s.size
}

// update takes over what a request says is new.
func (s *fetchSession) update(req *kmsg.FetchRequest) {
	if s.index == nil {
		s.reindex()
	}
	var added []place // topic and partition in the request
	for i := range req.Topics {
		rt := &req.Topics[i]
		for j := range rt.Partitions {
			rp := &rt.Partitions[j]
			at, ok := s.index[partitionKey{rt.Topic, rt.TopicID, rp.Partition}]
			if !ok {
				added = append(added, place{topic: i, part: j})
				continue
			}
			s.topics[at.topic].Partitions[at.part] = *rp
			if s.targets != nil {
				s.targets[at.flat].ask(rp)
			}
		}
	}
	gone := make(map[partitionKey]bool)
	for _, ft := range req.ForgottenTopics {
		for _, p := range ft.Partitions {
			gone[partitionKey{ft.Topic, ft.TopicID, p}] = true
		}
	}
	if len(added)+len(gone) > 0 {
		s.reshape(req, added, gone)
	}
}

// reshape adds and removes partitions.
func (s *fetchSession) reshape(req *kmsg.FetchRequest, added []place, gone map[partitionKey]bool) {
	at := make(map[partitionKey]int, len(s.topics))
	for i := range s.topics {
		at[partitionKey{topic: s.topics[i].Topic, id: s.topics[i].TopicID}] = i
	}
	for _, a := range added {
		rt := &req.Topics[a.topic]
		key := partitionKey{topic: rt.Topic, id: rt.TopicID}
		i, ok := at[key]
		if !ok {
			i = len(s.topics)
			at[key] = i
			s.topics = append(s.topics, kmsg.FetchRequestTopic{Topic: rt.Topic, TopicID: rt.TopicID})
		}
		s.topics[i].Partitions = append(s.topics[i].Partitions, rt.Partitions[a.part])
	}
	if len(gone) > 0 {
		for i := range s.topics {
			t := &s.topics[i]
			t.Partitions = slices.DeleteFunc(t.Partitions, func(p kmsg.FetchRequestTopicPartition) bool {
				return gone[partitionKey{t.Topic, t.TopicID, p.Partition}]
			})
		}
		s.topics = slices.DeleteFunc(s.topics, func(t kmsg.FetchRequestTopic) bool { return len(t.Partitions) == 0 })
	}
	old, oldIndex := s.targets, s.index
	s.start = 0
	s.reindex()
	s.targets, s.stale = make([]fetchTarget, s.size), true
	if old != nil {
		for key, at := range s.index {
			if was, ok := oldIndex[key]; ok {
				s.targets[at.flat] = old[was.flat] // what was told stays told
			}
		}
	}
}

// found takes over targets that were looked up.
func (s *fetchSession) found(targets []fetchTarget, version uint64) {
	for i := range targets {
		if i < len(s.targets) {
			o := &s.targets[i]
			targets[i].told, targets[i].toldHigh, targets[i].toldStart = o.told, o.toldHigh, o.toldStart
		}
	}
	s.targets, s.version, s.stale = targets, version, false
}

func (s *fetchSession) reindex() {
	s.index = make(map[partitionKey]place)
	s.size = 0
	for i := range s.topics {
		t := &s.topics[i]
		for j := range t.Partitions {
			s.index[partitionKey{t.Topic, t.TopicID, t.Partitions[j].Partition}] = place{topic: i, part: j, flat: s.size}
			s.size++
		}
	}
}

// ask gives a target a new offset.
func (t *fetchTarget) ask(rp *kmsg.FetchRequestTopicPartition) {
	if t.offset, t.max = rp.FetchOffset, rp.PartitionMaxBytes; t.p != nil {
		t.err = epochError(rp.CurrentLeaderEpoch)
	}
}

// partitionKey names a partition as the requests of a session do: by the name or by the id of its topic.
type partitionKey struct {
	topic string
	id    [16]byte
	part  int32
}

// place is where a partition is in a session.
type place struct{ topic, part, flat int }
