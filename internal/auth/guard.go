package auth

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"myelin/internal/clock"
)

const (
	freeFailures  = 10              // wrong passwords in a row that cost an address nothing
	failureEvery  = 3 * time.Second // then one may be tried per so long
	guardedPlaces = 10_000          // addresses that are remembered
)

// Guard slows down who guesses passwords: by address, since an account that can be locked from outside can be kept locked. It
// may be used from many goroutines.
type Guard struct {
	clock    clock.Clock
	failures atomic.Int64
	refused  atomic.Int64
	mu       struct {
		sync.Mutex
		// until is when an address has paid for its failures; each adds failureEvery.
		until map[string]time.Time
	}
}

// NewGuard returns a guard that has seen nothing.
func NewGuard(c clock.Clock) *Guard {
	g := &Guard{clock: c}
	g.mu.until = map[string]time.Time{}
	return g
}

// Wait is how long an address has to wait before it may try again; 0: not at all.
func (g *Guard) Wait(from string) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	until, known := g.mu.until[place(from)]
	if !known {
		return 0
	}
	over := until.Sub(g.clock.Now()) - (freeFailures-1)*failureEvery
	if over <= 0 {
		return 0
	}
	g.refused.Add(1)
	return over
}

// Fail counts a wrong password.
func (g *Guard) Fail(from string) {
	g.failures.Add(1)
	from = place(from)
	now := g.clock.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	until := g.mu.until[from]
	if until.Before(now) {
		until = now
	}
	if _, known := g.mu.until[from]; !known && len(g.mu.until) >= guardedPlaces {
		g.forget(now)
	}
	g.mu.until[from] = until.Add(failureEvery)
}

// forget makes room: for those that have paid, else for anyone.
func (g *Guard) forget(now time.Time) {
	for p, until := range g.mu.until {
		if until.Before(now) {
			delete(g.mu.until, p)
		}
	}
	for p := range g.mu.until {
		if len(g.mu.until) < guardedPlaces {
			return
		}
		delete(g.mu.until, p)
	}
}

// Failures counts the wrong passwords so far, Refused the attempts that were not looked at.
func (g *Guard) Failures() int64 { return g.failures.Load() }

// Refused counts the attempts that came too soon.
func (g *Guard) Refused() int64 { return g.refused.Load() }

// place is what one attacker has at hand: an IPv4 address, or the /64 that an IPv6 customer gets.
func place(from string) string {
	if host, _, err := net.SplitHostPort(from); err == nil {
		from = host
	}
	a, err := netip.ParseAddr(from)
	if err != nil {
		return from
	}
	a = a.Unmap()
	if a.Is4() {
		return a.String()
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return from
	}
	return p.String()
}
