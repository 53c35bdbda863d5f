package topic

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Topics lists the topics of the cluster.
type Topics struct {
	Topics []Info `json:"topics"`
}

// Info describes one topic. Numbers that the cluster does not tell are -1.
type Info struct {
	Name       string  `json:"name"`
	Purpose    string  `json:"purpose"`
	Internal   bool    `json:"internal" doc:"plumbing of Myelin or Kafka, which lists leave out at first"`
	Partitions int     `json:"partitions"`
	Replicas   int     `json:"replicas"`
	Messages   int64   `json:"messages" doc:"offsets between the first and the last; a few of them may be markers of transactions"`
	RatePerSec float64 `json:"ratePerSec" doc:"messages of the last minute by their timestamps, per second"`
	Bytes      int64   `json:"bytes"`
	// RetentionMs is how long messages are kept, -1 for ever; RetentionBytes the same by size of a partition.
	RetentionMs    int64  `json:"retentionMs"`
	RetentionBytes int64  `json:"retentionBytes"`
	Cleanup        string `json:"cleanup" doc:"delete, compact or both"`
	Problem        string `json:"problem" doc:"what is wrong with the topic, empty when all is well"`
}

// Detail is a topic with its partitions and settings.
type Detail struct {
	Info
	Parts    []Partition `json:"parts"`
	Settings []Setting   `json:"settings"`
}

// Partition describes one partition.
type Partition struct {
	Partition int32   `json:"partition"`
	Start     int64   `json:"start"`
	End       int64   `json:"end" doc:"offset of the next message"`
	Bytes     int64   `json:"bytes"`
	Leader    int32   `json:"leader"`
	Replicas  []int32 `json:"replicas"`
	InSync    []int32 `json:"inSync"`
	Problem   string  `json:"problem"`
}

// Setting is a configuration entry of a topic.
type Setting struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	Default bool   `json:"default"`
}

// Topics lists all topics.
func (b *Browser) Topics(ctx context.Context) (Topics, error) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Patience)
	defer cancel()
	return b.topics.get(ctx, b.cfg.Clock.Now, b.cfg.Fresh, b.list)
}

func (b *Browser) list(ctx context.Context) (Topics, error) {
	details, err := b.cfg.Admin.ListTopicsWithInternal(ctx)
	if err != nil {
		return Topics{}, fmt.Errorf("listing topics: %w", err)
	}
	facts, err := b.facts(ctx, details)
	if err != nil {
		return Topics{}, err
	}
	out := Topics{Topics: []Info{}}
	for _, d := range details.Sorted() {
		out.Topics = append(out.Topics, b.info(d, facts))
	}
	return out, nil
}

// Topic describes one topic.
func (b *Browser) Topic(ctx context.Context, name string) (Detail, error) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Patience)
	defer cancel()
	d, err := b.find(ctx, name)
	if err != nil {
		return Detail{}, err
	}
	facts, err := b.facts(ctx, kadm.TopicDetails{name: d})
	if err != nil {
		return Detail{}, err
	}
	out := Detail{Info: b.info(d, facts), Parts: []Partition{}, Settings: []Setting{}}
	for _, p := range sortedPartitions(d.Partitions) {
		part := Partition{Partition: p.Partition, Leader: p.Leader, Replicas: p.Replicas, InSync: p.ISR, Bytes: facts.size(name, p.Partition)}
		part.Start, part.End = facts.span(name, p.Partition)
		if p.Err != nil {
			part.Problem = p.Err.Error()
		}
		out.Parts = append(out.Parts, part)
	}
	for _, c := range facts.settings[name] {
		out.Settings = append(out.Settings, Setting{Name: c.Key, Value: c.MaybeValue(), Default: c.Source != dynamicTopic})
	}
	slices.SortFunc(out.Settings, func(a, b Setting) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// dynamicTopic is the source of a setting that was made for this very topic (KIP-226).
const dynamicTopic = 1

func (b *Browser) find(ctx context.Context, name string) (kadm.TopicDetail, error) {
	details, err := b.cfg.Admin.ListTopicsWithInternal(ctx, name)
	if err != nil {
		return kadm.TopicDetail{}, fmt.Errorf("finding topic %s: %w", name, err)
	}
	d, ok := details[name]
	if !ok || d.Err != nil || len(d.Partitions) == 0 {
		return kadm.TopicDetail{}, ErrUnknown
	}
	return d, nil
}

// facts are what is known of topics beside their partitions.
type facts struct {
	start, end, minute kadm.ListedOffsets
	settings           map[string][]kadm.Config
	dirs               kadm.DescribedAllLogDirs
}

// facts asks the cluster. Where it does not tell sizes, rates or settings, they are left out: only offsets are a must.
func (b *Browser) facts(ctx context.Context, details kadm.TopicDetails) (*facts, error) {
	names := details.Names()
	f := &facts{settings: map[string][]kadm.Config{}}
	if len(names) == 0 {
		return f, nil
	}
	var err error
	if f.start, err = b.cfg.Admin.ListStartOffsets(ctx, names...); err != nil {
		return nil, fmt.Errorf("finding the start of topics: %w", err)
	}
	if f.end, err = b.cfg.Admin.ListEndOffsets(ctx, names...); err != nil {
		return nil, fmt.Errorf("finding the end of topics: %w", err)
	}
	f.minute, _ = b.cfg.Admin.ListOffsetsAfterMilli(ctx, b.cfg.Clock.Now().Add(-time.Minute).UnixMilli(), names...)
	if configs, err := b.cfg.Admin.DescribeTopicConfigs(ctx, names...); err == nil {
		for _, c := range configs {
			f.settings[c.Name] = c.Configs
		}
	}
	set := kadm.TopicsSet{}
	for _, n := range names {
		set.Add(n, details[n].Partitions.Numbers()...)
	}
	f.dirs, _ = b.cfg.Admin.DescribeAllLogDirs(ctx, set)
	return f, nil
}

// span is the first offset and the one after the last.
func (f *facts) span(topic string, p int32) (start, end int64) {
	s, _ := f.start.Lookup(topic, p)
	e, _ := f.end.Lookup(topic, p)
	if s.Err != nil || e.Err != nil {
		return 0, 0
	}
	return s.Offset, e.Offset
}

// lately is how many offsets of a partition are younger than a minute. kadm gives the end where none is.
func (f *facts) lately(topic string, p int32) int64 {
	m, ok := f.minute.Lookup(topic, p)
	e, _ := f.end.Lookup(topic, p)
	if !ok || m.Err != nil || e.Err != nil || m.Offset < 0 {
		return 0
	}
	return max(0, e.Offset-m.Offset)
}

// size is how many bytes the leader's copy, or else any, takes on disk; -1 where no broker tells.
func (f *facts) size(topic string, p int32) int64 {
	size := int64(-1)
	f.dirs.Each(func(d kadm.DescribedLogDir) {
		if d.Err == nil {
			if part, ok := d.Topics.Lookup(topic, p); ok {
				size = max(size, part.Size)
			}
		}
	})
	return size
}

func (b *Browser) info(d kadm.TopicDetail, f *facts) Info {
	out := Info{Name: d.Topic, Purpose: b.cfg.Purpose(d.Topic), Internal: d.IsInternal || Internal(d.Topic), Partitions: len(d.Partitions), Bytes: -1,
		RetentionMs: -1, RetentionBytes: -1, Cleanup: "delete"}
	if d.Err != nil {
		out.Problem = d.Err.Error()
	}
	var minute int64
	leaderless := 0
	for _, p := range d.Partitions {
		out.Replicas = max(out.Replicas, len(p.Replicas))
		if p.Leader < 0 {
			leaderless++
		}
		start, end := f.span(d.Topic, p.Partition)
		out.Messages += end - start
		minute += f.lately(d.Topic, p.Partition)
		if size := f.size(d.Topic, p.Partition); size >= 0 {
			out.Bytes = max(out.Bytes, 0) + size
		}
	}
	out.RatePerSec = float64(minute) / 60
	if leaderless > 0 && out.Problem == "" {
		out.Problem = fmt.Sprintf("%d of %d partitions have no leader and cannot be read or written", leaderless, len(d.Partitions))
	}
	for _, c := range f.settings[d.Topic] {
		switch v := c.MaybeValue(); c.Key {
		case "retention.ms":
			out.RetentionMs = number(v)
		case "retention.bytes":
			out.RetentionBytes = number(v)
		case "cleanup.policy":
			out.Cleanup = v
		}
	}
	return out
}

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return -1
	}
	return n
}
