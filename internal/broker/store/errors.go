package store

import (
	"errors"
	"fmt"
	"time"
)

// Errors that callers branch on.
var (
	// ErrStorage: a write or fsync failed and the store has stopped; nothing is accepted until the process is restarted.
	ErrStorage = errors.New("storage failed")
	// ErrDiskFull: there is too little free space to accept data. Deleting works, and appends do again once there is room.
	ErrDiskFull = errors.New("disk full")
	// ErrClosed: the store is closed or closing.
	ErrClosed = errors.New("store closed")
	// ErrLocked: another process has the data folder open.
	ErrLocked = errors.New("data folder is in use by another process")
	// ErrFormat: the data folder was written by a version this one cannot read, or is not a data folder.
	ErrFormat = errors.New("unknown data folder format")
	// ErrUnknownTopic: no such topic or partition, or it has been deleted.
	ErrUnknownTopic = errors.New("unknown topic or partition")
	// ErrTopicExists: the topic's name or id is taken.
	ErrTopicExists = errors.New("topic exists")
	// ErrBadTopic: the topic's name, partition count or configuration cannot be used.
	ErrBadTopic = errors.New("invalid topic")
	// ErrOffsetRange: the offset lies before the log start or after the high watermark.
	ErrOffsetRange = errors.New("offset out of range")
	// ErrBadBatch: the bytes are not one whole RecordBatch v2.
	ErrBadBatch = errors.New("invalid record batch")
	// ErrTooLarge: the batch or group exceeds Config.MaxBatchBytes.
	ErrTooLarge = errors.New("batch too large")
)

// CorruptError says which stored batch cannot be read. Reading may go on at Next.
type CorruptError struct {
	Topic     string
	Partition int32
	Offset    int64 // first offset that cannot be read
	Next      int64 // first offset after the damage
	File      string
	Position  int64
	Reason    string
}

// Error implements error.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s-%d: offsets %d to %d cannot be read: %s at byte %d of %s",
		e.Topic, e.Partition, e.Offset, e.Next-1, e.Reason, e.Position, e.File)
}

// Problem is damage that was found, reported and set aside, never silently cut.
type Problem struct {
	At        time.Time
	File      string // relative to the data folder
	Position  int64
	Topic     string // empty when not known
	Partition int32
	Offset    int64 // first offset concerned, -1 when not known
	Next      int64 // first offset after it, -1 when not known
	Salvaged  bool  // the data was found elsewhere, nothing is missing
	Reason    string
	Aside     string // copy of the damaged bytes, relative to the data folder; empty when they were left in place
}

// Recovery is what Open found and did.
type Recovery struct {
	Clean     bool  // the last process closed the store properly
	Frames    int64 // write-ahead frames replayed
	Bytes     int64 // their bytes
	TornBytes int64 // bytes of unacknowledged frames cut at the end of the write-ahead log: normal after a crash
	Duration  time.Duration
}

// Stats are counters since Open, and levels.
type Stats struct {
	Appends, AppendBytes   int64 // batches made durable
	Commits                int64 // group commits: one write and one fdatasync each
	Checkpoints            int64
	CacheBytes             int64 // level
	UnflushedBytes         int64 // level: durable in the write-ahead log, not yet in their segment
	WALBytes               int64 // level: size of all write-ahead files
	CacheReads, DiskReads  int64
	Problems               int64
	FreeBytes              int64 // level: -1 when the file system does not say
	SegmentsDeleted        int64
	Topics, PartitionCount int64 // levels
}
