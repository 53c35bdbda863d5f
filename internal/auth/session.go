package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"sync"
	"time"

	"myelin/internal/auth/role"
	"myelin/internal/clock"
)

// keptSessions is how many sessions there may be; the one that ends first makes room for another.
const keptSessions = 10_000

// Sessions are logins that last: a token stands for a user until it expires or is ended. They live in memory, so a restart
// ends them all. It may be used from many goroutines.
type Sessions struct {
	clock    clock.Clock
	lifetime time.Duration
	mu       struct {
		sync.Mutex
		byToken map[[32]byte]session // by the token's hash: memory that leaks lets nobody in
	}
}

type session struct {
	user role.Person
	ends time.Time
}

// NewSessions returns sessions that last so long.
func NewSessions(c clock.Clock, lifetime time.Duration) *Sessions {
	s := &Sessions{clock: c, lifetime: lifetime}
	s.mu.byToken = map[[32]byte]session{}
	return s
}

// Start makes a token for a user.
func (s *Sessions) Start(u role.Person) (token string, ends time.Time, err error) {
	var secret [32]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return "", time.Time{}, fmt.Errorf("reading random bytes: %w", err)
	}
	token = base64.RawURLEncoding.EncodeToString(secret[:])
	now := s.clock.Now()
	ends = now.Add(s.lifetime)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.byToken) >= keptSessions {
		s.makeRoom(now)
	}
	s.mu.byToken[sha256.Sum256([]byte(token))] = session{user: u, ends: ends}
	return token, ends, nil
}

func (s *Sessions) makeRoom(now time.Time) {
	var oldest [32]byte
	var first time.Time
	for k, x := range s.mu.byToken {
		if x.ends.Before(now) {
			delete(s.mu.byToken, k)
			continue
		}
		if first.IsZero() || x.ends.Before(first) {
			oldest, first = k, x.ends
		}
	}
	if len(s.mu.byToken) >= keptSessions {
		delete(s.mu.byToken, oldest)
	}
}

// Find returns whose token it is.
func (s *Sessions) Find(token string) (role.Person, bool) {
	key := sha256.Sum256([]byte(token))
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.mu.byToken[key]
	if !ok || !s.clock.Now().Before(x.ends) {
		return role.Person{}, false
	}
	return x.user, true
}

// End makes a token worthless.
func (s *Sessions) End(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.byToken, sha256.Sum256([]byte(token)))
}
