package log

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestAbortMarkerOfNothingEndsNoOther: a marker of a transaction of which no record came to the partition is listed by no broker, and
// does not end the producer's next aborted one.
func TestAbortMarkerOfNothingEndsNoOther(t *testing.T) {
	abort := []byte{0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0} // a record with the key version 0, type 0, and no value
	abort[0] = byte(2 * (len(abort) - 1))
	commit := append([]byte{}, abort...)
	commit[8] = 1
	a := newAborts([]kmsg.FetchResponseTopicPartitionAbortedTransaction{
		{ProducerID: 7, FirstOffset: 30}, {ProducerID: 7, FirstOffset: 20}, {ProducerID: 8, FirstOffset: 12},
	})
	hides := func(pid, base int64, want bool) {
		t.Helper()
		if got := a.hides(pid, base); got != want {
			t.Errorf("producer %d, offset %d: hidden is %v; want %v", pid, base, got, want)
		}
	}
	a.marker(7, 10, abort) // of nothing
	hides(7, 11, false)
	hides(8, 12, true)
	a.marker(8, 13, abort)
	hides(8, 14, false)
	a.marker(7, 15, commit)
	hides(7, 20, true)
	hides(7, 21, true)
	a.marker(7, 22, abort)
	hides(7, 23, false)
	a.marker(7, 24, abort) // of nothing
	hides(7, 30, true)
	a.marker(7, 31, abort)
	hides(7, 32, false)
	a.marker(7, 33, abort) // of nothing, after all
	hides(7, 34, false)
}

// TestReaderHidesWhatIsAbortedBehindAnAbortOfNothing has producers die before the first record of a transaction, of which their
// partition knows already, and then others in the middle of one. What is read from the start is what was committed.
func TestReaderHidesWhatIsAbortedBehindAnAbortOfNothing(t *testing.T) {
	_, c := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := c.EnsureTopics(ctx, TopicSpec{Name: "t", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	producer := func() *kgo.Client { // ends what the one before it left open
		t.Helper()
		cl, err := c.NewClient(kgo.TransactionalID("tx"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cl.Close)
		return cl
	}
	var want []string
	for i := range 5 {
		dead := producer()
		if i%2 == 0 {
			addPartition(ctx, t, dead, "tx", "t")
		}
		for k, how := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit} {
			cl := producer()
			if err := cl.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			v := fmt.Sprint(i, k)
			if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: []byte(v)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if err := cl.EndTransaction(ctx, how); err != nil {
				t.Fatal(err)
			}
			if how == kgo.TryCommit {
				want = append(want, v)
			}
		}
	}
	r, err := c.NewReader(ReaderConfig{MaxWait: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.Add("t", 0, 0)
	if got := readAll(ctx, t, r, "t", 1, len(want)); !slices.Equal(got, want) {
		t.Errorf("read %q; want %q", got, want)
	}
}

// addPartition makes a partition one of a producer's transaction, as happens right before the first record.
func addPartition(ctx context.Context, t *testing.T, cl *kgo.Client, id, topic string) {
	t.Helper()
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	var err error
	req.TransactionalID = id
	if req.ProducerID, req.ProducerEpoch, err = cl.ProducerID(ctx); err != nil {
		t.Fatal(err)
	}
	rt := kmsg.NewAddPartitionsToTxnRequestTopic()
	rt.Topic, rt.Partitions = topic, []int32{0}
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
}
