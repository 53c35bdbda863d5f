package log

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"testing/iotest"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// scripted is a connection whose answers are there already.
type scripted struct {
	net.Conn
	io.Reader
}

func (s scripted) Read(p []byte) (int, error)  { return s.Reader.Read(p) }
func (s scripted) Write(p []byte) (int, error) { return len(p), nil }
func (s scripted) Close() error                { return nil }

// answered is a response as it comes over a connection.
func answered(id int32, body []byte, flexible bool) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 4), uint32(id))
	if flexible {
		b = append(b, 0)
	}
	b = append(b, body...)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// TestLargeFetchesAreKept has responses of all kinds come in pieces of all sizes: what a client reads is what came but for large fetches, which
// lie on the shelf.
func TestLargeFetchesAreKept(t *testing.T) {
	fetched := func(version int16, size int) *kmsg.FetchResponse {
		resp := kmsg.NewPtrFetchResponse()
		resp.Version, resp.ThrottleMillis = version, 7
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic, topic.TopicID = "t", [16]byte{1, 2, 3}
		for n := range int32(2) {
			p := kmsg.NewFetchResponseTopicPartition()
			p.Partition, p.HighWatermark, p.LastStableOffset = n, 900, 800
			p.RecordBatches = bytes.Repeat([]byte{byte(n + 1)}, size)
			topic.Partitions = append(topic.Partitions, p)
		}
		resp.Topics = append(resp.Topics, topic)
		return resp
	}
	type step struct {
		resp *kmsg.FetchResponse // nil: another request's
		kept bool
	}
	var came []byte
	steps := []step{
		{fetched(12, 40_000), true}, {nil, false}, {fetched(17, 10), false}, {fetched(17, 200_000), true}, {fetched(6, 70_000), false}, {fetched(11, 70_000), true},
	}
	other := append([]byte{0x12, 0x34}, make([]byte, 90_000)...)
	for id, s := range steps {
		if s.resp == nil {
			came = append(came, answered(int32(id), other, false)...)
			continue
		}
		came = append(came, answered(int32(id), s.resp.AppendTo(nil), s.resp.IsFlexible())...)
	}
	for name, r := range map[string]io.Reader{"whole": bytes.NewReader(came), "halves": iotest.HalfReader(bytes.NewReader(came)), "bytes": iotest.OneByteReader(bytes.NewReader(came))} {
		t.Run(name, func(t *testing.T) {
			shelf := newShelf()
			k := &keeper{Conn: scripted{Reader: r}, shelf: shelf}
			k.mu.asked = map[int32]int16{}
			for id, s := range steps {
				key, version := int16(3), int16(0)
				if s.resp != nil {
					key, version = fetchKey, s.resp.Version
				}
				req := binary.BigEndian.AppendUint16([]byte{0, 0, 0, 8}, uint16(key))
				req = binary.BigEndian.AppendUint16(req, uint16(version))
				if _, err := k.Write(binary.BigEndian.AppendUint32(req, uint32(id))); err != nil {
					t.Fatal(err)
				}
			}
			for id, s := range steps {
				var head [8]byte
				if _, err := io.ReadFull(k, head[:]); err != nil {
					t.Fatal(err)
				}
				body := make([]byte, binary.BigEndian.Uint32(head[:])-4)
				if _, err := io.ReadFull(k, body); err != nil {
					t.Fatal(err)
				}
				if got := binary.BigEndian.Uint32(head[4:]); got != uint32(id) {
					t.Fatalf("the answer to %d; want %d", got, id)
				}
				if s.resp == nil {
					if !bytes.Equal(body, other) {
						t.Error("another request's answer is not what came")
					}
					continue
				}
				if s.resp.IsFlexible() {
					body = body[1:]
				}
				resp := kmsg.NewPtrFetchResponse()
				resp.Version = s.resp.Version
				if err := resp.ReadFrom(body); err != nil {
					t.Fatal(err)
				}
				if small := len(body) < 1000; small != s.kept && len(s.resp.Topics[0].Partitions[0].RecordBatches) > 1000 {
					t.Errorf("response %d has %d bytes; kept: %v", id, len(body), s.kept)
				}
				got := shelf.take(resp)
				if (got.memory != nil) != s.kept || resp.ThrottleMillis != 7 || !bytes.Equal(got.AppendTo(nil), s.resp.AppendTo(nil)) {
					t.Errorf("response %d is not what came, or kept: %v", id, got.memory != nil)
				}
				got.memory.free()
			}
			if _, err := k.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("behind all: %v", err)
			}
			if len(shelf.mu.kept) > 0 || len(k.mu.asked) > 0 {
				t.Errorf("%d responses and %d requests are left", len(shelf.mu.kept), len(k.mu.asked))
			}
		})
	}
}

// TestKeptResponsesThatNobodyTakesAreDropped: a client that is told to stop does not ask for what was kept for it.
func TestKeptResponsesThatNobodyTakesAreDropped(t *testing.T) {
	shelf := newShelf()
	k := &keeper{Conn: scripted{}, shelf: shelf}
	resp := kmsg.NewPtrFetchResponse()
	resp.Version = 12
	body := resp.AppendTo([]byte{0})
	for range 3 {
		l := newLease(len(body))
		copy(l.memory, body)
		k.keep(l, 12)
		if len(shelf.mu.kept) != 1 {
			t.Fatalf("%d responses are kept; want the last", len(shelf.mu.kept))
		}
	}
	if err := k.Close(); err != nil || len(shelf.mu.kept) != 0 {
		t.Errorf("%d responses are kept of a connection that was closed (%v)", len(shelf.mu.kept), err)
	}
}

// TestFetchesEndWithBatches: what is asked for is a multiple of the batches that came last, even if only one came, and that was cut off.
func TestFetchesEndWithBatches(t *testing.T) {
	for _, c := range []struct{ want, batch, ask int32 }{{1 << 20, 0, 1 << 20}, {1 << 20, 300_000, 1_200_000}, {1 << 20, 1 << 19, 1 << 20}, {1 << 20, 4 << 20, 4<<20 + 1<<19}, {1 << 20, 17 << 20, 1 << 20}, {1000, 999, 1998}} {
		if got := wholeBatches(c.want, c.batch); got != c.ask {
			t.Errorf("%d bytes are asked for, of batches of %d; want %d", got, c.batch, c.ask)
		}
	}
	batch := make([]byte, batchHeader)
	batch[batchLengthAt+2], batch[batchMagicAt] = 9, 2 // 0x900 bytes, most of which did not come
	chunk := &Chunk{}
	if err := chunk.fill(batch, nil); err != nil || chunk.batch != 0x900+12 || len(chunk.sections) > 0 {
		t.Errorf("a batch of %d bytes in %d sections (%v); want one of %d, cut off", chunk.batch, len(chunk.sections), err, 0x900+12)
	}
}

// TestAnswersWithoutAnIdArePassedOn: before Kafka 1.0 what authenticates a client is answered by a size and a text, which may be empty. Nothing
// follows until the client has gone on.
func TestAnswersWithoutAnIdArePassedOn(t *testing.T) {
	next := answered(7, []byte("body"), false)
	for _, size := range []int{0, 1, 3, 4, 100} {
		answer := append(binary.BigEndian.AppendUint32(nil, uint32(size)), bytes.Repeat([]byte{'x'}, size)...)
		for name, r := range map[string]io.Reader{
			"apart": io.MultiReader(bytes.NewReader(answer), bytes.NewReader(next)), "together": bytes.NewReader(append(bytes.Clone(answer), next...)),
			"bytes": iotest.OneByteReader(bytes.NewReader(append(bytes.Clone(answer), next...))),
		} {
			counted := &countingReader{Reader: r}
			k := &keeper{Conn: scripted{Reader: counted}, shelf: newShelf()}
			k.mu.asked = map[int32]int16{}
			got := make([]byte, len(answer))
			if _, err := io.ReadFull(k, got); err != nil || !bytes.Equal(got, answer) {
				t.Errorf("%d bytes, %s: read %q (%v)", size, name, got, err)
			}
			if name == "apart" && counted.n != len(answer) {
				t.Errorf("%d bytes: %d were waited for", size, counted.n)
			}
			if rest, err := io.ReadAll(k); err != nil || !bytes.Equal(rest, next) {
				t.Errorf("%d bytes, %s: then %q (%v)", size, name, rest, err)
			}
		}
	}
}

// countingReader counts what was read.
type countingReader struct {
	io.Reader
	n int
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.n += n
	return n, err
}

// TestNothingIsKeptForAConnectionThatWasClosed: it may be closed while a response is being read from it.
func TestNothingIsKeptForAConnectionThatWasClosed(t *testing.T) {
	shelf := newShelf()
	k := &keeper{Conn: scripted{}, shelf: shelf}
	resp := kmsg.NewPtrFetchResponse()
	resp.Version = 12
	body := resp.AppendTo([]byte{0})
	l := newLease(len(body))
	copy(l.memory, body)
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if k.keep(l, 12); len(shelf.mu.kept) != 0 {
		t.Errorf("%d responses are kept", len(shelf.mu.kept))
	}
}
