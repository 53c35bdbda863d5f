package state

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestTheLocalCopySurvivesCrashesWhole crashes the disk after every write of a random workload: the copy must be exactly as
// after one of the last applies, and never older than the last that returned.
func TestTheLocalCopySurvivesCrashesWhole(t *testing.T) {
	fs := vfs.NewCrashableMem()
	d, err := OpenDisk(fs, "state")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	rnd := rand.New(rand.NewPCG(7, 7))
	model := map[string]string{}
	for round := range 60 {
		var changes []Change
		for range rnd.IntN(200) {
			k := fmt.Sprintf("%04d", rnd.IntN(500))
			if rnd.IntN(4) == 0 {
				changes = append(changes, Change{Key: []byte(k)})
				delete(model, k)
				continue
			}
			v := fmt.Sprint(rnd.Int())
			changes = append(changes, Change{[]byte(k), []byte(v)})
			model[k] = v
		}
		if err := d.Apply(changes, fmt.Append(nil, round)); err != nil {
			t.Fatal(err)
		}
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rnd.IntN(100), RNG: rnd})
		again, err := OpenDisk(crashed, "state")
		if err != nil {
			t.Fatal(err)
		}
		mark, err := again.Mark()
		if err != nil || string(mark) != fmt.Sprint(round) {
			t.Fatalf("after round %d the mark is %q (%v)", round, mark, err)
		}
		got := map[string]string{}
		if err := again.Each(nil, func(k, v []byte) error { got[string(k)] = string(v); return nil }); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(model) {
			t.Fatalf("after round %d the copy differs", round)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	if err := d.Each([]byte("01"), func(k, _ []byte) error {
		if !bytes.HasPrefix(k, []byte("01")) {
			t.Errorf("key %q has not the prefix", k)
		}
		seen++
		return nil
	}); err != nil || seen == 0 {
		t.Errorf("prefix read %d keys: %v", seen, err)
	}
	if err := d.Reset(); err != nil {
		t.Fatal(err)
	}
	if m, err := d.Mark(); m != nil || err != nil {
		t.Errorf("an emptied copy has the mark %q (%v)", m, err)
	}
}
