package trust

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestReleaseJudgesEveryRoute(t *testing.T) { forEachBroker(t, testEveryRoute) }

func testEveryRoute(t *testing.T, brokers []string) {
	r := newRig(t, brokers)
	p := r.start(ReleaseConfig{})
	forged := r.sealed(track("m5", "u1", "Order Completed", `{"order_id":"o5","total":1}`))
	forged.Value = []byte(strings.Replace(string(forged.Value), `"total":1`, `"total":[]`, 1))
	noSource := r.plain("u1", track("m8", "u1", "Product Added", `{"sku":"a"}`))
	noSource.Headers = []kgo.RecordHeader{{Key: "source", Value: []byte("nobody")}}
	r.produce(
		r.sealed(track("m1", "u1", "Order Completed", `{"order_id":"o1","total":1}`)),
		r.sealed(track("m2", "u2", "Order Completed", `{"order_id":"o2","total":"x"}`)),
		r.plain("u3", track("m3", "u3", "Order Completed", `{"order_id":"o3","total":"12.5"}`)),
		r.plain("u3", track("m4", "u3", "product added", `{"sku":"a"}`)),
		forged,
		r.plain("", `not json`),
		r.plain("", `[1,2]`),
		noSource,
		r.plain("u9", `{"writeKey":"wk","messageId":"m9","userId":"u9","type":"track","event":"Product Added","properties":{"sku":"b"}}`),
		r.sealed(track("m1", "u1", "Order Completed", `{"order_id":"o1","total":1}`)),
		r.sealed(track("m10", "u1", "Order Completed", `{"order_id":"o1","total":1}`)),
		r.plain("u3", track("m11", "u3", "Order Completed", `{"order_id":"o3","total":3}`)),
	)
	got := summary(r.released(11))
	// The ids of records that have none of their own come from their place in the log.
	lines := strings.Split(got, "\n")
	for i, l := range lines {
		f := strings.Fields(l)
		if len(f[1]) == 36 {
			f[1] = "made"
			lines[i] = strings.Join(f, " ")
		}
	}
	slices.Sort(lines)
	same(t, strings.Join(lines, "\n"), strings.TrimSpace(`
events m1 valid
events m3 fixed type_mismatch@/properties/total
events m9 valid
quarantine m10 quarantined duplicate_unique@/properties/order_id
quarantine m11 quarantined duplicate_unique@/properties/order_id
quarantine m2 quarantined type_mismatch@/properties/total
quarantine m4 quarantined misspelled_event@/event
quarantine m5 quarantined type_mismatch@/properties/total
quarantine m8 quarantined unknown_source@
quarantine made quarantined bad_json@
quarantine made quarantined not_an_object@`))
	r.balanced(p, 12)
}

func TestReplayIsAcceptedOnce(t *testing.T) { forEachBroker(t, testReplay) }

func testReplay(t *testing.T, brokers []string) {
	r := newRig(t, brokers)
	p := r.start(ReleaseConfig{})
	replay := func(id, text string) *kgo.Record {
		rec := r.plain("u1", text)
		rec.Headers = []kgo.RecordHeader{{Key: "source", Value: []byte("web")}, {Key: HeaderReplay, Value: []byte(id)}}
		return rec
	}
	bad, good := track("m1", "u1", "Product Added", `{}`), track("m1", "u1", "Product Added", `{"sku":"a"}`)
	r.produce(r.sealed(bad), r.sealed(bad), // the second is a retry
		replay("r1", bad), replay("r1", bad), // fails again, once
		replay("r2", good), replay("r2", good), replay("r3", good),
		r.sealed(good)) // a late retry of a fixed sender: it was seen
	same(t, summary(r.released(3)), strings.TrimSpace(`
events m1 valid
quarantine m1 quarantined required_missing@/properties/sku
quarantine m1 quarantined required_missing@/properties/sku`))
	r.balanced(p, 8)
}

func TestDuplicatesAreKnownAfterRestart(t *testing.T) { forEachBroker(t, testRestart) }

func testRestart(t *testing.T, brokers []string) {
	for _, dir := range []string{"", "dedupe"} {
		t.Run("journal="+dir, func(t *testing.T) {
			r := newRig(t, brokers)
			var want []string
			for round := range 4 {
				p := r.start(ReleaseConfig{Dir: dir})
				for i := range 5 {
					mid := fmt.Sprintf("m%d", round*3+i) // two of the five were there in the last round
					r.produce(r.sealed(track(mid, "u"+mid, "Product Added", `{"sku":"a"}`)))
					if line := "events " + mid + " valid"; !slices.Contains(want, line) {
						want = append(want, line)
					}
				}
				r.produce(r.sealed(track(fmt.Sprintf("o%d", round), "u", "Order Completed", `{"order_id":"same","total":1}`)))
				if round == 0 {
					want = append(want, "events o0 valid")
				} else {
					want = append(want, fmt.Sprintf("quarantine o%d quarantined duplicate_unique@/properties/order_id", round))
				}
				slices.Sort(want)
				same(t, summary(r.released(len(want))), strings.Join(want, "\n"))
				r.balanced(p, int64(6*(round+1))) // the sum goes on after restarts
				if round%2 == 0 {
					p.kill()
				} else {
					p.end()
				}
			}
		})
	}
}

func TestReadyWithoutTraffic(t *testing.T) { forEachBroker(t, testReady) }

func testReady(t *testing.T, brokers []string) {
	r := newRig(t, brokers)
	p := r.start(ReleaseConfig{})
	select {
	case <-p.Ready():
	case <-deadline(t).Done():
		t.Fatal("not ready, although nothing waits")
	}
}

// TestBalanceCountsWhatWaitsFromTheStart: whoever asks at any moment of a start, and of the work after it, is told of every event, or
// that they are still being counted.
func TestBalanceCountsWhatWaitsFromTheStart(t *testing.T) { forEachBroker(t, testWaiting) }

func testWaiting(t *testing.T, brokers []string) {
	r := newRig(t, brokers)
	sent := int64(0)
	for range 3 {
		var batch []*kgo.Record
		for range 40 {
			id := fmt.Sprintf("w%d", sent)
			batch = append(batch, r.sealed(track(id, "u"+id, "Product Added", `{"sku":"a"}`)))
			sent++
		}
		r.produce(batch...)
		p := r.start(ReleaseConfig{Dir: "dedupe", BatchRecords: 7})
		ctx, tick := deadline(t), time.NewTicker(100*time.Microsecond)
		for b := p.Balance(); b.Counting || b.In < sent; b = p.Balance() {
			if ctx.Err() != nil || !b.Counting && b.In+b.Pending != sent {
				t.Fatalf("%+v; %d events were sent", b, sent)
			}
			<-tick.C
		}
		tick.Stop()
		p.kill()
	}
}
