package broker_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestOwnTopicsStayCompacted asks for settings under which the broker's own topics would lose what they keep.
func TestOwnTopicsStayCompacted(t *testing.T) {
	b := open(t, vfs.NewCrashableMem())
	adm := kadm.NewClient(client(t, b))
	value := func(s string) *string { return &s }
	for _, name := range []string{"__consumer_offsets", "__transaction_state", "__settings"} {
		for _, policy := range []string{"delete", "compact,delete"} {
			r, err := adm.AlterTopicConfigs(within(t), []kadm.AlterConfig{{Name: "cleanup.policy", Value: value(policy)}}, name)
			if err != nil || !errors.Is(r[0].Err, kerr.PolicyViolation) {
				t.Errorf("%s, %s: %v %v", name, policy, r, err)
			}
		}
		r, err := adm.AlterTopicConfigsState(within(t), []kadm.AlterConfig{{Name: "retention.ms", Value: value("1000")}}, name)
		if err != nil || !errors.Is(r[0].Err, kerr.PolicyViolation) {
			t.Errorf("%s, all but the retention taken away: %v %v", name, r, err)
		}
		if c := b.Topics().Name(name).Config(); !c.Compact || c.Delete {
			t.Errorf("%s is not compacted any more", name)
		}
		r, err = adm.AlterTopicConfigs(within(t), []kadm.AlterConfig{{Name: "segment.bytes", Value: value("33554432")}}, name)
		if err != nil || r[0].Err != nil {
			t.Errorf("%s, segments: %v %v", name, r, err)
		}
	}
}

// TestUnderscoresAreNobodys writes, changes and deletes a topic that is named like Debezium's heartbeats.
func TestUnderscoresAreNobodys(t *testing.T) {
	b := open(t, vfs.NewCrashableMem())
	const name = "__debezium-heartbeat.shop"
	createTopic(t, b, name, 1)
	c := client(t, b, kgo.ConsumeTopics(name))
	produce(t, c, name, 0, 5)
	readAll(t, c, 5)
	if r, err := kadm.NewClient(c).DeleteTopics(within(t), name); err != nil || r[name].Err != nil {
		t.Error(r, err)
	}
}

// TestSettingsChangedAtTheSameTimeAllCount lets clients change a setting each of one topic.
func TestSettingsChangedAtTheSameTimeAllCount(t *testing.T) {
	b := open(t, vfs.NewCrashableMem())
	createTopic(t, b, "t", 1)
	adm := kadm.NewClient(client(t, b))
	names := []string{"retention.ms", "retention.bytes", "segment.bytes", "max.message.bytes", "delete.retention.ms", "segment.ms"}
	for round := range 10 {
		want := fmt.Sprint(2_000_000 + round)
		var wg sync.WaitGroup
		for _, name := range names {
			wg.Go(func() {
				r, err := adm.AlterTopicConfigs(within(t), []kadm.AlterConfig{{Name: name, Value: &want}}, "t")
				if err != nil || r[0].Err != nil {
					t.Error(r, err)
				}
			})
		}
		wg.Wait()
		for _, name := range names {
			if got := b.Topics().Name("t").Config().Set[name]; got != want {
				t.Fatalf("%s is %q, want %q", name, got, want)
			}
		}
	}
}
