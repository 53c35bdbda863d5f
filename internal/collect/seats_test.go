package collect

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/event"
)

var oneEvent = []byte(`{"event":"E","userId":"u"}`)

// fillable is an Appender that says when it is full, and may hold what it is given.
type fillable struct {
	memory
	full  atomic.Bool
	calls chan struct{} // one for each call, if not nil
	hold  chan struct{} // nil, or closed to let calls go on
}

func (f *fillable) Full() bool { return f.full.Load() }

func (f *fillable) Append(ctx context.Context, recs []*kgo.Record) error {
	if f.hold != nil {
		f.calls <- struct{}{}
		<-f.hold
	}
	return f.memory.Append(ctx, recs)
}

// unread is a body that nobody may read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func seated(t *testing.T, judge Judge, a Appender) *Doors {
	t.Helper()
	d, err := New(Config{Sources: []Source{{Name: "web", WriteKeys: []string{"WK_TEST"}}}}, judge, a, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// serve sends a body and returns the status.
func serve(ctx context.Context, d *Doors, body io.Reader) int {
	r := httptest.NewRequestWithContext(ctx, "POST", "/v1/track", body)
	r.Header.Set("Authorization", keyed)
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Code
}

func TestAFullLogRefusesUnread(t *testing.T) {
	a := new(fillable)
	d := seated(t, strict{}, a)
	a.full.Store(true)
	seen := map[int]bool{}
	for range 200 {
		r := httptest.NewRequest("POST", "/v1/batch", unread{t})
		r.Header.Set("Authorization", keyed)
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		after, err := strconv.Atoi(w.Header().Get("Retry-After"))
		if w.Code != 429 || err != nil || after < 2 || after > 5 || !strings.Contains(w.Body.String(), `"too_busy"`) {
			t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
		}
		seen[after] = true
	}
	if len(seen) != 4 {
		t.Errorf("senders are all told to come back after %v", seen)
	}
	if w := send(d, "/v1/validate", oneEvent, "Authorization", keyed); w.Code != 200 {
		t.Errorf("what is only validated: %d %s", w.Code, w.Body)
	}
	a.full.Store(false)
	if code := serve(t.Context(), d, strings.NewReader(string(oneEvent))); code != 200 || len(a.take()) != 1 {
		t.Errorf("with room again: %d", code)
	}
	if n := d.Stats().RefusedRequests["too_busy"]; n != 200 {
		t.Errorf("%d requests counted", n)
	}
}

// TestSlowBodiesTakeNoSeat sends many bodies piece by piece: who has sent all of it is served before them.
func TestSlowBodiesTakeNoSeat(t *testing.T) {
	d := seated(t, strict{}, new(memory))
	var wg sync.WaitGroup
	var slow []*io.PipeWriter
	for range 4 * cap(d.seats) {
		body, w := io.Pipe()
		slow = append(slow, w)
		wg.Go(func() {
			if code := serve(t.Context(), d, body); code != 200 {
				t.Errorf("slow one: %d", code)
			}
		})
		if _, err := w.Write(oneEvent[:5]); err != nil { // returns when it was read
			t.Fatal(err)
		}
	}
	if n := len(d.seats); n != cap(d.seats) {
		t.Errorf("%d of %d seats are left", n, cap(d.seats))
	}
	if code := serve(t.Context(), d, strings.NewReader(string(oneEvent))); code != 200 {
		t.Errorf("whole one: %d", code)
	}
	for _, w := range slow {
		if _, err := w.Write(oneEvent[5:]); err != nil {
			t.Fatal(err)
		}
		_ = w.Close() // of a pipe: nil
	}
	wg.Wait()
	if n := len(d.seats); n != cap(d.seats) {
		t.Errorf("afterwards %d of %d seats are left", n, cap(d.seats))
	}
}

// TestWaitingForTheDiskTakesNoSeat holds more requests than there are seats in the appender.
func TestWaitingForTheDiskTakesNoSeat(t *testing.T) {
	a := &fillable{calls: make(chan struct{}), hold: make(chan struct{})}
	d := seated(t, strict{}, a)
	var wg sync.WaitGroup
	for range 4 * cap(d.seats) {
		wg.Go(func() {
			if code := serve(t.Context(), d, strings.NewReader(string(oneEvent))); code != 200 {
				t.Errorf("held one: %d", code)
			}
		})
	}
	for range 4 * cap(d.seats) {
		<-a.calls
	}
	if w := send(d, "/v1/validate", oneEvent, "Authorization", keyed); w.Code != 200 {
		t.Errorf("%d", w.Code)
	}
	close(a.hold)
	wg.Wait()
}

// gate is a Judge that lets events pass when it is opened; it panics on those named Bad.
type gate struct {
	in   chan struct{}
	open chan struct{}
}

func (g gate) Judge(_ string, e *event.Event, _ *event.Verdict) {
	if string(e.Name) == "Bad" {
		panic(http.ErrAbortHandler)
	}
	g.in <- struct{}{}
	<-g.open
}

// TestSeatsAreGivenBack fills all seats while more wait, whose senders hang up and whose doors close: everyone is answered.
func TestSeatsAreGivenBack(t *testing.T) {
	g := gate{in: make(chan struct{}, 1000), open: make(chan struct{})}
	a := new(memory)
	d := seated(t, g, a)
	n := 4 * cap(d.seats)
	ctx, hangUp := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range n {
		body, w := io.Pipe()
		wg.Go(func() {
			if code := serve(ctx, d, body); code != 200 {
				t.Errorf("%d", code)
			}
		})
		if _, err := w.Write(oneEvent); err != nil { // returns when it was read: the request is through the door
			t.Fatal(err)
		}
		_ = w.Close() // of a pipe: nil
	}
	for range cap(d.seats) {
		<-g.in
	}
	if len(g.in) != 0 || len(d.seats) != 0 {
		t.Errorf("%d more are worked on, %d seats are free", len(g.in), len(d.seats))
	}
	hangUp()
	d.SetReady(false)
	close(g.open)
	wg.Wait()
	d.SetReady(true)
	if got := len(a.take()); got != n {
		t.Errorf("%d of %d events are kept: what was read is worth it", got, n)
	}
	for _, bad := range []string{`{`, ``, `[1`, `{"event":"Bad","userId":"u"}`} {
		for range 2 * cap(d.seats) {
			func() {
				defer func() { _ = recover() }() // as net/http does
				serve(t.Context(), d, strings.NewReader(bad))
			}()
		}
	}
	if len(d.seats) != cap(d.seats) {
		t.Errorf("%d of %d seats are left", len(d.seats), cap(d.seats))
	}
	if used := d.inFlight.Load(); used != 0 {
		t.Errorf("%d bytes still accounted", used)
	}
}

// TestASlowClientCannotHoldTheServer dribbles bodies over real connections: the rest are served, and the slow ones end with 429.
func TestASlowClientCannotHoldTheServer(t *testing.T) {
	d, err := New(Config{Sources: []Source{{Name: "web", WriteKeys: []string{"WK_TEST"}}}, Limits: Limits{BodyTimeout: 200 * time.Millisecond}}, strict{}, new(memory), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(d)
	defer s.Close()
	var wg sync.WaitGroup
	for range 2 * cap(d.seats) {
		body, w := io.Pipe()
		wg.Go(func() {
			defer body.Close()
			r, err := http.NewRequest("POST", s.URL+"/v1/track", body)
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Authorization", keyed)
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
				t.Errorf("slow one: %s", resp.Status)
			}
		})
		_, _ = w.Write(oneEvent[:5]) // fails where the time was over before the first byte
	}
	wg.Wait()
	if len(d.seats) != cap(d.seats) {
		t.Errorf("%d of %d seats are left", len(d.seats), cap(d.seats))
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}
