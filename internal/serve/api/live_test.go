package api_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"myelin/internal/clock"
	"myelin/internal/serve/api"
)

func TestAQuietConnectionHearsAHeartbeat(t *testing.T) {
	manual := clock.NewManual(time.Unix(1_700_000_000, 0))
	w := start(t, func(c *api.Config) { c.Clock = manual })
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL+"/api/views/revenue/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	beat := make(chan struct{})
	go func() {
		defer close(beat)
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), ":") {
				return
			}
		}
	}()
	for {
		select {
		case <-beat:
			return
		case <-ctx.Done():
			t.Fatal("no heartbeat")
		case <-time.After(time.Millisecond):
			manual.Advance(time.Second)
		}
	}
}

func TestASlowReaderIsBroughtUpToDateBySnapshot(t *testing.T) {
	w := start(t)
	next := events(t, w.URL+"/api/views/revenue/live", "")
	if name, _, _ := next(); name != "snapshot" {
		t.Fatal(name)
	}
	// More changes than anybody buffers while the reader sleeps; each key carries a kilobyte.
	pad := strings.Repeat("x", 1000)
	const steps = 20000
	for i := range int64(steps) {
		old := int64(-1)
		if i > 0 {
			old = i - 1
		}
		w.set(pad, old, i)
	}
	last, snapshots := "", 0
	for last != "20000" {
		name, id, _ := next()
		if name == "snapshot" {
			snapshots++
		}
		last = id
	}
	t.Logf("%d snapshots in between", snapshots)
	w.set("after", -1, 1)
	if name, id, data := next(); id != "20001" || !strings.Contains(data, `["after",1]`) {
		t.Fatal(name, id, data)
	}
}

func TestClosingTheServerEndsLiveConnections(t *testing.T) {
	w := start(t)
	srv, ok := w.Config.Handler.(*api.Server)
	if !ok {
		t.Fatal("no server")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL+"/api/overview/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	srv.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
	}
	if ctx.Err() != nil {
		t.Fatal("the connection stayed open")
	}
}
