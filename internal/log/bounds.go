package log

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Bounds are where the partitions of topics begin, and where their committed records end, in this order of asking. It fails if one of
// them does not tell.
func (c *Cluster) Bounds(ctx context.Context, topics ...string) (starts, ends kadm.ListedOffsets, err error) {
	if starts, err = c.admin.ListStartOffsets(ctx, topics...); err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("finding the first offsets of %v: %w", topics, err)
	}
	if ends, err = c.admin.ListCommittedOffsets(ctx, topics...); err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("finding the last offsets of %v: %w", topics, err)
	}
	return starts, ends, nil
}
