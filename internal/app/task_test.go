package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kerr"
)

func TestWhatTheBrokersAreToBlameForEndsNoProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours := errors.New("no such setting")
		calls := 0
		run := insisting("reading", slog.New(slog.DiscardHandler), func(context.Context) error {
			if calls++; calls < 3 {
				return fmt.Errorf("listing the topics: %w", kerr.UnknownTopicOrPartition)
			}
			return ours
		})
		if err := run(t.Context()); !errors.Is(err, ours) || calls != 3 {
			t.Errorf("%v after %d calls", err, calls)
		}
		ctx, cancel := context.WithCancel(t.Context())
		run = insisting("reading", slog.New(slog.DiscardHandler), func(context.Context) error { return kerr.NotLeaderForPartition })
		ended := make(chan error, 1)
		go func() { ended <- run(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
