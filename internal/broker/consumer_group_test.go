package broker_test

import (
	"context"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker"
)

// modern speaks the protocol of KIP-848 by hand.
type modern struct {
	t        *testing.T
	c        *kgo.Client
	id       string
	instance *string
	epoch    int32
	topics   []string
	regex    *string
	owned    []kmsg.ConsumerGroupHeartbeatRequestTopic
}

func modernMember(t *testing.T, b *broker.Broker, id string, topics ...string) *modern {
	t.Helper()
	return &modern{t: t, c: join(t, b, "").c, id: id, topics: topics, owned: []kmsg.ConsumerGroupHeartbeatRequestTopic{}}
}

// beat sends a heartbeat. It returns the number of partitions assigned, -1 when the answer says nothing of them.
func (m *modern) beat() (int, error) {
	m.t.Helper()
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch, req.InstanceID, req.Topics = "g", m.id, m.epoch, m.instance, m.owned
	if m.epoch == 0 {
		req.RebalanceTimeoutMillis, req.SubscribedTopicNames, req.SubscribedTopicRegex = 120_000, m.topics, m.regex
	}
	resp := ask1[*kmsg.ConsumerGroupHeartbeatResponse](&consumer{t: m.t, c: m.c}, req)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return -1, err
	}
	m.epoch = resp.MemberEpoch
	if resp.Assignment == nil {
		return -1, nil
	}
	n := 0
	m.owned = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	for _, a := range resp.Assignment.Topics {
		m.owned = append(m.owned, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: a.TopicID, Partitions: a.Partitions})
		n += len(a.Partitions)
	}
	return n, nil
}

func (m *modern) gets(want int) {
	m.t.Helper()
	n, err := m.beat()
	must(m.t, err, nil)
	if n != want {
		m.t.Fatalf("%s got %d partitions, want %d", m.id, n, want)
	}
}

func (m *modern) leave(epoch int32) {
	m.t.Helper()
	old, owned := m.epoch, m.owned
	m.epoch, m.owned = epoch, nil
	_, err := m.beat()
	must(m.t, err, nil)
	m.epoch, m.owned = old, owned
}

func (m *modern) commit(epoch int32) error {
	return (&consumer{t: m.t, c: m.c, id: m.id, gen: epoch, instance: m.instance}).commit(1)
}

func TestPartitionsAreRevokedBeforeTheyAreAssigned(t *testing.T) {
	b := open(t, vfs.NewCrashableMem())
	createTopic(t, b, "t", 4)
	one, two := modernMember(t, b, "one", "t"), modernMember(t, b, "two", "t")
	one.gets(4)
	must(t, one.commit(one.epoch), nil)
	two.gets(0)
	two.gets(-1)
	before := one.owned
	one.gets(2) // it is to give two back, and still has its epoch
	must(t, two.commit(two.epoch+9), kerr.StaleMemberEpoch)
	kept := one.owned
	one.owned = before
	if n, _ := two.beat(); n != -1 {
		t.Fatalf("two got %d partitions that one still works on", n)
	}
	one.owned = kept
	one.gets(-1)
	two.gets(2)
	if one.epoch != two.epoch {
		t.Fatalf("epochs %d and %d", one.epoch, two.epoch)
	}
	must(t, one.commit(one.epoch-1), nil) // of a partition that it had then, too (KIP-1251)
	two.leave(-1)
	one.gets(4)
	_, err := two.beat()
	must(t, err, kerr.UnknownMemberID)
	stranger := &modern{t: t, c: one.c, id: "one", epoch: one.epoch + 5, owned: one.owned}
	_, err = stranger.beat()
	must(t, err, kerr.FencedMemberEpoch)
	stranger.epoch = one.epoch - 2
	_, err = stranger.beat()
	must(t, err, kerr.FencedMemberEpoch)
}

func TestStaticConsumerComesBackToItsPartitions(t *testing.T) {
	b := open(t, vfs.NewCrashableMem())
	createTopic(t, b, "t", 4)
	name := "i1"
	one, two := modernMember(t, b, "one", "t"), modernMember(t, b, "two", "t")
	one.instance, two.instance = &name, &name
	one.gets(4)
	_, err := two.beat()
	must(t, err, kerr.UnreleasedInstanceID)
	one.leave(-2)
	two.gets(4)
	if two.epoch != one.epoch {
		t.Fatalf("epoch %d after %d: the group rebalanced", two.epoch, one.epoch)
	}
	_, err = one.beat()
	must(t, err, kerr.FencedInstanceID)
	must(t, one.commit(one.epoch), kerr.FencedInstanceID)
}

func TestConsumersGoOnAfterACrash(t *testing.T) {
	fs := vfs.NewCrashableMem()
	b := open(t, fs)
	createTopic(t, b, "t", 4)
	one := modernMember(t, b, "one", "t")
	one.gets(4)
	must(t, one.commit(one.epoch), nil)
	b2 := open(t, fs.CrashClone(vfs.CrashCloneCfg{}))
	one.c = join(t, b2, "").c
	one.gets(-1)
	must(t, one.commit(one.epoch), nil)
	d := b2.Groups().DescribeConsumer("g")
	if d == nil || d.State != "Stable" || len(d.Members) != 1 || d.Epoch != one.epoch || d.AssignorName != "uniform" {
		t.Fatalf("described as %+v", d)
	}
}

func TestPatternFollowsTopics(t *testing.T) {
	b := open(t, vfs.NewCrashableMem())
	createTopic(t, b, "orders.eu", 2)
	one := modernMember(t, b, "one")
	bad, good := "orders.(", `orders\..*`
	one.regex = &bad
	_, err := one.beat()
	must(t, err, kerr.InvalidRegularExpression)
	one.regex = &good
	one.gets(2)
	createTopic(t, b, "orders.us", 3)
	createTopic(t, b, "xorders.us", 3)
	one.gets(5)
}

// TestGroupMigratesAndBack moves a running group from the classic protocol to the new one and back, one consumer at a time.
func TestGroupMigratesAndBack(t *testing.T) {
	t.Parallel()
	b := open(t, vfs.NewCrashableMem())
	createTopic(t, b, "t", 6)
	opts := []kgo.Opt{kgo.ConsumeTopics("t"), kgo.ConsumerGroup("g"), kgo.HeartbeatInterval(50 * time.Millisecond), kgo.Balancers(kgo.CooperativeStickyBalancer())}
	newer := append(opts, kgo.WithContext(context.WithValue(context.Background(), "opt_in_kafka_next_gen_balancer_beta", true)))
	sent := 0
	check := func(wantType string, consumers ...*kgo.Client) {
		t.Helper()
		produce(t, client(t, b), "t", sent, sent+60)
		sent += 60
		deadline := time.Now().Add(time.Minute)
		for got := 0; got < 60; {
			for _, c := range consumers {
				got += c.PollRecords(poll(within(t)), 1000).NumRecords()
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d of 60 records came", got)
			}
		}
		for {
			listed := b.Groups().List()
			if listed[0].Type == wantType {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the group is %+v, want type %s", listed[0], wantType)
			}
			for _, c := range consumers {
				c.PollRecords(poll(within(t)), 1)
			}
		}
	}
	old := client(t, b, opts...)
	check("classic", old)
	fresh := client(t, b, newer...)
	check("consumer", old, fresh)
	old.Close()
	check("consumer", fresh)
	old = client(t, b, opts...)
	check("consumer", old, fresh)
	fresh.Close()
	check("classic", old)
}
