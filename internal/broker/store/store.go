// Package store is the durable log under the embedded broker: one shared write-ahead log with group commit in front of
// Kafka's segment files, so that an acknowledged batch survives any crash and a reader never sees one that might not.
//
// The way of a batch: Append admits it (queue: offset, room in the write-ahead log), the committer lays it out in a chunk of
// memory, writes and syncs it with everything else that is pending, publishes it to its partition and calls done. Readers near
// the end are served from the chunk. The flusher later writes it into its segment, a checkpoint makes the segments durable
// and frees the write-ahead files, and the chunk leaves memory.
//
// Goroutines: the committer (commit.go), the flusher (flush.go), which alone changes partition folders, the keeper of
// write-ahead files (wal.go), who removes large files (discard.go) and the janitor (disk space, retention; here). Nobody whom the committer waits for waits for
// the committer: it waits for the flusher (memory) and the keeper; the janitor and callers wait for all.
//
// Lock order: topics.mu, queue.mu, Partition.mu, then the small ones (flusher.mu, cache.mu, readers.mu, wal.mu), which are
// held for a few instructions. No lock is held over I/O or a callback.
package store

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"myelin/internal/clock"
)

// Store is one open data folder. All methods may be called at the same time.
type Store struct {
	cfg       Config
	fs        vfs.FS
	clock     clock.Clock
	topicsDir string
	maxFrame  int64
	frame     framer
	folder    folder

	topics    *topics
	queue     *queue
	cache     *cache
	wal       *wal
	committer *committer
	flusher   *flusher
	readers   *readers
	space     *space
	discards  *discards
	count     counters

	recovering bool // Open has not finished: publish repeats old decisions
	recovery   Recovery
	life       lifetime
	problems   problems
	aside      quarantine
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
	s.discards = newDiscards(s)
	s.wal = &wal{s: s, dir: s.fs.PathJoin(cfg.Dir, walDirName), minSize: min(max(16<<20, cfg.smallestWALFile()), cfg.WALFileBytes),
		maxSize: cfg.WALFileBytes, limit: 16*cfg.CheckpointBytes + 4*cfg.WALFileBytes, kick: make(chan struct{}, 1)}
	s.committer = newCommitter(s, min(1<<20, cfg.CacheBytes/8))
	s.life.stop, s.life.stopWork = make(chan struct{}), make(chan struct{})
	s.life.stopped, s.life.failed = make(chan struct{}), make(chan struct{})
	begin := s.clock.Now()
	s.folder = folder{fs: s.fs, dir: cfg.Dir}
	if err := s.folder.claim(); err != nil {
		return nil, fmt.Errorf("opening store in %s: %w", cfg.Dir, err)
	}
	s.frame = newFramer(s.folder.salt)
	s.committer.frame = s.frame
	s.aside = quarantine{fs: s.fs, root: cfg.Dir}
	if err := s.recover(); err != nil {
		s.readers.close()
		s.wal.close()
		s.flusher.files.closeFirst(len(s.flusher.files.open))
		_ = s.folder.lock.Close()
		return nil, fmt.Errorf("opening store in %s: %w", cfg.Dir, err)
	}
	s.recovery.Duration = s.clock.Now().Sub(begin)
	s.start()
	return s, nil
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
	c.align()
	c.last.at = position{seq: c.seq, file: s.wal.cur.num}
	s.flusher.files.topicsDir = len(begun) > 0
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
	s.life.work.Go(func() { s.discards.run(s.life.stopWork) })
	s.life.janitor.Go(s.tidy)
}

// tidy is the janitor: it watches the disk and applies retention.
func (s *Store) tidy() {
	next := s.clock.Now().Add(s.cfg.RetentionEvery)
	for {
		if s.space.look() {
			s.flusher.nudge()
			s.wal.nudge()
			s.discards.nudge()
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
	s.flusher.files.closeFirst(len(s.flusher.files.open))
	s.readers.close()
	s.wal.close()
	if cerr := s.folder.lock.Close(); err == nil && cerr != nil {
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

// ApplyRetention deletes the segments that retention no longer keeps and returns the bytes freed. It runs by itself every
// Config.RetentionEvery.
func (s *Store) ApplyRetention() (int64, error) {
	var freed int64
	now := s.clock.Now()
	for _, t := range s.topicList() {
		for _, p := range *t.parts.Load() {
			start := p.expired(now)
			if start <= p.LogStart() {
				continue
			}
			before := p.Size()
			if _, err := p.DeleteRecords(start); err != nil && !errors.Is(err, ErrUnknownTopic) {
				return freed, fmt.Errorf("applying retention to %s-%d: %w", t.name, p.n, err)
			}
			freed += max(before-p.Size(), 0)
		}
	}
	return freed, nil
}
