package event

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strconv"
)

// AppendUUIDv7 appends a fresh UUID of version 7 (RFC 9562 §5.7), which sorts by the time us, in µs since 1970.
func AppendUUIDv7(dst []byte, us int64) []byte {
	var u [16]byte
	binary.BigEndian.PutUint64(u[:8], uint64(us/1000)<<16|rand.Uint64()&0x0fff)
	binary.BigEndian.PutUint64(u[8:], rand.Uint64())
	u[6] |= 0x70
	u[8] = u[8]&0x3f | 0x80
	return appendUUID(dst, u)
}

// appendHashID appends a UUID of version 8 made from the given parts alone: the same parts give the same id.
func appendHashID(dst []byte, parts ...[]byte) []byte {
	h := sha256.New()
	var n [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write(p)
	}
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	u := [16]byte(sum[:])
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return appendUUID(dst, u)
}

func appendUUID(dst []byte, u [16]byte) []byte {
	dst = hex.AppendEncode(dst, u[:4])
	dst = append(dst, '-')
	dst = hex.AppendEncode(dst, u[4:6])
	dst = append(dst, '-')
	dst = hex.AppendEncode(dst, u[6:8])
	dst = append(dst, '-')
	dst = hex.AppendEncode(dst, u[8:10])
	dst = append(dst, '-')
	return hex.AppendEncode(dst, u[10:])
}

// ensureMessageID gives an event without an id one: for records from its place in the log, for retries from its text and
// place in the batch, and otherwise a fresh one.
func (e *Event) ensureMessageID(b *Base) {
	if len(e.MessageID) > 0 {
		return
	}
	before, after := e.raw, []byte(nil)
	if e.Root >= 0 {
		before = e.Doc.Raw(e.Root)
		if i := e.Doc.Get(e.Root, "sentAt"); i >= 0 { // differs from try to try
			n := &e.Doc.Nodes[i]
			before, after = e.Doc.Src[e.Doc.Nodes[e.Root].Start:n.Start], e.Doc.Src[n.End:e.Doc.Nodes[e.Root].End]
		}
	}
	at := len(e.scratch)
	switch {
	case b.record != nil:
		var place [12]byte
		binary.BigEndian.PutUint64(place[:], uint64(b.record.Offset))
		binary.BigEndian.PutUint32(place[8:], uint32(b.record.Partition))
		e.scratch = appendHashID(e.scratch, []byte(b.record.Topic), place[:], before, after)
	case b.Retry:
		e.scratch = appendHashID(e.scratch, []byte(b.Source), []byte(strconv.Itoa(b.Position)), before, after)
	default:
		e.scratch = AppendUUIDv7(e.scratch, e.ReceivedAt)
	}
	e.MessageID = e.scratch[at:len(e.scratch):len(e.scratch)]
}
