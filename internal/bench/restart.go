package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"myelin/internal/clock"
)

// restartBytes is how much log a restart is measured with, counted in events.
const restartBytes = 1 << 30

// restart is the time to ready after kill -9 with a view and 1 GB of events in the log.
func restart(ctx context.Context, cfg Config) ([]Figure, error) {
	s, err := start(ctx, cfg, project{view: true})
	if err != nil {
		return nil, err
	}
	defer func() { s.stop() }()
	if err := s.awaitReady(ctx); err != nil {
		return nil, err
	}
	if err := s.fill(ctx, restartBytes); err != nil {
		return nil, err
	}
	if err := s.awaitRelease(ctx, 5*time.Minute); err != nil {
		return nil, err
	}
	took, err := s.crash(ctx)
	if err != nil {
		return nil, err
	}
	return []Figure{{"ready again after kill -9 with 1 GB of events in the log", round(took), "≤ 5 s", took <= 5*time.Second}}, nil
}

// fill sends events until their bodies add up to so many bytes.
func (s *server) fill(ctx context.Context, total int64) error {
	const perBatch = 100
	var from, sent atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range 8 {
		g.Go(func() error {
			for sent.Load() < total {
				body := batch(int(from.Add(perBatch)), perBatch)
				status, err := s.post(ctx, body)
				if err != nil {
					return err
				}
				if status == http.StatusOK {
					sent.Add(int64(len(body)))
				} else if err := clock.Pause(ctx, 100*time.Millisecond); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// awaitRelease waits until nothing is left on the doorstep.
func (s *server) awaitRelease(ctx context.Context, atMost time.Duration) error {
	deadline := time.Now().Add(atMost)
	for time.Now().Before(deadline) {
		var overview struct {
			Balance struct {
				In, Pending int64
				Counting    bool
			}
		}
		resp, err := s.client.Get(s.base + "/api/overview")
		if err == nil {
			err = errors.Join(json.NewDecoder(resp.Body).Decode(&overview), resp.Body.Close())
		}
		if err == nil && overview.Balance.In > 0 && overview.Balance.Pending == 0 && !overview.Balance.Counting {
			return nil
		}
		if err := clock.Pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("events were still on the doorstep after %s", atMost)
}
