package wire

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/auth/certs"
	"myelin/internal/auth/certs/certtest"
)

// shy is a handler that welcomes nobody.
type shy struct{ script }

func (s *shy) Greet(*Client) {}

func quick() *script {
	return &script{
		produce:  func(_ *Request, reply func(Response, error)) { reply(kmsg.NewPtrProduceResponse(), nil) },
		metadata: func(context.Context, *Request) Response { return kmsg.NewPtrMetadataResponse() },
	}
}

// ends waits until the server has closed the connection and returns how long that took.
func ends(t *testing.T, c net.Conn) time.Duration {
	t.Helper()
	began := time.Now()
	if _, err := io.Copy(io.Discard, c); errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 50*time.Second {
		t.Fatal("the connection was not closed")
	}
	return time.Since(began)
}

func answered(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := c.Write(request(1, kmsg.NewPtrMetadataRequest())); err != nil {
		t.Fatal(err)
	}
	var head [4]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint32(head[:]))); err != nil {
		t.Fatal(err)
	}
}

func TestClientThatSaysNothingMustLogInSoon(t *testing.T) {
	s, dial := serve(t, &shy{*quick()}, Limits{Login: 2 * time.Second})
	c := dial()
	for range 3 { // being busy does not help
		answered(t, c)
	}
	if took := ends(t, c); took > 40*time.Second {
		t.Errorf("it took %s", took)
	}
	if s.Stats().Slow.Load() != 1 {
		t.Error("it is not counted")
	}
}

func TestUnknownClientSendsLittle(t *testing.T) {
	s, dial := serve(t, &shy{*quick()}, Limits{})
	c := dial()
	answered(t, c)
	c.Write(binary.BigEndian.AppendUint32(nil, smallBytes+1))
	c.Write([]byte{0, 3, 0, 3})
	ends(t, c)
	if s.Stats().Garbage.Load() != 1 {
		t.Error("it is not counted")
	}
}

// A client that sends one byte at a time makes progress, but not enough.
func TestSlowlorisIsClosed(t *testing.T) {
	s, dial := serve(t, quick(), Limits{ReadStall: 400 * time.Millisecond})
	c := dial()
	c.Write(binary.BigEndian.AppendUint32(nil, 1000))
	c.Write([]byte{0, 3, 0, 3})
	stop, dripped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(dripped)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				c.Write([]byte{0})
			}
		}
	}()
	took := ends(t, c)
	close(stop)
	<-dripped
	if took > 40*time.Second || s.Stats().Slow.Load() != 1 {
		t.Errorf("after %s; %d counted", took, s.Stats().Slow.Load())
	}
}

func TestHalfOpenConnectionIsClosed(t *testing.T) {
	s, dial := serve(t, quick(), Limits{Idle: 300 * time.Millisecond})
	c := dial()
	answered(t, c)
	ends(t, c)
	if s.Stats().Slow.Load() != 1 {
		t.Error("it is not counted")
	}
}

// from is a connection that seems to come from elsewhere.
type from struct {
	net.Conn
	addr net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.addr }

func TestConnectionsOfOneAddressAreBounded(t *testing.T) {
	s := NewServer(quick(), Limits{PerAddress: 2}, discard)
	ctx, stop := context.WithCancel(context.Background())
	defer func() {
		stop()
		s.Wait()
	}()
	connect := func(ip net.IP) net.Conn {
		client, server := net.Pipe()
		t.Cleanup(func() { client.Close() })
		client.SetDeadline(time.Now().Add(time.Minute))
		s.Start(ctx, from{server, &net.TCPAddr{IP: ip, Port: 1}})
		return client
	}
	one, other := net.IPv4(192, 0, 2, 1), net.IPv4(192, 0, 2, 2)
	first := connect(one)
	answered(t, first)
	answered(t, connect(one))
	ends(t, connect(one))
	answered(t, connect(other))
	for range 5 {
		answered(t, connect(net.IPv4(127, 0, 0, 1)))
	}
	if s.Stats().Refused.Load() != 1 {
		t.Errorf("%d refused", s.Stats().Refused.Load())
	}
	first.Close()
	for deadline := time.Now().Add(time.Minute); s.Open() > 7; {
		if time.Now().After(deadline) {
			t.Fatal("the connection is still counted")
		}
	}
	answered(t, connect(one))
}

// Large requests that stall hold up other large ones, but nobody who only asks or follows.
func TestLargeRequestsDoNotStarveSmallOnes(t *testing.T) {
	_, dial := serve(t, quick(), Limits{RequestBytes: 1 << 20, InflightBytes: 1 << 20, ReadStall: 5 * time.Minute})
	hog := dial()
	hog.Write(binary.BigEndian.AppendUint32(nil, 1<<20))
	hog.Write([]byte{0, 0, 0, 3, 1, 2, 3})
	for range 10 {
		answered(t, dial())
	}
}

func TestMutedClientIsNotRead(t *testing.T) {
	wait := 400 * time.Millisecond
	for ; ; wait *= 4 { // a busy machine needs longer than that by itself
		h := quick()
		var muted atomic.Bool
		h.metadata = func(_ context.Context, r *Request) Response {
			if !muted.Swap(true) {
				r.Client.Mute(wait)
			}
			return kmsg.NewPtrMetadataResponse()
		}
		_, dial := serve(t, h, Limits{})
		c, other := dial(), dial()
		began := time.Now()
		answered(t, c)
		answered(t, other)
		fast := time.Since(began)
		answered(t, c)
		// One request may have been waited for when the client was muted.
		answered(t, c)
		if took := time.Since(began); took < wait {
			t.Fatalf("the muted client was answered after %s of %s", took, wait)
		}
		if fast < wait {
			return
		}
		if wait > 10*time.Second {
			t.Fatalf("another client was answered after %s", fast)
		}
	}
}

func TestHandshakeThatNeverComesIsGivenUp(t *testing.T) {
	a := certtest.New(t)
	cert, key := a.Issue(t, "server")
	source, err := certs.Open(certs.Files{Cert: cert, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(quick(), Limits{Login: 3 * time.Second}, discard)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ctx, tls.NewListener(ln, source.Config())) }()
	defer func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		s.Wait()
	}()
	silent, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	silent.SetDeadline(time.Now().Add(time.Minute))
	ends(t, silent)
	garbage, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer garbage.Close()
	garbage.SetDeadline(time.Now().Add(time.Minute))
	garbage.Write(request(1, kmsg.NewPtrMetadataRequest()))
	ends(t, garbage)
	config, err := certs.Client{CA: a.File}.Config()
	if err != nil {
		t.Fatal(err)
	}
	good, err := tls.Dial("tcp", ln.Addr().String(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer good.Close()
	good.SetDeadline(time.Now().Add(time.Minute))
	answered(t, good)
	tick := time.NewTicker(time.Millisecond) // a connection may have ended a moment before it is counted
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); s.Stats().Handshakes.Load() != 2; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%d handshakes failed", s.Stats().Handshakes.Load())
		}
	}
}
