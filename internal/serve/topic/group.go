package topic

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Groups lists the consumer groups.
type Groups struct {
	Groups []Group `json:"groups"`
}

// Group is a consumer group: programs that share the reading of topics.
type Group struct {
	Name     string `json:"name"`
	Internal bool   `json:"internal" doc:"part of Myelin itself"`
	State    string `json:"state" doc:"as Kafka calls it: Stable, Empty, PreparingRebalance, …"`
	Protocol string `json:"protocol" doc:"classic or consumer (KIP-848)"`
	Assignor string `json:"assignor"`
	// Lag is how many messages the group has not read yet.
	Lag     int64       `json:"lag"`
	Topics  []string    `json:"topics"`
	Members []Member    `json:"members"`
	Parts   []GroupPart `json:"parts"`
	Problem string      `json:"problem"`
}

// Member is one program of a group.
type Member struct {
	ID         string `json:"id"`
	Client     string `json:"client"`
	Host       string `json:"host"`
	Partitions int    `json:"partitions"`
}

// GroupPart is how far a group has read one partition.
type GroupPart struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed int64  `json:"committed" doc:"offset of the next message to read; -1: none was read yet"`
	End       int64  `json:"end"`
	Lag       int64  `json:"lag"`
	Member    string `json:"member" doc:"who reads it now; empty: nobody"`
}

// Groups lists all groups, those with most to read first.
func (b *Browser) Groups(ctx context.Context) (Groups, error) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Patience)
	defer cancel()
	return b.groups.get(ctx, b.cfg.Clock.Now, b.cfg.Fresh, b.listGroups)
}

// Group describes one group.
func (b *Browser) Group(ctx context.Context, name string) (Group, error) {
	all, err := b.Groups(ctx)
	if err != nil {
		return Group{}, err
	}
	for _, g := range all.Groups {
		if g.Name == name {
			return g, nil
		}
	}
	return Group{}, ErrUnknown
}

func (b *Browser) listGroups(ctx context.Context) (Groups, error) {
	listed, err := b.cfg.Admin.ListGroups(ctx)
	if err != nil {
		return Groups{}, fmt.Errorf("listing groups: %w", err)
	}
	out := Groups{Groups: []Group{}}
	if len(listed) == 0 {
		return out, nil
	}
	groups := b.describe(ctx, listed.Groups())
	fetched := b.cfg.Admin.FetchManyOffsets(ctx, listed.Groups()...)
	topics := kadm.TopicsSet{}
	for _, f := range fetched {
		topics.Merge(f.CommittedPartitions())
	}
	for _, g := range groups {
		for _, p := range g.Parts {
			topics.Add(p.Topic, p.Partition)
		}
	}
	var ends kadm.ListedOffsets
	if len(topics) > 0 {
		if ends, err = b.cfg.Admin.ListEndOffsets(ctx, topics.Topics()...); err != nil {
			return Groups{}, fmt.Errorf("finding the end of topics: %w", err)
		}
	}
	for _, g := range groups {
		g.measure(fetched[g.Name], ends)
		out.Groups = append(out.Groups, *g)
	}
	slices.SortFunc(out.Groups, func(a, b Group) int { return cmp.Or(cmp.Compare(b.Lag, a.Lag), cmp.Compare(a.Name, b.Name)) })
	return out, nil
}

// describe asks for the members of groups, first by the protocol of KIP-848 and then, for those that do not speak it, by the
// classic one.
func (b *Browser) describe(ctx context.Context, names []string) map[string]*Group {
	out := map[string]*Group{}
	for _, n := range names {
		out[n] = &Group{Name: n, Internal: Internal(n), Protocol: "classic", Topics: []string{}, Members: []Member{}, Parts: []GroupPart{}}
	}
	var classic []string
	newer, _ := b.cfg.Admin.DescribeConsumerGroups(ctx, names...) // brokers before 4.0 do not know this
	for _, n := range names {
		d, ok := newer[n]
		if !ok || d.Err != nil {
			classic = append(classic, n)
			continue
		}
		g := out[n]
		g.State, g.Protocol, g.Assignor = d.State, "consumer", d.AssignorName
		for _, m := range d.Members {
			g.join(Member{ID: m.MemberID, Client: m.ClientID, Host: m.ClientHost}, m.Assignment)
		}
	}
	if len(classic) == 0 {
		return out
	}
	older, err := b.cfg.Admin.DescribeGroups(ctx, classic...)
	for _, n := range classic {
		g, d := out[n], older[n]
		if d.Err != nil || d.Group == "" {
			g.Problem = fmt.Sprint(cmp.Or(d.Err, err))
			continue
		}
		g.State, g.Assignor = d.State, d.Protocol
		for _, m := range d.Members {
			set := kadm.TopicsSet{}
			if a, ok := m.Assigned.AsConsumer(); ok {
				for _, t := range a.Topics {
					set.Add(t.Topic, t.Partitions...)
				}
			}
			g.join(Member{ID: m.MemberID, Client: m.ClientID, Host: m.ClientHost}, set)
		}
	}
	return out
}

// join adds a member with what it reads.
func (g *Group) join(m Member, reads kadm.TopicsSet) {
	for t, ps := range reads {
		for p := range ps {
			m.Partitions++
			g.Parts = append(g.Parts, GroupPart{Topic: t, Partition: p, Committed: -1, Member: m.ID})
		}
	}
	g.Members = append(g.Members, m)
}

// measure adds how far the group has read.
func (g *Group) measure(f kadm.FetchOffsetsResponse, ends kadm.ListedOffsets) {
	f.Fetched.Each(func(o kadm.OffsetResponse) {
		if o.Err != nil || o.At < 0 {
			return
		}
		i := slices.IndexFunc(g.Parts, func(p GroupPart) bool { return p.Topic == o.Topic && p.Partition == o.Partition })
		if i < 0 {
			i = len(g.Parts)
			g.Parts = append(g.Parts, GroupPart{Topic: o.Topic, Partition: o.Partition})
		}
		g.Parts[i].Committed = o.At
	})
	for i := range g.Parts {
		p := &g.Parts[i]
		if end, ok := ends.Lookup(p.Topic, p.Partition); ok && end.Err == nil {
			p.End = end.Offset
			p.Lag = max(0, p.End-max(0, p.Committed))
			g.Lag += p.Lag
		}
		if !slices.Contains(g.Topics, p.Topic) {
			g.Topics = append(g.Topics, p.Topic)
		}
	}
	slices.Sort(g.Topics)
	slices.SortFunc(g.Parts, func(a, b GroupPart) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
}
