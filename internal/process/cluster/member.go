package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// How soon a silent process is given up, and how often each says that it is there. Kafka accepts no shorter session by default.
const (
	sessionTimeout = 6 * time.Second
	heartbeats     = 300 * time.Millisecond
	// rejoining is how long members may take to come to a new division. It is more than giving duties back takes (handover).
	rejoining = 10 * time.Second
)

// keeperPartition of TasksTopic is the keeper's; those behind it are the tasks'.
const keeperPartition = 0

func (n *Node) duty(partition int32) *duty {
	if partition == keeperPartition {
		return n.keeping
	}
	if k := int(partition) - 1; k < len(n.tasks) {
		return n.tasks[k].duty
	}
	return newDuty()
}

// join is a member of the group until ctx ends.
func (n *Node) join(ctx context.Context) error {
	client, err := n.cluster.NewClient(
		kgo.ConsumerGroup(Group), kgo.InstanceID(n.cfg.Name), kgo.ClientID("myelin "+n.cfg.Address), kgo.ConsumeTopics(TasksTopic),
		kgo.Balancers(&balancer{GroupBalancer: kgo.CooperativeStickyBalancer(), weights: n.weights}),
		kgo.SessionTimeout(sessionTimeout), kgo.HeartbeatInterval(heartbeats), kgo.RebalanceTimeout(rejoining),
		kgo.DisableAutoCommit(), kgo.FetchMaxWait(5*time.Second),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
			for _, p := range parts[TasksTopic] {
				n.duty(p).give()
			}
			n.notify()
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { n.release(parts, false) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { n.release(parts, true) }),
	)
	if err != nil {
		return err
	}
	weights := n.weights()
	for ctx.Err() == nil {
		poll, cancel := context.WithTimeout(ctx, 2*time.Second)
		for _, e := range client.PollFetches(poll).Errors() {
			switch {
			case poll.Err() != nil || errors.Is(e.Err, context.Canceled):
				continue
			case errors.Is(e.Err, kerr.FencedInstanceID):
				n.cfg.Log.Error("another process of the same name has taken the place of this one in the cluster, which runs no views any more: give each a name of its own, cluster: {node: NAME} in its myelin.yaml, and start them again",
					"node", n.cfg.Name, "error", e.Err)
			default:
				n.cfg.Log.Warn("taking part in the cluster", "error", e.Err)
			}
			wait(ctx, nil, time.Second)
		}
		cancel()
		if w := n.weights(); n.keeping.mine() && !slices.Equal(w, weights) { // views came or went: the tasks may be divided better
			weights = w
			client.ForceRebalance()
		}
	}
	all := make([]int32, len(n.tasks)+1)
	for p := range all {
		all[p] = int32(p)
	}
	n.release(map[string][]int32{TasksTopic: all}, false)
	client.Close() // which does not make a static member leave
	leave, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	who := kadm.LeaveGroup(Group).Reason("it was stopped").InstanceIDs(n.cfg.Name)
	if _, err := n.cluster.Admin().LeaveGroup(leave, who); err != nil {
		n.cfg.Log.Warn("leaving the cluster", "error", err)
	}
	return nil
}

// release gives duties back and waits until they have ended.
func (n *Node) release(parts map[string][]int32, lost bool) {
	for _, p := range parts[TasksTopic] {
		n.duty(p).take(lost)
	}
	if !lost {
		limit := time.NewTimer(2 * handover)
		defer limit.Stop()
		for _, p := range parts[TasksTopic] {
			select {
			case <-n.duty(p).settled():
			case <-limit.C:
				return
			}
		}
	}
	n.notify()
}

// notify tells of duties that came or went.
func (n *Node) notify() {
	n.mu.Lock()
	n.signalLocked()
	n.mu.Unlock()
	if n.cfg.Changed != nil {
		n.cfg.Changed()
	}
}

// balancer divides the tasks: each stays where it is as long as that is fair, by the number of views in it.
type balancer struct {
	kgo.GroupBalancer
	weights func() []int
}

// ProtocolName implements kgo.GroupBalancer.
func (*balancer) ProtocolName() string { return "myelin" }

// MemberBalancer implements kgo.GroupBalancer.
func (b *balancer) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	cb, err := kgo.NewConsumerBalancer(b, members)
	if err != nil {
		return nil, nil, fmt.Errorf("dividing the tasks: %w", err)
	}
	return cb, cb.MemberTopics(), nil
}

// Balance implements kgo.ConsumerBalancerBalance.
func (b *balancer) Balance(cb *kgo.ConsumerBalancer, topics map[string]int32) kgo.IntoSyncAssignment {
	var members []*kmsg.JoinGroupResponseMember
	var owned [][]int32
	cb.EachMember(func(m *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		members = append(members, m)
		var has []int32
		for _, o := range meta.OwnedPartitions {
			if o.Topic == TasksTopic {
				has = append(has, o.Partitions...)
			}
		}
		owned = append(owned, has)
	})
	plan := cb.NewPlan()
	for i, parts := range divide(b.weights(), int(topics[TasksTopic]), owned) {
		plan.AddPartitions(members[i], TasksTopic, parts)
	}
	plan.AdjustCooperative(cb)
	return plan
}

// full is the weight of a view; an empty task weighs 1.
const full = 1000

// divide gives every partition to one of the members, who own some already.
func divide(weights []int, partitions int, owned [][]int32) [][]int32 {
	// An empty task weighs next to nothing; still they are spread, as any may get views.
	weight := func(p int32) int {
		if int(p) < len(weights) {
			return weights[p]*full + 1
		}
		return 1
	}
	out, load := make([][]int32, len(owned)), make([]int, len(owned))
	taken := map[int32]bool{}
	give := func(m int, p int32) {
		out[m], load[m], taken[p] = append(out[m], p), load[m]+weight(p), true
	}
	for m, parts := range owned {
		for _, p := range parts {
			if int(p) < partitions && !taken[p] {
				give(m, p)
			}
		}
	}
	least := func() int {
		at := 0
		for m := range load {
			if load[m] < load[at] {
				at = m
			}
		}
		return at
	}
	var free []int32
	for p := range int32(partitions) {
		if !taken[p] {
			free = append(free, p)
		}
	}
	slices.SortStableFunc(free, func(a, b int32) int { return cmp.Compare(weight(b), weight(a)) })
	for _, p := range free {
		give(least(), p)
	}
	for { // move what makes the fullest and the emptiest more alike
		from, to := 0, least()
		for m := range load {
			if load[m] > load[from] {
				from = m
			}
		}
		best, gap := -1, load[from]-load[to]
		for i, p := range out[from] {
			if w := weight(p); w < gap && (w > full || gap < full/2) && (best < 0 || abs(gap-2*w) < abs(gap-2*weight(out[from][best]))) {
				best = i
			}
		}
		if best < 0 || abs(gap-2*weight(out[from][best])) >= gap {
			return out
		}
		p := out[from][best]
		out[from] = slices.Delete(out[from], best, best+1)
		load[from] -= weight(p)
		give(to, p)
	}
}

func abs(x int) int { return max(x, -x) }
