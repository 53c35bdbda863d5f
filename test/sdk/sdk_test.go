package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/collect"
	"myelin/internal/event"
)

// shelf is an Appender that keeps events by messageId and counts repeats.
type shelf struct {
	mu struct {
		sync.Mutex
		events map[string][]byte
		times  map[string]int
	}
}

func (s *shelf) Append(_ context.Context, recs []*kgo.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range recs {
		id := string(event.Header(r, event.HeaderID))
		s.mu.events[id] = bytes.Clone(r.Value)
		s.mu.times[id]++
	}
	return nil
}

func (s *shelf) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mu.times)
}

// TestRealSDKsDeliverEverythingThroughBadWeather has each SDK send through refusals, faults and lost answers: everything
// arrives, repeats keep their messageId, and all events are canonical and accepted.
func TestRealSDKsDeliverEverythingThroughBadWeather(t *testing.T) {
	if !Installed() && os.Getenv("MYELIN_CACHE") == "" {
		t.Skip("the SDKs are not installed: run make setup-test")
	}
	for _, d := range Drivers {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			const count = 120
			s := new(shelf)
			s.mu.events, s.mu.times = map[string][]byte{}, map[string]int{}
			doors, err := collect.New(collect.Config{Sources: []collect.Source{{Name: "sdk", WriteKeys: []string{"wk_sdk"}}}}, nil, s, nil)
			if err != nil {
				t.Fatal(err)
			}
			weather := &Weather{Next: doors, Storm: "rfl"}
			srv := httptest.NewServer(weather)
			defer srv.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			got, err := d.Run(ctx, srv.URL, "wk_sdk", count)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Delivered) != count || len(got.Failed) > 0 || len(got.Blocked) > 0 || !weather.Over() {
				t.Errorf("%d of %d delivered, failed %v, blocked %v, storm over %v", len(got.Delivered), count, got.Failed, got.Blocked, weather.Over())
			}
			checkShelf(t, s, got.Delivered)
		})
	}
}

// TestAClosingPageLosesNothing closes the page right after its last calls; analytics.js then sends what it holds with
// keepalive requests, whose answers nobody awaits.
func TestAClosingPageLosesNothing(t *testing.T) {
	if !Installed() && os.Getenv("MYELIN_CACHE") == "" {
		t.Skip("the SDKs are not installed: run make setup-test")
	}
	t.Parallel()
	s := new(shelf)
	s.mu.events, s.mu.times = map[string][]byte{}, map[string]int{}
	doors, err := collect.New(collect.Config{Sources: []collect.Source{{Name: "sdk", WriteKeys: []string{"wk_sdk"}}}}, nil, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(doors)
	defer srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	came := make(chan struct{})
	var waiting sync.WaitGroup
	waiting.Go(func() {
		defer close(came)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for late := time.After(2 * time.Minute); s.count() < 9; {
			select {
			case <-tick.C:
			case <-late:
				return
			}
		}
	})
	defer waiting.Wait()
	got, err := Driver{Name: "a closing page", Script: "browser.mjs", Modes: []string{"close"}, Until: came}.Run(ctx, srv.URL, "wk_sdk", 9)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range got.Closing {
		if s.mu.times[id] != 1 {
			t.Errorf("%s arrived %d times", id, s.mu.times[id])
		}
	}
	if len(got.Closing) != 9 {
		t.Errorf("%d events sent", len(got.Closing))
	}
}

func checkShelf(t *testing.T, s *shelf, delivered []string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var stored []string
	types := map[string]bool{}
	for id, value := range s.mu.events {
		stored = append(stored, id)
		var e struct {
			MessageID, Type              string
			Timestamp, OriginalTimestamp time.Time
			Myelin                       struct{ Status string }
		}
		if err := json.Unmarshal(value, &e); err != nil || e.MessageID != id || e.Myelin.Status != "valid" || e.Timestamp.Sub(e.OriginalTimestamp).Abs() > time.Minute {
			t.Errorf("%v in %s", err, value)
		}
		types[e.Type] = true
	}
	slices.Sort(stored)
	delivered = slices.Clone(delivered)
	slices.Sort(delivered)
	if !slices.Equal(stored, delivered) {
		t.Errorf("%d stored, %d delivered", len(stored), len(delivered))
	}
	repeated := 0
	for _, n := range s.mu.times {
		repeated += n - 1
	}
	if repeated == 0 {
		t.Error("the lost answer should have made the sender repeat an event under its messageId")
	}
	if len(types) != 6 {
		t.Errorf("types %v", types)
	}
}
