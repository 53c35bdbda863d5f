package log

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/pierrec/lz4/v4"
)

// plainBlock reads a block byte by byte, as the format's description has it.
func plainBlock(block []byte, limit int) (out []byte, ok bool) {
	for si := 0; si < len(block); {
		token := block[si]
		length := func(n int) int {
			for more := n == 15; more && si < len(block); si++ {
				n += int(block[si])
				if more = block[si] == 255; !more {
					si++
					return n
				}
			}
			if n < 15 {
				return n
			}
			return 1 << 40 // cut off
		}
		si++
		n := length(int(token >> 4))
		if n > len(block)-si || len(out)+n > limit {
			return nil, false
		}
		out = append(out, block[si:si+n]...)
		if si += n; si == len(block) {
			return out, true
		}
		if len(block)-si < 2 {
			return nil, false
		}
		back := int(block[si]) | int(block[si+1])<<8
		si += 2
		n = 4 + length(int(token&15))
		if back == 0 || back > len(out) || len(out)+n > limit {
			return nil, false
		}
		for range n {
			out = append(out, out[len(out)-back])
		}
	}
	return nil, false
}

// agreeBlock reads a block in both ways, with room bytes of memory for what it holds, and returns that.
func agreeBlock(t *testing.T, block []byte, room int) []byte {
	t.Helper()
	const before, guard, limit = 100, 1 << 10, 1 << 20
	memory := bytes.Repeat([]byte{0xa5}, before+room+guard)
	got, ok := appendBlock(memory[:before:before+room], bytes.Clone(block), before, limit)
	if bytes.Count(memory[before+room:], []byte{0xa5}) != guard || bytes.Count(got[:before], []byte{0xa5}) != before {
		t.Fatal("something else was written to")
	}
	want, good := plainBlock(block, limit)
	if ok != good || ok && !bytes.Equal(got[before:], want) {
		t.Fatalf("read: %v, %d bytes; byte by byte: %v, %d bytes", ok, len(got)-before, good, len(want))
	}
	return got[before:]
}

// repetitive makes text that repeats itself from near and far, now and then for long.
func repetitive(r *rand.Rand, size int) []byte {
	var b []byte
	for len(b) < size {
		if len(b) == 0 || r.IntN(2) == 0 {
			for range r.IntN(1 + r.IntN(90)) {
				b = append(b, byte('a'+r.IntN(26)))
			}
			continue
		}
		from := len(b) - 1 - r.IntN(min(len(b), 1+r.IntN(70_000)))
		n := r.IntN(1 + r.IntN(100))
		if r.IntN(20) == 0 {
			n = r.IntN(2000)
		}
		for k := range n {
			b = append(b, b[from+k])
		}
	}
	return b
}

// TestLZ4BlocksOfAnyKind has blocks of all sizes, whole and damaged, with more room than they need, and less.
func TestLZ4BlocksOfAnyKind(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 9))
	for range 60 {
		plain := repetitive(r, 1+r.IntN(1+r.IntN(120_000)))
		block := make([]byte, lz4.CompressBlockBound(len(plain)))
		n, err := lz4.CompressBlock(plain, block, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			continue // it cannot be made smaller
		}
		block = block[:n]
		for _, room := range []int{0, len(plain) / 2, len(plain), len(plain) + lz4Room + 1, 2*len(plain) + 5000} {
			if !bytes.Equal(agreeBlock(t, block, room), plain) {
				t.Fatal("it is not what was packed")
			}
		}
		for range 10 {
			bad := bytes.Clone(block)
			for range 1 + r.IntN(3) {
				bad[r.IntN(len(bad))] = byte(r.IntN(256))
			}
			agreeBlock(t, bad[:len(bad)-r.IntN(2)*r.IntN(len(bad))], len(plain))
		}
	}
}

func FuzzLZ4Block(f *testing.F) {
	f.Add([]byte("\x1fa\x01\x00\xff\xff\x00\x50abcde"))
	f.Add([]byte("\xf0\xff\x00" + string(bytes.Repeat([]byte("z"), 300))))
	r := rand.New(rand.NewPCG(5, 5))
	for range 20 {
		plain := repetitive(r, 5000)
		block := make([]byte, lz4.CompressBlockBound(len(plain)))
		n, err := lz4.CompressBlock(plain, block, nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(block[:n])
	}
	f.Fuzz(func(t *testing.T, block []byte) { agreeBlock(t, block, 2000) })
}
