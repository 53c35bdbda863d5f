// Package store is the durable log under the embedded broker: one shared write-ahead log with group commit in front of
// Kafka's segment files, so that an acknowledged batch survives any crash and a reader never sees one that might not.
package store

import (
	"errors"
	"time"

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

	WALFileBytes    int64         // largest write-ahead file; files start at 16 MiB and grow to it under load (256 MiB)
	MaxBatchBytes   int           // largest batch, or group of batches, accepted (8 MiB)
	MaxPendingBytes int64         // batches waiting for the committer; more makes Append wait (32 MiB)
	CacheBytes      int64         // recent batches kept in memory, including those not yet in their segment (64 MiB)
	MaxOpenFiles    int           // segment files kept open (512)
	CheckpointEvery time.Duration // longest time between checkpoints while there is something to save (30 s)
	CheckpointBytes int64         // write-ahead bytes after which a checkpoint starts early (256 MiB)
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

// Store is one open data folder. All methods may be called at the same time.
type Store struct{}

// Open takes the folder's lock, recovers what a crash left behind and starts the committer. What was found wrong on the
// way, but did not prevent opening, is in Recovery.
func Open(cfg Config) (*Store, error) { return nil, errors.New("opening store: not built yet") }

// Close drains the queue, saves a clean checkpoint and releases the folder. It returns the error that stopped the store,
// if one did.
func (s *Store) Close() error { return nil }

// CreateTopic makes a topic with empty partitions 0..partitions-1, durable when it returns. ErrTopicExists when the name
// or id is taken.
func (s *Store) CreateTopic(id TopicID, name string, partitions int32, cfg TopicConfig) error {
	return nil
}

// AddPartitions grows a topic to total partitions, durable when it returns.
func (s *Store) AddPartitions(id TopicID, total int32) error { return nil }

// SetTopicConfig replaces a topic's configuration, durable when it returns.
func (s *Store) SetTopicConfig(id TopicID, cfg TopicConfig) error { return nil }

// DeleteTopic removes a topic and its data. It works on a full disk. Batches still queued for it answer ErrUnknownTopic
// or succeed; reads of its partitions answer ErrUnknownTopic from then on.
func (s *Store) DeleteTopic(id TopicID) error { return nil }

// Topics lists all topics, by name.
func (s *Store) Topics() []TopicInfo { return nil }

// Topic describes the topic of that id.
func (s *Store) Topic(id TopicID) (TopicInfo, bool) { return TopicInfo{}, false }

// TopicByName describes the topic of that name.
func (s *Store) TopicByName(name string) (TopicInfo, bool) { return TopicInfo{}, false }

// Partition is the partition's handle, or nil when there is none. A handle outlives the deletion of its topic: it then
// answers ErrUnknownTopic.
func (s *Store) Partition(id TopicID, partition int32) *Partition { return nil }

// GroupItem is one batch of an AppendGroup.
type GroupItem struct {
	Partition   *Partition
	Batch       []byte
	LeaderEpoch int32
	Base        int64 // set by AppendGroup before it returns
}

// AppendGroup appends several batches, to one or several partitions, of which after a crash either all or none are there;
// readers may see them one partition after the other. Ownership and errors are as for Partition.Append.
func (s *Store) AppendGroup(items []GroupItem, done func(err error)) error { return nil }

// Checkpoint writes everything durable so far into segments and frees the write-ahead files behind it. It runs by itself;
// calling it is needed only by tests and before a backup.
func (s *Store) Checkpoint() error { return nil }

// ApplyRetention deletes the segments that retention no longer keeps and returns the bytes freed. It runs by itself every
// Config.RetentionEvery.
func (s *Store) ApplyRetention() (int64, error) { return 0, nil }

// Err is the error that stopped the store (it wraps ErrStorage), or nil.
func (s *Store) Err() error { return nil }

// Failed is closed when the store has stopped on an error; Err then says which.
func (s *Store) Failed() <-chan struct{} { return nil }

// DiskFull reports whether appends are refused for want of space.
func (s *Store) DiskFull() bool { return false }

// Recovery tells what Open found.
func (s *Store) Recovery() Recovery { return Recovery{} }

// Problems lists the damage found since Open began, oldest first (bounded; see Stats.Problems for the count).
func (s *Store) Problems() []Problem { return nil }

// Stats are the store's counters.
func (s *Store) Stats() Stats { return Stats{} }
