package auth

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"myelin/internal/auth/role"
	"myelin/internal/clock"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestLogin(t *testing.T) {
	u, err := NewUsers([]Credential{{Person: role.Person{Name: "ana", Role: role.Analyst}, Password: "right"}}, clock.NewManual(start))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := u.Login("ana", "right", "192.0.2.1:5"); err != nil || got.Role != role.Analyst {
		t.Errorf("%v %v", got, err)
	}
	for _, pair := range [][2]string{{"ana", "wrong"}, {"ana", ""}, {"bob", ""}, {"", ""}, {"bob", "right"}} {
		if _, err := u.Login(pair[0], pair[1], "192.0.2.1:5"); !errors.Is(err, ErrWrong) {
			t.Errorf("%q: %v", pair, err)
		}
	}
}

func TestGuessingIsSlowedDownByAddress(t *testing.T) {
	c := clock.NewManual(start)
	u, err := NewUsers([]Credential{{Person: role.Person{Name: "ana", Role: role.Analyst}, Password: "right"}}, c)
	if err != nil {
		t.Fatal(err)
	}
	tried := func(from string) (checked int) {
		for range 100 {
			_, err := u.Login("ana", "guess", from)
			var many *TooManyError
			if errors.As(err, &many) {
				if many.After <= 0 || many.After > failureEvery {
					t.Fatalf("told to wait %s", many.After)
				}
				return checked
			}
			checked++
		}
		return checked
	}
	if n := tried("192.0.2.1:1000"); n != freeFailures {
		t.Errorf("%d guesses were looked at", n)
	}
	if _, err := u.Login("ana", "right", "192.0.2.1:1001"); err == nil {
		t.Error("another port of the address was not held up")
	}
	if _, err := u.Login("ana", "right", "192.0.2.2:1000"); err != nil {
		t.Errorf("another address was held up: %v", err)
	}
	c.Advance(time.Minute)
	if n := tried("192.0.2.1:1000"); n != freeFailures {
		t.Errorf("%d guesses after a minute", n)
	}
	if n := tried("[2001:db8::1]:7"); n != freeFailures {
		t.Errorf("%d guesses over IPv6", n)
	}
	if n := tried("[2001:db8::2]:7"); n != 0 {
		t.Errorf("the same network had %d more guesses", n)
	}
}

func TestGuardForgetsRatherThanGrows(t *testing.T) {
	g := NewGuard(clock.NewManual(start))
	for i := range guardedPlaces + 500 {
		g.Fail(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255))
	}
	if n := len(g.mu.until); n > guardedPlaces {
		t.Errorf("%d addresses are kept", n)
	}
}

func TestSessionsEnd(t *testing.T) {
	c := clock.NewManual(start)
	s := NewSessions(c, time.Hour)
	begin := func() string {
		token, _, err := s.Start(role.Person{Name: "ana", Role: role.Viewer})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	a, b := begin(), begin()
	if u, ok := s.Find(a); !ok || u.Name != "ana" || a == b {
		t.Fatalf("%v %v", u, ok)
	}
	s.End(a)
	if _, ok := s.Find(a); ok {
		t.Error("an ended session lives")
	}
	if _, ok := s.Find(b); !ok {
		t.Error("another session was ended, too")
	}
	c.Advance(time.Hour)
	if _, ok := s.Find(b); ok {
		t.Error("a session lives beyond its time")
	}
	for range keptSessions + 10 {
		begin()
	}
	if n := len(s.mu.byToken); n > keptSessions {
		t.Errorf("%d sessions are kept", n)
	}
}
