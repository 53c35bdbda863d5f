package log

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// readAll takes records until there are want of them or the deadline passes.
func readAll(ctx context.Context, t *testing.T, r *Reader, topic string, parts int32, want int) []string {
	t.Helper()
	var got []string
	for len(got) < want {
		select {
		case <-r.Ready():
		case <-ctx.Done():
			t.Fatalf("only %d of %d records came: %v (reader: %v)", len(got), want, got, r.Err())
		}
		for p := range parts {
			for c := r.Take(topic, p); c != nil; c = r.Take(topic, p) {
				var cur Cursor
				var rec RawRecord
				for c.Next(&cur, &rec) {
					v := "∅"
					if rec.Value.Off != NoBytes {
						v = string(c.Buf[rec.Value.Off : rec.Value.Off+rec.Value.Len])
					}
					got = append(got, v)
					if h, ok := c.Header(&rec, "n"); ok && string(h) != v {
						t.Errorf("header of %s is %s", v, h)
					}
				}
			}
		}
	}
	return got
}

func TestReaderSeesOnlyCommittedRecords(t *testing.T) {
	_, c := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := c.EnsureTopics(ctx, TopicSpec{Name: "t", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	r, err := c.NewReader(ReaderConfig{MaxWait: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.Add("t", 0, 0)

	plain, err := c.NewClient(kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	txn, err := c.NewClient(kgo.TransactionalID("tx"))
	if err != nil {
		t.Fatal(err)
	}
	defer txn.Close()
	var want []string
	send := func(cl *kgo.Client, v string) {
		t.Helper()
		rec := &kgo.Record{Topic: "t", Value: []byte(v), Headers: []kgo.RecordHeader{{Key: "x", Value: nil}, {Key: "n", Value: []byte(v)}}}
		if err := cl.ProduceSync(ctx, rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 12 {
		if err := txn.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		send(plain, fmt.Sprintf("plain%d-%s", i, strings.Repeat("z", 100)))
		want = append(want, fmt.Sprintf("plain%d-%s", i, strings.Repeat("z", 100)))
		commit := i%3 != 1
		for k := range 3 {
			v := fmt.Sprintf("txn%d-%d", i, k)
			send(txn, v)
			if commit {
				want = append(want, v)
			}
		}
		how := kgo.TryAbort
		if commit {
			how = kgo.TryCommit
		}
		if err := txn.EndTransaction(ctx, how); err != nil {
			t.Fatal(err)
		}
	}
	if got := readAll(ctx, t, r, "t", 1, len(want)); !slices.Equal(got, want) {
		t.Errorf("read\n%q\nwant\n%q", got, want)
	}
}

func TestReaderStartsAtAnOffsetAndReadsAllPartitionsInOrder(t *testing.T) {
	_, c := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := c.EnsureTopics(ctx, TopicSpec{Name: "t", Partitions: 3}); err != nil {
		t.Fatal(err)
	}
	p, err := c.NewProducer(ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(ctx)
	var recs []*kgo.Record
	for i := range 3000 {
		recs = append(recs, &kgo.Record{Topic: "t", Key: fmt.Append(nil, i%7), Value: fmt.Appendf(nil, "%d.%06d", i%7, i)})
	}
	if err := p.Append(ctx, recs); err != nil {
		t.Fatal(err)
	}
	r, err := c.NewReader(ReaderConfig{MaxWait: 100 * time.Millisecond, ChunkBytes: 1000, Buffer: 3000})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for n := range int32(3) {
		r.Add("t", n, 0)
	}
	got := readAll(ctx, t, r, "t", 3, 3000)
	last := map[byte]string{}
	for _, v := range got {
		if v <= last[v[0]] {
			t.Fatalf("%s after %s", v, last[v[0]])
		}
		last[v[0]] = v
	}

	r.Add("t", 1, 5)
	want := readFrom(recs, 1)[5:]
	if got := readAll(ctx, t, r, "t", 3, len(want)); !slices.Equal(got, want) {
		t.Errorf("from offset 5: %d records, first %v; want %d, first %v", len(got), got[0], len(want), want[0])
	}
	if _, end := r.Ends("t", 1); end != int64(len(want)+5) {
		t.Errorf("end %d; want %d", end, len(want)+5)
	}
}

func readFrom(recs []*kgo.Record, part int32) (out []string) {
	for _, r := range recs {
		if r.Partition == part {
			out = append(out, string(r.Value))
		}
	}
	return out
}

func TestReaderJumpsOverDeletedRecords(t *testing.T) {
	_, c := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := c.EnsureTopics(ctx, TopicSpec{Name: "t", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	cl := c.Client()
	for i := range 10 {
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	var cut kadm.Offsets
	cut.AddOffset("t", 0, 6, -1)
	if _, err := c.Admin().DeleteRecords(ctx, cut); err != nil {
		t.Fatal(err)
	}
	r, err := c.NewReader(ReaderConfig{MaxWait: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.Add("t", 0, 2)
	if got := readAll(ctx, t, r, "t", 1, 4); strings.Join(got, " ") != "6 7 8 9" {
		t.Errorf("read %v", got)
	}
}

// FuzzChunk feeds bytes to the batch reader: it may refuse them but must not break.
func FuzzChunk(f *testing.F) {
	f.Add([]byte{}, int64(0))
	f.Add(slices.Repeat([]byte{0}, 100), int64(3))
	f.Fuzz(func(t *testing.T, b []byte, from int64) {
		c := &Chunk{From: from, To: from}
		if c.fill(b, nil) != nil || c.unpack(inflate, false) != nil {
			return
		}
		c.From = math.MinInt64 // no record lies before it
		var cur Cursor
		var r RawRecord
		n := 0
		for c.Next(&cur, &r) {
			c.Header(&r, "x")
			n++
		}
		want := 0
		var broken error
		for i := range c.sections {
			if broken = c.checkRecords(&c.sections[i]); broken != nil {
				break
			}
			want += int(c.sections[i].count)
		}
		if (c.broken == nil) != (broken == nil) || broken == nil && n != want {
			t.Errorf("%d records, %v; want %d, %v", n, c.broken, want, broken)
		}
	})
}

// TestShortRecordsAreTheSame reads records of all sizes, and broken ones, by the short way and by the long.
func TestShortRecordsAreTheSame(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 2))
	short := 0
	for range 40_000 {
		var body []byte
		body = append(body, 0)
		body = binary.AppendVarint(body, r.Int64N(1<<r.IntN(30)+1)-3)
		body = binary.AppendVarint(body, r.Int64N(1<<r.IntN(20)+1)-1)
		body = binary.AppendVarint(body, -1+r.Int64N(1+int64(r.IntN(2))*9))
		body = binary.AppendVarint(body, r.Int64N(1<<r.IntN(12)+1)-1)
		body = append(body, make([]byte, r.IntN(300))...)
		b := append(binary.AppendVarint(nil, int64(len(body)-r.IntN(2)*r.IntN(30))), body...)
		if r.IntN(4) == 0 {
			b[r.IntN(len(b))] = byte(r.Uint32())
		}
		c := Chunk{Buf: append(b, make([]byte, shortHead)...)}
		s := section{end: uint32(len(b)), base: 10, first: 1000}
		var one, two RawRecord
		if len(b) < shortHead {
			continue
		}
		n1, ok := c.short(&s, 0, &one)
		if !ok {
			continue
		}
		short++
		c.Buf = c.Buf[:len(b)]
		n2, ok := c.long(&s, 0, &two)
		if !ok || n1 != n2 || one != two {
			t.Fatalf("%x: %d %+v, want %d %+v (%v)", b, n1, one, n2, two, ok)
		}
	}
	if short < 4000 {
		t.Errorf("only %d were short", short)
	}
}
