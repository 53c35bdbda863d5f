package broker_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/twmb/franz-go/pkg/kerr"
)

// TestRepeatsAreAnsweredAfterTheDiskFailed sends a batch whose fdatasync fails, and then again, as idempotent producers do: it
// is neither acknowledged nor left without an answer, and the broker closes.
func TestRepeatsAreAnsweredAfterTheDiskFailed(t *testing.T) {
	var broken atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && (op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSync) && strings.HasSuffix(op.Path, ".wal") {
			return syscall.EIO
		}
		return nil
	}))
	b := open(t, fs)
	createTopic(t, b, "t", 1)
	c := named(t, b)
	const pid = 77
	if _, err := produceRaw(t, c, "t", idempotentBatch(pid, 0, 0, 1)); err != nil {
		t.Fatal(err)
	}
	broken.Store(true)
	for range 3 {
		if offset, err := produceRaw(t, c, "t", idempotentBatch(pid, 0, 1, 1)); !errors.Is(err, kerr.KafkaStorageError) {
			t.Fatalf("offset %d, %v", offset, err)
		}
	}
	closed := make(chan error, 1)
	go func() { closed <- b.Close() }()
	select {
	case <-closed:
	case <-time.After(time.Minute):
		t.Fatal("the broker does not close")
	}
}
