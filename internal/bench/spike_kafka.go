package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// produceRequest is a framed produce request for the doorstep with one record per event. Thousands of whole clients would weigh
// more than what they measure.
func produceRequest(client string, part int32, events []string) []byte {
	var records []byte
	for i, e := range events {
		var b []byte
		b = append(b, 0)
		b = binary.AppendVarint(b, 0)
		b = binary.AppendVarint(b, int64(i))
		b = binary.AppendVarint(b, -1)
		b = binary.AppendVarint(b, int64(len(e)))
		b = append(b, e...)
		b = binary.AppendVarint(b, 1)
		b = appendHeader(b, "source", "bench")
		records = binary.AppendVarint(records, int64(len(b)))
		records = append(records, b...)
	}
	now := time.Now().UnixMilli()
	rb := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, LastOffsetDelta: int32(len(events) - 1), FirstTimestamp: now, MaxTimestamp: now,
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: int32(len(events)), Records: records,
	}
	raw := rb.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 8, -1, 30_000
	req.Topics = []kmsg.ProduceRequestTopic{{Topic: "events.in", Partitions: []kmsg.ProduceRequestTopicPartition{{Partition: part, Records: raw}}}}
	out := make([]byte, 4, len(raw)+128)
	out = binary.BigEndian.AppendUint16(out, uint16(req.Key()))
	out = binary.BigEndian.AppendUint16(out, uint16(req.Version))
	out = binary.BigEndian.AppendUint32(out, 1)
	out = binary.BigEndian.AppendUint16(out, uint16(len(client)))
	out = append(out, client...)
	out = req.AppendTo(out)
	binary.BigEndian.PutUint32(out, uint32(len(out)-4))
	return out
}

func appendHeader(b []byte, key, value string) []byte {
	b = binary.AppendVarint(b, int64(len(key)))
	b = append(b, key...)
	b = binary.AppendVarint(b, int64(len(value)))
	return append(b, value...)
}

// produceAnswer reads the answer to produceRequest.
func produceAnswer(b []byte) (throttle time.Duration, err error) {
	resp := kmsg.NewPtrProduceResponse()
	resp.Version = 8
	if err := resp.ReadFrom(b[4:]); err != nil {
		return 0, fmt.Errorf("reading an answer: %w", err)
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return 0, fmt.Errorf("producing: %w", err)
			}
		}
	}
	return time.Duration(resp.ThrottleMillis) * time.Millisecond, nil
}

// limitedClient is the client id of those that have a quota.
const limitedClient = "limited"

// limit gives them their quota.
func (r *spikeRun) limit(ctx context.Context) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(r.kafka))
	if err != nil {
		return fmt.Errorf("setting a quota: %w", err)
	}
	defer c.Close()
	id := limitedClient
	set, err := kadm.NewClient(c).AlterClientQuotas(ctx, []kadm.AlterClientQuotaEntry{{
		Entity: kadm.ClientQuotaEntity{{Type: "client-id", Name: &id}},
		Ops:    []kadm.AlterClientQuotaOp{{Key: "producer_byte_rate", Value: spikeQuota}},
	}})
	if err == nil {
		err = set[0].Err
	}
	if err != nil {
		return fmt.Errorf("setting a quota: %w", err)
	}
	return nil
}

// missing reads what was released and returns how many acknowledged events are not there. It waits as long as more come.
func (r *spikeRun) missing(ctx context.Context) (int64, error) {
	c, err := kgo.NewClient(kgo.SeedBrokers(r.kafka), kgo.ConsumeTopics("events", "quarantine"), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return 0, fmt.Errorf("reading what was released: %w", err)
	}
	defer c.Close()
	prefix := fmt.Appendf(nil, "bench-%d-", runID)
	for {
		quiet, cancel := context.WithTimeout(ctx, 20*time.Second)
		fetches := c.PollFetches(quiet)
		cancel()
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if fetches.NumRecords() == 0 {
			return r.acked.count(), nil
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			for _, h := range rec.Headers {
				rest, ok := bytes.CutPrefix(h.Value, prefix)
				if h.Key != "mid" || !ok {
					continue
				}
				if n, err := strconv.ParseInt(string(rest), 10, 64); err == nil && n >= 0 && n < spikeMost {
					r.acked.clear(n)
				}
			}
		})
		if r.acked.count() == 0 {
			return 0, nil
		}
	}
}
