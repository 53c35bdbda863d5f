package log

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

// ReaderConfig bounds a Reader.
type ReaderConfig struct {
	// MaxWait is how long a broker may hold a fetch open while nothing arrives. 0: 500 ms.
	MaxWait time.Duration
	// ChunkBytes is about how much one fetch brings of a partition, in whole batches. 0: 1 MiB.
	ChunkBytes int32
	// Buffer is how many bytes of a partition, as they were fetched, may wait to be taken before it is no longer fetched. 0: 4 MiB.
	Buffer int
	// Uncommitted also reads records of open and aborted transactions.
	Uncommitted bool
	// Cuts is set by who asks for Cut: a partition that has lost records is no longer read then. Else it is read again once it has grown.
	Cuts bool
	// Now is the clock of Known; nil: nobody asks.
	Now func() int64
}

// Reader reads partitions from given offsets on, as raw record batches, ahead of its user within bounds. Its methods may be
// called at the same time; chunks of one partition come in order.
type Reader struct {
	cfg    ReaderConfig
	client *kgo.Client
	dec    *inflater
	shelf  *shelf
	ready  chan struct{}
	stop   context.CancelFunc
	group  errgroup.Group

	mu struct {
		sync.Mutex
		parts   map[partitionID]*partition
		brokers map[int32]*brokerLoop
		ids     map[string]string // see Expect
		kick    chan struct{}     // closed and replaced when the partitions change
		err     error             // why nothing comes, for Err
		ticks   uint64            // fetches sent and answered so far
	}
}

// Moment is when a fetch was sent.
type Moment struct {
	Clock int64 // by ReaderConfig.Now
	// Tick orders fetches and their answers: each takes the next number when it is sent, and again when it is answered.
	Tick uint64
}

type partitionID struct {
	topic string
	n     int32
}

// partition is the state of one partition that is read. Guarded by Reader.mu.
type partition struct {
	partitionID
	uuid    [16]byte
	leader  int32 // -1: to be found
	next    int64
	end     int64 // last stable offset as last heard of; -1: not yet
	start   int64
	known   Moment
	bytes   int
	batch   int32 // size of the largest batch that came last
	chunks  []*Chunk
	retryAt time.Time
	cut     cut
	// eager: what came last could not be unpacked, so that what comes is unpacked at once.
	eager bool
}

// NewReader returns a reader with a client of its own. It reads nothing until Add.
func (c *Cluster) NewReader(cfg ReaderConfig) (*Reader, error) {
	if cfg.MaxWait == 0 {
		cfg.MaxWait = 500 * time.Millisecond
	}
	if cfg.ChunkBytes == 0 {
		cfg.ChunkBytes = 1 << 20
	}
	if cfg.Buffer == 0 {
		cfg.Buffer = 4 << 20
	}
	kept := newShelf()
	client, err := c.NewClient(kgo.Dialer(kept.over(c.dialer())))
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &Reader{cfg: cfg, client: client, dec: inflate, shelf: kept, ready: make(chan struct{}, 1), stop: stop}
	r.mu.parts = map[partitionID]*partition{}
	r.mu.brokers = map[int32]*brokerLoop{}
	r.mu.ids = map[string]string{}
	r.mu.kick = make(chan struct{})
	r.group.Go(func() error { r.findLeaders(ctx); return nil })
	return r, nil
}

// Close stops all reading and waits for it.
func (r *Reader) Close() {
	r.stop()
	r.group.Wait()
	r.client.Close()
}

// Add starts reading a partition at an offset. A partition that is read already is started anew.
func (r *Reader) Add(topic string, n int32, offset int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := partitionID{topic, n}
	r.mu.parts[id] = &partition{partitionID: id, leader: -1, next: offset, end: -1, start: -1}
	r.kickLocked()
}

// Expect has a topic read only if its id is the one given, as kadm.TopicID writes it; "": whatever it is when it is first asked for. A
// topic that was deleted and made anew has another, and its offsets mean other records.
func (r *Reader) Expect(topic, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.ids[topic] = id
}

// Remove stops reading a partition and drops what was read ahead.
func (r *Reader) Remove(topic string, n int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.mu.parts, partitionID{topic, n})
	r.kickLocked()
}

func (r *Reader) kickLocked() {
	close(r.mu.kick)
	r.mu.kick = make(chan struct{})
}

// Ready has a token when chunks may be there to be taken, or more may be known.
func (r *Reader) Ready() <-chan struct{} { return r.ready }

func (r *Reader) signal() {
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

// Take returns the next chunk of a partition, nil if there is none yet.
func (r *Reader) Take(topic string, n int32) *Chunk {
	c := r.TakePacked(topic, n)
	if c == nil || !c.ready(true) {
		return nil
	}
	return c
}

// TakePacked is Take for who calls Unpack before anything of the chunk but its offsets and ticks is used: where, and just before, its records
// are decoded, so that they are still in the processor's cache. That each of them can be read is seen only when it is: see Broken.
func (r *Reader) TakePacked(topic string, n int32) *Chunk {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.mu.parts[partitionID{topic, n}]
	if p == nil || len(p.chunks) == 0 {
		return nil
	}
	c := p.chunks[0]
	p.chunks[0] = nil
	p.chunks = p.chunks[1:]
	full := p.bytes >= r.cfg.Buffer
	p.bytes -= c.size
	if full && p.bytes < r.cfg.Buffer {
		r.kickLocked()
	}
	return c
}

// Ends are the first offset of a partition and the one behind its last committed record, as the broker last told; -1 before it
// did.
func (r *Reader) Ends(topic string, n int32) (start, end int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.mu.parts[partitionID{topic, n}]; p != nil {
		return p.start, p.end
	}
	return -1, -1
}

// Known is the last moment of which all records of a partition that were there then have been fetched: a user who has read to the
// end that Ends tells has missed none that is older. It is zero before any.
func (r *Reader) Known(topic string, n int32) Moment {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.mu.parts[partitionID{topic, n}]; p != nil {
		return p.known
	}
	return Moment{}
}

// momentLocked is now, as the next tick.
func (r *Reader) momentLocked() Moment {
	r.mu.ticks++
	m := Moment{Tick: r.mu.ticks}
	if r.cfg.Now != nil {
		m.Clock = r.cfg.Now()
	}
	return m
}

// Err is why partitions are not read right now; nil if all goes well. The reader keeps trying.
func (r *Reader) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.err
}

// refuse has a chunk fetched again that could not be unpacked, and what came behind it.
func (r *Reader) refuse(c *Chunk, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.err = fmt.Errorf("unpacking %s/%d: %w", c.Topic, c.Partition, err)
	p := c.part
	if r.mu.parts[p.partitionID] != p {
		return // removed or started anew meanwhile
	}
	// A partition of its own: a fetch of the old one may be under way.
	r.mu.parts[p.partitionID] = &partition{
		partitionID: p.partitionID, uuid: p.uuid, leader: p.leader, next: c.From, end: p.end, start: p.start, known: p.known,
		cut: p.cut, retryAt: time.Now().Add(retryAfter), eager: true,
	}
	r.kickLocked()
}

func (r *Reader) fail(what string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.err = fmt.Errorf("%s: %w", what, err)
}

// wait blocks until the partitions change, d passes (0: for ever) or ctx ends, which it reports.
func wait(ctx context.Context, kick <-chan struct{}, d time.Duration) bool {
	var after <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		after = t.C
	}
	select {
	case <-kick:
	case <-after:
	case <-ctx.Done():
		return false
	}
	return true
}
