package wire

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	// pipeBytes bounds what one direction of a pipe holds before its writer waits.
	pipeBytes = 1 << 20
	// lendBytes is the size from which waiting for the reader costs less than a copy.
	lendBytes = 16 << 10
)

// Pipe returns the two ends of an in-process connection. Unlike net.Pipe it buffers, so that a small write does not wait for
// the reader. A large one does, and lends its bytes, which are then copied once.
func Pipe() (client, server net.Conn) {
	up, down := newHalf(), newHalf()
	return &pipeConn{in: down, out: up}, &pipeConn{in: up, out: down}
}

// pipeConn is one end: it reads from in and writes to out.
type pipeConn struct{ in, out *half }

// half is one direction of a pipe: a queue of bytes between one or more writers and readers.
type half struct {
	mu struct {
		sync.Mutex
		buf         []byte
		start       int    // buf[start:] is unread
		lent        []byte // unread bytes of a writer that waits, behind those in buf
		closed      bool
		readBefore  time.Time
		writeBefore time.Time
		readAlarm   *time.Timer
		writeAlarm  *time.Timer
	}
	readable sync.Cond
	writable sync.Cond
}

func newHalf() *half {
	h := &half{}
	h.readable.L = &h.mu.Mutex
	h.writable.L = &h.mu.Mutex
	return h
}

func expired(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

func (h *half) read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.mu.start == len(h.mu.buf) && len(h.mu.lent) == 0 {
		switch {
		case h.mu.closed:
			return 0, io.EOF
		case expired(h.mu.readBefore):
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		}
		h.readable.Wait()
	}
	if h.mu.start == len(h.mu.buf) {
		n := copy(p, h.mu.lent)
		if h.mu.lent = h.mu.lent[n:]; len(h.mu.lent) == 0 {
			h.writable.Broadcast()
		}
		return n, nil
	}
	n := copy(p, h.mu.buf[h.mu.start:])
	h.mu.start += n
	if h.mu.start == len(h.mu.buf) {
		h.mu.buf, h.mu.start = h.mu.buf[:0], 0
		if cap(h.mu.buf) > pipeBytes/4 {
			h.mu.buf = nil // an idle pipe holds little
		}
	}
	h.writable.Signal()
	return n, nil
}

func (h *half) write(p []byte) (n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.mu.closed:
			return n, io.ErrClosedPipe
		case expired(h.mu.writeBefore):
			return n, os.ErrDeadlineExceeded
		}
		if len(h.mu.lent) > 0 { // another writer's
			h.writable.Wait()
			continue
		}
		if len(p) >= lendBytes && h.mu.start == len(h.mu.buf) {
			taken := h.lend(p)
			p, n = p[taken:], n+taken
			if len(p) == 0 {
				return n, nil
			}
			continue // closed or late
		}
		room := pipeBytes - (len(h.mu.buf) - h.mu.start)
		if room > 0 || len(p) == 0 {
			take := min(room, len(p))
			if h.mu.start > 0 && len(h.mu.buf)+take > cap(h.mu.buf) {
				left := copy(h.mu.buf, h.mu.buf[h.mu.start:])
				h.mu.buf, h.mu.start = h.mu.buf[:left], 0
			}
			h.mu.buf = append(h.mu.buf, p[:take]...)
			p, n = p[take:], n+take
			h.readable.Signal()
			if len(p) == 0 {
				return n, nil
			}
			continue
		}
		h.writable.Wait()
	}
}

// lend lets readers copy from p until it is empty, the pipe is closed or the deadline has passed. The lock is held.
func (h *half) lend(p []byte) (taken int) {
	h.mu.lent = p
	h.readable.Signal()
	for len(h.mu.lent) > 0 && !h.mu.closed && !expired(h.mu.writeBefore) {
		h.writable.Wait()
	}
	taken = len(p) - len(h.mu.lent)
	h.mu.lent = nil
	h.writable.Broadcast()
	return taken
}

func (h *half) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.closed = true
	for _, t := range []*time.Timer{h.mu.readAlarm, h.mu.writeAlarm} {
		if t != nil {
			t.Stop()
		}
	}
	h.readable.Broadcast()
	h.writable.Broadcast()
}

func (h *half) setReadDeadline(t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.readBefore = t
	h.mu.readAlarm = rearm(h.mu.readAlarm, t, &h.readable)
}

func (h *half) setWriteDeadline(t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.writeBefore = t
	h.mu.writeAlarm = rearm(h.mu.writeAlarm, t, &h.writable)
}

// rearm makes everyone who waits on c look again at t. The lock is taken before the broadcast, so that a waiter that has just
// looked at the clock is already asleep when the broadcast comes.
func rearm(old *time.Timer, t time.Time, c *sync.Cond) *time.Timer {
	if old != nil {
		old.Stop()
	}
	c.Broadcast()
	if t.IsZero() {
		return nil
	}
	return time.AfterFunc(time.Until(t), func() {
		c.L.Lock()
		defer c.L.Unlock()
		c.Broadcast()
	})
}

func (c *pipeConn) Read(p []byte) (int, error)  { return c.in.read(p) }
func (c *pipeConn) Write(p []byte) (int, error) { return c.out.write(p) }

func (c *pipeConn) Close() error {
	c.in.close()
	c.out.close()
	return nil
}

func (c *pipeConn) SetDeadline(t time.Time) error {
	c.in.setReadDeadline(t)
	c.out.setWriteDeadline(t)
	return nil
}

func (c *pipeConn) SetReadDeadline(t time.Time) error {
	c.in.setReadDeadline(t)
	return nil
}

func (c *pipeConn) SetWriteDeadline(t time.Time) error {
	c.out.setWriteDeadline(t)
	return nil
}

func (c *pipeConn) LocalAddr() net.Addr  { return pipeAddr{} }
func (c *pipeConn) RemoteAddr() net.Addr { return pipeAddr{} }

// pipeAddr is the address of both ends of a pipe.
type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "in-process" }
