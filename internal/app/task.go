package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"myelin/internal/clock"
	"myelin/internal/log"
)

// tasks are the goroutines of a node. The first that ends by itself with an error stops the node.
type tasks struct{ failed chan error }

// task is one goroutine that runs until it is stopped.
type task struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// start runs f until the task is stopped. Its context does not end with the node's: the node stops tasks in order.
func (t *tasks) start(name string, f func(context.Context) error) *task {
	ctx, cancel := context.WithCancel(context.Background())
	k := &task{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(k.done)
		err := f(ctx)
		if err == nil || ctx.Err() != nil && errors.Is(err, context.Canceled) {
			return
		}
		select {
		case t.failed <- fmt.Errorf("%s: %w", name, err):
		default: // another one was first
		}
	}()
	return k
}

// insisting runs f again and again until it ends without an error, or with one that is not the brokers': the topics that it asks for, made a moment
// ago, may be unknown to some of them.
func insisting(name string, logger *slog.Logger, f func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			err := f(ctx)
			if err == nil || ctx.Err() != nil || !log.Away(err) {
				return err
			}
			logger.Warn(name+" stopped and will start again", "error", err)
			if err := clock.Pause(ctx, time.Second); err != nil {
				return err
			}
		}
	}
}

// stop ends the task and waits for it. A nil task is stopped already.
func (k *task) stop() {
	if k == nil {
		return
	}
	k.cancel()
	<-k.done
}
