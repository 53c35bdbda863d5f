package event

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
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
