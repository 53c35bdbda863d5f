// Package api answers Kafka requests: one file per API key, named by the key's number, with the versions and what differs
// from Kafka in its head comment.
package api

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/access"
	"myelin/internal/broker/alarm"
	"myelin/internal/broker/group"
	"myelin/internal/broker/partition"
	"myelin/internal/broker/quota"
	"myelin/internal/broker/store"
	"myelin/internal/broker/topic"
	"myelin/internal/broker/txn"
	"myelin/internal/broker/wire"
)

// noOperations is the value of an authorized-operations field that was not asked for.
const noOperations = -2147483648

// Config is what clients are told about the broker and what they may do.
type Config struct {
	NodeID         int32
	Dir            string // the data folder, for DescribeLogDirs
	AdvertisedHost string // empty: the address that the client connected to
	AdvertisedPort int32
	Reserved       func(topic string) bool // written over in-process connections only; nil: none
	Protected      func(topic string) bool // not deleted from outside, nor trimmed by engineers; nil: none
	// Admit is told what comes from outside, and says how long the client has to wait before it sends more; nil: not at all.
	Admit             func(topic string, records int) time.Duration
	AutoCreate        bool // metadata requests may create topics
	DefaultPartitions int32
	MaxFetchBytes     int   // of one response, whatever the client asks for
	FetchBudget       int64 // bytes of records that all responses together may hold
}

// Server answers requests. It implements wire.Handler.
type Server struct {
	Config Config
	Topics *topic.Registry
	Groups *group.Coordinator
	Txns   *txn.Coordinator
	Store  *store.Store
	Alarms *alarm.Alarms // the clock
	Log    *slog.Logger
	Access *access.Access // nil: everybody may do everything
	Quotas *quota.Quotas
	Denied atomic.Int64 // requests that a role did not reach to

	fetchLeft atomic.Int64
	sessions  fetchSessions
	altering  sync.Mutex // held over a change of a topic's settings
	clusterID string
	table     []entry
	byKey     []*entry
}

// Prepare computes what does not change any more once the fields are set.
func (s *Server) Prepare(cluster store.TopicID) {
	s.clusterID = base64.RawURLEncoding.EncodeToString(cluster[:])
	s.fetchLeft.Store(s.Config.FetchBudget)
	s.sessions.alarms, s.sessions.byID = s.Alarms, make(map[int32]*fetchSession)
	s.table = table()
	s.byKey = make([]*entry, s.table[len(s.table)-1].key+1)
	for i := range s.table {
		s.byKey[s.table[i].key] = &s.table[i]
	}
}

// fetchBudget counts the bytes of records that fetch responses may still hold.
func (s *Server) fetchBudget() *atomic.Int64 { return &s.fetchLeft }

// ClusterID is the id of the cluster, which never changes.
func (s *Server) ClusterID() string { return s.clusterID }

// Sizes of requests. Decoding allocates up to some hundred times the bytes of a hostile request, so that only requests which
// may be large for good reason are read at length.
const (
	tiny   = 64 << 10
	middle = 4 << 20
	large  = 1 << 30 // whatever wire.Limits allows
)

// entry is one API key.
type entry struct {
	key, min, max int16
	limit         int
	handle        func(*Server, context.Context, *wire.Request) wire.Response
}

// table lists the API keys that are served, in order; docs/kafka-compatibility.md explains them.
func table() []entry {
	return []entry{
		{0, 0, 13, large, nil}, // Produce is pipelined: see Handle
		{1, 4, 17, middle, (*Server).fetch},
		{2, 1, 10, middle, (*Server).listOffsets},
		{3, 0, 13, middle, (*Server).metadata},
		{8, 2, 10, middle, (*Server).offsetCommit},
		{9, 1, 10, middle, (*Server).offsetFetch},
		{10, 0, 6, tiny, (*Server).findCoordinator},
		{11, 2, 9, middle, (*Server).joinGroup},
		{12, 0, 4, tiny, (*Server).heartbeat},
		{13, 0, 5, tiny, (*Server).leaveGroup},
		{14, 0, 5, middle, (*Server).syncGroup},
		{15, 0, 6, middle, (*Server).describeGroups},
		{16, 0, 5, tiny, (*Server).listGroups},
		{17, 0, 1, tiny, (*Server).saslHandshake},
		{18, 0, 4, tiny, (*Server).apiVersions},
		{19, 2, 7, middle, (*Server).createTopics},
		{20, 1, 6, middle, (*Server).deleteTopics},
		{21, 0, 2, middle, (*Server).deleteRecords},
		{22, 0, 5, tiny, (*Server).initProducerID},
		{23, 2, 4, middle, (*Server).offsetForLeaderEpoch},
		{24, 0, 3, middle, (*Server).addPartitionsToTxn},
		{25, 0, 4, tiny, (*Server).addOffsetsToTxn},
		{26, 0, 5, tiny, (*Server).endTxn},
		{28, 0, 5, middle, (*Server).txnOffsetCommit},
		{29, 1, 3, tiny, (*Server).describeACLs},
		{30, 1, 3, middle, (*Server).createACLs},
		{31, 1, 3, middle, (*Server).deleteACLs},
		{32, 1, 4, middle, (*Server).describeConfigs},
		{33, 0, 2, middle, (*Server).alterConfigs},
		{35, 1, 4, middle, (*Server).describeLogDirs},
		{36, 0, 2, tiny, nil}, // SaslAuthenticate may close the connection: see Handle
		{37, 0, 3, middle, (*Server).createPartitions},
		{42, 0, 2, middle, (*Server).deleteGroups},
		{43, 0, 2, middle, (*Server).electLeaders},
		{44, 0, 1, middle, (*Server).incrementalAlterConfigs},
		{47, 0, 0, middle, (*Server).offsetDelete},
		{48, 0, 1, tiny, (*Server).describeQuotas},
		{49, 0, 1, middle, (*Server).alterQuotas},
		{50, 0, 0, tiny, (*Server).describeScram},
		{51, 0, 0, middle, (*Server).alterScram},
		{60, 0, 2, tiny, (*Server).describeCluster},
		{61, 0, 0, middle, (*Server).describeProducers},
		{65, 0, 0, middle, (*Server).describeTransactions},
		{66, 0, 2, middle, (*Server).listTransactions},
		{68, 0, 1, middle, (*Server).consumerGroupHeartbeat},
		{69, 0, 1, middle, (*Server).consumerGroupDescribe},
		{74, 0, 1, tiny, (*Server).listConfigResources},
		{75, 0, 0, middle, (*Server).describeTopicPartitions},
	}
}

// Keys lists the API keys that are served.
func (s *Server) Keys() []int16 {
	out := make([]int16, len(s.table))
	for i, e := range s.table {
		out[i] = e.key
	}
	return out
}

// find returns the entry of a key, or nil.
func (s *Server) find(key int16) *entry {
	if key < 0 || int(key) >= len(s.byKey) {
		return nil
	}
	return s.byKey[key]
}

// Limit implements wire.Handler.
func (s *Server) Limit(key, version int16) int {
	e := s.find(key)
	switch {
	case e == nil:
		return 0
	case key == keyAPIVersions:
		return e.limit // any version: the answer names those that are served
	case version < e.min || version > e.max:
		return 0
	}
	return e.limit
}

// Pipelined implements wire.Handler.
func (s *Server) Pipelined(key int16) bool { return key == keyProduce }

// Handle implements wire.Handler.
func (s *Server) Handle(ctx context.Context, r *wire.Request, reply func(wire.Response, error)) {
	if resp, err, through := s.gate(r); !through {
		reply(resp, err)
		return
	}
	switch req := r.Msg.(type) {
	case *kmsg.ProduceRequest:
		if s.Quotas.Active() && !r.Client.InProcess {
			reply = s.throttleProduce(r, req, reply)
		}
		s.produce(req, r.Client, reply)
		return
	case *kmsg.SASLAuthenticateRequest:
		reply(s.saslAuthenticate(ctx, r))
		return
	}
	began := time.Now()
	resp := s.find(r.Msg.Key()).handle(s, ctx, r)
	if resp == nil {
		reply(nil, wire.ErrGone)
		return
	}
	s.throttle(r, resp, time.Since(began))
	reply(resp, nil)
}

const (
	keyProduce     = 0
	keyAPIVersions = 18
)

// address is where clients reach the broker.
func (s *Server) address(c *wire.Client) (host string, port int32) {
	if s.Config.AdvertisedHost != "" || c.InProcess {
		if s.Config.AdvertisedHost == "" {
			return "127.0.0.1", max(s.Config.AdvertisedPort, 9092)
		}
		return s.Config.AdvertisedHost, s.Config.AdvertisedPort
	}
	host, p, err := net.SplitHostPort(c.Local.String())
	if err != nil {
		return "127.0.0.1", 9092
	}
	n, _ := strconv.Atoi(p)
	return host, int32(n)
}

// code is the number of an error, 0 for none.
func code(e *kerr.Error) int16 {
	if e == nil {
		return 0
	}
	return e.Code
}

// fromStore turns an error of the partitions and the store into Kafka's.
func fromStore(err error) *kerr.Error {
	var e *kerr.Error
	var corrupt *store.CorruptError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return e
	case errors.Is(err, store.ErrUnknownTopic):
		return kerr.UnknownTopicOrPartition
	case errors.Is(err, store.ErrTooLarge):
		return kerr.MessageTooLarge
	case errors.Is(err, store.ErrOffsetRange):
		return kerr.OffsetOutOfRange
	case errors.Is(err, store.ErrBadBatch):
		return kerr.CorruptMessage
	case errors.As(err, &corrupt):
		return kerr.KafkaStorageError
	case errors.Is(err, store.ErrDiskFull), errors.Is(err, store.ErrStorage), errors.Is(err, store.ErrClosed):
		return kerr.KafkaStorageError
	}
	return kerr.UnknownServerError
}

// explain gives the code and the words for an error of an admin request.
func explain(err error) (int16, *string) {
	if err == nil {
		return 0, nil
	}
	e := fromStore(err)
	msg := err.Error()
	var invalid *topic.InvalidError
	if e == error(err) && !errors.As(err, &invalid) {
		msg = e.Description
	}
	return e.Code, &msg
}

// topicOf finds a topic by id if the request carries ids, else by name. The error is the one for its partitions.
func (s *Server) topicOf(name string, id [16]byte, byID bool) (*topic.Topic, *kerr.Error) {
	if !byID {
		if t := s.Topics.Name(name); t != nil {
			return t, nil
		}
		return nil, kerr.UnknownTopicOrPartition
	}
	if t := s.Topics.ID(id); t != nil {
		return t, nil
	}
	return nil, kerr.UnknownTopicID
}

// nameOf is the name of a topic that a request names by its name or its id.
func (s *Server) nameOf(name string, id [16]byte, byID bool) (string, *kerr.Error) {
	if !byID {
		return name, nil
	}
	if name, ok := s.Topics.NameOf(id); ok {
		return name, nil
	}
	return "", kerr.UnknownTopicID
}

// epochError checks the leader epoch that a client believes in (KIP-320).
func epochError(e int32) *kerr.Error {
	if e > partition.LeaderEpoch {
		return kerr.UnknownLeaderEpoch
	}
	return nil
}
