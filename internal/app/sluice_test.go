package app

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/auth/certs/certtest"
	"myelin/internal/broker"
	"myelin/internal/broker/store"
	"myelin/internal/log"
	"myelin/internal/sluice"
	"myelin/internal/trust"
)

// TestBacklogOfAClusterIsThatOfTheBroker asks over the Kafka protocol, as of a cluster, and the embedded broker itself.
func TestBacklogOfAClusterIsThatOfTheBroker(t *testing.T) {
	b, err := broker.Open(broker.Config{Dir: "data", FS: vfs.NewMem(), Store: store.Config{WALFileBytes: 4 << 20, MaxBatchBytes: 2 << 20, MinFreeBytes: -1, BallastBytes: -1}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c, err := log.Open(log.Config{Brokers: []string{"127.0.0.1:9092"}, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return b.Dial(ctx) }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	topics := []string{trust.Doorstep("events"), trust.Doorstep("clicks")}
	if _, err := c.Admin().CreateTopics(ctx, 2, 1, nil, topics...); err != nil {
		t.Fatal(err)
	}
	p, err := c.NewProducer(log.ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(ctx)
	var recs []*kgo.Record
	for i := range 100 {
		recs = append(recs, &kgo.Record{Topic: topics[i%2], Key: fmt.Appendf(nil, "%d", i), Value: []byte("x")})
	}
	if err := p.Append(ctx, recs); err != nil {
		t.Fatal(err)
	}
	ends, err := c.Admin().ListEndOffsets(ctx, topics[0])
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup(topics[0], 0)
	for _, at := range []int64{-1, 0, 1, end.Offset} {
		if at >= 0 {
			var o kadm.Offsets
			o.AddOffset(topics[0], 0, at, -1)
			if err := c.Admin().CommitAllOffsets(ctx, trust.ReleaseGroup, o); err != nil {
				t.Fatal(err)
			}
		}
		waiting, done := new(sluice.Parts).Sum(time.Now(), b.Backlog(trust.ReleaseGroup, topics...))
		if want := max(0, at); done != want || waiting != 100-want {
			t.Errorf("committed %d: the broker says %d wait, %d are done", at, waiting, done)
		}
		parts, err := backlog(ctx, c, topics)
		if w, d := new(sluice.Parts).Sum(time.Now(), parts); w != waiting || d != done || err != nil {
			t.Errorf("committed %d: the cluster says %d wait, %d are done, %v; the broker %d and %d", at, w, d, err, waiting, done)
		}
	}
	if _, err := backlog(ctx, c, []string{"missing.in"}); err == nil {
		t.Error("a topic that is not there has a backlog")
	}
}

// TestBacklogCanBeLeftUnbounded checks that limits.backlog of forever slows nobody, and that there are figures otherwise.
func TestBacklogCanBeLeftUnbounded(t *testing.T) {
	for _, tc := range []struct {
		limits string
		there  bool
	}{{"", true}, {"limits: {backlog: forever}\n", false}} {
		r := runProject(t, certtest.New(t), "sources: [{name: shop, write_keys: [wk]}]\n"+tc.limits)
		if code, text := r.do(t, "GET", "/metrics", "", ""); code != 200 || strings.Contains(text, "\nmyelin_doorstep_limit 0\n") != tc.there {
			t.Errorf("%q: %d, there must be figures: %t", tc.limits, code, tc.there)
		}
	}
}
