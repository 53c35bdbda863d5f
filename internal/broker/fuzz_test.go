package broker_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker"
)

// FuzzRequests sends requests of any key, version and body. The broker must neither panic nor allocate much, and must go on
// serving others.
func FuzzRequests(f *testing.F) {
	b, err := broker.Open(broker.Config{Dir: "data", FS: vfs.NewMem(), AutoCreateTopics: true, MaxPartitions: 50, Store: smallStore})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { b.Close() })
	for key := int16(0); key <= 92; key++ {
		req := kmsg.RequestForKey(key)
		if req == nil {
			continue
		}
		for v := range req.MaxVersion() + 1 {
			req.SetVersion(v)
			f.Add(uint8(key), uint8(v), req.AppendTo(nil))
		}
	}
	f.Add(uint8(3), uint8(1), []byte{0x00, 0x0f, 0xff, 0xff})
	var before, after runtime.MemStats
	f.Fuzz(func(t *testing.T, key, version uint8, body []byte) {
		frame := make([]byte, 4, 32+len(body))
		frame = append(frame, 0, key, 0, version, 0, 0, 0, 1, 0xff, 0xff)
		if req := kmsg.RequestForKey(int16(key)); req != nil {
			if req.SetVersion(int16(version)); req.IsFlexible() {
				frame = append(frame, 0)
			}
		}
		frame = append(frame, body...)
		binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
		runtime.ReadMemStats(&before)
		c, err := b.Dial(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(50 * time.Millisecond)) // some requests wait for others, for good reason
		c.Write(frame)
		io.ReadFull(c, make([]byte, 8))
		c.Close()
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 512<<20+400*uint64(len(body)) {
			t.Fatalf("%d bytes allocated for a request of %d", n, len(body))
		}
		if b.Panics() > 0 {
			t.Fatal("the request made the broker panic")
		}
		alive(t, b)
	})
}

func alive(t *testing.T, b *broker.Broker) {
	t.Helper()
	c, err := b.Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	ask(t, c, []byte{0, 18, 0, 0, 0, 0, 0, 9, 0xff, 0xff})
}

// ask sends one request, without its length, and returns the body of the answer.
func ask(t *testing.T, c net.Conn, msg []byte) []byte {
	t.Helper()
	if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(msg))), msg...)); err != nil {
		t.Fatal(err)
	}
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c, body); err != nil {
		t.Fatal(err)
	}
	return body
}
