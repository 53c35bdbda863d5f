package store

import (
	"math"
	"sort"
	"strconv"
	"sync/atomic"
)

// indexInterval is the least number of segment bytes between two index entries.
const indexInterval = 32 << 10

// maxSegmentBytes keeps positions within Kafka's signed 32 bits.
const maxSegmentBytes = math.MaxInt32

// segment is one file of a partition. Its fields are guarded by the partition's lock.
type segment struct {
	base    int64       // first offset that may be in it, and its name
	end     int64       // offset after its last batch
	size    int64       // bytes of all batches that belong to it
	flushed int64       // of these, written to the file
	created int64       // when it was begun, milliseconds
	maxTS   int64       // largest record timestamp; meaningful when size > 0
	maxBase int64       // base offset of the first batch that has it
	maxLast int64       // last offset of that batch
	exists  bool        // the file is there
	sparse  bool        // offsets are missing between its batches, after compaction or damage
	missing bool        // the file should be there and is not
	closed  bool        // nothing may be added: what is in the file does not end where it should
	clean   int64       // offset up to which it has been compacted; at or before base: not at all
	swap    bool        // decoded from a checkpoint: its file may still have the swap name
	old     bool        // a compaction has replaced it, or it was removed: positions in it no longer count
	aside   atomic.Bool // its file has the swap name at this moment
	idx     index
}

// index finds positions in a segment. What skip counts is only in the index files.
type index struct {
	offs       []offsetEntry
	times      []timeEntry
	offSkip    int // entries of the .index file in front of offs
	timeSkip   int // entries of the .timeindex file in front of times
	offSaved   int // entries written to the .index file, counted from its start
	timeSaved  int
	lastOffPos int64 // position of the newest entry
	lastTime   int64 // newest timestamp in the time index
}

// offsetEntry: the batch at pos ends with offset base+rel, as in Kafka's OffsetIndex.
type offsetEntry struct{ rel, pos uint32 }

// timeEntry: up to offset base+rel, no record is newer than ts, as in Kafka's TimeIndex.
type timeEntry struct {
	ts  int64
	rel uint32
}

func newSegment(base, now int64) *segment {
	s := &segment{base: base, end: base, created: now, maxTS: -1, maxBase: -1, maxLast: -1}
	s.idx.lastTime = math.MinInt64
	return s
}

// add accounts for a batch at the end of the segment and indexes it when its turn has come. It returns its position.
func (s *segment) add(b Batch) int64 {
	pos := s.size
	last := b.LastOffset()
	if pos-s.idx.lastOffPos > indexInterval {
		s.idx.offs = append(s.idx.offs, offsetEntry{rel: uint32(last - s.base), pos: uint32(pos)})
		s.idx.lastOffPos = pos
		s.addTime()
	}
	s.sparse = s.sparse || b.BaseOffset() != s.end
	if ts := b.MaxTimestamp(); ts > s.maxTS || s.size == 0 {
		s.maxTS, s.maxBase, s.maxLast = ts, b.BaseOffset(), last
	}
	s.size += int64(len(b))
	s.end = last + 1
	return pos
}

// addTime brings the time index up to date.
func (s *segment) addTime() {
	if s.size == 0 || s.maxTS <= s.idx.lastTime || s.maxLast < s.base {
		return
	}
	s.idx.times = append(s.idx.times, timeEntry{ts: s.maxTS, rel: uint32(s.maxLast - s.base)})
	s.idx.lastTime = s.maxTS
}

// takes reports whether a batch still fits.
func (s *segment) takes(b Batch, limit int64) bool {
	return s.size == 0 || s.size+int64(len(b)) <= limit && b.LastOffset()-s.base <= math.MaxInt32
}

// position is where to begin looking for offset: a batch lies there that ends with offset base+last (last is -1 at the
// beginning of the segment). known is false when the index file must be loaded first.
func (x *index) position(rel int64) (pos, last int64, known bool) {
	i := sort.Search(len(x.offs), func(i int) bool { return int64(x.offs[i].rel) > rel })
	if i > 0 {
		return int64(x.offs[i-1].pos), int64(x.offs[i-1].rel), true
	}
	return 0, -1, x.offSkip == 0
}

// before is an offset, relative to the base, up to which every record is older than ts.
func (x *index) before(ts int64) (rel int64, known bool) {
	i := sort.Search(len(x.times), func(i int) bool { return x.times[i].ts >= ts })
	if i > 0 {
		return int64(x.times[i-1].rel), true
	}
	return 0, x.timeSkip == 0
}

// drop forgets the entries that are in the files.
func (x *index) drop() {
	if x.offSaved == x.offSkip+len(x.offs) && x.timeSaved == x.timeSkip+len(x.times) {
		x.offs, x.times = nil, nil
		x.offSkip, x.timeSkip = x.offSaved, x.timeSaved
	}
}

// Names of the files of a segment.
const (
	logSuffix   = ".log"
	swapSuffix  = ".log.swap" // a compacted segment before it replaces others
	indexSuffix = ".index"
	timeSuffix  = ".timeindex"
)

// offsetName is the 20-digit name that Kafka gives to the files of a segment.
func offsetName(base int64) string {
	const zeros = "00000000000000000000"
	d := strconv.FormatInt(base, 10)
	return zeros[:len(zeros)-len(d)] + d
}

// parseOffsetName is the inverse of offsetName+suffix.
func parseOffsetName(name, suffix string) (base int64, ok bool) {
	if len(name) != 20+len(suffix) || name[20:] != suffix {
		return 0, false
	}
	for _, c := range name[:20] {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(name[:20], 10, 64)
	return n, err == nil
}
