// Package store is the durable log under the embedded broker: one shared write-ahead log with group commit in front of
// Kafka's segment files, so that an acknowledged batch survives any crash and a reader never sees one that might not.
//
// The way of a batch: Append admits it (queue: offset, room in the write-ahead log), the committer lays it out in a chunk of
// memory, writes and syncs it with everything else that is pending, publishes it to its partition and calls done. Readers near
// the end are served from the chunk. The flusher later writes it into its segment, a checkpoint makes the segments durable
// and frees the write-ahead files, and the chunk leaves memory.
//
// Goroutines: the committer (commit.go), the flusher (flush.go), which alone changes partition folders, the keeper of
// write-ahead files (wal.go) and the janitor (disk space, retention; here). Nobody whom the committer waits for waits for
// the committer: it waits for the flusher (memory) and the keeper; the janitor and callers wait for all.
//
// Lock order: topics.mu, queue.mu, Partition.mu, then the small ones (flusher.mu, cache.mu, readers.mu, wal.mu), which are
// held for a few instructions. No lock is held over I/O or a callback.
package store

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"

	"myelin/internal/clock"
)

// TopicID identifies a topic for its whole life; a topic created again under an old name gets another one.
type TopicID [16]byte

// Config says where the store lives and how much it may use. The zero value of every field but Dir is a usable default.
type Config struct {
	Dir   string      // the folder of the store; created when missing
	FS    vfs.FS      // nil means the machine's file system
	Clock clock.Clock // nil means the machine's clock

	WALFileBytes    int64         // largest write-ahead file; files start at 16 MiB and grow to it under load (64 MiB)
	MaxBatchBytes   int           // largest batch, or group of batches, accepted (8 MiB)
	MaxPendingBytes int64         // batches waiting for the committer; more makes Append wait (32 MiB)
	CacheBytes      int64         // recent batches kept in memory, including those not yet in their segment (64 MiB)
	MaxOpenFiles    int           // segment files kept open (512)
	CheckpointEvery time.Duration // longest time between checkpoints while there is something to save (30 s)
	CheckpointBytes int64         // write-ahead bytes after which a checkpoint starts early (128 MiB)
	RetentionEvery  time.Duration // how often retention runs by itself (5 min; negative: only when asked)
	MinFreeBytes    int64         // free space below which appends answer ErrDiskFull (256 MiB; negative: no floor)
	BallastBytes    int64         // file given up when the disk is full, so that deletes still work (64 MiB; negative: none)
}

// TopicConfig is what the store must know about a topic. It is durable with the topic.
type TopicConfig struct {
	SegmentBytes   int64         // a segment is rolled before it exceeds this (default 1 GiB)
	SegmentAge     time.Duration // a segment is rolled when its first batch is older (default 7 days)
	RetentionAge   time.Duration // batches whose newest record is older are deleted; 0 or less keeps them
	RetentionBytes int64         // per partition; 0 or less is no limit
	Compact        bool          // cleanup.policy contains compact (kept for the compactor)
	Meta           []byte        // the caller's own description of the topic, kept verbatim
}

// TopicInfo describes one topic of the store.
type TopicInfo struct {
	ID         TopicID
	Name       string
	Partitions int32
	Config     TopicConfig
}

// withDefaults fills in what is zero and refuses what cannot work.
func (c Config) withDefaults() (Config, error) {
	if c.Dir == "" {
		return c, errors.New("no data folder given")
	}
	if c.FS == nil {
		c.FS = vfs.Default
	}
	if c.Clock == nil {
		c.Clock = clock.Real{}
	}
	setDefault(&c.WALFileBytes, 64<<20)
	setDefault(&c.MaxBatchBytes, 8<<20)
	setDefault(&c.MaxPendingBytes, 32<<20)
	setDefault(&c.CacheBytes, 64<<20)
	setDefault(&c.MaxOpenFiles, 512)
	setDefault(&c.CheckpointEvery, 30*time.Second)
	setDefault(&c.CheckpointBytes, 128<<20)
	setDefault(&c.RetentionEvery, 5*time.Minute)
	setDefault(&c.MinFreeBytes, 256<<20)
	setDefault(&c.BallastBytes, 64<<20)
	if c.WALFileBytes < c.smallestWALFile() {
		return c, fmt.Errorf("write-ahead files of %d bytes cannot hold a batch of %d", c.WALFileBytes, c.MaxBatchBytes)
	}
	if c.WALFileBytes > 1<<31 {
		return c, fmt.Errorf("write-ahead files of %d bytes are too large", c.WALFileBytes)
	}
	return c, nil
}

func setDefault[T int | int64 | time.Duration](v *T, value T) {
	if *v == 0 {
		*v = value
	}
}

// smallestWALFile is the least size of a write-ahead file that can hold every admissible frame.
func (c *Config) smallestWALFile() int64 {
	return frameBytes(int64(itemHeaderBytes+c.MaxBatchBytes)) + 2*controlReserve
}

// Store is one open data folder. All methods may be called at the same time.
type Store struct {
	cfg       Config
	fs        vfs.FS
	clock     clock.Clock
	topicsDir string
	maxFrame  int64
	frame     framer
	lock      io.Closer

	topics    *topics
	queue     *queue
	cache     *cache
	wal       *wal
	committer *committer
	flusher   *flusher
	readers   *readers
	space     *space
	count     counters

	recovering bool // Open has not finished: publish repeats old decisions
	recovery   Recovery
	life       lifetime
	problems   problems
}

// counters feed Stats.
type counters struct {
	appends, appendBytes, commits, checkpoints, cacheReads, diskReads, segmentsDeleted atomic.Int64
}

// lifetime is how the store stops.
type lifetime struct {
	stop      chan struct{} // closed to end the janitor
	stopWork  chan struct{} // closed to end the flusher and the keeper
	stopped   chan struct{} // closed when the flusher has ended
	failed    chan struct{} // closed when the store has stopped on an error
	committer sync.WaitGroup
	janitor   sync.WaitGroup
	work      sync.WaitGroup
	mu        struct {
		sync.Mutex
		err    error
		closed bool
	}
}

// Open takes the folder's lock, recovers what a crash left behind and starts the committer. What was found wrong on the
// way, but did not prevent opening, is in Problems.
func Open(cfg Config) (*Store, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("opening store: %w", err)
	}
	s := &Store{cfg: cfg, fs: cfg.FS, clock: cfg.Clock, topics: newTopics(), queue: newQueue(cfg.MaxPendingBytes), recovering: true}
	s.topicsDir = s.fs.PathJoin(cfg.Dir, topicsDirName)
	s.maxFrame = frameBytes(int64(itemHeaderBytes + cfg.MaxBatchBytes))
	s.flusher = newFlusher(s, cfg.CacheBytes/4)
	s.cache = newCache(cfg.CacheBytes, s.flusher.nudge)
	s.readers = newReaders(s.fs, cfg.MaxOpenFiles)
	s.space = &space{s: s}
	s.wal = &wal{s: s, dir: s.fs.PathJoin(cfg.Dir, walDirName), minSize: min(max(16<<20, cfg.smallestWALFile()), cfg.WALFileBytes),
		maxSize: cfg.WALFileBytes, limit: 16*cfg.CheckpointBytes + 4*cfg.WALFileBytes, kick: make(chan struct{}, 1)}
	s.committer = newCommitter(s, min(1<<20, cfg.CacheBytes/8))
	s.life.stop, s.life.stopWork = make(chan struct{}), make(chan struct{})
	s.life.stopped, s.life.failed = make(chan struct{}), make(chan struct{})
	begin := s.clock.Now()
	if err := s.claim(); err != nil {
		return nil, fmt.Errorf("opening store in %s: %w", cfg.Dir, err)
	}
	if err := s.recover(); err != nil {
		s.readers.close()
		s.wal.close()
		s.flusher.closeFirst(len(s.flusher.open))
		_ = s.lock.Close()
		return nil, fmt.Errorf("opening store in %s: %w", cfg.Dir, err)
	}
	s.recovery.Duration = s.clock.Now().Sub(begin)
	s.start()
	return s, nil
}

// claim makes the folder, locks it and checks its version.
func (s *Store) claim() error {
	dir := s.cfg.Dir
	if err := s.fs.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("creating folder: %w", err)
	}
	lock, err := s.fs.Lock(s.fs.PathJoin(dir, lockName))
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			return fmt.Errorf("locking folder: %w", err)
		}
		return fmt.Errorf("%w (%w)", ErrLocked, err)
	}
	s.lock = lock
	if err := s.claimed(); err != nil {
		_ = lock.Close()
		return err
	}
	return nil
}

func (s *Store) claimed() error {
	b, err := s.readWhole(versionName)
	if oserror.IsNotExist(err) {
		return s.found()
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", versionName, err)
	}
	var version int
	var salt uint64
	if _, err := fmt.Sscanf(string(b), "myelin log %d\nsalt %x\n", &version, &salt); version != 1 || err != nil {
		return fmt.Errorf("%w: %s says %q, this program reads version 1", ErrFormat, versionName, firstLine(b))
	}
	if string(b) != versionFile(salt) {
		return fmt.Errorf("%w: %s is damaged", ErrFormat, versionName)
	}
	s.setSalt(salt)
	return s.makeFolders()
}

// versionFile is the content of the version file. Its checksum is there because with another salt the whole write-ahead log
// would look like someone else's.
func versionFile(salt uint64) string {
	head := fmt.Sprintf("myelin log 1\nsalt %016x\n", salt)
	return head + fmt.Sprintf("sum %08x\n", crc32.Checksum([]byte(head), castagnoli))
}

func firstLine(b []byte) string {
	line, _, _ := strings.Cut(string(b[:min(len(b), 80)]), "\n")
	return line
}

// found lays out a new data folder. The version file comes first: a folder with other files but no version is not ours.
func (s *Store) found() error {
	names, err := s.fs.List(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("listing folder: %w", err)
	}
	for _, name := range names {
		if name != lockName && name != versionName+tmpSuffix {
			return fmt.Errorf("%w: there is no %s file, but %q", ErrFormat, versionName, name)
		}
	}
	if err := syncDir(s.fs, s.fs.PathDir(s.cfg.Dir)); err != nil {
		return err
	}
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return fmt.Errorf("drawing salt: %w", err)
	}
	salt := binary.LittleEndian.Uint64(b[:])
	if err := s.writeWhole(versionName, []byte(versionFile(salt))); err != nil {
		return fmt.Errorf("writing %s: %w", versionName, err)
	}
	s.setSalt(salt)
	return s.makeFolders()
}

func (s *Store) setSalt(salt uint64) {
	s.frame = newFramer(salt)
	s.committer.frame = s.frame
}

func (s *Store) makeFolders() error {
	for _, dir := range []string{s.wal.dir, s.topicsDir} {
		if err := s.fs.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("creating folder: %w", err)
		}
	}
	return syncDir(s.fs, s.cfg.Dir)
}

// recover brings the state back and prepares the write-ahead log for new frames.
func (s *Store) recover() error {
	r := &recovery{s: s, deleted: map[TopicID]bool{}, unknown: map[TopicID]uint64{}}
	begun, spare, err := r.run()
	if err != nil {
		return err
	}
	s.recovering = false
	for _, t := range s.topicList() {
		for _, p := range *t.parts.Load() {
			p.next = p.hw.Load()
		}
	}
	if err := s.wal.begin(s.flusher.saved, begun, spare); err != nil {
		return err
	}
	c := s.committer
	c.seq, c.synced, c.first = r.replay.seq, r.replay.seq, r.replay.seq+1
	c.durable.Store(c.seq)
	c.ch = r.ch
	if c.ch != nil {
		c.from = c.ch.used
	}
	c.last.at = position{seq: c.seq, file: s.wal.cur.num}
	s.flusher.topicsDir = len(begun) > 0
	if r.moved {
		return s.flusher.checkpoint(false)
	}
	return nil
}

func (s *Store) start() {
	s.life.committer.Go(s.committer.run)
	s.life.work.Go(func() {
		s.flusher.run(s.life.stopWork)
		close(s.life.stopped)
	})
	s.life.work.Go(func() { s.wal.keep(s.life.stopWork) })
	s.life.janitor.Go(s.tidy)
}

// tidy is the janitor: it watches the disk and applies retention.
func (s *Store) tidy() {
	next := s.clock.Now().Add(s.cfg.RetentionEvery)
	for {
		if s.space.look() {
			s.flusher.nudge()
			s.wal.nudge()
		}
		select {
		case <-s.life.stop:
			return
		case <-s.clock.After(time.Second):
		}
		if now := s.clock.Now(); s.cfg.RetentionEvery > 0 && !now.Before(next) {
			next = now.Add(s.cfg.RetentionEvery)
			// An error here has stopped the store or will be met again next time.
			_, _ = s.ApplyRetention()
		}
	}
}

// Close drains the queue, saves a clean checkpoint and releases the folder. It returns the error that stopped the store,
// if one did.
func (s *Store) Close() error {
	s.life.mu.Lock()
	if s.life.mu.closed {
		s.life.mu.Unlock()
		return s.Err()
	}
	s.life.mu.closed = true
	s.life.mu.Unlock()
	s.queue.shut(ErrClosed)
	s.life.committer.Wait()
	close(s.life.stop)
	s.life.janitor.Wait()
	close(s.life.stopWork)
	s.life.work.Wait()
	s.flusher.answer(ErrClosed)
	err := s.Err()
	if err == nil {
		if err = s.flusher.check(s.flusher.checkpoint(true)); err != nil {
			err = fmt.Errorf("saving checkpoint while closing: %w", err)
		}
	}
	s.flusher.closeFirst(len(s.flusher.open))
	s.readers.close()
	s.wal.close()
	if cerr := s.lock.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("releasing lock: %w", cerr)
	}
	return err
}

// fail stops the store for good: what is on disk is uncertain after a failed write or fsync, and only a restart, which
// reads it again, may go on.
func (s *Store) fail(err error) error {
	s.life.mu.Lock()
	if s.life.mu.err != nil {
		err = s.life.mu.err
		s.life.mu.Unlock()
		return err
	}
	err = fmt.Errorf("%w: %w", ErrStorage, err)
	s.life.mu.err = err
	close(s.life.failed)
	s.life.mu.Unlock()
	s.queue.shut(err)
	s.cache.setSpill(true)
	for _, t := range s.topicList() {
		for _, p := range *t.parts.Load() {
			p.mu.Lock()
			p.notify()
			p.mu.Unlock()
		}
	}
	return err
}

// closedErr is why work is refused after the flusher has ended.
func (s *Store) closedErr() error {
	if err := s.Err(); err != nil {
		return err
	}
	return ErrClosed
}

// Checkpoint writes everything durable so far into segments and frees the write-ahead files behind it. It runs by itself;
// calling it is needed only by tests and before a backup.
func (s *Store) Checkpoint() error {
	select {
	case err := <-s.flusher.ask():
		return err
	case <-s.life.stopped:
		return s.closedErr()
	}
}

// Err is the error that stopped the store (it wraps ErrStorage), or nil.
func (s *Store) Err() error {
	s.life.mu.Lock()
	defer s.life.mu.Unlock()
	return s.life.mu.err
}

// Failed is closed when the store has stopped on an error; Err then says which.
func (s *Store) Failed() <-chan struct{} { return s.life.failed }

// DiskFull reports whether appends are refused for want of space.
func (s *Store) DiskFull() bool { return s.queue.isFull() }
