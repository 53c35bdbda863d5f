package e2e

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"myelin/test/sdk"
)

// TestRealSDKsDeliverEachEventOnce sends with Segment's SDKs for Node, Python and browsers through a door that first refuses,
// fails and loses an answer. Every event that an SDK saw confirmed is in events exactly once, in canonical shape.
func TestRealSDKsDeliverEachEventOnce(t *testing.T) {
	if !sdk.Installed() {
		t.Skip("the SDKs are not installed; make test installs them")
	}
	s := run(t, project{"myelin.yaml": "sources: [{name: sdk, write_keys: [wk_sdk]}]\n"})
	target, err := url.Parse(s.url(""))
	if err != nil {
		t.Fatal(err)
	}
	delivered := map[string]string{}
	for _, d := range sdk.Drivers {
		proxy := httputil.NewSingleHostReverseProxy(target)
		weather := &sdk.Weather{Next: proxy, Storm: "rfl"}
		door := httptest.NewServer(weather)
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		result, err := d.Run(ctx, door.URL, "wk_sdk", 12)
		cancel()
		door.Close()
		if err != nil {
			t.Fatalf("%s: %v", d.Name, err)
		}
		if len(result.Delivered) == 0 || len(result.Failed) > 0 {
			t.Errorf("%s: delivered %d, failed %v", d.Name, len(result.Delivered), result.Failed)
		}
		if !weather.Over() {
			t.Errorf("%s did not meet all of the bad weather", d.Name)
		}
		for _, id := range append(result.Delivered, result.Closing...) {
			delivered[id] = d.Name
		}
	}
	eventually(t, patience, func() error {
		events, err := s.topic("events")
		if err != nil {
			return err
		}
		seen := map[string]int{}
		for _, e := range events {
			seen[e.MessageID]++
			if e.Myelin.Source != "sdk" || e.Myelin.Protocol != "segment" || e.Type == "" || e.Timestamp.IsZero() || e.ReceivedAt.IsZero() {
				return fmt.Errorf("event %+v is not canonical", e)
			}
			if seen[e.MessageID] > 1 {
				t.Fatalf("%s of %s is in events twice", e.MessageID, delivered[e.MessageID])
			}
		}
		for id, name := range delivered {
			if seen[id] == 0 {
				return fmt.Errorf("%s of %s is not in events", id, name)
			}
		}
		return nil
	})
	t.Logf("%d events of %d SDK modes, each once", len(delivered), len(sdk.Drivers))
}
