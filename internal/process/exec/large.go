package exec

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/log"
	"myelin/internal/process/state"
)

// A record of the changelog has to fit into what brokers take, 1 MB by default, and a key of state need not: a list, a partition of a window
// function or a row can have up to state.MaxBytes. Such an entry is written in several records, the last of which stands for it: see
// docs/formats/state.md.

const (
	// largeEntry is how much of an entry goes into one record.
	largeEntry = 512 << 10
	// largeKey is the longest key that a record is written under; the entries of longer ones are always written as large ones, so that
	// each key has one place in a compacted topic.
	largeKey = 64 << 10
	// headerPieces, with the number of records before it that it goes on from, marks the last record of a large entry.
	headerPieces = "pieces"
)

// What the keys of records that hold parts of large entries begin with; a part of a digest of the entry's key follows.
var (
	pieceKey = []byte{0, 0, 0, 0, 'p'} // and the number of the piece
	longKey  = []byte{0, 0, 0, 0, 'k'}
)

const digestBytes = 16

// appendEntry appends the records of an entry of the changelog; value nil removes the key. They may keep both.
func appendEntry(to []*kgo.Record, topic string, key, value []byte) []*kgo.Record {
	if len(key) <= largeKey && len(key)+len(value) <= largeEntry || string(key) == string(metaKey) {
		return append(to, &kgo.Record{Topic: topic, Key: key, Value: value})
	}
	digest := sha256.Sum256(key)
	whole := make([]byte, 0, 1+binary.MaxVarintLen64+len(key)+len(value))
	whole = append(whole, 0)
	if value == nil {
		whole[0] = 1
	}
	whole = append(append(binary.AppendUvarint(whole, uint64(len(key))), key...), value...)
	n := 0
	for ; len(whole) > largeEntry; n++ {
		k := binary.AppendUvarint(append(append([]byte{}, pieceKey...), digest[:digestBytes]...), uint64(n))
		to = append(to, &kgo.Record{Topic: topic, Key: k, Value: whole[:largeEntry]})
		whole = whole[largeEntry:]
	}
	if len(key) > largeKey {
		key = append(append([]byte{}, longKey...), digest[:digestBytes]...)
	}
	header := kgo.RecordHeader{Key: headerPieces, Value: strconv.AppendInt(nil, int64(n), 10)}
	return append(to, &kgo.Record{Topic: topic, Key: key, Value: whole, Headers: []kgo.RecordHeader{header}})
}

// entries puts the records of the changelog together again. The zero value has read none.
type entries struct {
	digest string // of the entry whose pieces are in hand
	pieces int
	buf    []byte
	from   int64 // offset of the first of them
}

// take takes the next record and returns the change that it stands for, if it does. The newest entry of each key is whole; older ones need not be where
// the topic was compacted, and are left out then.
func (e *entries) take(c *log.Chunk, r *log.RawRecord) (ch state.Change, ok bool) {
	key := bytesOf(c, r.Key)
	if len(key) > len(pieceKey)+digestBytes && string(key[:len(pieceKey)]) == string(pieceKey) {
		digest := string(key[len(pieceKey) : len(pieceKey)+digestBytes])
		n, _ := binary.Uvarint(key[len(pieceKey)+digestBytes:])
		if n == 0 {
			*e = entries{digest: digest, from: r.Offset}
		}
		if digest != e.digest || int(n) != e.pieces {
			*e = entries{}
			return ch, false
		}
		e.buf, e.pieces = append(e.buf, bytesOf(c, r.Value)...), e.pieces+1
		return ch, false
	}
	defer func() { *e = entries{} }()
	count, large := c.Header(r, headerPieces)
	if !large {
		return state.Change{Key: key, Value: bytesOf(c, r.Value)}, true
	}
	whole := append(e.buf, bytesOf(c, r.Value)...)
	if n, err := strconv.Atoi(string(count)); err != nil || n != e.pieces || len(whole) < 2 {
		return ch, false
	}
	size, w := binary.Uvarint(whole[1:])
	if at := 1 + w; w > 0 && size <= uint64(len(whole)-at) {
		ch.Key = whole[at : at+int(size)]
		if whole[0] == 0 {
			ch.Value = whole[at+int(size):]
		}
		digest := sha256.Sum256(ch.Key)
		ok = e.pieces == 0 || e.digest == string(digest[:digestBytes])
	}
	return ch, ok
}

// next is the offset from which on the records have to be read again by whoever has taken in those before to.
func (e *entries) next(to int64) int64 {
	if e.pieces > 0 {
		return e.from
	}
	return to
}
