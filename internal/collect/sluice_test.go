package collect

import (
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"myelin/internal/sluice"
)

// full is a sluice's door behind which very much waits, of which a thousand records a second are worked off.
func full(t *testing.T) *sluice.Door {
	t.Helper()
	began := time.Now()
	s := sluice.New(nil, time.Second, func() (waiting, done int64) { return 1 << 40, 1000 * int64(time.Since(began)/time.Second) })
	d := s.Door()
	for range 60 { // so it learns the speed
		<-time.After(time.Second)
		s.State()
	}
	return d
}

// TestSendersAreSlowedWhenMuchWaits checks that answers to what was stored are held back, and that who would have to wait too long is told
// to come back before its request is read.
func TestSendersAreSlowedWhenMuchWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := new(fillable)
		d := seated(t, strict{}, a)
		d.cfg.Sluice = full(t)
		batch := `{"batch":[` + strings.TrimSuffix(strings.Repeat(string(oneEvent)+",", 500), ",") + `]}`
		post := func(path, body string) (*httptest.ResponseRecorder, time.Duration) {
			began := time.Now()
			w := send(d, path, []byte(body), "Authorization", keyed)
			return w, time.Since(began)
		}
		var held time.Duration
		for range 4 {
			w, took := post("/v1/batch", batch)
			if w.Code != 200 || took < held || took > longestHold {
				t.Fatalf("%d after %s, before that after %s", w.Code, took, held)
			}
			held = took
		}
		if n := len(a.take()); held == 0 || n != 2000 {
			t.Fatalf("the last answer took %s, %d events were stored", held, n)
		}
		if n := d.inFlight.Load(); n != 0 {
			t.Errorf("%d bytes are accounted for", n)
		}
		d.cfg.Sluice.Take(4000)
		wait := d.cfg.Sluice.Wait()
		r := httptest.NewRequest("POST", "/v1/batch", unread{t})
		r.Header.Set("Authorization", keyed)
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		after, err := strconv.Atoi(w.Header().Get("Retry-After"))
		if w.Code != 429 || err != nil || time.Duration(after)*time.Second < wait || !strings.Contains(w.Body.String(), `"too_busy"`) {
			t.Errorf("with %s to wait: %d %v %s", wait, w.Code, w.Header(), w.Body)
		}
		if w, took := post("/v1/validate", string(oneEvent)); w.Code != 200 || took > 0 {
			t.Errorf("what is only validated: %d after %s", w.Code, took)
		}
		<-time.After(time.Minute)
		if w, took := post("/v1/track", string(oneEvent)); w.Code != 200 || took > 0 {
			t.Errorf("a while later: %d after %s", w.Code, took)
		}
	})
}
