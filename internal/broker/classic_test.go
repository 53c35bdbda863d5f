package broker_test

import (
	"cmp"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"myelin/internal/broker"
)

// consumer speaks the classic group protocol by hand.
type consumer struct {
	t        *testing.T
	c        *kgo.Client
	id       string
	instance *string
	gen      int32
	silence  int32 // milliseconds after which it is taken for gone; 0: longer than any test
}

func join(t *testing.T, b *broker.Broker, instance string) *consumer {
	t.Helper()
	versions := kversion.Tip()
	versions.SetMaxKeyVersion(8, 9) // OffsetCommit with the names of topics
	versions.SetMaxKeyVersion(68, 1)
	m := &consumer{t: t, c: client(t, b, kgo.MaxVersions(versions))}
	if instance != "" {
		m.instance = &instance
	}
	return m
}

func ask1[T kmsg.Response](m *consumer, req kmsg.Request) T {
	m.t.Helper()
	if err := m.c.Ping(within(m.t)); err != nil {
		m.t.Fatal(err)
	}
	resp, err := m.c.Broker(1).Request(within(m.t), req)
	if err != nil {
		m.t.Fatal(err)
	}
	return resp.(T)
}

func (m *consumer) join() (*kmsg.JoinGroupResponse, error) {
	m.t.Helper()
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = "g", cmp.Or(m.silence, 120_000), 120_000
	req.MemberID, req.InstanceID, req.ProtocolType = m.id, m.instance, "consumer"
	req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("m")}}
	resp := ask1[*kmsg.JoinGroupResponse](m, req)
	m.id, m.gen = resp.MemberID, resp.Generation
	return resp, kerr.ErrorForCode(resp.ErrorCode)
}

func (m *consumer) sync(assign map[string]string) (string, error) {
	m.t.Helper()
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.MemberID, req.Generation, req.InstanceID = "g", m.id, m.gen, m.instance
	req.ProtocolType, req.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
	for id, a := range assign {
		req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: id, MemberAssignment: []byte(a)})
	}
	resp := ask1[*kmsg.SyncGroupResponse](m, req)
	return string(resp.MemberAssignment), kerr.ErrorForCode(resp.ErrorCode)
}

func (m *consumer) heartbeat() error {
	m.t.Helper()
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation, req.InstanceID = "g", m.id, m.gen, m.instance
	return kerr.ErrorForCode(ask1[*kmsg.HeartbeatResponse](m, req).ErrorCode)
}

func (m *consumer) commit(offset int64) error {
	m.t.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation, req.InstanceID = "g", m.id, m.gen, m.instance
	rt := kmsg.NewOffsetCommitRequestTopic()
	rt.Topic = "t"
	rp := kmsg.NewOffsetCommitRequestTopicPartition()
	rp.Offset = offset
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return kerr.ErrorForCode(ask1[*kmsg.OffsetCommitResponse](m, req).Topics[0].Partitions[0].ErrorCode)
}

func (m *consumer) leave() error {
	m.t.Helper()
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = "g"
	req.Members = []kmsg.LeaveGroupRequestMember{{MemberID: m.id, InstanceID: m.instance}}
	return kerr.ErrorForCode(ask1[*kmsg.LeaveGroupResponse](m, req).Members[0].ErrorCode)
}

func must(t *testing.T, err, want error) {
	t.Helper()
	if err != want {
		t.Fatalf("got %v, want %v", err, want)
	}
}

// alone makes m the only member, with an assignment.
func (m *consumer) alone() {
	m.t.Helper()
	_, err := m.join()
	if err == kerr.MemberIDRequired {
		_, err = m.join()
	}
	must(m.t, err, nil)
	got, err := m.sync(map[string]string{m.id: "all"})
	must(m.t, err, nil)
	if got != "all" {
		m.t.Fatalf("assigned %q", got)
	}
}

func TestMemberMustComeBackWithItsID(t *testing.T) {
	b := open(t, vfs.NewCrashableMem())
	createTopic(t, b, "t", 1)
	m := join(t, b, "")
	_, err := m.join()
	must(t, err, kerr.MemberIDRequired)
	if m.id == "" {
		t.Fatal("no member id was given")
	}
	m.alone()
	must(t, m.heartbeat(), nil)
	must(t, m.commit(5), nil)
	stranger := &consumer{t: t, c: m.c, id: "stranger", gen: m.gen}
	_, err = stranger.join()
	must(t, err, kerr.UnknownMemberID)
	must(t, stranger.heartbeat(), kerr.UnknownMemberID)
	late := &consumer{t: t, c: m.c, id: m.id, gen: m.gen - 1}
	must(t, late.heartbeat(), kerr.IllegalGeneration)
	must(t, late.commit(1), kerr.IllegalGeneration)
	simple := &consumer{t: t, c: m.c, gen: -1}
	must(t, simple.commit(1), kerr.UnknownMemberID)
	must(t, m.leave(), nil)
	must(t, simple.commit(1), nil)
}

func TestMembersSurviveRestart(t *testing.T) {
	fs := vfs.NewCrashableMem()
	b := open(t, fs)
	createTopic(t, b, "t", 1)
	m := join(t, b, "")
	m.alone()
	must(t, m.commit(5), nil)
	m.c = join(t, open(t, fs.CrashClone(vfs.CrashCloneCfg{})), "").c
	must(t, m.heartbeat(), nil)
	must(t, m.commit(6), nil)
	got, err := m.sync(nil)
	must(t, err, nil)
	if got != "all" {
		t.Fatalf("assigned %q", got)
	}
}

func TestSecondMemberMakesTheFirstRejoin(t *testing.T) {
	b := open(t, vfs.NewCrashableMem())
	createTopic(t, b, "t", 1)
	one, two := join(t, b, ""), join(t, b, "")
	one.alone()
	_, err := two.join()
	must(t, err, kerr.MemberIDRequired)
	type joined struct {
		resp *kmsg.JoinGroupResponse
		err  error
	}
	second := make(chan joined, 1)
	go func() {
		resp, err := two.join()
		second <- joined{resp, err}
	}()
	for {
		err := one.heartbeat()
		if err == kerr.RebalanceInProgress {
			break
		}
		must(t, err, nil)
	}
	first, err := one.join()
	must(t, err, nil)
	j := <-second
	must(t, j.err, nil)
	if first.LeaderID != one.id || len(first.Members) != 2 || len(j.resp.Members) != 0 || first.Generation != j.resp.Generation {
		t.Fatalf("first %+v, second %+v", first, j.resp)
	}
	must(t, two.commit(1), kerr.RebalanceInProgress)
	assigned := make(chan string, 1)
	go func() {
		got, _ := two.sync(nil)
		assigned <- got
	}()
	got, err := one.sync(map[string]string{one.id: "left", two.id: "right"})
	must(t, err, nil)
	if other := <-assigned; got != "left" || other != "right" {
		t.Fatalf("assigned %q and %q", got, other)
	}
	must(t, one.leave(), nil)
	must(t, two.heartbeat(), kerr.RebalanceInProgress)
	resp, err := two.join()
	must(t, err, nil)
	if resp.LeaderID != two.id {
		t.Fatalf("leader %s", resp.LeaderID)
	}
}

func TestStaticMemberRestartsWithoutRebalance(t *testing.T) {
	b := open(t, vfs.NewCrashableMem())
	createTopic(t, b, "t", 1)
	old := join(t, b, "i1")
	old.alone()
	fresh := join(t, b, "i1")
	resp, err := fresh.join()
	must(t, err, nil)
	if resp.Generation != old.gen || !resp.SkipAssignment || fresh.id == old.id {
		t.Fatalf("joined %+v in place of generation %d", resp, old.gen)
	}
	got, err := fresh.sync(nil)
	must(t, err, nil)
	if got != "all" {
		t.Fatalf("assigned %q", got)
	}
	must(t, old.heartbeat(), kerr.FencedInstanceID)
	must(t, old.commit(1), kerr.FencedInstanceID)
	must(t, fresh.commit(1), nil)
}

func TestSilentMemberExpires(t *testing.T) {
	t.Parallel()
	b := open(t, vfs.NewCrashableMem())
	createTopic(t, b, "t", 1)
	m := join(t, b, "")
	m.silence = 6000
	m.alone()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		d, _ := b.Groups().Describe("g")
		if d.State == "Empty" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the group is %s with %d members", d.State, len(d.Members))
		}
	}
	must(t, m.heartbeat(), kerr.UnknownMemberID)
}
