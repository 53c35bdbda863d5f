package trust

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/event"
)

// workload makes events of a few users, each numbered in order, some broken, some sent twice.
type workload struct {
	r    *rig
	rng  *rand.Rand
	next int
	sent []*kgo.Record
	want []string // one line of summary per event

	produced int64
}

const users = 5

func (w *workload) send(n int) {
	var batch []*kgo.Record
	for range n {
		if len(w.sent) > 0 && w.rng.IntN(5) == 0 { // a retry
			old := w.sent[w.rng.IntN(len(w.sent))]
			batch = append(batch, &kgo.Record{Topic: old.Topic, Key: old.Key, Value: old.Value, Headers: old.Headers, Timestamp: old.Timestamp})
			continue
		}
		mid, user := fmt.Sprintf("m%05d", w.next), fmt.Sprintf("u%d", w.next%users)
		properties, line := `{"sku":"a"}`, "events "+mid+" valid"
		if w.rng.IntN(10) == 0 {
			properties, line = `{}`, "quarantine "+mid+" quarantined required_missing@/properties/sku"
		}
		var rec *kgo.Record
		if w.rng.IntN(2) == 0 {
			rec = w.r.sealed(track(mid, user, "Product Added", properties))
		} else {
			rec = w.r.plain(user, track(mid, user, "Product Added", properties))
			rec.Headers = []kgo.RecordHeader{{Key: "source", Value: []byte("web")}}
		}
		w.next++
		w.want = append(w.want, line)
		w.sent = append(w.sent, rec)
		batch = append(batch, rec)
	}
	w.r.produce(batch...)
	w.produced += int64(len(batch))
}

// check compares what was released with what was sent: each event once, in order per user within a topic.
func (w *workload) check() {
	w.r.t.Helper()
	records := w.r.released(len(w.want))
	got := strings.Split(summary(records), "\n")
	slices.Sort(w.want)
	seen := map[string]int{}
	for _, l := range got {
		seen[l]++
	}
	for _, l := range w.want {
		if seen[l] != 1 {
			w.r.t.Errorf("%q was released %d times", l, seen[l])
		}
	}
	if len(got) != len(w.want) {
		w.r.t.Errorf("%d events came of %d", len(got), len(w.want))
	}
	last := map[string]string{}
	for _, rec := range records {
		k := rec.Topic + string(rec.Key)
		mid := string(event.Header(rec, "mid"))
		if mid <= last[k] {
			w.r.t.Errorf("%s of %s came after %s", mid, k, last[k])
		}
		last[k] = mid
	}
}

func TestKilledAnywhereReleasesExactlyOnce(t *testing.T) { forEachBroker(t, testKilled) }

func testKilled(t *testing.T, brokers []string) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			r := newRig(t, brokers)
			mem := vfs.NewCrashableMem()
			w := &workload{r: r, rng: rand.New(rand.NewPCG(seed, 7))}
			for round := range 12 {
				cfg := ReleaseConfig{FS: mem, Dir: "dedupe", BatchRecords: 1 + w.rng.IntN(20)}
				if round%4 == 3 {
					cfg.FS = nil
				}
				// A process joins, recalls and releases within some tens of writes; it dies on any one of them.
				p := r.startUntil(cfg, int64(5+w.rng.IntN(60)))
				for range 5 {
					w.send(10)
				}
				waitUntil(t, p.cut.Load)
				p.kill()
				mem = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: w.rng})
			}
			p := r.start(ReleaseConfig{FS: mem, Dir: "dedupe"})
			w.check()
			waitUntil(t, func() bool { return p.Balance().In == w.produced })
			r.balanced(p, w.produced)
		})
	}
}

// waitUntil polls a condition.
func waitUntil(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	ctx := deadline(t)
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it did not happen in the time allowed")
		}
	}
}

func TestTwoNodesShareAndTakeOver(t *testing.T) { forEachBroker(t, testTwoNodes) }

func testTwoNodes(t *testing.T, brokers []string) {
	r := newRig(t, brokers)
	w := &workload{r: r, rng: rand.New(rand.NewPCG(3, 7))}
	w.send(20)
	a := r.start(ReleaseConfig{Node: "a", BatchRecords: 7})
	waitUntil(t, func() bool { return a.Balance().In >= 20 })
	b := r.start(ReleaseConfig{Node: "b", BatchRecords: 7})
	for range 10 {
		w.send(20)
	}
	waitUntil(t, func() bool { return b.Balance().In > 0 })
	w.send(100)
	a.end()
	r.leave("a") // its static membership would be kept until its time-out
	w.send(100)
	w.check()
}

// leave removes a static member from the group, as an operator or the session time-out does.
func (r *rig) leave(node string) {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = r.group()
	m := kmsg.NewLeaveGroupRequestMember()
	m.InstanceID = kmsg.StringPtr(r.group() + "." + node)
	req.Members = append(req.Members, m)
	if _, err := req.RequestWith(deadline(r.t), r.cluster.Client()); err != nil {
		r.t.Fatal(err)
	}
}

// TestRolledBackTransactionsAreForgotten makes each step of a transaction fail: what was rolled back must be released
// again, although the memory had begun to note it.
func TestRolledBackTransactionsAreForgotten(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.Produce, kmsg.TxnOffsetCommit, kmsg.EndTxn, kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn} {
		t.Run(kmsg.NameForKey(key.Int16()), func(t *testing.T) {
			fake, err := kfake.NewCluster(kfake.NumBrokers(1))
			if err != nil {
				t.Fatal(err)
			}
			defer fake.Close()
			r := newRig(t, fake.ListenAddrs())
			w := &workload{r: r, rng: rand.New(rand.NewPCG(9, 7))}
			p := r.start(ReleaseConfig{BatchRecords: 5})
			w.send(20)
			waitUntil(t, func() bool { return p.Balance().In >= 20 })
			failures := 0
			fake.ControlKey(key.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
				fake.KeepControl()
				if pr, ok := req.(*kmsg.ProduceRequest); ok && pr.TransactionID == nil {
					return nil, nil, false
				}
				if failures++; failures > 4 {
					return nil, nil, false
				}
				return failure(req), nil, true
			})
			w.send(50)
			w.check()
			_ = p
		})
	}
}

// failure is an answer to req that makes its transaction fail.
func failure(req kmsg.Request) kmsg.Response {
	switch req := req.(type) {
	case *kmsg.ProduceRequest:
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, t := range req.Topics {
			rt := kmsg.NewProduceResponseTopic()
			rt.Topic, rt.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, kerr.InvalidRecord.Code
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp
	case *kmsg.TxnOffsetCommitRequest:
		resp := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
		for _, t := range req.Topics {
			rt := kmsg.NewTxnOffsetCommitResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rp := kmsg.NewTxnOffsetCommitResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, kerr.IllegalGeneration.Code
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp
	case *kmsg.EndTxnRequest:
		resp := req.ResponseKind().(*kmsg.EndTxnResponse)
		resp.ErrorCode = kerr.UnknownServerError.Code
		return resp
	case *kmsg.AddOffsetsToTxnRequest:
		resp := req.ResponseKind().(*kmsg.AddOffsetsToTxnResponse)
		resp.ErrorCode = kerr.UnknownServerError.Code
		return resp
	case *kmsg.AddPartitionsToTxnRequest:
		resp := req.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
		resp.ErrorCode = kerr.UnknownServerError.Code
		return resp
	}
	panic("no failure for this request")
}
