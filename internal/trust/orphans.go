package trust

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// endOrphans ends transactions that killed members of the group left open: until then nobody can read what lies behind their first
// record, nor where they were, and the brokers would wait for as long as such a transaction may take. It is tried when partitions
// come to us; where it fails the brokers do it in the end.
func (r *Release) endOrphans(ctx context.Context) {
	if !r.cfg.Shared {
		return
	}
	if err := r.tryEndOrphans(ctx); err != nil && ctx.Err() == nil {
		r.cfg.Logger.Warn("ending what a killed process left open", "error", err)
	}
}

func (r *Release) tryEndOrphans(ctx context.Context) error {
	open, err := r.cluster.Admin().ListTransactions(ctx, nil, []string{"Ongoing", "PrepareEpochFence"})
	if err != nil {
		return fmt.Errorf("listing transactions: %w", err)
	}
	var orphans []string
	for id := range open {
		if strings.HasPrefix(id, r.cfg.Group+".") {
			orphans = append(orphans, id)
		}
	}
	if len(orphans) == 0 {
		return nil
	}
	groups, err := r.cluster.Admin().DescribeGroups(ctx, r.cfg.Group)
	if err == nil {
		err = groups.Error()
	}
	if err != nil {
		return fmt.Errorf("listing the members of group %s: %w", r.cfg.Group, err)
	}
	alive := map[string]bool{r.cfg.Group + "." + r.cfg.Node: true}
	for _, m := range groups[r.cfg.Group].Members {
		if m.InstanceID != nil {
			alive[*m.InstanceID] = true
		}
	}
	for _, id := range orphans {
		if alive[id] {
			continue
		}
		if err := r.endOrphan(ctx, id); err != nil {
			return err
		}
		r.cfg.Logger.Warn("ended the transaction that a killed process left open", "transactionalId", id)
	}
	return nil
}

// endOrphan takes a transactional id: that ends what its holder began, and the holder.
func (r *Release) endOrphan(ctx context.Context, id string) error {
	client, err := r.cluster.NewClient(kgo.TransactionalID(id))
	if err != nil {
		return err
	}
	defer client.Close()
	if _, _, err := client.ProducerID(ctx); err != nil {
		return fmt.Errorf("ending the transaction of %s: %w", id, err)
	}
	return nil
}

// leave gives the partitions to the other members at once: brokers would keep them for a static member that may come back.
func (r *Release) leave(instance string) {
	if !r.cfg.Shared {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if _, err := r.cluster.Admin().LeaveGroup(ctx, kadm.LeaveGroup(r.cfg.Group).InstanceIDs(instance)); err != nil {
		r.cfg.Logger.Warn("leaving the group of the release", "error", err)
	}
}
