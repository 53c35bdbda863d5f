package broker_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// fetcher fetches by hand, with names of topics.
type fetcher struct {
	t         *testing.T
	c         *kgo.Client
	id, epoch int32
}

// fetch asks for partitions of topic t from offsets; it returns the number of records of each partition in the answer.
func (f *fetcher) fetch(from map[int32]int64, forget ...int32) (map[int32]int, error) {
	f.t.Helper()
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionID, req.SessionEpoch = 10, 1, 1<<20, f.id, f.epoch
	if len(from) > 0 {
		rt := kmsg.NewFetchRequestTopic()
		rt.Topic = "t"
		for p, offset := range from {
			rp := kmsg.NewFetchRequestTopicPartition()
			rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes = p, offset, 1<<20
			rt.Partitions = append(rt.Partitions, rp)
		}
		req.Topics = append(req.Topics, rt)
	}
	if len(forget) > 0 {
		ft := kmsg.NewFetchRequestForgottenTopic()
		ft.Topic, ft.Partitions = "t", forget
		req.ForgottenTopics = append(req.ForgottenTopics, ft)
	}
	resp := ask1[*kmsg.FetchResponse](&consumer{t: f.t, c: f.c}, req)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, err
	}
	f.id = resp.SessionID
	got := map[int32]int{}
	for _, rt := range resp.Topics {
		for _, rp := range rt.Partitions {
			must(f.t, kerr.ErrorForCode(rp.ErrorCode), nil)
			got[rp.Partition] = len(rp.RecordBatches)
		}
	}
	return got, nil
}

func TestFetchSessionTellsOnlyNews(t *testing.T) {
	b := open(t, vfs.NewCrashableMem())
	createTopic(t, b, "t", 50)
	versions := kversion.Tip()
	versions.SetMaxKeyVersion(1, 12)
	f := &fetcher{t: t, c: client(t, b, kgo.MaxVersions(versions))}
	all := map[int32]int64{}
	for p := range int32(50) {
		all[p] = 0
	}
	expect := func(got map[int32]int, err error, parts int, want error) {
		t.Helper()
		must(t, err, want)
		if len(got) != parts {
			t.Fatalf("told of %d partitions, want %d: %v", len(got), parts, got)
		}
	}
	got, err := f.fetch(all)
	expect(got, err, 50, nil)
	if f.id == 0 {
		t.Fatal("no session")
	}
	f.epoch = 1
	got, err = f.fetch(nil)
	expect(got, err, 0, nil)
	p := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	must(t, p.ProduceSync(within(t), &kgo.Record{Topic: "t", Partition: 7, Value: []byte("x")}).FirstErr(), nil)
	f.epoch = 2
	got, err = f.fetch(nil)
	expect(got, err, 1, nil)
	if got[7] == 0 {
		t.Fatalf("no record of partition 7: %v", got)
	}
	again := *f
	_, err = again.fetch(nil)
	must(t, err, kerr.InvalidFetchSessionEpoch)
	f.epoch = 3
	got, err = f.fetch(map[int32]int64{7: 1})
	expect(got, err, 0, nil)
	must(t, p.ProduceSync(within(t), &kgo.Record{Topic: "t", Partition: 7, Value: []byte("x")}, &kgo.Record{Topic: "t", Partition: 8, Value: []byte("x")}).FirstErr(), nil)
	f.epoch = 4
	got, err = f.fetch(nil, 7)
	expect(got, err, 1, nil)
	f.epoch = 5
	got, err = f.fetch(map[int32]int64{7: 2})
	expect(got, err, 2, nil) // 7 is new to the session, and 8 has still its record
	f.epoch = -1
	got, err = f.fetch(map[int32]int64{8: 0})
	expect(got, err, 1, nil)
	gone := &fetcher{t: t, c: f.c, id: again.id, epoch: 6}
	_, err = gone.fetch(nil)
	must(t, err, kerr.FetchSessionIDNotFound)
}
