package wire

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// steadyAfter is how many small produce requests in a row, none of another connection between them, make a client steady.
	steadyAfter = 32
	// steadyWait is how long the next request of a steady client is waited for at a time, steadyWaits how often. Go takes the
	// processor from who stays in a system call for 10 ms.
	steadyWait  = 8 * time.Millisecond
	steadyWaits = 3
	// yieldEvery is how often the reader passes through the scheduler: who has run for 10 ms without is preempted.
	yieldEvery = 8 * time.Millisecond
	// looksEvery is for how long at least the process must have been calm for a client to become steady, and how often that is
	// looked at again.
	looksEvery = 16 * time.Millisecond
	// calmShare is the most of one processor, as 1/calmShare, that a calm process uses.
	calmShare = 3
)

// steadyConn is a TCP connection that leaves the runtime's poller while its client is the only one that is busy: its next
// request is then waited for in a system call that blocks. Otherwise Go parks the goroutine and gives its processor back; at a
// thousand requests a second the threads that this wakes, and the runtime's monitor, which goes to sleep and is woken each
// time, cost half as much as the requests with their fdatasync. Who is in a system call keeps the processor as long as nobody
// else wants it.
//
// That holds only while another processor is idle and its thread looks at the poller. If all others compute, nobody does until
// the runtime's monitor comes by, after up to 10 ms, which whoever else sends a request would wait for. So there are steady
// clients only while the process is calm.
//
// Only the reader calls Read and another. All who use the socket hold the lock to read; who moves or closes it holds it to
// write.
type steadyConn struct {
	remote, local net.Addr
	row           int       // small requests in a row
	yielded       time.Time // the reader, to the scheduler
	calm          calm
	stall         time.Duration
	spent         func() time.Duration // CPU time of the process so far
	one           *atomic.Bool         // taken by the one client of the server that is steady
	made          *atomic.Int64        // counts how often a client became steady
	deadline      atomic.Int64         // for reading, unix nanoseconds; 0 for none

	mu     sync.RWMutex
	tcp    *net.TCPConn // nil while it is steady
	fd     int          // while it is steady
	closed bool
}

// mayBeSteady returns a connection of s, as a steadyConn if it can be one.
func mayBeSteady(nc net.Conn, s *Server) net.Conn {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nc
	}
	return &steadyConn{
		tcp: tcp, remote: tcp.RemoteAddr(), local: tcp.LocalAddr(),
		stall: s.limits.WriteStall, spent: s.spent, one: &s.steady, made: &s.stats.Steady,
	}
}

// another notes a request. Small produce requests in a row, with nobody else about, make the client steady; any other request
// ends that, as its answer may be large.
func (s *steadyConn) another(small bool) {
	switch {
	case !small:
		s.row = 0
		s.unsteady()
	case s.row < steadyAfter-1:
		if s.row++; s.row == steadyAfter/2 {
			s.calm.begin(s.spent())
		}
	case s.row == steadyAfter-1:
		if is, known := s.calm.look(s.spent); is {
			s.steady()
		} else if known {
			s.row = 0
		}
	default:
		if is, known := s.calm.look(s.spent); known && !is {
			s.row = 0
			s.unsteady()
		}
	}
}

// calm tells whether the process computes little.
type calm struct {
	since time.Time
	spent time.Duration // CPU time at since
}

func (c *calm) begin(spent time.Duration) { c.since, c.spent = time.Now(), spent }

// look is known each time that looksEvery has passed.
func (c *calm) look(spent func() time.Duration) (is, known bool) {
	now := time.Now()
	past := now.Sub(c.since)
	if past < looksEvery {
		return false, false
	}
	cpu := spent()
	is = (cpu-c.spent)*calmShare < past
	c.since, c.spent = now, cpu
	return is, true
}

// spent is the CPU time of this process.
func spent() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// steady takes the socket out of the runtime's poller, which only closing does: a duplicate keeps the connection. Only one
// client of the server is steady at a time: clients that send in bursts, one after the other, would otherwise all wait in
// system calls at once, each with a thread and, until the runtime's monitor comes by, with a processor.
func (s *steadyConn) steady() {
	s.row = 0
	if runtime.GOMAXPROCS(0) < 2 { // somebody else must be able to run
		return
	}
	if !s.one.CompareAndSwap(false, true) {
		return
	}
	defer func() {
		if s.row != steadyAfter {
			s.one.Store(false)
		}
	}()
	if !s.mu.TryLock() { // an answer is being written
		return
	}
	defer s.mu.Unlock()
	if s.tcp == nil || s.closed {
		return
	}
	raw, err := s.tcp.SyscallConn()
	if err != nil {
		return
	}
	fd, dupErr := -1, error(nil)
	if err := raw.Control(func(own uintptr) { fd, dupErr = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) }); err != nil || dupErr != nil {
		return
	}
	if setBlocking(fd, true, s.stall) != nil {
		_ = setBlocking(fd, false, 0)
		_ = unix.Close(fd)
		return
	}
	_ = s.tcp.Close() // the duplicate is what counts
	s.tcp, s.fd, s.row = nil, fd, steadyAfter
	s.made.Add(1)
}

// setBlocking lets system calls on a socket wait, for a while, or not.
func setBlocking(fd int, blocking bool, stall time.Duration) error {
	var read, write unix.Timeval
	if blocking {
		read, write = unix.NsecToTimeval(steadyWait.Nanoseconds()), unix.NsecToTimeval(stall.Nanoseconds())
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &read); err != nil {
		return err
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &write); err != nil {
		return err
	}
	return unix.SetNonblock(fd, !blocking)
}

// unsteady gives the socket back to the runtime's poller.
func (s *steadyConn) unsteady() {
	s.mu.RLock()
	idle := s.tcp != nil || s.closed
	s.mu.RUnlock()
	if idle {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.row = 0
	s.one.Store(false)
	err := setBlocking(s.fd, false, 0)
	f := os.NewFile(uintptr(s.fd), "Kafka connection")
	var nc net.Conn
	if err == nil {
		nc, err = net.FileConn(f)
	}
	_ = f.Close() // nc is a duplicate
	if err != nil {
		s.closed = true // out of file descriptors, most likely
		return
	}
	s.tcp = nc.(*net.TCPConn)
	if ns := s.deadline.Load(); ns != 0 {
		_ = s.tcp.SetReadDeadline(time.Unix(0, ns)) // Read tells
	}
}

// Read implements net.Conn.
func (s *steadyConn) Read(b []byte) (int, error) {
	if now := time.Now(); s.row == steadyAfter && now.Sub(s.yielded) > yieldEvery {
		s.yielded = now
		runtime.Gosched()
	}
	for range steadyWaits {
		n, steady, err := s.readSteady(b)
		if n > 0 || err != nil {
			return n, err
		}
		if !steady {
			break
		}
	}
	s.unsteady()
	s.mu.RLock()
	tcp := s.tcp
	s.mu.RUnlock()
	if tcp == nil {
		return 0, net.ErrClosed
	}
	return tcp.Read(b)
}

// readSteady reads if the connection is steady, and comes back with nothing if nothing is there for a while.
func (s *steadyConn) readSteady(b []byte) (n int, steady bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.tcp != nil || s.closed {
		return 0, false, nil
	}
	if ns := s.deadline.Load(); ns != 0 && time.Now().UnixNano() > ns {
		return 0, true, os.ErrDeadlineExceeded
	}
	n, err = unix.Read(s.fd, b)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return 0, true, nil
	case err != nil:
		return 0, true, fmt.Errorf("reading from a connection: %w", err)
	case n == 0 && len(b) > 0:
		return 0, true, io.EOF
	}
	return n, true, nil
}

// Write implements net.Conn.
func (s *steadyConn) Write(b []byte) (n int, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch {
	case s.tcp != nil:
		return s.tcp.Write(b)
	case s.closed:
		return 0, net.ErrClosed
	}
	for n < len(b) {
		m, err := unix.Write(s.fd, b[n:])
		switch {
		case err == unix.EAGAIN:
			return n, os.ErrDeadlineExceeded
		case err == unix.EINTR:
		case err != nil:
			return n, fmt.Errorf("writing to a connection: %w", err)
		default:
			n += m
		}
	}
	return n, nil
}

// writePieces writes pieces without copying them together, if it can.
func (s *steadyConn) writePieces(pieces net.Buffers) error {
	s.mu.RLock()
	tcp := s.tcp
	defer s.mu.RUnlock()
	if tcp != nil {
		_, err := pieces.WriteTo(tcp)
		return err
	}
	return net.ErrClosed // only small answers go out while it is steady
}

// Close implements net.Conn.
func (s *steadyConn) Close() error {
	s.mu.RLock()
	if s.tcp == nil && !s.closed {
		_ = unix.Shutdown(s.fd, unix.SHUT_RDWR) // wakes who reads
	}
	s.mu.RUnlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.tcp != nil {
		return s.tcp.Close()
	}
	s.one.Store(false)
	return unix.Close(s.fd)
}

// SetReadDeadline implements net.Conn.
func (s *steadyConn) SetReadDeadline(t time.Time) error {
	ns := int64(0)
	if !t.IsZero() {
		ns = t.UnixNano()
	}
	s.deadline.Store(ns)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.tcp != nil {
		return s.tcp.SetReadDeadline(t)
	}
	return nil // a steady read is short, and looks
}

// SetWriteDeadline implements net.Conn. What is written to a steady connection may stall for as long as was said at first.
func (s *steadyConn) SetWriteDeadline(t time.Time) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.tcp != nil {
		return s.tcp.SetWriteDeadline(t)
	}
	return nil
}

// SetDeadline implements net.Conn.
func (s *steadyConn) SetDeadline(t time.Time) error {
	if err := s.SetReadDeadline(t); err != nil {
		return err
	}
	return s.SetWriteDeadline(t)
}

// LocalAddr implements net.Conn.
func (s *steadyConn) LocalAddr() net.Addr { return s.local }

// RemoteAddr implements net.Conn.
func (s *steadyConn) RemoteAddr() net.Addr { return s.remote }
