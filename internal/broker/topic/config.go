package topic

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"myelin/internal/broker/store"
)

// Kind is the type of a setting as DescribeConfigs numbers it.
type Kind int8

// The kinds of settings (KIP-226).
const (
	Boolean Kind = 1
	String  Kind = 2
	Int     Kind = 3
	Long    Kind = 5
	Double  Kind = 6
	List    Kind = 7
)

// Setting describes one topic configuration.
type Setting struct {
	Name    string
	Kind    Kind
	Default string
	Doc     string
	// Broker is the name under which the broker's default is shown, as Kafka names it.
	Broker string

	min, max int64
	oneOf    []string
}

// Settings are the topic configurations that are understood, by name. What Kafka has beyond them is accepted only where
// keeping it changes nothing for a single node.
var Settings = []Setting{
	{Name: "cleanup.policy", Kind: List, Default: "delete", oneOf: []string{"delete", "compact"}, Broker: "log.cleanup.policy", Doc: "What happens to old records: delete, compact or both."},
	{Name: "compression.type", Kind: String, Default: "producer", oneOf: []string{"producer"}, Broker: "compression.type", Doc: "Batches keep the compression of their producer."},
	{Name: "delete.retention.ms", Kind: Long, Default: "86400000", max: math.MaxInt64, Broker: "log.cleaner.delete.retention.ms", Doc: "How long tombstones of a compacted topic are kept."},
	{Name: "file.delete.delay.ms", Kind: Long, Default: "60000", max: math.MaxInt64, Broker: "log.segment.delete.delay.ms", Doc: "Accepted for compatibility; files are deleted at once."},
	{Name: "flush.messages", Kind: Long, Default: "1", min: 1, max: math.MaxInt64, Broker: "log.flush.interval.messages", Doc: "Accepted for compatibility; every batch is on disk before it is acknowledged."},
	{Name: "flush.ms", Kind: Long, Default: "0", max: math.MaxInt64, Broker: "log.flush.interval.ms", Doc: "Accepted for compatibility; every batch is on disk before it is acknowledged."},
	{Name: "index.interval.bytes", Kind: Int, Default: "4096", max: math.MaxInt32, Broker: "log.index.interval.bytes", Doc: "Accepted for compatibility."},
	{Name: "max.compaction.lag.ms", Kind: Long, Default: "9223372036854775807", min: 1, max: math.MaxInt64, Broker: "log.cleaner.max.compaction.lag.ms", Doc: "Longest time that a record stays uncompacted."},
	{Name: "max.message.bytes", Kind: Int, Default: "1048588", max: math.MaxInt32, Broker: "message.max.bytes", Doc: "Largest record batch that the topic takes."},
	{Name: "message.timestamp.after.max.ms", Kind: Long, Default: "3600000", max: math.MaxInt64, Broker: "log.message.timestamp.after.max.ms", Doc: "How far a record's timestamp may lie in the future."},
	{Name: "message.timestamp.before.max.ms", Kind: Long, Default: "9223372036854775807", max: math.MaxInt64, Broker: "log.message.timestamp.before.max.ms", Doc: "How far a record's timestamp may lie in the past."},
	{Name: "message.timestamp.type", Kind: String, Default: "CreateTime", oneOf: []string{"CreateTime", "LogAppendTime"}, Broker: "log.message.timestamp.type", Doc: "Whose clock stamps the records."},
	{Name: "min.cleanable.dirty.ratio", Kind: Double, Default: "0.5", max: 1, Broker: "log.cleaner.min.cleanable.ratio", Doc: "Share of uncompacted bytes that starts a compaction."},
	{Name: "min.compaction.lag.ms", Kind: Long, Default: "0", max: math.MaxInt64, Broker: "log.cleaner.min.compaction.lag.ms", Doc: "Shortest time that a record stays uncompacted."},
	{Name: "min.insync.replicas", Kind: Int, Default: "1", min: 1, max: math.MaxInt32, Broker: "min.insync.replicas", Doc: "Accepted for compatibility; there is one replica."},
	{Name: "preallocate", Kind: Boolean, Default: "false", Broker: "log.preallocate", Doc: "Accepted for compatibility."},
	{Name: "retention.bytes", Kind: Long, Default: "-1", min: -1, max: math.MaxInt64, Broker: "log.retention.bytes", Doc: "Bytes kept per partition; -1 is no limit."},
	{Name: "retention.ms", Kind: Long, Default: "604800000", min: -1, max: math.MaxInt64, Broker: "log.retention.ms", Doc: "How long records are kept; -1 is for ever."},
	{Name: "segment.bytes", Kind: Int, Default: "1073741824", min: 1 << 10, max: math.MaxInt32, Broker: "log.segment.bytes", Doc: "Size of a segment file, the unit of retention."},
	{Name: "segment.index.bytes", Kind: Int, Default: "10485760", min: 4, max: math.MaxInt32, Broker: "log.index.size.max.bytes", Doc: "Accepted for compatibility."},
	{Name: "segment.jitter.ms", Kind: Long, Default: "0", max: math.MaxInt64, Broker: "log.roll.jitter.ms", Doc: "Accepted for compatibility."},
	{Name: "segment.ms", Kind: Long, Default: "604800000", min: 1, max: math.MaxInt64, Broker: "log.roll.ms", Doc: "Age at which a segment file is closed."},
	{Name: "unclean.leader.election.enable", Kind: Boolean, Default: "false", Broker: "unclean.leader.election.enable", Doc: "Accepted for compatibility; there is one replica."},
}

// Lookup finds a setting by its topic name.
func Lookup(name string) (Setting, bool) {
	i, ok := slices.BinarySearchFunc(Settings, name, func(s Setting, n string) int { return strings.Compare(s.Name, n) })
	if !ok {
		return Setting{}, false
	}
	return Settings[i], true
}

// Check says what is wrong with a value.
func (s Setting) Check(v string) error {
	switch s.Kind {
	case Boolean:
		if v != "true" && v != "false" {
			return fmt.Errorf("Invalid value %s for configuration %s: Expected value to be either true or false", v, s.Name)
		}
	case Int, Long:
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return fmt.Errorf("Invalid value %s for configuration %s: Not a number of type %s", v, s.Name, map[Kind]string{Int: "INT", Long: "LONG"}[s.Kind])
		}
		if n < s.min {
			return fmt.Errorf("Invalid value %s for configuration %s: Value must be at least %d", v, s.Name, s.min)
		}
		if n > s.max {
			return fmt.Errorf("Invalid value %s for configuration %s: Value must be no more than %d", v, s.Name, s.max)
		}
	case Double:
		f, err := strconv.ParseFloat(v, 64)
		if err != nil || f < float64(s.min) || f > float64(s.max) {
			return fmt.Errorf("Invalid value %s for configuration %s: Value must be in [%d,...,%d]", v, s.Name, s.min, s.max)
		}
	case String:
		if !slices.Contains(s.oneOf, v) {
			return fmt.Errorf("Invalid value %s for configuration %s: String must be one of: %s", v, s.Name, strings.Join(s.oneOf, ", "))
		}
	case List:
		for _, part := range strings.Split(v, ",") {
			if !slices.Contains(s.oneOf, strings.TrimSpace(part)) {
				return fmt.Errorf("Invalid value %s for configuration %s: String must be one of: %s", v, s.Name, strings.Join(s.oneOf, ", "))
			}
		}
	}
	return nil
}

// Config is the effective configuration of a topic. It is immutable.
type Config struct {
	Set             map[string]string // what the topic itself sets
	MaxMessageBytes int
	AppendTime      bool
	Compact         bool
	Delete          bool
	DeleteRetention time.Duration // of tombstones, once they are compacted
	MinLag, MaxLag  time.Duration // age of what is compacted; MaxLag 0: no limit
	DirtyRatio      float64
	AfterMax        time.Duration // 0: no limit
	BeforeMax       time.Duration // 0: no limit
}

// Parse checks set and computes the effective configuration. The error names the setting and is meant for the user.
func Parse(set, defaults map[string]string) (*Config, error) {
	for _, name := range slices.Sorted(maps.Keys(set)) {
		s, ok := Lookup(name)
		if !ok {
			return nil, fmt.Errorf("Unknown topic config name: %s", name)
		}
		if err := s.Check(set[name]); err != nil {
			return nil, err
		}
	}
	c := &Config{Set: maps.Clone(set)}
	value := func(name string) string { return c.value(name, defaults) }
	number := func(name string) int64 { n, _ := strconv.ParseInt(value(name), 10, 64); return n }
	c.MaxMessageBytes = int(number("max.message.bytes"))
	c.AppendTime = value("message.timestamp.type") == "LogAppendTime"
	for _, part := range strings.Split(value("cleanup.policy"), ",") {
		c.Compact = c.Compact || strings.TrimSpace(part) == "compact"
		c.Delete = c.Delete || strings.TrimSpace(part) == "delete"
	}
	c.DeleteRetention = atMost(number("delete.retention.ms"))
	c.MinLag = atMost(number("min.compaction.lag.ms"))
	c.MaxLag = millis(number("max.compaction.lag.ms"))
	c.DirtyRatio, _ = strconv.ParseFloat(value("min.cleanable.dirty.ratio"), 64)
	c.AfterMax = millis(number("message.timestamp.after.max.ms"))
	c.BeforeMax = millis(number("message.timestamp.before.max.ms"))
	return c, nil
}

// millis turns milliseconds into a duration; what does not fit is no limit.
func millis(ms int64) time.Duration {
	if ms < 0 || ms > int64(math.MaxInt64/time.Millisecond) {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

// atMost turns milliseconds into a duration, as long as one can be.
func atMost(ms int64) time.Duration {
	return time.Duration(min(ms, int64(math.MaxInt64/time.Millisecond))) * time.Millisecond
}

func (c *Config) value(name string, defaults map[string]string) string {
	if v, ok := c.Set[name]; ok {
		return v
	}
	if v, ok := defaults[name]; ok {
		return v
	}
	s, _ := Lookup(name)
	return s.Default
}

// stored is what the store has to know of the configuration.
func (c *Config) stored(defaults map[string]string) store.TopicConfig {
	number := func(name string) int64 { n, _ := strconv.ParseInt(c.value(name, defaults), 10, 64); return n }
	sc := store.TopicConfig{
		SegmentBytes: number("segment.bytes"),
		SegmentAge:   millis(number("segment.ms")),
		Compact:      c.Compact,
	}
	if c.Delete {
		sc.RetentionAge = millis(number("retention.ms"))
		sc.RetentionBytes = number("retention.bytes")
	}
	return sc
}

// Source says where a value comes from, as DescribeConfigs numbers it.
type Source int8

// The sources of a value (KIP-226).
const (
	FromTopic   Source = 1
	FromBroker  Source = 4
	FromDefault Source = 5
)

// Value is one setting with its effective value.
type Value struct {
	Setting
	Value  string
	Source Source
}

// Values lists all settings of a topic that sets the given ones.
func Values(set, defaults map[string]string) []Value {
	out := make([]Value, len(Settings))
	for i, s := range Settings {
		out[i] = Value{Setting: s, Value: s.Default, Source: FromDefault}
		if v, ok := defaults[s.Name]; ok {
			out[i].Value, out[i].Source = v, FromBroker
		}
		if v, ok := set[s.Name]; ok {
			out[i].Value, out[i].Source = v, FromTopic
		}
	}
	return out
}
