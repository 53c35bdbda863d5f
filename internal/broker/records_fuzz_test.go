package broker_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker"
	"myelin/internal/broker/batch"
	"myelin/internal/broker/store"
)

// FuzzRecords puts any record into one of the broker's own topics and starts a broker on it. It starts, or says what is wrong:
// it does not panic, and what it keeps in memory can be rewritten and asked for.
func FuzzRecords(f *testing.F) {
	own := []string{"__consumer_offsets", "__transaction_state", "__settings"}
	for i, r := range ownRecords() {
		f.Add(uint8(r.topic), r.key, r.value, i%2 == 0)
	}
	f.Fuzz(func(t *testing.T, topic uint8, key, value []byte, transactional bool) {
		if len(key)+len(value) > 16<<10 {
			return
		}
		fs := vfs.NewMem()
		b, err := broker.Open(broker.Config{Dir: "data", FS: fs, Store: tinyStore})
		if err != nil {
			t.Fatal(err)
		}
		build := batch.NewBuilder(1_700_000_000_000)
		if transactional {
			build.ProducerID, build.ProducerEpoch, build.Transactional = 5, 0, true
		}
		build.Add(key, value)
		build.Add(key, nil)
		build.Add(key, value)
		done := make(chan error, 1)
		b.Topics().Name(own[int(topic)%len(own)]).Partition(0).Append(build.Build(), func(_ int64, err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		again, err := broker.Open(broker.Config{Dir: "data", FS: fs, Store: tinyStore})
		if err != nil {
			return
		}
		defer again.Close()
		again.Lags()
		again.Transactions()
		alive(t, again)
	})
}

// tinyStore makes a start cheap: what it costs is to write and read files of zeros.
var tinyStore = store.Config{WALFileBytes: 128 << 10, MaxBatchBytes: 48 << 10, MaxPendingBytes: 128 << 10, CacheBytes: 256 << 10, MinFreeBytes: -1, BallastBytes: -1}

type ownRecord struct {
	topic      int
	key, value []byte
}

// ownRecords are one of each kind.
func ownRecords() []ownRecord {
	var out []ownRecord
	offset := kmsg.NewOffsetCommitKey()
	offset.Version, offset.Group, offset.Topic = 1, "g", "t"
	commit := kmsg.NewOffsetCommitValue()
	commit.Version, commit.Offset = 3, 4
	out = append(out, ownRecord{0, offset.AppendTo(nil), commit.AppendTo(nil)})
	group := kmsg.NewGroupMetadataKey()
	group.Version, group.Group = 2, "g"
	members := kmsg.NewGroupMetadataValue()
	members.Version, members.ProtocolType, members.Protocol, members.Leader = 3, "consumer", kmsg.StringPtr("range"), kmsg.StringPtr("m")
	member := kmsg.NewGroupMetadataValueMember()
	member.MemberID, member.ClientID, member.ClientHost, member.SessionTimeoutMillis = "m", "c", "/h", 1000
	members.Members = append(members.Members, member)
	out = append(out, ownRecord{0, group.AppendTo(nil), members.AppendTo(nil)})
	id := kmsg.NewTxnMetadataKey()
	id.TransactionalID = "id"
	state := kmsg.NewTxnMetadataValue()
	state.Version, state.ProducerID, state.TimeoutMillis, state.State = 1, 5, 1000, kmsg.TransactionStateOngoing
	part := kmsg.NewTxnMetadataValueTopic()
	part.Topic, part.Partitions = "t", []int32{0}
	state.Topics = append(state.Topics, part)
	out = append(out, ownRecord{1, id.AppendTo(nil), state.AppendTo(nil)})
	for version := range byte(9) { // records of groups of KIP-848 begin with their version
		out = append(out, ownRecord{0, []byte{0, version, 0, 1, 'g', 0, 1, 'm'}, []byte{0, 0, 0, 0, 0, 1, 1, 0, 0}})
	}
	out = append(out, ownRecord{0, []byte{0x4d, 0x47, 0, 1, 'g'}, []byte{0, 1, '{', '}'}})
	out = append(out, ownRecord{2, []byte("scram/SCRAM-SHA-256/bob"), []byte(`{"version":1,"salt":"YQ==","storedKey":"YQ==","serverKey":"YQ==","iterations":4096}`)})
	return append(out, ownRecord{2, []byte(`quota/{"user":{"set":true,"name":"u"},"client":{}}`),
		[]byte(`{"version":1,"entity":{"user":{"set":true,"name":"u"},"client":{}},"rates":{"producer_byte_rate":1}}`)})
}
