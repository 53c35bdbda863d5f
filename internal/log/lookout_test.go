package log

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"myelin/internal/clock"
)

// hosts are brokers that answer each request with four bytes, or nothing while they hang.
type hosts struct {
	mu      sync.Mutex
	hanging map[string]bool
	dialled []string
	served  sync.WaitGroup
}

func (h *hosts) hang(addr string, yes bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hanging[addr] = yes
}

func (h *hosts) hangs(addr string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hanging[addr]
}

// dial connects also to those that hang, as the system does for a process that is stopped.
func (h *hosts) dial(_ context.Context, _, addr string) (net.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dialled = append(h.dialled, addr)
	near, far := net.Pipe()
	h.served.Go(func() {
		defer far.Close()
		for buf := make([]byte, 100); ; {
			if _, err := far.Read(buf); err != nil {
				return
			}
			if h.hangs(addr) {
				continue
			}
			if _, err := far.Write([]byte("here")); err != nil {
				return
			}
		}
	})
	return near, nil
}

// lookedAt runs f with connections to two brokers, in time of its own.
func lookedAt(t *testing.T, f func(t *testing.T, h *hosts, l *lookout, one, two net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		h := &hosts{hanging: map[string]bool{}}
		l := newLookout(h.dial, slog.New(slog.DiscardHandler))
		var conns []net.Conn
		for _, addr := range []string{"one:9092", "two:9092"} {
			conn, err := l.connect(t.Context(), "tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, conn)
		}
		f(t, h, l, conns[0], conns[1])
		for _, c := range conns {
			_ = c.Close()
		}
		l.close()
		h.served.Wait()
	})
}

// after asks a broker and tells how long it took until something came, an answer or the end of the connection.
func after(t *testing.T, conn net.Conn) (time.Duration, error) {
	t.Helper()
	began := time.Now()
	if _, err := conn.Write([]byte("question")); err != nil {
		t.Fatal(err)
	}
	_, err := conn.Read(make([]byte, 4))
	return time.Since(began), err
}

func TestABrokerThatHangsIsTreatedAsGone(t *testing.T) {
	lookedAt(t, func(t *testing.T, h *hosts, l *lookout, one, two net.Conn) {
		if _, err := after(t, two); err != nil {
			t.Fatal(err)
		}
		h.hang("one:9092", true)
		took, err := after(t, one)
		if err == nil || took > 4*time.Second {
			t.Fatalf("the connection ended after %s: %v", took, err)
		}
		_, err = l.connect(t.Context(), "tcp", "one:9092")
		var dial *net.OpError
		if !errors.Is(err, syscall.ECONNREFUSED) || !errors.As(err, &dial) || dial.Op != "dial" {
			t.Fatalf("a new connection: %v", err)
		}
		if _, err := after(t, two); err != nil {
			t.Fatalf("the other broker: %v", err)
		}
		h.hang("one:9092", false)
		_ = clock.Pause(t.Context(), 5*time.Second)
		again, err := l.connect(t.Context(), "tcp", "one:9092")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := after(t, again); err != nil {
			t.Fatal(err)
		}
		_ = again.Close()
	})
}

// hold is a connection whose request is held for long, as that of a member who waits for the others.
func hold(t *testing.T, l *lookout) *watched {
	silent, far := net.Pipe()
	t.Cleanup(func() { _ = far.Close() })
	held := &watched{Conn: silent, lookout: l, host: l.host("one:9092")}
	l.mu.Lock()
	held.host.conns[held] = struct{}{}
	l.mu.Unlock()
	go func() { _, _ = far.Read(make([]byte, 100)) }()
	if _, err := held.Write([]byte("question")); err != nil {
		t.Fatal(err)
	}
	return held
}

func TestABrokerThatHoldsARequestIsThere(t *testing.T) {
	lookedAt(t, func(t *testing.T, h *hosts, l *lookout, one, two net.Conn) {
		held := hold(t, l)
		_ = clock.Pause(t.Context(), time.Minute)
		if l.hangs(held.host) {
			t.Fatal("a broker that answers others is treated as gone")
		}
		if _, err := after(t, one); err != nil {
			t.Fatal(err)
		}
		_ = held.Close()
	})
}

func TestABrokerThatHangsBetweenTwoAnswersIsNoticed(t *testing.T) {
	lookedAt(t, func(t *testing.T, h *hosts, l *lookout, one, two net.Conn) {
		near, far := net.Pipe()
		defer far.Close()
		half := &watched{Conn: near, lookout: l, host: l.host("one:9092")}
		l.mu.Lock()
		half.host.conns[half] = struct{}{}
		l.mu.Unlock()
		go func() { // takes two requests, and answers one
			buf := make([]byte, 100)
			_, _ = far.Read(buf)
			_, _ = far.Read(buf)
			h.hang("one:9092", true)
			_, _ = far.Write([]byte("here"))
		}()
		for range 2 {
			if _, err := half.Write([]byte("question")); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := half.Read(make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err := half.Read(make([]byte, 4))
		if took := time.Since(began); err == nil || took > 4*time.Second {
			t.Fatalf("the connection ended after %s: %v", took, err)
		}
	})
}

func TestABrokerThatIsHeardOfIsNotAsked(t *testing.T) {
	lookedAt(t, func(t *testing.T, h *hosts, l *lookout, one, two net.Conn) {
		held := hold(t, l)
		for range 100 {
			if _, err := after(t, one); err != nil {
				t.Fatal(err)
			}
			_ = clock.Pause(t.Context(), suspectAfter/2)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(h.dialled) != 2 {
			t.Fatalf("dialled %v", h.dialled)
		}
		_ = held.Close()
	})
}

func TestNoBrokerHangsWhereNoneAnswers(t *testing.T) {
	lookedAt(t, func(t *testing.T, h *hosts, l *lookout, one, two net.Conn) {
		h.hang("one:9092", true)
		h.hang("two:9092", true)
		for _, c := range []net.Conn{one, two} {
			if _, err := c.Write([]byte("question")); err != nil {
				t.Fatal(err)
			}
		}
		_ = clock.Pause(t.Context(), time.Minute)
		if l.hangs(l.host("one:9092")) || l.hangs(l.host("two:9092")) {
			t.Fatal("brokers are treated as gone though it may be the network")
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if n := len(h.dialled); n > 200 {
			t.Fatalf("asked %d times within a minute", n)
		}
		if !slices.Contains(h.dialled[2:], "one:9092") {
			t.Fatal("nobody asked")
		}
	})
}

func TestNothingIsAskedWhereAllIsAnswered(t *testing.T) {
	lookedAt(t, func(t *testing.T, h *hosts, l *lookout, one, two net.Conn) {
		for range 100 {
			if _, err := after(t, one); err != nil {
				t.Fatal(err)
			}
			_ = clock.Pause(t.Context(), time.Second)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(h.dialled) != 2 {
			t.Fatalf("dialled %v", h.dialled)
		}
	})
}
