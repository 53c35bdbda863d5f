package exec

import (
	"maps"
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

func TestWhatIsFoldedIsKeptAsLongAsWhatItWasMadeOf(t *testing.T) {
	f := &folds{parts: 2}
	for _, c := range []struct{ policy, ms, bytes, wantMs, wantBytes string }{
		{"delete", "86400000", "-1", "86400000", "-1"},
		{"delete", "86400000", "1000", "86400000", "-1"}, // not sooner than by its age, as it is smaller or larger
		{"delete", "-1", "1000", "-1", "3000"},
		{"delete", "-1", "-1", "-1", "-1"},
		{"compact", "86400000", "-1", "-1", "-1"}, // its age deletes nothing there
		{"compact,delete", "86400000", "-1", "86400000", "-1"},
	} {
		got := f.keeps(map[string]string{"cleanup.policy": c.policy, "retention.ms": c.ms, "retention.bytes": c.bytes}, 5)
		want := map[string]string{"cleanup.policy": "delete", "retention.ms": c.wantMs, "retention.bytes": c.wantBytes}
		if !maps.Equal(got, want) {
			t.Errorf("%+v: %v", c, got)
		}
	}
	if got := f.keeps(nil, 5); got["retention.ms"] != "" {
		t.Errorf("without settings to go by: %v", got)
	}
}
