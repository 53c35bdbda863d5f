package api

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/topic"
	"myelin/internal/broker/wire"
)

// DescribeConfigs: v1–4. Topics, groups and the broker; other resources have no settings.

func (s *Server) describeConfigs(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.DescribeConfigsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
	for _, rr := range req.Resources {
		sr := kmsg.NewDescribeConfigsResponseResource()
		sr.ResourceType, sr.ResourceName = rr.ResourceType, rr.ResourceName
		var err error
		switch rr.ResourceType {
		case kmsg.ConfigResourceTypeTopic:
			err = s.describeTopicConfigs(req, &rr, &sr)
		case kmsg.ConfigResourceTypeBroker:
			err = s.describeBrokerConfigs(req, &rr, &sr)
		case kmsg.ConfigResourceTypeGroupConfig:
			err = s.describeGroupConfigs(req, &rr, &sr)
		case kmsg.ConfigResourceTypeBrokerLogger, kmsg.ConfigResourceTypeClientMetrics:
			sr.Configs = []kmsg.DescribeConfigsResponseResourceConfig{}
		default:
			err = &topic.InvalidError{Code: kerr.InvalidRequest, Reason: fmt.Sprintf("Unsupported resource type: %d", rr.ResourceType)}
		}
		sr.ErrorCode, sr.ErrorMessage = explain(err)
		resp.Resources = append(resp.Resources, sr)
	}
	return resp
}

// wants reports whether a request names a setting or asks for all.
func wants(rr *kmsg.DescribeConfigsRequestResource, name string) bool {
	return rr.ConfigNames == nil || slices.Contains(rr.ConfigNames, name)
}

func (s *Server) describeTopicConfigs(req *kmsg.DescribeConfigsRequest, rr *kmsg.DescribeConfigsRequestResource, sr *kmsg.DescribeConfigsResponseResource) error {
	t := s.Topics.Name(rr.ResourceName)
	if t == nil {
		if err := topic.CheckName(rr.ResourceName); err != nil {
			return err
		}
		return kerr.UnknownTopicOrPartition
	}
	for _, v := range topic.Values(t.Config().Set, s.Topics.Defaults()) {
		if !wants(rr, v.Name) {
			continue
		}
		c := configEntry(v.Name, v.Value, v.Kind, kmsg.ConfigSource(v.Source))
		c.IsDefault = v.Source == topic.FromDefault
		if req.IncludeDocumentation {
			c.Documentation = kmsg.StringPtr(v.Doc)
		}
		if req.IncludeSynonyms {
			c.ConfigSynonyms = topicSynonyms(v, s.Topics.Defaults())
		}
		sr.Configs = append(sr.Configs, c)
	}
	return nil
}

// topicSynonyms lists where the value comes from and what it would be without, strongest first.
func topicSynonyms(v topic.Value, defaults map[string]string) []kmsg.DescribeConfigsResponseResourceConfigConfigSynonym {
	var out []kmsg.DescribeConfigsResponseResourceConfigConfigSynonym
	add := func(name, value string, source topic.Source) {
		out = append(out, kmsg.DescribeConfigsResponseResourceConfigConfigSynonym{
			Name: name, Value: kmsg.StringPtr(value), Source: kmsg.ConfigSource(source),
		})
	}
	if v.Source == topic.FromTopic {
		add(v.Name, v.Value, topic.FromTopic)
	}
	if d, ok := defaults[v.Name]; ok {
		add(v.Broker, d, topic.FromBroker)
	}
	add(v.Broker, v.Default, topic.FromDefault)
	return out
}

func configEntry(name, value string, kind topic.Kind, source kmsg.ConfigSource) kmsg.DescribeConfigsResponseResourceConfig {
	c := kmsg.NewDescribeConfigsResponseResourceConfig()
	c.Name, c.Value = name, kmsg.StringPtr(value)
	c.Source, c.ConfigType = source, kmsg.ConfigType(kind)
	return c
}

func (s *Server) describeBrokerConfigs(req *kmsg.DescribeConfigsRequest, rr *kmsg.DescribeConfigsRequestResource, sr *kmsg.DescribeConfigsResponseResource) error {
	switch rr.ResourceName {
	case "":
		sr.Configs = []kmsg.DescribeConfigsResponseResourceConfig{} // cluster-wide dynamic settings: none
		return nil
	case fmt.Sprint(s.Config.NodeID):
	default:
		return &topic.InvalidError{Code: kerr.InvalidRequest, Reason: fmt.Sprintf("Unexpected broker id, expected %d or empty string, but received %s", s.Config.NodeID, rr.ResourceName)}
	}
	for _, v := range s.brokerValues() {
		if !wants(rr, v.name) {
			continue
		}
		c := configEntry(v.name, v.value, v.kind, kmsg.ConfigSourceStaticBrokerConfig)
		c.ReadOnly = true
		if req.IncludeDocumentation {
			c.Documentation = kmsg.StringPtr(v.doc)
		}
		sr.Configs = append(sr.Configs, c)
	}
	return nil
}
