package wire

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestAMutedClientIsReadLater checks that the longest of several waits counts, that its end and that of the connection are noticed, and
// that the clock of the wall has no part in it.
func TestAMutedClientIsReadLater(t *testing.T) {
	var muted Client
	muted.Mute(time.Second)
	if till := *muted.mutedTill.Load(); till == till.Round(0) {
		t.Error("the end is kept without its monotonic reading")
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := &conn{client: new(Client)}
		waits := func(want time.Duration) {
			t.Helper()
			began := time.Now()
			if err := c.unmuted(ctx); err != nil || time.Since(began) != want {
				t.Errorf("it was read after %s, not %s: %v", time.Since(began), want, err)
			}
		}
		waits(0)
		c.client.Mute(3 * time.Second)
		c.client.Mute(5 * time.Second)
		c.client.Mute(time.Second)
		waits(5 * time.Second)
		waits(0)
		c.client.Mute(time.Hour)
		time.AfterFunc(2*time.Second, func() { c.client.Mute(2 * time.Hour) })
		time.AfterFunc(3*time.Second, cancel)
		began := time.Now()
		if err := c.unmuted(ctx); !errors.Is(err, context.Canceled) || time.Since(began) != 3*time.Second {
			t.Errorf("the end of the connection was noticed after %s: %v", time.Since(began), err)
		}
	})
}
