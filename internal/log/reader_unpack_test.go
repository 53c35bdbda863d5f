package log

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// packedTopic has batches of 40 KB that LZ4 makes no smaller, one record each.
func packedTopic(ctx context.Context, t *testing.T, c *Cluster, batches int) (want []string) {
	return topicOf(ctx, t, c, batches, kgo.Lz4Compression())
}

func topicOf(ctx context.Context, t *testing.T, c *Cluster, batches int, codec kgo.CompressionCodec) (want []string) {
	t.Helper()
	if _, err := c.EnsureTopics(ctx, TopicSpec{Name: "t", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	cl, err := c.NewClient(kgo.ProducerBatchCompression(codec))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	r := rand.New(rand.NewPCG(3, 5))
	for i := range batches {
		v := make([]byte, 40_000)
		for k := range v {
			v[k] = byte(r.Uint32())
		}
		v = fmt.Appendf(v[:0:len(v)], "%03d", i)[:len(v)] // what follows is random
		v = append(v, make([]byte, 200)...)               // it must become smaller all the same, or nothing is packed
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: v}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		want = append(want, string(v))
	}
	return want
}

// next waits for a chunk as it was fetched.
func next(ctx context.Context, t *testing.T, r *Reader) *Chunk {
	t.Helper()
	for {
		if c := r.TakePacked("t", 0); c != nil {
			return c
		}
		select {
		case <-r.Ready():
		case <-ctx.Done():
			t.Fatalf("nothing comes: %v", r.Err())
		}
	}
}

func values(c *Chunk) (out []string) {
	var cur Cursor
	var rec RawRecord
	for c.Next(&cur, &rec) {
		out = append(out, string(c.Buf[rec.Value.Off:rec.Value.Off+rec.Value.Len]))
	}
	return out
}

// TestChunksThatArePackedAreCut reads one fetch of many batches: it comes in chunks that can be unpacked one by one.
func TestChunksThatArePackedAreCut(t *testing.T) {
	_, c := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	want := packedTopic(ctx, t, c, 30)
	r, err := c.NewReader(ReaderConfig{MaxWait: 100 * time.Millisecond, ChunkBytes: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.Add("t", 0, 2)
	var got []string
	chunks := 0
	for at := int64(2); at < 30; chunks++ {
		c := next(ctx, t, r)
		if c.From != at || c.To <= at {
			t.Fatalf("a chunk of offsets %d to %d behind %d", c.From, c.To, at)
		}
		at = c.To
		if !c.Unpack() || !c.Unpack() {
			t.Fatal(r.Err())
		}
		got = append(got, values(c)...)
		c.Release()
	}
	if !slices.Equal(got, want[2:]) {
		t.Errorf("%d records; want %d, or other ones", len(got), len(want)-2)
	}
	if most := len(want)*40_000/cutPacked + 1; chunks < 2 || chunks > most {
		t.Errorf("%d chunks; want 2 to %d", chunks, most)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.mu.parts[partitionID{"t", 0}]; p.bytes != 0 {
		t.Errorf("%d bytes wait to be taken; want none", p.bytes)
	}
}

// TestWhatCannotBeReadIsFetchedAgain damages bytes after their checksum was found right: packed ones, and later the head of a record.
func TestWhatCannotBeReadIsFetchedAgain(t *testing.T) {
	_, c := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	want := packedTopic(ctx, t, c, 40)
	r, err := c.NewReader(ReaderConfig{MaxWait: 100 * time.Millisecond, ChunkBytes: 800_000})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.Add("t", 0, 0)
	var got []string
	at := int64(0)
	for damage := 2; len(got) < len(want); {
		c := next(ctx, t, r)
		packed := c.raw != nil // those that come again are not
		last := &c.sections[len(c.sections)-1]
		if packed && damage == 2 {
			damage--
			clear(c.raw[last.start:last.end])
			if c.Unpack() {
				t.Fatal("it is unpacked all the same")
			}
			continue
		}
		if !c.Unpack() {
			t.Fatal(r.Err())
		}
		bad := packed && damage == 1
		if bad {
			damage--
			c.Buf[last.start] = 1 // a record of -1 bytes
		}
		c.From = at
		all := values(c)
		got, at = append(got, all...), at+int64(len(all))
		if c.Broken() != bad {
			t.Fatalf("broken: %v; want %v", !bad, bad)
		}
	}
	if r.Err() != nil {
		t.Error(r.Err())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d records; want %d, or other ones", len(got), len(want))
	}
}

// TestRecordsStayWhereTheirMemoryIsUsedAgain keeps all chunks of a topic while later ones come: what is in them stays, whether it was packed or
// not, unpacked late or, after a mishap, at once.
func TestRecordsStayWhereTheirMemoryIsUsedAgain(t *testing.T) {
	for name, codec := range map[string]kgo.CompressionCodec{"packed": kgo.Lz4Compression(), "plain": kgo.NoCompression()} {
		t.Run(name, func(t *testing.T) {
			_, c := open(t)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			want := topicOf(ctx, t, c, 40, codec)
			r, err := c.NewReader(ReaderConfig{MaxWait: 100 * time.Millisecond, ChunkBytes: 200_000, Buffer: 300_000})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			r.Add("t", 0, 0)
			var chunks []*Chunk
			for at, mishaps := int64(0), 0; at < 40; {
				c := next(ctx, t, r)
				if at > 8*int64(mishaps) {
					mishaps++
					r.refuse(c, errBatch)
					continue
				}
				if !c.Unpack() {
					t.Fatal(r.Err())
				}
				chunks, at = append(chunks, c), c.To
			}
			var got []string
			for _, c := range chunks {
				got = append(got, values(c)...)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d records; want %d, or other ones", len(got), len(want))
			}
		})
	}
}

// TestReaderTellsWhatItCannotUnpack reads a batch that nobody can unpack: the reader says so again and again.
func TestReaderTellsWhatItCannotUnpack(t *testing.T) {
	_, c := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	packedTopic(ctx, t, c, 1)
	r, err := c.NewReader(ReaderConfig{MaxWait: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.dec = &inflater{max: 1000}
	r.Add("t", 0, 0)
	for told := 0; told < 3; {
		if c := r.Take("t", 0); c != nil {
			t.Fatalf("got %d records", len(values(c)))
		}
		if errors.Is(r.Err(), errInflated) {
			told++
		}
		select {
		case <-r.Ready():
		case <-ctx.Done():
			t.Fatalf("it tells nothing: %v", r.Err())
		}
	}
}
