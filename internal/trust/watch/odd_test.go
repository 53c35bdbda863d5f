package watch

import (
	"testing"
	"time"
)

// TestOneWrongTypeIsToldOnce lets single wrong values come: the first is told and ends by itself, a later one is not told; two of
// two people are.
func TestOneWrongTypeIsToldOnce(t *testing.T) {
	s := newScene(t)
	number := func() { s.send("Order Completed", `,"properties":{"total":12.5}`, 0) }
	text := func() { s.send("Order Completed", `,"properties":{"total":"12.5"}`, 0) }
	usual := func(n int) {
		for range n {
			number()
			s.pass(2 * time.Minute)
		}
	}
	told := func() (opened, ended int) {
		for _, f := range s.found {
			switch {
			case f.Kind == TypeMix && f.Open && f.At.Equal(f.Since):
				opened++
			case f.Kind == TypeMix && !f.Open && f.Note == nothingFollowed:
				ended++
			}
		}
		return opened, ended
	}
	usual(2500)
	text()
	s.pass(time.Second)
	if f := s.last(TypeMix); f == nil || !f.Open || f.Affected != 1 || f.Property != "total" || f.Value != "string" {
		t.Fatalf("found %+v", f)
	}
	usual(400)
	if opened, ended := told(); opened == 0 || ended != 1 {
		t.Fatalf("told %d times, ended %d times", opened, ended)
	}
	s.found = nil
	text()
	usual(700)
	if f := s.last(TypeMix); f != nil {
		t.Errorf("a second stray was told: %+v", f)
	}
	text()
	number()
	text()
	s.pass(time.Second)
	if f := s.last(TypeMix); f == nil || !f.Open || f.Affected != 2 {
		t.Errorf("two were not told: %+v", f)
	}
	usual(400)
	if f := s.last(TypeMix); f.Open || f.Note != "" {
		t.Errorf("two do not end: %+v", f)
	}
}

// TestOneStrangeEventIsOneFinding sends one event in which everything has another type.
func TestOneStrangeEventIsOneFinding(t *testing.T) {
	s := newScene(t)
	for range 2500 {
		s.send("Order Completed", `,"properties":{"total":12.5,"items":2,"paid":true}`, 0)
		s.pass(2 * time.Minute)
	}
	s.send("Order Completed", `,"properties":{"total":"12.5","items":"2","paid":"yes"}`, 0)
	s.pass(time.Second)
	if len(s.found) != 1 {
		t.Errorf("found %+v", s.found)
	}
}
