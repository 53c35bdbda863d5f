package api

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/group"
	"myelin/internal/broker/topic"
)

// sourceGroup is the source of a value that a group sets itself (DYNAMIC_GROUP_CONFIG).
const sourceGroup = kmsg.ConfigSource(8)

func (s *Server) describeGroupConfigs(req *kmsg.DescribeConfigsRequest, rr *kmsg.DescribeConfigsRequestResource, sr *kmsg.DescribeConfigsResponseResource) error {
	if rr.ResourceName == "" {
		return &topic.InvalidError{Code: kerr.InvalidRequest, Reason: "Group name must not be empty"}
	}
	sr.Configs = []kmsg.DescribeConfigsResponseResourceConfig{}
	own := s.Groups.Configured(rr.ResourceName)
	for _, setting := range s.Groups.Settings() {
		if !wants(rr, setting.Name) {
			continue
		}
		fallback := strconv.FormatInt(setting.Default, 10)
		value, source := fallback, kmsg.ConfigSourceDefaultConfig
		synonyms := []kmsg.DescribeConfigsResponseResourceConfigConfigSynonym{
			{Name: setting.Broker, Value: kmsg.StringPtr(fallback), Source: kmsg.ConfigSourceDefaultConfig},
		}
		if v, ok := own[setting.Name]; ok {
			value, source = v, sourceGroup
			synonyms = slices.Insert(synonyms, 0, kmsg.DescribeConfigsResponseResourceConfigConfigSynonym{
				Name: setting.Name, Value: kmsg.StringPtr(v), Source: sourceGroup,
			})
		}
		c := configEntry(setting.Name, value, topic.Int, source)
		c.IsDefault = source == kmsg.ConfigSourceDefaultConfig
		if req.IncludeDocumentation {
			c.Documentation = kmsg.StringPtr(setting.Doc)
		}
		if req.IncludeSynonyms {
			c.ConfigSynonyms = synonyms
		}
		sr.Configs = append(sr.Configs, c)
	}
	return nil
}

// alterGroup applies changes to what a group sets itself; the group need not be there yet.
func (s *Server) alterGroup(name string, changes []alteration, incremental, validateOnly bool) error {
	if name == "" {
		return &topic.InvalidError{Code: kerr.InvalidRequest, Reason: "Group name must not be empty"}
	}
	set := make(map[string]string)
	if incremental {
		set = s.Groups.Configured(name)
	}
	for _, c := range changes {
		switch {
		case !slices.ContainsFunc(s.Groups.Settings(), func(g group.Setting) bool { return g.Name == c.name }):
			return &topic.InvalidError{Code: kerr.InvalidConfig, Reason: "Unknown group config name: " + c.name}
		case incremental && c.op == kmsg.IncrementalAlterConfigOpDelete:
			delete(set, c.name)
			continue
		case incremental && c.op != kmsg.IncrementalAlterConfigOpSet:
			return &topic.InvalidError{Code: kerr.InvalidConfig, Reason: fmt.Sprintf("Can't append or subtract: config %s is not a list.", c.name)}
		case c.value == nil:
			return &topic.InvalidError{Code: kerr.InvalidRequest, Reason: "Null value not supported for: " + c.name}
		}
		set[c.name] = *c.value
	}
	if err := s.Groups.CheckConfig(set); err != nil {
		return &topic.InvalidError{Code: kerr.InvalidConfig, Reason: err.Error()}
	}
	if validateOnly {
		return nil
	}
	return s.Groups.Configure(name, set)
}
