package api

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/auth/role"
	"myelin/internal/broker/access"
	"myelin/internal/broker/wire"
)

// Greet implements wire.Greeter.
func (s *Server) Greet(c *wire.Client) {
	if s.Access == nil {
		c.State = &access.Client{}
		c.Welcome()
		return
	}
	met := s.Access.Meet(c.Remote, c.InProcess, c.TLS)
	c.State = met
	if met.Known() {
		c.Welcome()
	}
}

func client(r *wire.Request) *access.Client { return r.Client.State.(*access.Client) }

// may reports whether the client of a request has a right.
func (s *Server) may(r *wire.Request, need access.Right) bool {
	if s.Access == nil {
		return true
	}
	ok, err := s.Access.May(client(r), need)
	return ok && err == nil
}

// protected reports whether a request comes from outside and the topic is protected from it.
func (s *Server) protected(r *wire.Request, name string) bool {
	return !r.Client.InProcess && s.Config.Protected != nil && s.Config.Protected(name)
}

// mayErase reports whether the client may take records out of protected topics.
func mayErase(r *wire.Request, s *Server) bool {
	return s.Access == nil || client(r).Role == role.Admin || client(r).Role == role.Privacy
}

// deny answers a request that the client's role does not reach to; nil where there is no answer that says so.
func deny(msg kmsg.Request) wire.Response {
	const (
		topicDenied   = 29
		groupDenied   = 30
		clusterDenied = 31
		txnDenied     = 53
	)
	why := kmsg.StringPtr("The role of this user does not allow it.")
	resp := msg.ResponseKind()
	switch r := resp.(type) {
	case *kmsg.ProduceResponse:
		for _, t := range msg.(*kmsg.ProduceRequest).Topics {
			st := kmsg.ProduceResponseTopic{Topic: t.Topic, TopicID: t.TopicID}
			for _, p := range t.Partitions {
				sp := kmsg.NewProduceResponseTopicPartition()
				sp.Partition, sp.ErrorCode, sp.BaseOffset = p.Partition, topicDenied, -1
				st.Partitions = append(st.Partitions, sp)
			}
			r.Topics = append(r.Topics, st)
		}
	case *kmsg.CreateTopicsResponse:
		for _, t := range msg.(*kmsg.CreateTopicsRequest).Topics {
			st := kmsg.NewCreateTopicsResponseTopic()
			st.Topic, st.ErrorCode, st.ErrorMessage = t.Topic, topicDenied, why
			r.Topics = append(r.Topics, st)
		}
	case *kmsg.DeleteTopicsResponse:
		req := msg.(*kmsg.DeleteTopicsRequest)
		for _, name := range req.TopicNames {
			st := kmsg.NewDeleteTopicsResponseTopic()
			st.Topic, st.ErrorCode = kmsg.StringPtr(name), topicDenied
			r.Topics = append(r.Topics, st)
		}
		for _, t := range req.Topics {
			st := kmsg.NewDeleteTopicsResponseTopic()
			st.Topic, st.TopicID, st.ErrorCode = t.Topic, t.TopicID, topicDenied
			r.Topics = append(r.Topics, st)
		}
	case *kmsg.DeleteRecordsResponse:
		for _, t := range msg.(*kmsg.DeleteRecordsRequest).Topics {
			st := kmsg.DeleteRecordsResponseTopic{Topic: t.Topic}
			for _, p := range t.Partitions {
				st.Partitions = append(st.Partitions, kmsg.DeleteRecordsResponseTopicPartition{Partition: p.Partition, LowWatermark: -1, ErrorCode: topicDenied})
			}
			r.Topics = append(r.Topics, st)
		}
	case *kmsg.InitProducerIDResponse:
		r.ProducerID, r.ProducerEpoch, r.ErrorCode = -1, -1, clusterDenied
		if msg.(*kmsg.InitProducerIDRequest).TransactionalID != nil {
			r.ErrorCode = txnDenied
		}
	case *kmsg.AddPartitionsToTxnResponse:
		for _, t := range msg.(*kmsg.AddPartitionsToTxnRequest).Topics {
			st := kmsg.AddPartitionsToTxnResponseTopic{Topic: t.Topic}
			for _, p := range t.Partitions {
				st.Partitions = append(st.Partitions, kmsg.AddPartitionsToTxnResponseTopicPartition{Partition: p, ErrorCode: txnDenied})
			}
			r.Topics = append(r.Topics, st)
		}
	case *kmsg.AddOffsetsToTxnResponse:
		r.ErrorCode = txnDenied
	case *kmsg.EndTxnResponse:
		r.ErrorCode = txnDenied
	case *kmsg.TxnOffsetCommitResponse:
		for _, t := range msg.(*kmsg.TxnOffsetCommitRequest).Topics {
			st := kmsg.TxnOffsetCommitResponseTopic{Topic: t.Topic}
			for _, p := range t.Partitions {
				st.Partitions = append(st.Partitions, kmsg.TxnOffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: txnDenied})
			}
			r.Topics = append(r.Topics, st)
		}
	case *kmsg.AlterConfigsResponse:
		for _, c := range msg.(*kmsg.AlterConfigsRequest).Resources {
			r.Resources = append(r.Resources, kmsg.AlterConfigsResponseResource{
				ResourceType: c.ResourceType, ResourceName: c.ResourceName, ErrorCode: configDenied(c.ResourceType), ErrorMessage: why,
			})
		}
	case *kmsg.IncrementalAlterConfigsResponse:
		for _, c := range msg.(*kmsg.IncrementalAlterConfigsRequest).Resources {
			r.Resources = append(r.Resources, kmsg.IncrementalAlterConfigsResponseResource{
				ResourceType: c.ResourceType, ResourceName: c.ResourceName, ErrorCode: configDenied(c.ResourceType), ErrorMessage: why,
			})
		}
	case *kmsg.CreatePartitionsResponse:
		for _, t := range msg.(*kmsg.CreatePartitionsRequest).Topics {
			r.Topics = append(r.Topics, kmsg.CreatePartitionsResponseTopic{Topic: t.Topic, ErrorCode: topicDenied, ErrorMessage: why})
		}
	case *kmsg.DeleteGroupsResponse:
		for _, g := range msg.(*kmsg.DeleteGroupsRequest).Groups {
			r.Groups = append(r.Groups, kmsg.DeleteGroupsResponseGroup{Group: g, ErrorCode: groupDenied})
		}
	case *kmsg.OffsetDeleteResponse:
		r.ErrorCode = groupDenied
	default:
		return denyAdmin(msg, resp, clusterDenied, why)
	}
	return resp.(wire.Response)
}

func configDenied(kind kmsg.ConfigResourceType) int16 {
	if kind == kmsg.ConfigResourceTypeTopic {
		return kerr.TopicAuthorizationFailed.Code
	}
	return kerr.ClusterAuthorizationFailed.Code
}

// denyAdmin answers requests about rights, credentials and quotas.
func denyAdmin(msg kmsg.Request, resp kmsg.Response, code int16, why *string) wire.Response {
	switch r := resp.(type) {
	case *kmsg.DescribeACLsResponse:
		r.ErrorCode, r.ErrorMessage = code, why
	case *kmsg.CreateACLsResponse:
		for range msg.(*kmsg.CreateACLsRequest).Creations {
			r.Results = append(r.Results, kmsg.CreateACLsResponseResult{ErrorCode: code, ErrorMessage: why})
		}
	case *kmsg.DeleteACLsResponse:
		for range msg.(*kmsg.DeleteACLsRequest).Filters {
			r.Results = append(r.Results, kmsg.DeleteACLsResponseResult{ErrorCode: code, ErrorMessage: why})
		}
	case *kmsg.DescribeClientQuotasResponse:
		r.ErrorCode, r.ErrorMessage = code, why
	case *kmsg.AlterClientQuotasResponse:
		for _, e := range msg.(*kmsg.AlterClientQuotasRequest).Entries {
			r.Entries = append(r.Entries, kmsg.AlterClientQuotasResponseEntry{ErrorCode: code, ErrorMessage: why, Entity: answeredEntity(e.Entity)})
		}
	case *kmsg.DescribeUserSCRAMCredentialsResponse:
		r.ErrorCode, r.ErrorMessage = code, why
	case *kmsg.AlterUserSCRAMCredentialsResponse:
		req := msg.(*kmsg.AlterUserSCRAMCredentialsRequest)
		for _, d := range req.Deletions {
			r.Results = append(r.Results, kmsg.AlterUserSCRAMCredentialsResponseResult{User: d.Name, ErrorCode: code, ErrorMessage: why})
		}
		for _, u := range req.Upsertions {
			r.Results = append(r.Results, kmsg.AlterUserSCRAMCredentialsResponseResult{User: u.Name, ErrorCode: code, ErrorMessage: why})
		}
	default:
		return nil
	}
	return resp.(wire.Response)
}

var (
	errNotLoggedIn = errors.New("a request came before the login")
	errDenied      = errors.New("the role of this user does not allow the request")
)

// gate lets a request through, or answers it: with resp, and err when the connection is to be closed.
func (s *Server) gate(r *wire.Request) (resp wire.Response, err error, through bool) {
	if s.Access == nil {
		return nil, nil, true
	}
	c := client(r)
	ok, err := s.Access.May(c, access.Need(r.Msg.Key()))
	switch {
	case err != nil:
		return nil, err, false
	case ok:
		return nil, nil, true
	case !c.Known():
		return nil, errNotLoggedIn, false
	}
	s.Denied.Add(1)
	if req, ok := r.Msg.(*kmsg.ProduceRequest); ok && req.Acks == 0 {
		return nil, errDenied, false
	}
	if resp = deny(r.Msg); resp == nil {
		return nil, errDenied, false
	}
	return resp, nil, false
}
