package log

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A client makes new memory for every response, which is cleared, and collected, again and again: for a process that reads much that is most of what
// it allocates. The connections of a Reader therefore keep large fetch responses to themselves, in memory that is used again. The client gets an
// empty response in place of each, with a number by which the Reader finds what was kept. Nothing else that goes over them is touched.

const (
	// keepFrom is how large the responses are that are kept.
	keepFrom = 64 << 10
	// keepVersion is the first version of Fetch whose responses have a session id, in which the number is told.
	keepVersion = 7
	// keepGrain is what the memory of responses is a multiple of.
	keepGrain = 256 << 10
	// keepMost is larger than any response should be: clients refuse to read such.
	keepMost = 100 << 20
)

type dialer = func(ctx context.Context, network, addr string) (net.Conn, error)

// shelf has the responses that connections kept, until the one who asked takes them.
type shelf struct {
	mu struct {
		sync.Mutex
		last int32
		kept map[int32]*keptResponse
	}
}

// keptResponse is a response whose records lie in memory that is used again.
type keptResponse struct {
	*kmsg.FetchResponse
	memory *lease
}

func newShelf() *shelf {
	s := &shelf{}
	s.mu.kept = map[int32]*keptResponse{}
	return s
}

// over has a dialer's connections keep responses for the shelf.
func (s *shelf) over(dial dialer) dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		k := &keeper{Conn: conn, shelf: s}
		k.mu.asked = map[int32]int16{}
		return k, nil
	}
}

// put puts a response on the shelf in place of an older one that nobody took, and returns its number; 0: there was none.
func (s *shelf) put(r *keptResponse, old int32) int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.kept, old)
	s.mu.last = max(s.mu.last+1, 1)
	s.mu.kept[s.mu.last] = r
	return s.mu.last
}

func (s *shelf) drop(number int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.kept, number)
}

// take returns the response that a client's stands for: mostly itself.
func (s *shelf) take(resp *kmsg.FetchResponse) *keptResponse {
	if resp.SessionID != 0 && len(resp.Topics) == 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		if r := s.mu.kept[resp.SessionID]; r != nil {
			delete(s.mu.kept, resp.SessionID)
			return r
		}
	}
	return &keptResponse{FetchResponse: resp}
}

// keeper is a connection to a broker that keeps fetch responses. As with any, one goroutine may read while another writes.
type keeper struct {
	net.Conn
	shelf *shelf

	mu struct {
		sync.Mutex
		asked map[int32]int16 // versions of the fetches that are not answered, by correlation id
	}
	// Of the goroutine that reads:
	head [8]byte // size and correlation id of a response
	have int     // bytes of head
	text []byte  // to be read before anything that comes
	pass int     // bytes of a response, then, that are read as they come
	last atomic.Int32
	done atomic.Bool // closed
}

const fetchKey = 1

// Write sends a request: clients send each whole.
func (k *keeper) Write(p []byte) (int, error) {
	if len(p) >= 12 && binary.BigEndian.Uint16(p[4:]) == fetchKey {
		if version := int16(binary.BigEndian.Uint16(p[6:])); version >= keepVersion {
			k.mu.Lock()
			k.mu.asked[int32(binary.BigEndian.Uint32(p[8:]))] = version
			k.mu.Unlock()
		}
	}
	return k.Conn.Write(p)
}

func (k *keeper) Read(p []byte) (int, error) {
	for len(k.text) == 0 && k.pass == 0 {
		n, err := k.Conn.Read(k.head[k.have:])
		if k.have += n; k.short() {
			continue
		}
		if k.have < len(k.head) {
			if err != nil {
				return 0, err
			}
			continue
		}
		k.have = 0
		if err := k.begin(); err != nil {
			return 0, err
		}
	}
	if len(k.text) > 0 {
		n := copy(p, k.text)
		k.text = k.text[n:]
		return n, nil
	}
	n, err := k.Conn.Read(p[:min(len(p), k.pass)])
	k.pass -= n
	return n, err
}

// short passes on what has not even a correlation id: before Kafka 1.0, the answers to what authenticates a client may be empty.
func (k *keeper) short() bool {
	if k.have < 4 {
		return false
	}
	end := 4 + max(int(int32(binary.BigEndian.Uint32(k.head[:]))), 0)
	if end >= len(k.head) || k.have < end {
		return false
	}
	k.text = append([]byte{}, k.head[:end]...)
	k.have = copy(k.head[:], k.head[end:k.have])
	return true
}

// begin decides what becomes of the response whose head was read.
func (k *keeper) begin() error {
	size, id := int(int32(binary.BigEndian.Uint32(k.head[:]))), int32(binary.BigEndian.Uint32(k.head[4:]))
	k.mu.Lock()
	version, ok := k.mu.asked[id]
	delete(k.mu.asked, id)
	k.mu.Unlock()
	if !ok || size < keepFrom || size > keepMost {
		k.text, k.pass = k.head[:], size-4
		return nil
	}
	l := newLease(size - 4)
	if _, err := io.ReadFull(k.Conn, l.memory); err != nil {
		return err
	}
	k.text = k.keep(l, version)
	return nil
}

// keep puts a response on the shelf and returns what the client gets for it.
func (k *keeper) keep(l *lease, version int16) []byte {
	resp := kmsg.NewPtrFetchResponse()
	resp.Version = version
	b := kbin.Reader{Src: l.memory}
	if resp.IsFlexible() {
		kmsg.SkipTags(&b) // of the header
	}
	if b.Complete() != nil || resp.ReadFrom(b.Src) != nil {
		return append(k.head[:8:8], l.memory...) // the client says what is wrong with it
	}
	number := k.shelf.put(&keptResponse{resp, l}, k.last.Load())
	k.last.Store(number)
	if k.done.Load() {
		k.shelf.drop(number) // Close may not have seen it
	}
	short := kmsg.NewPtrFetchResponse()
	short.Version, short.ThrottleMillis, short.ErrorCode, short.SessionID = version, resp.ThrottleMillis, resp.ErrorCode, number
	out := append([]byte{}, k.head[:8]...)
	if short.IsFlexible() {
		out = append(out, 0) // no tags
	}
	out = short.AppendTo(out)
	binary.BigEndian.PutUint32(out, uint32(len(out)-4))
	return out
}

func (k *keeper) Close() error {
	k.done.Store(true)
	k.shelf.drop(k.last.Load())
	return k.Conn.Close()
}

// leases are memory that no response is in any more.
var leases sync.Pool

// lease is memory that a response is in. It is used again once all who hold it have let it go; if one never does, it is collected.
type lease struct {
	memory  []byte
	holders atomic.Int32
}

// newLease returns memory of a size, held by the caller.
func newLease(size int) *lease {
	l, _ := leases.Get().(*lease)
	if l == nil || cap(l.memory) < size {
		l = &lease{memory: make([]byte, (size+size/8+keepGrain-1)/keepGrain*keepGrain)}
	}
	l.memory = l.memory[:size]
	l.holders.Store(1)
	return l
}

// hold adds a holder; nil has none.
func (l *lease) hold() *lease {
	if l != nil {
		l.holders.Add(1)
	}
	return l
}

// free lets the memory go.
func (l *lease) free() {
	if l != nil && l.holders.Add(-1) == 0 {
		leases.Put(l)
	}
}
