package watch

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/event"
)

// bench feeds a watch with events, on a clock of its own.
type scene struct {
	t     *testing.T
	watch *Watch
	read  *Reader
	fact  Fact
	now   time.Time
	n     int
	found []Finding
}

func newScene(t *testing.T) *scene {
	return &scene{t: t, watch: New(Limits{}), read: NewReader(), now: noon}
}

// send is one event now; more is JSON members of the event, as ,"properties":{…}.
func (s *scene) send(name, more string, late time.Duration) {
	s.t.Helper()
	s.n++
	body := fmt.Sprintf(`{"messageId":"m%d","type":"track","event":%q,"timestamp":%q%s}`, s.n, name, s.now.Add(-late).Format(time.RFC3339Nano), more)
	rec := kgo.Record{Key: fmt.Append(nil, "user", s.n), Value: []byte(body), Timestamp: s.now, Headers: []kgo.RecordHeader{{Key: event.HeaderType, Value: []byte("track")},
		{Key: event.HeaderEvent, Value: []byte(name)}, {Key: event.HeaderSource, Value: []byte("shop")}, {Key: event.HeaderStatus, Value: []byte("valid")}}}
	if !s.read.Read(&s.fact, &rec) {
		s.t.Fatalf("%s is no event", body)
	}
	s.watch.Observe(&s.fact)
}

// pass lets time go on.
func (s *scene) pass(d time.Duration) {
	for end := s.now.Add(d); s.now.Before(end); {
		s.now = s.now.Add(min(10*time.Second, end.Sub(s.now)))
		s.watch.Advance(float64(s.now.UnixMicro()) / 1e6)
		s.found = append(s.found, s.watch.Take()...)
	}
}

// last is the newest finding of a kind; nil: none.
func (s *scene) last(k Kind) *Finding {
	for i := len(s.found) - 1; i >= 0; i-- {
		if s.found[i].Kind == k {
			return &s.found[i]
		}
	}
	return nil
}

func TestWhatThePlanExpectsIsWatched(t *testing.T) {
	s := newScene(t)
	s.watch.Expect([]Expectation{{Source: "shop", Event: "Order Completed", Per: time.Hour, Min: 20, Max: 100},
		{Source: "shop", Event: "Order Completed", RatioTo: "Checkout Started", Per: time.Hour, Low: 0.5, High: 0.9}})
	// hours sends events every minute, of which so many an hour are orders.
	hours := func(n, orders int) {
		for m := range n * 60 {
			s.send("Checkout Started", "", 0)
			if m%60 < orders {
				s.send("Order Completed", "", 0)
			}
			s.pass(time.Minute)
		}
	}
	hours(3, 40)
	if len(s.found) > 0 {
		t.Fatalf("found without a reason: %+v", s.found[0])
	}
	hours(2, 10)
	var count, ratio *Finding
	for i := range s.found {
		if f := &s.found[i]; f.Kind == TooFew && f.Open {
			if f.Value == "" {
				count = f
			} else {
				ratio = f
			}
		}
	}
	if count == nil || count.Observed >= 20 || count.Expected != 20 || count.Note != "between 20 and 100 in an hour" {
		t.Errorf("the count: %+v", count)
	}
	if ratio == nil || ratio.Value != "Checkout Started" || ratio.Observed >= 0.5 || ratio.Unit != "ratio" {
		t.Errorf("the ratio: %+v", ratio)
	}
	kept, err := s.watch.SaveAll()
	if err != nil {
		t.Fatal(err)
	}
	again := New(Limits{})
	if damaged := again.Load(kept); len(damaged) > 0 {
		t.Fatalf("damaged: %v", damaged)
	}
	expectations := s.watch.mu.expectations
	s.watch, s.found = again, nil
	s.watch.mu.expectations = expectations
	hours(3, 40)
	if f := s.last(TooFew); f == nil || f.Open {
		t.Errorf("after a restart it does not end: %+v", f)
	}
	hours(2, 10)
	s.found = nil
	s.watch.Expect(nil)
	s.pass(time.Minute)
	if f := s.last(TooFew); f == nil || f.Open || f.Event != "Order Completed" {
		t.Errorf("what is not planned any more does not end: %+v", f)
	}
}

func TestDamagedStateIsLearnedAnew(t *testing.T) {
	s := newScene(t)
	for range 200 {
		s.send("Order Completed", `,"context":{"app":{"version":"4.1"},"campaign":{"name":"x"}},"properties":{"total":12.5,"currency":"EUR"}`, 0)
		s.pass(time.Minute)
	}
	s.watch.Column("revenue", "total", float64(s.now.Unix()), 5)
	kept, err := s.watch.SaveAll()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(7, 7))
	found := 0
	for range 400 {
		broken := map[string][]byte{}
		for k, v := range kept {
			v = slices.Clone(v)
			switch at := rng.IntN(len(v)); rng.IntN(4) {
			case 0:
				v[at] = byte(rng.IntN(256))
			case 1:
				v = v[:at]
			case 2: // a member is lost
				v = slices.Delete(v, at, min(at+1+rng.IntN(40), len(v)))
			default:
				v = bytes.Replace(v, []byte(`{"s":`), []byte(`{"z":`), 1+rng.IntN(3))
			}
			broken[k] = v
		}
		w := New(Limits{})
		found += len(w.Load(broken))
		again := &scene{t: t, watch: w, read: NewReader(), now: s.now, n: 1000}
		for range 8 {
			again.send("Order Completed", `,"context":{"app":{"version":"4.2"},"campaign":{"name":"x"}},"properties":{"total":"12.5","currency":null}`, 0)
			again.pass(6 * time.Minute)
		}
		w.Health(s.now)
		if _, err := w.SaveAll(); err != nil {
			t.Fatal(err)
		}
	}
	if found == 0 {
		t.Error("no damage was found")
	}
}
