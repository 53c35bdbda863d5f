package group

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"

	"myelin/internal/broker/batch"
)

// settings are what a group sets itself, in milliseconds.
type settings map[string]int64

// times are the limits of the members of a group of KIP-848.
type times struct{ session, heartbeat time.Duration }

// The settings of a group, as Kafka names them.
const (
	sessionSetting   = "consumer.session.timeout.ms"
	heartbeatSetting = "consumer.heartbeat.interval.ms"
)

// Setting describes one setting of groups.
type Setting struct {
	Name, Broker, Doc string // Broker is the broker's setting that gives the default
	Default           int64
	Min, Max          int64
}

// Settings lists the settings that a group may have, by name.
func (c *Coordinator) Settings() []Setting {
	return []Setting{
		{heartbeatSetting, "group.consumer.heartbeat.interval.ms", "How often members of the consumer protocol send a heartbeat.",
			c.cfg.ConsumerHeartbeat.Milliseconds(), c.cfg.MinConsumerHeartbeat.Milliseconds(), c.cfg.MaxSession.Milliseconds()},
		{sessionSetting, "group.consumer.session.timeout.ms", "How long a member of the consumer protocol may be silent.",
			c.cfg.ConsumerSession.Milliseconds(), c.cfg.MinConsumerSession.Milliseconds(), c.cfg.MaxSession.Milliseconds()},
	}
}

// consumerTimes are the limits of a group's members: its own, or the broker's.
func (c *Coordinator) consumerTimes(name string) times {
	t := times{c.cfg.ConsumerSession, c.cfg.ConsumerHeartbeat}
	c.configMu.Lock()
	defer c.configMu.Unlock()
	own := c.configs[name]
	if ms, ok := own[sessionSetting]; ok {
		t.session = time.Duration(ms) * time.Millisecond
	}
	if ms, ok := own[heartbeatSetting]; ok {
		t.heartbeat = time.Duration(ms) * time.Millisecond
	}
	return t
}

// Configured is what a group sets itself.
func (c *Coordinator) Configured(name string) map[string]string {
	c.configMu.Lock()
	defer c.configMu.Unlock()
	out := make(map[string]string)
	for k, v := range c.configs[name] {
		out[k] = strconv.FormatInt(v, 10)
	}
	return out
}

// ConfiguredGroups lists the groups that set something themselves, by name.
func (c *Coordinator) ConfiguredGroups() []string {
	c.configMu.Lock()
	defer c.configMu.Unlock()
	return slices.Sorted(maps.Keys(c.configs))
}

// CheckConfig reads the settings of a group; the error is meant for the user.
func (c *Coordinator) CheckConfig(set map[string]string) error {
	_, err := c.parse(set)
	return err
}

func (c *Coordinator) parse(set map[string]string) (settings, error) {
	out := make(settings, len(set))
	for _, name := range slices.Sorted(maps.Keys(set)) {
		i := slices.IndexFunc(c.Settings(), func(s Setting) bool { return s.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("Unknown group config name: %s", name)
		}
		s := c.Settings()[i]
		n, err := strconv.ParseInt(set[name], 10, 64)
		switch {
		case err != nil:
			return nil, fmt.Errorf("Invalid value %s for configuration %s: Not a number of type INT", set[name], name)
		case n < s.Min:
			return nil, fmt.Errorf("Invalid value %s for configuration %s: Value must be at least %d", set[name], name, s.Min)
		case n > s.Max:
			return nil, fmt.Errorf("Invalid value %s for configuration %s: Value must be no more than %d", set[name], name, s.Max)
		}
		out[s.Name] = n
	}
	effective := times{c.cfg.ConsumerSession, c.cfg.ConsumerHeartbeat}
	if ms, ok := out[sessionSetting]; ok {
		effective.session = time.Duration(ms) * time.Millisecond
	}
	if ms, ok := out[heartbeatSetting]; ok {
		effective.heartbeat = time.Duration(ms) * time.Millisecond
	}
	if effective.heartbeat >= effective.session {
		return nil, fmt.Errorf("%s must be less than %s", heartbeatSetting, sessionSetting)
	}
	return out, nil
}

// Configure replaces what a group sets itself, durable when it returns. The group need not be there yet.
func (c *Coordinator) Configure(name string, set map[string]string) error {
	own, err := c.parse(set)
	if err != nil {
		return err
	}
	c.configuring.Lock()
	defer c.configuring.Unlock()
	var value []byte
	if len(own) > 0 {
		value = own.encode()
	}
	b := batch.NewBuilder(c.alarms.Now().UnixMilli())
	b.Add(configKey(name), value)
	done := make(chan error, 1)
	c.offsets.Append(b.Build(), func(_ int64, err error) {
		if err == nil {
			c.setConfig(name, own)
		}
		done <- err
	})
	if err := <-done; err != nil {
		return fmt.Errorf("storing the settings of group %s: %w", name, err)
	}
	return nil
}

func (c *Coordinator) setConfig(name string, own settings) {
	c.configMu.Lock()
	defer c.configMu.Unlock()
	if len(own) == 0 {
		delete(c.configs, name)
		return
	}
	c.configs[strings.Clone(name)] = own
}

// keyConfig is the kind of record that keeps a group's settings: Kafka keeps those in its metadata log, and has no such kind.
const keyConfig = 0x4d47

func configKey(name string) []byte { return kbin.AppendString(kbin.AppendInt16(nil, keyConfig), name) }

func (s settings) encode() []byte {
	v := kbin.AppendInt16(nil, 0) // version
	v = kbin.AppendArrayLen(v, len(s))
	for _, name := range slices.Sorted(maps.Keys(s)) {
		v = kbin.AppendInt64(kbin.AppendString(v, name), s[name])
	}
	return v
}

func (c *Coordinator) replayConfig(r batch.Record) {
	k := kbin.Reader{Src: r.Key}
	k.Int16()
	name := k.String()
	own := settings{}
	v := kbin.Reader{Src: r.Value}
	if r.Value != nil && v.Int16() == 0 {
		for range min(int(v.ArrayLen()), len(v.Src)) {
			key := v.String()
			own[key] = v.Int64()
		}
	}
	if k.Ok() && v.Ok() {
		c.setConfig(name, own)
	}
}

// rewriteConfigs appends the settings of all groups to a checkpoint.
func (c *Coordinator) rewriteConfigs(w *rewriter) {
	c.configMu.Lock()
	all := maps.Clone(c.configs)
	c.configMu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		w.record(configKey(name), all[name].encode())
	}
	w.flush()
}
