package wire

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/semaphore"
)

const (
	keyControlledShutdown = 7
	keyAPIVersions        = 18

	framesAhead   = 8       // requests read ahead of the worker
	readBuffer    = 1 << 10 // what is larger is read where it stays
	inlineBytes   = 8 << 10 // pipelined requests up to here are not worth a hand-over to an idle worker
	firstReadSize = 1 << 20 // a request of unknown good faith gets memory as its bytes arrive
	writeChunk    = 4 << 20 // progress is demanded per so many bytes
	slowestBytes  = 2 << 20 // of a request must arrive within ReadStall
)

// errGarbage is a frame that is not a Kafka request.
var errGarbage = errors.New("not a Kafka request")

// conn is the server's side of one connection.
type conn struct {
	server *Server
	nc     net.Conn
	client *Client
	held   *semaphore.Weighted // bytes of this connection's requests
	login  time.Time           // by when the client must be known

	in        *bufio.Reader
	given     atomic.Int32 // requests read that the worker has not finished
	answers   *answers     // nil until the first pipelined request
	writer    sync.WaitGroup
	cancel    context.CancelFunc
	encodeBuf []byte
}

// frame is one request as it was read.
type frame struct {
	body []byte
	held int64 // bytes of the in-flight budget that the request holds
	at   time.Time
}

// pending is an answer that is owed.
type pending struct {
	corr    int32
	at      time.Time
	body    []byte // the request's, to be used again when it is answered well; nil where it may not be
	held    int64
	resp    Response
	err     error
	among   *answers      // of a pipelined request
	settled bool          // under the lock of among
	done    chan struct{} // of any other
	once    sync.Once
}

// reply settles the answer. Only the first call counts: a handler that panicked after it had handed its work to the store
// may be answered twice.
func (p *pending) reply(r Response, err error) {
	p.once.Do(func() {
		p.resp, p.err = r, err
		if p.among != nil {
			p.among.settle(p)
		} else {
			close(p.done)
		}
	})
}

func (c *conn) run(ctx context.Context) {
	ctx, c.cancel = context.WithCancel(ctx)
	defer c.cancel()
	frames := make(chan frame, framesAhead)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer c.cancel() // wakes a long poll whose client has gone
		defer close(frames)
		err := c.greet(ctx)
		if err == nil {
			err = c.readFrames(ctx, frames)
		}
		if err != nil && ctx.Err() == nil && !isGone(err) {
			c.blame(err)
			c.server.log.Info("closing Kafka connection", "client", c.client.Remote.String(), "cause", err.Error())
		}
	})
	unwatch := context.AfterFunc(ctx, func() { c.nc.SetReadDeadline(time.Unix(1, 0)) })
	c.work(ctx, frames)
	c.cancel()
	if c.answers != nil {
		c.answers.drain()
		close(c.answers.wake)
		c.writer.Wait()
	}
	c.nc.Close()
	for f := range frames {
		c.give(f.held)
	}
	reader.Wait()
	unwatch()
}

// isGone reports the ordinary ends of a connection.
func isGone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func isExhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOBUFS) ||
		errors.Is(err, syscall.ECONNABORTED)
}

// readFrames reads requests until the connection or the context ends.
func (c *conn) readFrames(ctx context.Context, frames chan<- frame) error {
	var head [8]byte
	steady, _ := c.nc.(*steadyConn)
	for {
		if err := c.unmuted(ctx); err != nil {
			return err
		}
		if c.in.Buffered() < len(head) {
			c.nc.SetReadDeadline(c.patience(time.Now()))
		}
		if ctx.Err() != nil { // the deadline that ctx set must not be undone
			return ctx.Err()
		}
		if _, err := io.ReadFull(c.in, head[:]); err != nil {
			return err
		}
		size := int64(int32(binary.BigEndian.Uint32(head[:])))
		key, version := int16(binary.BigEndian.Uint16(head[4:])), int16(binary.BigEndian.Uint16(head[6:]))
		limit := int64(min(c.server.handler.Limit(key, version), c.server.limits.RequestBytes))
		if !c.client.known.Load() {
			limit = min(limit, smallBytes)
		}
		if size < 8 || size > limit {
			return fmt.Errorf("%w: size %d, key %d, version %d", errGarbage, size, key, version)
		}
		if err := c.take(ctx, size); err != nil {
			return err
		}
		body, err := c.readBody(ctx, head[4:], int(size))
		if err != nil {
			c.give(size)
			return err
		}
		c.server.stats.BytesIn.Add(size + 4)
		f := frame{body: body, held: size, at: time.Now()}
		inline := size <= inlineBytes && c.given.Load() == 0 && c.server.handler.Pipelined(key)
		alone := c.server.latest.Swap(c.client.ID) == c.client.ID
		if steady != nil {
			steady.another(inline && alone)
		}
		if inline {
			if !c.workOne(ctx, f, true) {
				return nil
			}
			continue
		}
		c.given.Add(1)
		select {
		case frames <- f:
		case <-ctx.Done():
			c.give(size)
			return ctx.Err()
		}
	}
}

// bodies are those of answered produce requests.
var bodies sync.Pool // *[]byte

// bodyOf returns memory for a request of size bytes, or for its beginning.
func bodyOf(size int) []byte {
	if size >= lendBytes {
		if b, ok := bodies.Get().(*[]byte); ok && cap(*b) >= size {
			return (*b)[:size]
		}
	}
	return make([]byte, min(size, firstReadSize))
}

// keepBody gives back the memory of a request that nobody looks at any more.
func keepBody(b []byte) {
	if cap(b) >= lendBytes && cap(b) <= 4*firstReadSize {
		bodies.Put(&b)
	}
}

// readBody reads the rest of a request of size bytes, of which head is already here.
func (c *conn) readBody(ctx context.Context, head []byte, size int) ([]byte, error) {
	body := bodyOf(size)
	have := copy(body, head)
	stall := c.server.limits.ReadStall
	// A client that sends little at a time, but always something, must not hold a large request's memory for long.
	var last time.Time
	for {
		if c.in.Buffered() < len(body)-have {
			now := time.Now()
			if last.IsZero() {
				last = now.Add(stall + stall*time.Duration(size/slowestBytes))
			}
			c.nc.SetReadDeadline(earlier(now.Add(stall), last))
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if _, err := io.ReadFull(c.in, body[have:]); err != nil {
			return nil, err
		}
		have = len(body)
		if have == size {
			return body, nil
		}
		body = append(body, make([]byte, min(size-have, have))...)
	}
}

// work handles the requests in order until there are no more or one says to stop. What was read before a client left is
// still worked on: it may have produced without wanting an answer.
func (c *conn) work(ctx context.Context, frames <-chan frame) {
	for f := range frames {
		if !c.workOne(ctx, f, false) {
			return // with the request still counted: the reader must not go on by itself
		}
		c.given.Add(-1)
	}
}

// workOne handles one request: in the worker, or inline in the reader, which has the next answers written itself.
func (c *conn) workOne(ctx context.Context, f frame, inline bool) (goOn bool) {
	p := &pending{held: f.held, at: f.at}
	r, err := c.decode(f, p)
	if err != nil {
		c.give(f.held)
		c.server.stats.Garbage.Add(1)
		c.server.log.Info("closing Kafka connection", "client", c.client.Remote.String(), "cause", err.Error())
		return false
	}
	c.server.stats.Requests.Add(1)
	c.server.stats.ByKey(r.Msg.Key()).Add(1)
	if c.server.handler.Pipelined(r.Msg.Key()) {
		if c.answers == nil {
			c.answers = newAnswers(c.server.limits.PipelinedPerCon)
			c.writer.Go(func() {
				for range c.answers.wake {
					c.writeSettled()
				}
			})
		}
		p.body, p.among = f.body, c.answers
		c.answers.add(p, inline)
		c.handle(ctx, r, p)
		if inline {
			c.writeSettled()
		}
		return true
	}
	p.done = make(chan struct{})
	if c.answers != nil {
		c.answers.drain()
	}
	defer c.give(f.held)
	c.handle(ctx, r, p)
	<-p.done
	return c.write(p) == nil
}

// handle calls the handler. A panic ends this connection, not the process.
func (c *conn) handle(ctx context.Context, r *Request, p *pending) {
	defer func() {
		if cause := recover(); cause != nil {
			c.server.stats.Panics.Add(1)
			c.server.log.Error("request handler panicked; closing its connection", "client", c.client.Remote.String(),
				"request", kmsg.NameForKey(r.Msg.Key()), "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
			p.reply(nil, errors.New("the broker failed on this request"))
		}
	}()
	c.server.handler.Handle(ctx, r, p.reply)
}

// decode parses the request header (v1, or v2 when the request is flexible, KIP-482) and the body.
func (c *conn) decode(f frame, p *pending) (*Request, error) {
	b := f.body
	key, version := int16(binary.BigEndian.Uint16(b)), int16(binary.BigEndian.Uint16(b[2:]))
	p.corr = int32(binary.BigEndian.Uint32(b[4:]))
	r := &Request{Client: c.client, Version: version, At: f.at}
	if r.Msg = kmsg.RequestForKey(key); r.Msg == nil {
		return nil, fmt.Errorf("%w: key %d", errGarbage, key)
	}
	r.Msg.SetVersion(version)
	if key == keyAPIVersions && version > r.Msg.MaxVersion() {
		return r, nil // the body has an unknown shape; the answer tells the client which versions there are (KIP-511)
	}
	b = b[8:]
	if len(b) < 2 {
		return nil, fmt.Errorf("%w: no client id", errGarbage)
	}
	n := int(int16(binary.BigEndian.Uint16(b)))
	b = b[2:]
	if n > len(b) {
		return nil, fmt.Errorf("%w: client id of %d bytes", errGarbage, n)
	}
	if n > 0 {
		r.ClientID = string(b[:n])
		b = b[n:]
	}
	if r.Msg.IsFlexible() {
		var ok bool
		if b, ok = skipTags(b); !ok {
			return nil, fmt.Errorf("%w: bad header tags", errGarbage)
		}
	}
	if err := r.Msg.ReadFrom(b); err != nil {
		return nil, fmt.Errorf("decoding %s v%d: %w", kmsg.NameForKey(key), version, err)
	}
	return r, nil
}

func skipTags(b []byte) (rest []byte, ok bool) {
	n, used := binary.Uvarint(b)
	if used <= 0 {
		return nil, false
	}
	b = b[used:]
	for range n {
		if _, used = binary.Uvarint(b); used <= 0 {
			return nil, false
		}
		b = b[used:]
		size, used := binary.Uvarint(b)
		if used <= 0 || size > uint64(len(b)-used) {
			return nil, false
		}
		b = b[used+int(size):]
	}
	return b, true
}
