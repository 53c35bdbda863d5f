package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// steadily is a server that answers at once, and a client of it that has become steady; corr is the number of the last answer.
func steadily(t *testing.T, l Limits) (s *Server, c net.Conn, corr int32) {
	t.Helper()
	if runtime.GOMAXPROCS(0) < 2 {
		procs(t, 2)
	}
	h := &script{
		produce:  func(r *Request, reply func(Response, error)) { reply(r.Msg.ResponseKind(), nil) },
		metadata: func(_ context.Context, r *Request) Response { return r.Msg.ResponseKind() },
	}
	s = NewServer(h, l, discard)
	s.spent = func() time.Duration { return 0 } // the tests are no part of the process
	c = serveOn(t, s)()
	return s, c, sendSteadily(t, s, c, 0)
}

// sendSteadily sends small produce requests, one after the other, until the client is steady once more.
func sendSteadily(t *testing.T, s *Server, c net.Conn, corr int32) int32 {
	t.Helper()
	before := s.Stats().Steady.Load()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); {
		corr++
		ask(t, c, corr, kmsg.NewPtrProduceRequest())
		if s.Stats().Steady.Load() > before {
			corr++
			ask(t, c, corr, kmsg.NewPtrProduceRequest())
			return corr
		}
	}
	t.Fatal("the client does not become steady")
	return 0
}

func ask(t *testing.T, c net.Conn, corr int32, msg kmsg.Request) {
	t.Helper()
	if _, err := c.Write(request(corr, msg)); err != nil {
		t.Fatal(err)
	}
	if got := answer(t, c); got != corr {
		t.Fatalf("answer %d to request %d", got, corr)
	}
}

// silence lets so much time pass in which the server says nothing.
func silence(t *testing.T, c net.Conn, d time.Duration) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(d))
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d bytes with %v", n, err)
	}
	c.SetReadDeadline(time.Now().Add(time.Minute))
}

func TestSteadyClientIsServedWhateverItDoesNext(t *testing.T) {
	s, c, corr := steadily(t, Limits{})
	for range 3 {
		corr++
		ask(t, c, corr, kmsg.NewPtrMetadataRequest()) // for the worker
		corr = sendSteadily(t, s, c, corr)
		silence(t, c, 3*steadyWaits*steadyWait) // it goes back into the runtime's poller, if the machine is not too busy
		ask(t, c, corr+1, kmsg.NewPtrProduceRequest())
		ask(t, c, corr+2, kmsg.NewPtrMetadataRequest()) // after this it has in any case
		corr = sendSteadily(t, s, c, corr+2)
		big := kmsg.NewPtrProduceRequest()
		big.Topics = []kmsg.ProduceRequestTopic{{Topic: "t", Partitions: []kmsg.ProduceRequestTopicPartition{{Records: make([]byte, 100<<10)}}}}
		corr++
		ask(t, c, corr, big)
		corr = sendSteadily(t, s, c, corr)
		var many []byte // at once, more than fits into the reader's buffer
		for range 200 {
			corr++
			many = append(many, request(corr, kmsg.NewPtrProduceRequest())...)
		}
		if _, err := c.Write(many); err != nil {
			t.Fatal(err)
		}
		for want := corr - 199; want <= corr; want++ {
			if got := answer(t, c); got != want {
				t.Fatalf("answer %d instead of %d", got, want)
			}
		}
	}
}

func TestAnotherClientEndsSteadiness(t *testing.T) {
	s, c, corr := steadily(t, Limits{})
	other, err := net.Dial("tcp", c.RemoteAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for _, busy := range []kmsg.Request{kmsg.NewPtrProduceRequest(), kmsg.NewPtrMetadataRequest()} {
		ask(t, other, 0, busy)
		before := s.Stats().Steady.Load()
		for i := range int32(10 * steadyAfter) {
			corr++
			ask(t, c, corr, kmsg.NewPtrProduceRequest())
			ask(t, other, i, busy)
		}
		if n := s.Stats().Steady.Load() - before; n != 0 {
			t.Errorf("%d times steady although another client was busy with %T", n, busy)
		}
		corr = sendSteadily(t, s, c, corr)
	}
}

func TestOnlyOneClientIsSteadyAtATime(t *testing.T) {
	procs(t, 2)
	s := NewServer(&script{}, Limits{}, discard)
	made := func() *steadyConn {
		_, nc := tcpPair(t)
		return mayBeSteady(nc, s).(*steadyConn)
	}
	a, b := made(), made()
	is := func(wantA, wantB bool) {
		t.Helper()
		if gotA, gotB := a.tcp == nil, b.tcp == nil; gotA != wantA || gotB != wantB {
			t.Fatalf("steady: %v and %v instead of %v and %v", gotA, gotB, wantA, wantB)
		}
	}
	a.steady()
	b.steady()
	is(true, false)
	a.unsteady()
	b.steady()
	is(false, true)
	must(t, b.Close())
	must(t, b.Close()) // the file descriptor may be another's by now
	a.steady()
	is(true, true)
	b.steady() // it is closed
	must(t, a.SetReadDeadline(time.Time{}))
	if _, steady, err := a.readSteady(make([]byte, 1)); !steady || err != nil {
		t.Errorf("read %v without a deadline", err)
	}
	must(t, a.Close())
	if s.steady.Load() {
		t.Error("nobody can become steady any more")
	}
}

func TestClientIsSteadyOnlyWhileTheProcessIsCalm(t *testing.T) {
	busy := new(atomic.Bool)
	s := NewServer(&script{
		produce: func(r *Request, reply func(Response, error)) { reply(r.Msg.ResponseKind(), nil) },
	}, Limits{}, discard)
	total := time.Duration(0)
	s.spent = func() time.Duration { // called by one reader
		if busy.Load() {
			total += time.Hour // of however many processors
		}
		return total
	}
	procs(t, 2)
	ours, theirs := tcpPair(t)
	ctx, stop := context.WithCancel(context.Background())
	s.Start(ctx, theirs)
	defer s.Wait()
	defer stop()
	corr := int32(0)
	until := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !done(); {
			if time.Now().After(deadline) {
				t.Fatal("the client does not become " + what)
			}
			corr++
			ask(t, ours, corr, kmsg.NewPtrProduceRequest())
		}
	}
	until("steady", s.steady.Load)
	busy.Store(true)
	until("unsteady", func() bool { return !s.steady.Load() })
	before := s.stats.Steady.Load()
	for range 500 {
		corr++
		ask(t, ours, corr, kmsg.NewPtrProduceRequest())
	}
	if s.stats.Steady.Load() != before {
		t.Error("the client became steady")
	}
	busy.Store(false)
	until("steady again", s.steady.Load)
}

// tcpPair is a connection.
func tcpPair(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	ours, err = net.Dial("tcp", ln.Addr().String())
	must(t, err)
	t.Cleanup(func() { ours.Close() })
	theirs, err = ln.Accept()
	must(t, err)
	t.Cleanup(func() { theirs.Close() })
	return ours, theirs
}

func TestNobodyIsSteadyOnOneProcessor(t *testing.T) {
	s, c, corr := steadily(t, Limits{})
	procs(t, 1) // as when a container is given less
	ask(t, c, corr+1, kmsg.NewPtrMetadataRequest())
	before := s.Stats().Steady.Load()
	for i := range int32(3 * steadyAfter) {
		ask(t, c, corr+2+i, kmsg.NewPtrProduceRequest())
	}
	if n := s.Stats().Steady.Load() - before; n != 0 {
		t.Errorf("%d times steady", n)
	}
}

// procs sets how many processors there are for the test.
func procs(t *testing.T, n int) {
	before := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSteadyClientThatLeaves(t *testing.T) {
	s, c, _ := steadily(t, Limits{})
	c.Close()
	deadline := time.Now().Add(time.Minute)
	for s.Open() > 0 {
		if time.Now().After(deadline) {
			t.Fatal("the connection stays open")
		}
		runtime.Gosched()
	}
}

func TestSteadyClientThatStopsInTheMiddle(t *testing.T) {
	s, c, corr := steadily(t, Limits{ReadStall: 50 * time.Millisecond})
	if _, err := c.Write(request(corr+1, kmsg.NewPtrProduceRequest())[:12]); err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, c); n != 0 || err != nil {
		t.Errorf("read %d bytes with %v instead of the end", n, err)
	}
	if n := s.Stats().Slow.Load(); n != 1 {
		t.Errorf("%d slow clients", n)
	}
}

// TestSteadyClientOfAServerThatStops leaves it to the end of the test to stop the server.
func TestSteadyClientOfAServerThatStops(t *testing.T) {
	steadily(t, Limits{})
}
