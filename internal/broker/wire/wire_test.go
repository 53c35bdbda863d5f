package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/lint/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// script is a Handler made of functions. Produce (0) is pipelined, Metadata (3) is not.
type script struct {
	produce  func(r *Request, reply func(Response, error))
	metadata func(ctx context.Context, r *Request) Response
}

func (s *script) Limit(key, version int16) int {
	if key == 0 || key == 3 {
		return 1 << 20
	}
	return 0
}

func (s *script) Pipelined(key int16) bool { return key == 0 }

func (s *script) Handle(ctx context.Context, r *Request, reply func(Response, error)) {
	if r.Msg.Key() == 0 {
		s.produce(r, reply)
		return
	}
	reply(s.metadata(ctx, r), nil)
}

// discard is a log that nobody reads.
var discard = slog.New(slog.DiscardHandler)

func serve(t *testing.T, h Handler, l Limits) (s *Server, dial func() net.Conn) {
	t.Helper()
	s = NewServer(h, l, slog.New(slog.NewTextHandler(io.Discard, nil)))
	return s, serveOn(t, s)
}

func serveOn(t *testing.T, s *Server) (dial func() net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ctx, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		s.Wait()
		if n := s.Open(); n != 0 {
			t.Errorf("%d connections left", n)
		}
		if !s.budget.TryAcquire(s.limits.InflightBytes) {
			t.Error("bytes of requests were not given back")
		}
	})
	return func() net.Conn {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(time.Minute))
		return c
	}
}

func request(corr int32, msg kmsg.Request) []byte {
	msg.SetVersion(3)
	b := make([]byte, 4)
	b = binary.BigEndian.AppendUint16(b, uint16(msg.Key()))
	b = binary.BigEndian.AppendUint16(b, 3)
	b = binary.BigEndian.AppendUint32(b, uint32(corr))
	b = binary.BigEndian.AppendUint16(b, 2)
	b = append(b, "me"...)
	b = msg.AppendTo(b)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

func answer(t *testing.T, c net.Conn) (corr int32) {
	t.Helper()
	var head [8]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint32(head[:]))-4); err != nil {
		t.Fatal(err)
	}
	return int32(binary.BigEndian.Uint32(head[4:]))
}

func closed(t *testing.T, c net.Conn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); err == nil || n != 0 {
		t.Fatalf("the connection is still open: read %d bytes", n)
	} else if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Fatal("the connection is still open")
	}
}

func TestAnswersComeInOrderOfRequests(t *testing.T) {
	var mu sync.Mutex
	var owed []func(Response, error)
	h := &script{
		produce: func(r *Request, reply func(Response, error)) {
			mu.Lock()
			defer mu.Unlock()
			owed = append(owed, reply)
			if len(owed) == 3 { // all three are started before the first is answered, and answered backwards
				for i := range owed {
					owed[len(owed)-1-i](kmsg.NewPtrProduceResponse(), nil)
				}
			}
		},
		metadata: func(_ context.Context, r *Request) Response { return kmsg.NewPtrMetadataResponse() },
	}
	_, dial := serve(t, h, Limits{})
	c := dial()
	var all []byte
	for i := range int32(3) {
		all = append(all, request(i, kmsg.NewPtrProduceRequest())...)
	}
	all = append(all, request(3, kmsg.NewPtrMetadataRequest())...)
	if _, err := c.Write(all); err != nil {
		t.Fatal(err)
	}
	for i := range int32(4) {
		if got := answer(t, c); got != i {
			t.Fatalf("answer %d came as number %d", got, i)
		}
	}
}

func TestPanicEndsOnlyItsConnection(t *testing.T) {
	h := &script{
		produce:  func(*Request, func(Response, error)) { panic("produce") },
		metadata: func(_ context.Context, r *Request) Response { panic("metadata") },
	}
	s, dial := serve(t, h, Limits{})
	for _, msg := range []kmsg.Request{kmsg.NewPtrProduceRequest(), kmsg.NewPtrMetadataRequest()} {
		c := dial()
		if _, err := c.Write(request(1, msg)); err != nil {
			t.Fatal(err)
		}
		closed(t, c)
	}
	if n := s.Stats().Panics.Load(); n != 2 {
		t.Fatalf("%d panics counted", n)
	}
}

func TestGarbageIsRefused(t *testing.T) {
	h := &script{metadata: func(_ context.Context, r *Request) Response { return kmsg.NewPtrMetadataResponse() }}
	s, dial := serve(t, h, Limits{RequestBytes: 1000})
	big := request(1, kmsg.NewPtrMetadataRequest())
	binary.BigEndian.PutUint32(big, 1001)
	unknown := request(1, kmsg.NewPtrMetadataRequest())
	unknown[5] = 99
	cut := request(1, &kmsg.MetadataRequest{Topics: []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr("t")}}})
	cut = cut[:len(cut)-2]
	binary.BigEndian.PutUint32(cut, uint32(len(cut)-4))
	for name, b := range map[string][]byte{
		"http":       []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"tls":        {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 0},
		"too large":  big,
		"negative":   {0xff, 0xff, 0xff, 0xff, 0, 3, 0, 3},
		"unknown":    unknown,
		"cut short":  cut,
		"zeros":      make([]byte, 64),
		"huge array": append(request(1, kmsg.NewPtrMetadataRequest())[:16], 0x7f, 0xff, 0xff, 0xff),
	} {
		t.Run(name, func(t *testing.T) {
			if name == "huge array" {
				binary.BigEndian.PutUint32(b, uint32(len(b)-4))
			}
			c := dial()
			if _, err := c.Write(b); err != nil {
				t.Fatal(err)
			}
			closed(t, c)
		})
	}
	if n := s.Stats().Garbage.Load(); n != 8 {
		t.Errorf("%d connections counted as garbage", n)
	}
	c := dial() // others are served as before
	if _, err := c.Write(request(7, kmsg.NewPtrMetadataRequest())); err != nil {
		t.Fatal(err)
	}
	if got := answer(t, c); got != 7 {
		t.Fatalf("answer to %d", got)
	}
}

func TestTooManyConnectionsAreRefused(t *testing.T) {
	h := &script{metadata: func(_ context.Context, r *Request) Response { return kmsg.NewPtrMetadataResponse() }}
	_, dial := serve(t, h, Limits{Connections: 2})
	ask := func(c net.Conn) {
		t.Helper()
		if _, err := c.Write(request(1, kmsg.NewPtrMetadataRequest())); err != nil {
			t.Fatal(err)
		}
		answer(t, c)
	}
	one, two := dial(), dial()
	ask(one)
	ask(two)
	closed(t, dial())
	ask(one)
}

func TestSlowClientsAreCutOff(t *testing.T) {
	h := &script{metadata: func(_ context.Context, r *Request) Response {
		resp := kmsg.NewPtrMetadataResponse()
		resp.Version = 3
		resp.ClusterID = kmsg.StringPtr(string(bytes.Repeat([]byte("x"), 30_000)))
		for range 700 { // far more than the socket's buffers hold
			resp.Topics = append(resp.Topics, kmsg.MetadataResponseTopic{Topic: resp.ClusterID})
		}
		return resp
	}}
	s, dial := serve(t, h, Limits{ReadStall: 50 * time.Millisecond, WriteStall: 50 * time.Millisecond, Idle: time.Second})
	closed(t, dial()) // sends nothing
	half := dial()
	msg := request(1, kmsg.NewPtrMetadataRequest())
	if _, err := half.Write(msg[:len(msg)-1]); err != nil {
		t.Fatal(err)
	}
	closed(t, half)
	deaf := dial()
	if _, err := deaf.Write(msg); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); s.Stats().Requests.Load() == 0 || s.Open() > 0; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("a client that does not read keeps its connection")
		}
	}
	if n, _ := io.Copy(io.Discard, deaf); n > 18_000_000 {
		t.Fatalf("%d bytes were sent to a client that does not read", n)
	}
}

func TestClientThatLeavesWakesItsWait(t *testing.T) {
	woken := make(chan struct{})
	h := &script{metadata: func(ctx context.Context, r *Request) Response {
		<-ctx.Done()
		close(woken)
		return nil
	}}
	_, dial := serve(t, h, Limits{})
	c := dial()
	if _, err := c.Write(request(1, kmsg.NewPtrMetadataRequest())); err != nil {
		t.Fatal(err)
	}
	c.Close()
	select {
	case <-woken:
	case <-time.After(time.Minute):
		t.Fatal("the wait went on")
	}
}
