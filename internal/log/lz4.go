package log

import (
	"encoding/binary"
	"slices"

	"github.com/pierrec/lz4/v4"
)

const (
	lz4Magic = 0x184D2204

	lz4Dictionary      = 0x01
	lz4ContentChecksum = 0x04
	lz4ContentSize     = 0x08
	lz4BlockChecksum   = 0x10
	lz4Independent     = 0x20

	lz4Window = 64 << 10 // how far back a block may refer into those before it
)

// appendLZ4 appends what an LZ4 frame holds, block after block into dst itself. The frame's checksums are passed over: that of
// the record batch has covered its bytes. ok is false, and dst as it was, for anything that is not a single plain frame of limit
// bytes at most.
func appendLZ4(dst, src []byte, limit int) (_ []byte, ok bool) {
	if len(src) < 7 || binary.LittleEndian.Uint32(src) != lz4Magic {
		return dst, false
	}
	flags, most := src[4], src[5]>>4&7
	if flags>>6 != 1 || flags&lz4Dictionary != 0 || most < 4 {
		return dst, false
	}
	blockSize := 1 << (8 + 2*int(most))
	at := 7
	if flags&lz4ContentSize != 0 {
		at += 8
	}
	start := len(dst)
	for {
		if len(src)-at < 4 {
			return dst[:start], false
		}
		size := binary.LittleEndian.Uint32(src[at:])
		at += 4
		if size == 0 {
			break
		}
		stored := size>>31 != 0
		n := int(size &^ (1 << 31))
		if n > len(src)-at || n > blockSize || len(dst)-start > limit-blockSize {
			return dst[:start], false
		}
		block := src[at : at+n]
		at += n
		if flags&lz4BlockChecksum != 0 {
			at += 4
		}
		if stored {
			dst = append(dst, block...)
			continue
		}
		// Blocks are mostly much smaller than they may be: see first whether there is room.
		var got int
		room := blockSize
		if free := cap(dst) - len(dst); free > n {
			room = min(room, free)
		}
		for ; ; room = blockSize {
			if cap(dst)-len(dst) < room {
				dst = slices.Grow(dst, max(room, cap(dst)/2))
			}
			var err error
			to := dst[len(dst) : len(dst)+room]
			if flags&lz4Independent != 0 || len(dst) == start {
				got, err = lz4.UncompressBlock(block, to)
			} else {
				got, err = lz4.UncompressBlockWithDict(block, to, dst[max(start, len(dst)-lz4Window):])
			}
			if err == nil {
				break
			}
			if room == blockSize {
				return dst[:start], false
			}
		}
		dst = dst[:len(dst)+got]
	}
	if flags&lz4ContentChecksum != 0 {
		at += 4
	}
	return dst, at == len(src)
}
