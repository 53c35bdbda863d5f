package store

import (
	"errors"
	"fmt"
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

	// Synced hears how long each fdatasync of the write-ahead log took; nil: nobody does. It may be called at the same time.
	Synced func(time.Duration)
}

// TopicConfig is what the store must know about a topic. It is durable with the topic.
type TopicConfig struct {
	SegmentBytes   int64         // a segment is rolled before it exceeds this (default 1 GiB)
	SegmentAge     time.Duration // a segment is rolled when its first batch is older (default 7 days)
	RetentionAge   time.Duration // batches whose newest record is older are deleted; 0 or less keeps them
	RetentionBytes int64         // per partition; 0 or less is no limit
	Compact        bool          // cleanup.policy contains compact
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
