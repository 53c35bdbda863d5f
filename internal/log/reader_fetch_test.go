package log

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestFetchesThatFailAreMadeSmaller: an answer that does not come in time over a slow network would never come.
func TestFetchesThatFailAreMadeSmaller(t *testing.T) {
	fake, c := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := c.EnsureTopics(ctx, TopicSpec{Name: "t", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	if err := c.Client().ProduceSync(ctx, &kgo.Record{Topic: "t", Value: []byte("v")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	var failed atomic.Int32
	fake.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if req.(*kmsg.FetchRequest).MaxBytes <= 9<<20 {
			return nil, nil, false
		}
		failed.Add(1)
		return nil, errors.New("it takes too long"), true
	})
	r, err := c.NewReader(ReaderConfig{MaxWait: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.Add("t", 0, 0)
	if got := readAll(ctx, t, r, "t", 1, 1); got[0] != "v" || failed.Load() < 3 {
		t.Errorf("read %q after %d fetches that failed; want those of 64, 32 and 16 MiB", got, failed.Load())
	}
	b := &brokerLoop{most: mostFetch}
	for range 10 {
		b.failed()
	}
	if b.most != leastFetch {
		t.Errorf("at least %d bytes are asked for", b.most)
	}
	for range 100 {
		b.answered()
	}
	if b.most != mostFetch {
		t.Errorf("at most %d bytes are asked for", b.most)
	}
}

// TestMemoryOfResponsesWithoutRecordsIsLetGo: of partitions that have nothing new, nothing but markers, or an error.
func TestMemoryOfResponsesWithoutRecordsIsLetGo(t *testing.T) {
	marker := make([]byte, batchHeader+10)
	marker[batchLengthAt+3], marker[batchMagicAt], marker[batchAttrsAt+1], marker[batchCountAt+3] = byte(len(marker)-12), 2, attrControl, 1
	bad := bytes.Clone(marker)
	binary.BigEndian.PutUint32(marker[batchCRCAt:], crc32.Checksum(marker[batchAttrsAt:], batchTable))
	for _, c := range []struct {
		code    int16
		batches []byte
		chunks  int
	}{{0, nil, 0}, {kerr.NotLeaderForPartition.Code, nil, 0}, {0, bad, 0}, {0, marker, 1}} {
		t.Run(fmt.Sprint(c.code, len(c.batches), c.chunks), func(t *testing.T) {
			p := &partition{partitionID: partitionID{"t", 0}}
			r := &Reader{dec: inflate, ready: make(chan struct{}, 1)}
			r.mu.parts, r.mu.kick = map[partitionID]*partition{p.partitionID: p}, make(chan struct{})
			fp := kmsg.NewFetchResponseTopicPartition()
			fp.ErrorCode, fp.RecordBatches = c.code, c.batches
			resp := kmsg.NewPtrFetchResponse()
			resp.Topics = []kmsg.FetchResponseTopic{{Topic: "t", Partitions: []kmsg.FetchResponseTopicPartition{fp}}}
			l := newLease(len(c.batches))
			r.takeIn(t.Context(), &keptResponse{resp, l}, []*partition{p}, Moment{})
			chunks := 0
			for chunk := r.Take("t", 0); chunk != nil; chunk = r.Take("t", 0) {
				chunks++
			}
			if chunks != c.chunks || l.holders.Load() != 0 {
				t.Errorf("%d chunks, %d hold the memory; want %d and none", chunks, l.holders.Load(), c.chunks)
			}
		})
	}
}
