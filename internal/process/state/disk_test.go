package state

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestTheLocalCopySurvivesCrashesWhole crashes the disk after every write of a random workload: the copy must be exactly as
// after the last, through whichever way a write takes.
func TestTheLocalCopySurvivesCrashesWhole(t *testing.T) {
	for _, way := range []struct {
		name        string
		most, least int
	}{{"log", runBytes, runLeast}, {"files", 700, 0}, {"either", 1500, 800}} {
		t.Run(way.name, func(t *testing.T) { crashCopies(t, way.most, way.least) })
	}
}

func crashCopies(t *testing.T, most, least int) {
	fs := vfs.NewCrashableMem()
	d, err := OpenDisk(fs, "state")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.most, d.least = most, least
	rnd := rand.New(rand.NewPCG(7, 7))
	model := map[string]string{}
	for round := range 60 {
		var changes []Change
		for range rnd.IntN(200) {
			k := fmt.Sprintf("%03d/%03d/", rnd.IntN(3), rnd.IntN(500))
			if rnd.IntN(4) == 0 {
				changes = append(changes, Change{Key: []byte(k)})
				delete(model, k)
				continue
			}
			v := fmt.Sprint(rnd.Int())
			changes = append(changes, Change{[]byte(k), []byte(v)})
			model[k] = v
		}
		if err := d.Apply(Told(changes), fmt.Append(nil, round)); err != nil {
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
	if err := d.Each([]byte("001/"), func(k, _ []byte) error {
		if !bytes.HasPrefix(k, []byte("001/")) {
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

// TestATableComesBackFromTheLocalCopy restores tables of many sizes, which are then changed like those that were never away.
func TestATableComesBackFromTheLocalCopy(t *testing.T) {
	for _, rows := range []int{0, 1, 10, 33, 600, 20_000} {
		d, err := OpenDisk(vfs.NewMem(), "state")
		if err != nil {
			t.Fatal(err)
		}
		from := NewTable(&Publication{}, pairTypes, []int{0})
		for i := range rows {
			from.Stage(pair(fmt.Sprint("k", i), int64(i)))
		}
		from.pub.Apply(1, func() { from.Publish() })
		name := []byte{0, 0, 0, 7, 1}
		changes := []Change{{Key: []byte{0, 0, 0, 7, 2, 9}, Value: []byte("another store")}}
		for k, v := range from.Dirty() {
			changes = append(changes, Change{append(bytes.Clone(name), k...), bytes.Clone(v)})
		}
		if err := d.Apply(Told(changes), []byte("m")); err != nil {
			t.Fatal(err)
		}
		to := NewTable(&Publication{}, pairTypes, []int{0})
		if err := d.Restore(name, to); err != nil {
			t.Fatal(err)
		}
		for i := range rows / 2 {
			to.Stage(pair(fmt.Sprint("k", i), int64(i), -1))
			to.Stage(pair(fmt.Sprint("new", i), int64(i)))
		}
		to.step(2)
		model := map[string]string{}
		to.tree.root.each(func(klen int, row []byte) bool {
			model[string(row[:klen])] = string(row[klen:])
			return true
		})
		to.tree.check(t, model)
		if v := to.Version(); v.Rows() != rows || len(dump(v)) != rows {
			t.Errorf("%d rows after %d", v.Rows(), rows)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRowsThatAreNoneAreFoundInTheLocalCopy(t *testing.T) {
	d, err := OpenDisk(vfs.NewMem(), "state")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	name := []byte{0, 0, 0, 7, 1}
	if err := d.Apply(Told([]Change{{Key: append(name, 0, 1, 'k'), Value: []byte{0, 1, 2}}}), []byte("m")); err != nil {
		t.Fatal(err)
	}
	to := NewTable(&Publication{}, pairTypes, []int{0})
	var damage *DamageError
	if err := d.Restore(name, to); !errors.As(err, &damage) || to.Len() != 0 {
		t.Errorf("Restore gives %v and %d rows", err, to.Len())
	}
	if err := d.Remake(); err != nil {
		t.Fatal(err)
	}
	if m, err := d.Mark(); m != nil || err != nil {
		t.Errorf("a copy made anew has the mark %q (%v)", m, err)
	}
}
