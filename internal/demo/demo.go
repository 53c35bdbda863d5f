// Package demo simulates a shop with visitors, campaigns, mistakes and fraud, and sends what happens through Myelin's
// real HTTP door as Segment batches: first the past hour, then live.
package demo

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"myelin/internal/clock"
)

// Config of a simulated shop.
type Config struct {
	// BaseURL of the HTTP door, for example http://127.0.0.1:8080.
	BaseURL string
	// Seed decides who comes and what they do; message ids are fresh in every run all the same. 0: 1.
	Seed uint64
	// VisitorsPerMinute is the average of arrivals. 0: 80, which makes about ten events a second.
	VisitorsPerMinute float64
	// Past is how much history is sent first. 0: one hour. Negative: none.
	Past  time.Duration
	Clock clock.Clock
	Log   *slog.Logger
}

// Shop is a running simulation.
type Shop struct {
	cfg     Config
	sender  *sender
	rng     *rand.Rand
	pending agenda
	nonce   string
	serial  int
	nextBot time.Time
}

// New prepares a shop; Run opens it.
func New(cfg Config) *Shop {
	if cfg.Seed == 0 {
		cfg.Seed = 1
	}
	if cfg.VisitorsPerMinute == 0 {
		cfg.VisitorsPerMinute = 80
	}
	if cfg.Past == 0 {
		cfg.Past = time.Hour
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.Real{}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Shop{
		cfg:    cfg,
		sender: newSender(cfg),
		rng:    rand.New(rand.NewPCG(cfg.Seed, 0x5bd1e995)),
		nonce:  fmt.Sprintf("%x", cfg.Clock.Now().UnixNano()),
	}
}

// closing is how long a shop that closes goes on delivering.
const closing = 5 * time.Second

// Run sends the past as fast as the door takes it, then what happens now, until ctx ends. What has happened by then is
// delivered before it returns, unless the door does not take it within a few seconds.
func (s *Shop) Run(ctx context.Context) error {
	patient, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-s.cfg.Clock.After(closing):
			giveUp()
		case <-patient.Done():
		}
	})
	defer stop()
	g, sending := errgroup.WithContext(patient)
	g.Go(func() error { return s.sender.run(sending) })
	g.Go(func() error {
		defer s.sender.close()
		s.open(ctx)
		return nil
	})
	if err := g.Wait(); err != nil {
		return fmt.Errorf("sending the demo shop's events: %w", err)
	}
	return nil
}

// open plays the agenda: the next thing to happen is always on top.
func (s *Shop) open(ctx context.Context) {
	now := s.cfg.Clock.Now()
	at := now.Add(-max(s.cfg.Past, 0))
	s.nextBot = at.Add(5 * time.Minute)
	s.arrive(at)
	for ctx.Err() == nil {
		next := s.pending.peek()
		if wait := next.Sub(s.cfg.Clock.Now()); wait > 0 {
			s.sender.flush()
			select {
			case <-ctx.Done():
				return
			case <-s.cfg.Clock.After(wait):
			}
		}
		s.pending.pop().do()
	}
}

// arrive lets a visitor in and plans the next arrival.
func (s *Shop) arrive(at time.Time) {
	s.pending.push(at, func() {
		s.visit(at)
		if at.After(s.nextBot) {
			s.cardTesting(at)
			s.nextBot = at.Add(time.Duration(3+s.rng.IntN(4)) * time.Minute)
		}
		gap := s.rng.ExpFloat64() / s.cfg.VisitorsPerMinute * rush(at) * float64(time.Minute)
		s.arrive(at.Add(min(time.Duration(gap), 30*time.Second)))
	})
}

// rush makes the traffic swing within each ten minutes, so that charts have a shape.
func rush(at time.Time) float64 {
	minute := float64(at.Unix()%600) / 600
	if minute < 0.3 {
		return 0.7
	}
	return 1.2
}

func (s *Shop) id(prefix string) string {
	s.serial++
	return fmt.Sprintf("%s-%s-%d", prefix, s.nonce, s.serial)
}
