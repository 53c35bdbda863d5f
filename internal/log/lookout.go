package log

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"myelin/internal/clock"
)

// lookout finds brokers that hang. The system still takes connections for such a broker, and requests; only answers never come, and
// each request would have to find that out for itself, again and again, as long as nobody says that the broker is gone. Where one
// answers nothing while others do, it is treated as if it were: connections to it are ended, new ones refused, until it answers again.
// Whoever waited for it asks the others then, as after the end of a process.
type lookout struct {
	dial  func(ctx context.Context, network, addr string) (net.Conn, error)
	log   *slog.Logger
	ctx   context.Context
	stop  context.CancelFunc
	group sync.WaitGroup

	mu struct {
		sync.Mutex
		watching, closed bool
		hosts            map[string]*host
	}
}

// host is an address of a broker.
type host struct {
	addr  string
	heard atomic.Int64 // ns; when anything came from it

	// Guarded by lookout.mu.
	conns   map[*watched]struct{}
	asking  bool      // it is being asked whether it is there
	asked   time.Time // when that was answered last
	hanging bool
}

// watched is a connection to a host.
type watched struct {
	net.Conn
	lookout *lookout
	host    *host
	owed    atomic.Int64 // ns; since when something is sent or waited for, and nothing has come; 0: nothing is, or something has
}

const (
	// suspectAfter is how long nothing may come after something was sent before a broker is asked whether it is there: requests that
	// the broker may hold on to for longer are few.
	suspectAfter = time.Second
	lookEvery    = 250 * time.Millisecond
	// hangsAfter many times lookEvery without an answer to that question mean that it is not. They are counted one by one, for a
	// process that was itself stopped, or starved, for a while has missed one of them and not all.
	hangsAfter = 8
	// askAgain is how long after an answer, or none, a broker is asked again.
	askAgain = time.Second
)

func newLookout(dial func(ctx context.Context, network, addr string) (net.Conn, error), log *slog.Logger) *lookout {
	l := &lookout{dial: dial, log: log}
	l.ctx, l.stop = context.WithCancel(context.Background())
	l.mu.hosts = map[string]*host{}
	return l
}

// close ends the watch, not the connections.
func (l *lookout) close() {
	l.mu.Lock()
	l.mu.closed = true
	l.mu.Unlock()
	l.stop()
	l.group.Wait()
}

// connect dials a broker, unless it hangs.
func (l *lookout) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	h := l.host(addr)
	if l.hangs(h) {
		return nil, refused(network, addr)
	}
	conn, err := l.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	w := &watched{Conn: conn, lookout: l, host: h}
	l.mu.Lock()
	hanging := h.hanging
	if !hanging {
		h.conns[w] = struct{}{}
	}
	l.mu.Unlock()
	if hanging {
		return nil, errors.Join(refused(network, addr), conn.Close())
	}
	return w, nil
}

// refused is what the end of the broker's process would have been answered with.
func refused(network, addr string) error {
	return &net.OpError{Op: "dial", Net: network, Err: fmt.Errorf("broker %s hangs: %w", addr, os.NewSyscallError("connect", syscall.ECONNREFUSED))}
}

// host returns the host with an address. The first call begins the watch.
func (l *lookout) host(addr string) *host {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.mu.hosts[addr]
	if h == nil {
		h = &host{addr: addr, conns: map[*watched]struct{}{}}
		l.mu.hosts[addr] = h
	}
	if !l.mu.watching && !l.mu.closed {
		l.mu.watching = true
		l.group.Go(l.watch)
	}
	return h
}

func (l *lookout) hangs(h *host) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return h.hanging
}

// watch asks hosts of which nothing comes whether they are there.
func (l *lookout) watch() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-l.ctx.Done():
			return
		}
		for _, h := range l.suspects(time.Now()) {
			l.group.Go(func() { l.look(h) })
		}
	}
}

// suspects are the hosts that owe an answer, and are asked for nothing else yet.
func (l *lookout) suspects(now time.Time) []*host {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.closed {
		return nil
	}
	var out []*host
	for _, h := range l.mu.hosts {
		if h.asking || now.Sub(h.asked) < askAgain || now.UnixNano()-h.heard.Load() < int64(suspectAfter) {
			continue
		}
		for c := range h.conns {
			if owed := c.owed.Load(); owed > 0 && now.UnixNano()-owed >= int64(suspectAfter) {
				h.asking = true
				out = append(out, h)
				break
			}
		}
	}
	return out
}

// look finds out whether a host hangs, and if so, treats it as gone until it answers.
func (l *lookout) look(h *host) {
	began := time.Now()
	gone := !l.answers(h.addr) && l.othersAnswer(h) && h.heard.Load() < began.UnixNano() // heard last: something may have come meanwhile
	if gone && l.ctx.Err() == nil {
		ended := l.lose(h)
		l.log.Warn("a broker hangs; it is treated as gone until it answers", "broker", h.addr, "connections", ended)
		for l.ctx.Err() == nil && !l.answers(h.addr) {
			_ = clock.Pause(l.ctx, askAgain)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if h.hanging && l.ctx.Err() == nil {
		l.log.Info("a broker that hung answers again", "broker", h.addr, "after", time.Since(began))
	}
	h.asking, h.asked, h.hanging = false, time.Now(), false
}

// lose ends all connections to a host and has new ones refused.
func (l *lookout) lose(h *host) int {
	l.mu.Lock()
	h.hanging = true
	conns := make([]*watched, 0, len(h.conns))
	for c := range h.conns {
		conns = append(conns, c)
	}
	l.mu.Unlock()
	for _, c := range conns {
		_ = c.Close() // its user sees that it has ended
	}
	return len(conns)
}

// othersAnswer reports whether another host that is connected to answers: if none does, it is our network, or the cluster as a whole.
func (l *lookout) othersAnswer(than *host) bool {
	l.mu.Lock()
	var others []string
	for _, h := range l.mu.hosts {
		if h != than && !h.hanging && len(h.conns) > 0 {
			others = append(others, h.addr)
		}
	}
	l.mu.Unlock()
	return slices.ContainsFunc(others, l.replies)
}

// answers reports whether a host may be there: it answers, or refuses, which hangs nobody.
func (l *lookout) answers(addr string) bool {
	err, in := l.ask(addr)
	return in && !timedOut(err)
}

// replies reports whether a host surely is there.
func (l *lookout) replies(addr string) bool {
	err, in := l.ask(addr)
	return in && err == nil
}

// ask sends a host a question that brokers answer at once, before anything else on a connection. in tells that there was an outcome in
// time.
func (l *lookout) ask(addr string) (err error, in bool) {
	ctx, cancel := context.WithCancel(l.ctx)
	done := make(chan error, 1)
	go func() { done <- l.askFor(ctx, addr) }()
	tick := time.NewTimer(lookEvery)
	defer tick.Stop()
	for range hangsAfter {
		tick.Reset(lookEvery)
		select {
		case err := <-done:
			cancel()
			return err, true
		case <-tick.C:
		}
	}
	cancel()
	<-done
	return nil, false
}

func (l *lookout) askFor(ctx context.Context, addr string) error {
	conn, err := l.dial(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if _, err := conn.Write(apiVersions); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 4))
	return err
}

// timedOut reports whether an error is that of a connection that did not come about in time.
func timedOut(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

// apiVersions is an ApiVersions request of version 0, which every broker answers to everyone.
var apiVersions = func() []byte {
	const client = "myelin"
	b := binary.BigEndian.AppendUint32(nil, 2+2+4+2+uint32(len(client)))
	b = binary.BigEndian.AppendUint16(b, 18)
	b = binary.BigEndian.AppendUint16(b, 0)
	b = binary.BigEndian.AppendUint32(b, 1)
	b = binary.BigEndian.AppendUint16(b, uint16(len(client)))
	return append(b, client...)
}()

func (w *watched) Write(p []byte) (int, error) {
	w.owed.CompareAndSwap(0, time.Now().UnixNano())
	return w.Conn.Write(p)
}

// Read is called only for an answer that is owed: what came before may have been the answer to one of several requests.
func (w *watched) Read(p []byte) (int, error) {
	w.owed.CompareAndSwap(0, time.Now().UnixNano())
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.owed.Store(0)
		w.host.heard.Store(time.Now().UnixNano())
	}
	return n, err
}

func (w *watched) Close() error {
	w.lookout.mu.Lock()
	delete(w.host.conns, w)
	w.lookout.mu.Unlock()
	return w.Conn.Close()
}
