package store

// Partition is one ordered log. All methods may be called at the same time.
type Partition struct{}

// Topic is the id of the partition's topic.
func (p *Partition) Topic() TopicID { return TopicID{} }

// TopicName is the name of the partition's topic.
func (p *Partition) TopicName() string { return "" }

// Index is the partition's number.
func (p *Partition) Index() int32 { return 0 }

// Append queues one whole RecordBatch v2, whose CRC the caller has checked. It assigns the next offset and writes it, with
// the leader epoch, into the batch (neither is covered by the batch's CRC), and returns it at once. The batch's bytes belong
// to the store until done is called; done is called exactly once, when the batch is durable and readable or the store has
// failed, in the order of Append per partition, from the store's committer: it must not block or call Append.
//
// When Append itself returns an error (ErrDiskFull, ErrStorage, ErrClosed, ErrUnknownTopic, ErrBadBatch, ErrTooLarge) no
// offset was used and done is not called. Append waits while Config.MaxPendingBytes are queued.
func (p *Partition) Append(batch []byte, leaderEpoch int32, done func(base int64, err error)) (base int64, err error) {
	return 0, nil
}

// Read appends to dst whole batches beginning with the one that holds offset, as many as fit into maxBytes but at least
// one, none of which begins at or after upTo (pass HighWatermark, or the last stable offset). The first batch may begin
// before offset. Reading at the end (offset = upTo) returns nothing. Only durable batches are returned. Errors:
// ErrOffsetRange, ErrUnknownTopic, *CorruptError; with *CorruptError nothing is appended.
func (p *Partition) Read(dst []byte, offset int64, maxBytes int, upTo int64) ([]byte, error) {
	return dst, nil
}

// LogStart is the first offset that can be read.
func (p *Partition) LogStart() int64 { return 0 }

// HighWatermark is the durable end: the offset after the last one that can be read.
func (p *Partition) HighWatermark() int64 { return 0 }

// NextOffset is the offset that the next Append will get; from HighWatermark to there batches are on their way to disk.
func (p *Partition) NextOffset() int64 { return 0 }

// Watch makes the store send on ch, without waiting, whenever the high watermark advances, the log start moves, the topic is
// deleted or the store fails. Give ch a buffer of one; it may serve several partitions.
func (p *Partition) Watch(ch chan<- struct{}) {}

// Unwatch ends one Watch of ch.
func (p *Partition) Unwatch(ch chan<- struct{}) {}

// OffsetForTime finds the first batch that holds a record at or after ts (milliseconds since 1970) and returns its base
// offset and largest timestamp: the caller looks into the batch for the exact record. found is false when all are older.
func (p *Partition) OffsetForTime(ts int64) (base, maxTimestamp int64, found bool, err error) {
	return 0, 0, false, nil
}

// MaxTimestamp is the largest record timestamp in the partition and the base offset of the first batch that has it; found
// is false when the partition is empty.
func (p *Partition) MaxTimestamp() (base, maxTimestamp int64, found bool, err error) {
	return 0, 0, false, nil
}

// DeleteRecords advances the log start to before (-1 means the high watermark), durable when it returns, and deletes
// segments that lie wholly below it. It returns the log start. It works on a full disk.
func (p *Partition) DeleteRecords(before int64) (logStart int64, err error) { return 0, nil }

// Size is the number of bytes of all batches from the log start's segment on.
func (p *Partition) Size() int64 { return 0 }
