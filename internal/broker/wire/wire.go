// Package wire speaks Kafka's framing: it reads requests off a connection ahead of the work, hands them to a Handler in
// order, and writes the answers in the same order. It holds the caps that keep garbage, slow and greedy clients harmless.
//
// A connection has a reader goroutine, a worker goroutine and, once it produces, a writer goroutine. Produce requests are
// pipelined: the worker starts the next one while the answer of the former waits for the disk. Every other request waits
// until all earlier answers are written, as on a Kafka broker. Small produce requests to an idle connection stay with the
// reader, which spares them the hand-overs; and while one client sends nothing else and is the only one, its reader waits in
// the kernel instead of in Go's poller.
package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/semaphore"
)

// Client is one connection as the handlers see it.
type Client struct {
	ID     int64
	Remote net.Addr
	Local  net.Addr
	// InProcess is set for a connection that did not come over a socket.
	InProcess bool
	// Software is what the client named in ApiVersions, for the operator.
	Software string
	// TLS is what the handshake told; nil: the connection is not encrypted.
	TLS *tls.ConnectionState
	// State is what the handler keeps with the connection; only Greet and Handle touch it.
	State any

	known     atomic.Bool
	mutedTill atomic.Pointer[time.Time] // with its monotonic reading: a step of the machine's clock makes it neither longer nor shorter; nil: never
}

// Welcome says that the client is known: from now on it may send large requests and take its time.
func (c *Client) Welcome() { c.known.Store(true) }

// Mute lets nothing more be read from the client for so long (KIP-219). What was read already is worked on.
func (c *Client) Mute(d time.Duration) {
	till := time.Now().Add(d)
	for {
		old := c.mutedTill.Load()
		if old != nil && !old.Before(till) || c.mutedTill.CompareAndSwap(old, &till) {
			return
		}
	}
}

// Host is the client's address as group descriptions show it.
func (c *Client) Host() string {
	if host, _, err := net.SplitHostPort(c.Remote.String()); err == nil {
		return "/" + host
	}
	return "/" + c.Remote.String()
}

// Request is one decoded request. Msg may alias the body, which belongs to the handler from here on, but see Handler.Handle.
type Request struct {
	Client   *Client
	ClientID string
	Msg      kmsg.Request
	Version  int16
	At       time.Time
}

// Response is what goes back. Every kmsg.Response is one.
type Response interface {
	Key() int16
	IsFlexible() bool
	AppendTo(dst []byte) []byte
}

// Pieces is a Response that is written without being copied together. AppendPieces appends the response after head to dst;
// its first piece starts with head. Release is called once the pieces are written or given up.
type Pieces interface {
	AppendPieces(dst [][]byte, head []byte) [][]byte
	Release()
}

// Handler does the work of the requests.
type Handler interface {
	// Limit is the largest request body taken for an API key at a version, and 0 for one that is not served.
	Limit(key, version int16) int
	// Handle calls reply exactly once: with the answer, with nil when the request has none, and with an error when the
	// connection is to be closed after that. It may return before it replies only if Pipelined(key); once such a request is answered without an error its
	// body is used again.
	Handle(ctx context.Context, r *Request, reply func(Response, error))
	// Pipelined reports whether requests of the key may be started before earlier ones are answered.
	Pipelined(key int16) bool
}

// Greeter is a Handler that wants to know its clients.
type Greeter interface {
	// Greet is called once per connection, before its first request. Until the client is made Welcome, it may send requests of
	// at most 64 KiB and has Limits.Login to do better.
	Greet(c *Client)
}

// ErrGone is the error of a request whose client or broker went away while it waited. It is not worth a line in the log.
var ErrGone = errors.New("connection ended while a request waited")

// Limits bound what clients can make the server hold. Zero fields take the defaults.
type Limits struct {
	Connections     int           // 10,000
	PerAddress      int           // 2,000 connections of one address; those of this machine are not counted by address
	RequestBytes    int           // 100 MiB, of any one request
	InflightBytes   int64         // 256 MiB, of all requests that are being read or worked on; small ones have another 64 MiB
	ConnectionBytes int64         // 128 MiB, of the requests of one connection
	PipelinedPerCon int           // 64 unanswered produce requests per connection
	Idle            time.Duration // 10 minutes without a request
	Login           time.Duration // 30 s until the TLS handshake is done, and as long again until the client is known
	ReadStall       time.Duration // 30 s without progress inside a request, and for each 2 MiB of it
	WriteStall      time.Duration // 30 s without progress inside a response
}

func (l Limits) withDefaults() Limits {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	dur := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&l.Connections, 10_000)
	def(&l.PerAddress, 2_000)
	def(&l.RequestBytes, 100<<20)
	def(&l.PipelinedPerCon, 64)
	if l.InflightBytes <= 0 {
		l.InflightBytes = 256 << 20
	}
	l.InflightBytes = max(l.InflightBytes, int64(l.RequestBytes))
	if l.ConnectionBytes <= 0 {
		l.ConnectionBytes = 128 << 20
	}
	l.ConnectionBytes = max(l.ConnectionBytes, int64(l.RequestBytes))
	dur(&l.Login, 30*time.Second)
	dur(&l.Idle, 10*time.Minute)
	dur(&l.ReadStall, 30*time.Second)
	dur(&l.WriteStall, 30*time.Second)
	return l
}

// Server serves connections until its context ends. It is safe for use by many goroutines.
type Server struct {
	// Timed hears how long requests took, from when they were read until they were answered; nil: nobody does. It is set before
	// Serve and Start.
	Timed func(key int16, took time.Duration)

	limits  Limits
	handler Handler
	log     *slog.Logger
	budget  *semaphore.Weighted
	small   *semaphore.Weighted // for requests of up to smallBytes, so that large ones cannot hold up the others
	nextID  atomic.Int64
	latest  atomic.Int64         // the connection of the last request
	steady  atomic.Bool          // a client is
	spent   func() time.Duration // CPU time of the process
	open    atomic.Int64
	stats   Stats
	conns   sync.WaitGroup
	mu      struct {
		sync.Mutex
		byAddress map[string]int // connections of addresses beyond this machine
	}
}

const (
	smallBytes  = 64 << 10
	smallBudget = 64 << 20
)

// Stats count what the server has seen.
type Stats struct {
	Requests, BytesIn, BytesOut, Refused, Garbage, Panics atomic.Int64
	// Slow counts connections that were closed because they made no progress, Handshakes those that failed at TLS.
	Slow, Handshakes atomic.Int64
	// Steady counts how often a client became the only busy one and was waited for in a system call.
	Steady atomic.Int64
	// Held is the bytes of requests that are being read or worked on now.
	Held atomic.Int64

	byKey [128]atomic.Int64
}

// ByKey counts the requests of an API key.
func (s *Stats) ByKey(key int16) *atomic.Int64 { return &s.byKey[uint16(key)%uint16(len(s.byKey))] }

// NewServer returns a server that hands requests to h.
func NewServer(h Handler, l Limits, log *slog.Logger) *Server {
	l = l.withDefaults()
	s := &Server{limits: l, handler: h, log: log, spent: spent, budget: semaphore.NewWeighted(l.InflightBytes), small: semaphore.NewWeighted(smallBudget)}
	s.mu.byAddress = map[string]int{}
	return s
}

// admit counts a connection of an address in; it reports false where there are too many. leave takes it back.
func (s *Server) admit(remote net.Addr) (leave func(), ok bool) {
	if s.open.Add(1) > int64(s.limits.Connections) {
		s.open.Add(-1)
		return nil, false
	}
	tcp, isTCP := remote.(*net.TCPAddr)
	if !isTCP || tcp.IP.IsLoopback() {
		return func() { s.open.Add(-1) }, true
	}
	address := tcp.IP.String()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.byAddress[address] >= s.limits.PerAddress {
		s.open.Add(-1)
		return nil, false
	}
	s.mu.byAddress[address]++
	return func() {
		s.open.Add(-1)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.mu.byAddress[address]--; s.mu.byAddress[address] == 0 {
			delete(s.mu.byAddress, address)
		}
	}, true
}

// Stats are the counters of the server.
func (s *Server) Stats() *Stats { return &s.stats }

// Open is the number of connections now open.
func (s *Server) Open() int64 { return s.open.Load() }

// Made is the number of connections so far.
func (s *Server) Made() int64 { return s.nextID.Load() }

// Serve accepts connections until ctx ends or the listener fails, and closes the listener. The connections go on until life
// ends.
func (s *Server) Serve(ctx, life context.Context, ln net.Listener) error {
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	for {
		nc, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() {
				continue
			}
			if isExhausted(err) { // wait for a connection to go away instead of giving up the port
				select {
				case <-ctx.Done():
					return nil
				case <-time.After(100 * time.Millisecond):
					continue
				}
			}
			return err
		}
		s.Start(life, nc)
	}
}

// Start serves one connection in the background; Wait waits for it. It closes nc.
func (s *Server) Start(ctx context.Context, nc net.Conn) {
	leave, ok := s.admit(nc.RemoteAddr())
	if !ok {
		s.stats.Refused.Add(1)
		nc.Close()
		return
	}
	_, pipe := nc.(*pipeConn)
	nc = mayBeSteady(nc, s)
	c := &conn{
		server: s,
		nc:     nc,
		in:     bufio.NewReaderSize(nc, readBuffer),
		held:   semaphore.NewWeighted(s.limits.ConnectionBytes),
		client: &Client{ID: s.nextID.Add(1), Remote: nc.RemoteAddr(), Local: nc.LocalAddr(), InProcess: pipe},
	}
	s.conns.Go(func() {
		defer leave()
		c.run(ctx)
	})
}

// Wait returns when every connection has ended. The caller has ended the context.
func (s *Server) Wait() { s.conns.Wait() }
