package log

import (
	"encoding/binary"
	"slices"
)

const (
	// lz4Longest is how long literals or a match are whose length takes a single further byte, with the least length of a match.
	lz4Longest = 15 + 254 + 4
	// lz4Wide is how much is copied at once, if need be too much.
	lz4Wide = 64
	// lz4Tail is how much of a block has to be left so that it can be read without looking: literals and what stands around them.
	lz4Tail = lz4Longest + lz4Wide + 8
	// lz4Room is how much of the output has to be free so that it can be written without looking: literals and a match.
	lz4Room = 2*lz4Longest + lz4Wide
)

// appendBlock appends what an LZ4 block holds, limit bytes at most. Matches may lie in dst from base on.
func appendBlock(dst, block []byte, base, limit int) (_ []byte, ok bool) {
	start := len(dst)
	for si := 0; si < len(block); {
		if stop := len(block) - lz4Tail; si < stop {
			if cap(dst)-len(dst) <= lz4Room {
				dst = slices.Grow(dst, max(2*(len(block)-si), 2*lz4Room))
			}
			var di int
			di, si = lz4Run(&dst[:1][0], len(dst), cap(dst)-lz4Room, base, &block[0], si, stop)
			dst = dst[:di]
		}
		// What is left: a sequence of a rare kind, or the last ones.
		token := block[si]
		var n int
		if n, si = lz4Length(block, si+1, token>>4); n > len(block)-si || n > limit-(len(dst)-start) {
			return dst[:start], false
		}
		dst = append(dst, block[si:si+n]...)
		if si += n; si == len(block) {
			return dst, true
		}
		if len(block)-si < 2 {
			return dst[:start], false
		}
		back := int(binary.LittleEndian.Uint16(block[si:]))
		n, si = lz4Length(block, si+2, token&15)
		n += 4
		from := len(dst) - back
		if back == 0 || from < base || si > len(block) || n > limit-(len(dst)-start) {
			return dst[:start], false
		}
		for n > 0 { // a match that overlaps itself grows with what it has copied
			part := min(n, len(dst)-from)
			dst = append(dst, dst[from:from+part]...)
			n -= part
		}
	}
	return dst[:start], false // the last sequence has literals only
}

// lz4Length reads what follows of a length that begins with four bits. The index behind it lies beyond the block if the block ends before.
func lz4Length(block []byte, si int, first byte) (n, next int) {
	n = int(first)
	for more := first == 15; more; si++ {
		if si >= len(block) {
			return n, len(block) + 1
		}
		n += int(block[si])
		more = block[si] == 255
	}
	return n, si
}
