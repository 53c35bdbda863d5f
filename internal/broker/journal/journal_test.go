package journal_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"myelin/internal/broker/journal"
	"myelin/internal/broker/store"
	"myelin/internal/broker/topic"
	"myelin/internal/clock"
)

func open(t *testing.T, fs vfs.FS) (*journal.Journal, *topic.Topic, func()) {
	t.Helper()
	st, err := store.Open(store.Config{Dir: "data", FS: fs, Clock: clock.Real{}, WALFileBytes: 1 << 20, MaxBatchBytes: 256 << 10, MinFreeBytes: -1, BallastBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	topics, err := topic.Open(st, clock.Real{}, nil, 100)
	if err != nil {
		t.Fatal(err)
	}
	own, err := topics.Ensure("__settings", 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := own.Partition(0).Recover(0); err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(own.Partition(0), clock.Real{})
	if err != nil {
		t.Fatal(err)
	}
	return j, own, func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
}

func all(j *journal.Journal) map[string]string {
	out := map[string]string{}
	j.Each("", func(k string, v []byte) { out[k] = string(v) })
	return out
}

func write(t *testing.T, j *journal.Journal, key, value string) {
	t.Helper()
	v := []byte(value)
	if value == "" {
		v = nil
	}
	if err := j.Write(map[string][]byte{key: v}); err != nil {
		t.Fatal(err)
	}
}

func TestWrittenSettingsSurviveCrash(t *testing.T) {
	fs := vfs.NewCrashableMem()
	j, _, stop := open(t, fs)
	defer stop()
	write(t, j, "a/1", "x")
	write(t, j, "a/2", "y")
	write(t, j, "a/1", "z")
	write(t, j, "a/2", "")
	write(t, j, "b/1", "w")
	crashed, _, stopCrashed := open(t, fs.CrashClone(vfs.CrashCloneCfg{}))
	defer stopCrashed()
	if got, want := all(crashed), map[string]string{"a/1": "z", "b/1": "w"}; !maps.Equal(got, want) {
		t.Fatalf("got %v", got)
	}
	n := 0
	crashed.Each("a/", func(k string, v []byte) {
		if n++; k != "1" || string(v) != "z" {
			t.Errorf("%s = %s", k, v)
		}
	})
	if n != 1 {
		t.Errorf("%d keys", n)
	}
}

func TestJournalIsRewrittenRatherThanGrows(t *testing.T) {
	fs := vfs.NewMem()
	j, own, stop := open(t, fs)
	want := map[string]string{}
	for i := range 2500 {
		k, v := fmt.Sprint("k", i%50), fmt.Sprint("v", i)
		write(t, j, k, v)
		want[k] = v
	}
	if got := all(j); !maps.Equal(got, want) {
		t.Fatalf("got %v", got)
	}
	deadline := time.Now().Add(time.Minute)
	for own.Partition(0).Bounds().Start == 0 && time.Now().Before(deadline) {
		write(t, j, "k0", want["k0"])
	}
	b := own.Partition(0).Bounds()
	if kept := b.High - b.Start; b.Start == 0 || kept > 2500 {
		t.Errorf("%d records are kept from %d on", kept, b.Start)
	}
	stop()
	j, _, stop = open(t, fs)
	defer stop()
	if got := all(j); !maps.Equal(got, want) {
		t.Fatalf("after a restart: %v", got)
	}
}
