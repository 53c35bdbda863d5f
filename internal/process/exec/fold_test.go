package exec

import (
	"testing"

	"myelin/internal/process/op"
	"myelin/internal/vec"
)

// TestAPartThatFailedTellsNothing: how far its group reads on is not how far it has folded.
func TestAPartThatFailedTellsNothing(t *testing.T) {
	f := &folds{topic: PartsPrefix + "v.0", source: "events", types: map[string]vec.Type{}, timed: true}
	j := &job{mark: 100e6, markTold: op.NoTime, share: share{0, 2}, group: &group{inputs: []*input{{topic: "events", parts: []*part{{n: 0, pos: 7}, {n: 1, pos: 9}}}}}}
	recs := f.encode(nil, j, 3)
	if len(recs) != 1 || string(recs[0].Key) != "0:7" || j.markTold != 100e6 {
		t.Fatalf("a part without rows tells %v", recs)
	}
	j.mark, j.broken = 1000e6, true
	if recs = f.encode(nil, j, 4); recs != nil {
		t.Errorf("one that failed tells %s", recs[0].Key)
	}
}
