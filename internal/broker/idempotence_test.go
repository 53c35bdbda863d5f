package broker_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"myelin/internal/broker"
	"myelin/internal/broker/batch"
)

// named is a client whose produce requests name topics instead of giving their ids.
func named(t *testing.T, b *broker.Broker) *kgo.Client {
	t.Helper()
	c := client(t, b, kgo.MaxVersions(kversion.V3_0_0()))
	if err := c.Ping(within(t)); err != nil {
		t.Fatal(err)
	}
	return c
}

// idempotentBatch builds a batch of n records as a producer with the identity would send it.
func idempotentBatch(producer int64, epoch int16, seq int32, n int) []byte {
	b := batch.NewBuilder(1_700_000_000_000)
	b.ProducerID, b.ProducerEpoch = producer, epoch
	for i := range n {
		b.Add(nil, fmt.Appendf(nil, "%d", int(seq)+i))
	}
	v := b.Build()
	binary.BigEndian.PutUint32(v[53:], uint32(seq))
	binary.BigEndian.PutUint32(v[17:], crc32.Checksum(v[21:], crc32.MakeTable(crc32.Castagnoli)))
	return v
}

func produceRaw(t *testing.T, c *kgo.Client, topic string, records []byte) (offset int64, err error) {
	t.Helper()
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 1000
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewProduceRequestTopicPartition()
	rp.Records = records
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := c.Broker(1).Request(within(t), req)
	if err != nil {
		t.Fatal(err)
	}
	p := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	return p.BaseOffset, kerr.ErrorForCode(p.ErrorCode)
}

func TestDuplicatesGetTheirFirstOffset(t *testing.T) {
	fs := vfs.NewCrashableMem()
	b := open(t, fs)
	createTopic(t, b, "t", 1)
	c := named(t, b)
	const pid = 77
	send := func(c *kgo.Client, epoch int16, seq int32, n int) (int64, error) {
		t.Helper()
		return produceRaw(t, c, "t", idempotentBatch(pid, epoch, seq, n))
	}
	want := func(got int64, err error, offset int64, e error) {
		t.Helper()
		if e == nil && (err != nil || got != offset) || e != nil && err != e {
			t.Fatalf("got offset %d and %v, want %d and %v", got, err, offset, e)
		}
	}
	for i := range int32(6) {
		got, err := send(c, 0, 10*i, 10)
		want(got, err, int64(10*i), nil)
	}
	check := func(c *kgo.Client) {
		t.Helper()
		for i := int32(1); i < 6; i++ { // the last five may be repeated, in any order
			got, err := send(c, 0, 60-10*i, 10)
			want(got, err, int64(60-10*i), nil)
		}
		got, err := send(c, 0, 0, 10)
		want(got, err, -1, kerr.OutOfOrderSequenceNumber) // too old to be known
		got, err = send(c, 0, 70, 10)
		want(got, err, -1, kerr.OutOfOrderSequenceNumber) // 60 is missing
		got, err = send(c, 1, 5, 10)
		want(got, err, -1, kerr.OutOfOrderSequenceNumber) // a new epoch starts at 0
	}
	check(c)
	crashed := open(t, fs.CrashClone(vfs.CrashCloneCfg{}))
	cc := named(t, crashed)
	check(cc)
	c.Close()
	if err := b.Close(); err != nil { // a clean stop leaves a snapshot
		t.Fatal(err)
	}
	again := named(t, open(t, fs))
	check(again)
	got, err := send(again, 1, 0, 10)
	want(got, err, 60, nil)
	got, err = send(again, 0, 60, 10)
	want(got, err, -1, kerr.InvalidProducerEpoch)
}

func TestBadBatchesAreRefused(t *testing.T) {
	b := open(t, vfs.NewCrashableMem())
	createTopic(t, b, "t", 1)
	createTopic(t, b, "compacted", 1, "cleanup.policy", "compact")
	createTopic(t, b, "small", 1, "max.message.bytes", "200")
	c := named(t, b)
	good := idempotentBatch(-1, -1, -1, 3)
	flipped := bytes.Clone(good)
	flipped[len(flipped)-2] ^= 1
	old := bytes.Clone(good)
	old[16] = 1
	control := []byte(batch.Marker(1, 1, true, 1))
	for _, tc := range []struct {
		name, topic string
		records     []byte
		want        error
	}{
		{"nothing", "t", nil, kerr.CorruptMessage},
		{"checksum", "t", flipped, kerr.CorruptMessage},
		{"cut short", "t", good[:len(good)-1], kerr.CorruptMessage},
		{"old format", "t", old, kerr.InvalidRecord},
		{"two batches", "t", append(bytes.Clone(good), good...), kerr.InvalidRecord},
		{"control", "t", control, kerr.InvalidRecord},
		{"no sequence", "t", idempotentBatch(5, 0, -1, 1), kerr.InvalidRecord},
		{"no key", "compacted", good, kerr.InvalidRecord},
		{"too large", "small", idempotentBatch(-1, -1, -1, 60), kerr.MessageTooLarge},
		{"internal", "__consumer_offsets", good, kerr.InvalidTopicException},
		{"unknown", "nope", good, kerr.UnknownTopicOrPartition},
	} {
		if _, err := produceRaw(t, c, tc.topic, tc.records); err != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
	if offset, err := produceRaw(t, c, "t", good); offset != 0 || err != nil {
		t.Fatalf("a good batch after the bad ones: offset %d, %v", offset, err)
	}
}
