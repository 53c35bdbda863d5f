package log

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestLZ4FramesOfAnyKind compares our reading of a frame with that of the library that wrote it.
func TestLZ4FramesOfAnyKind(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	for _, size := range []int{0, 1, 100, 64 << 10, 200_000, 1 << 20} {
		plain := make([]byte, size)
		for i := range plain {
			plain[i] = byte('a' + r.IntN(1+r.IntN(20)))
		}
		for name, options := range map[string][]lz4.Option{
			"plain":     {lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false)},
			"checksums": {lz4.ChecksumOption(true), lz4.BlockChecksumOption(true)},
			"sized":     {lz4.SizeOption(uint64(size)), lz4.BlockSizeOption(lz4.Block256Kb)},
			"large":     {lz4.BlockSizeOption(lz4.Block4Mb)},
		} {
			var frame bytes.Buffer
			w := lz4.NewWriter(&frame)
			if err := w.Apply(options...); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(plain); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			got, ok := appendLZ4([]byte("before"), frame.Bytes(), maxInflated)
			if !ok || string(got) != "before"+string(plain) {
				t.Errorf("%s, %d bytes: read: %v, %d bytes", name, size, ok, len(got))
			}
			for range 50 { // damaged: refused, left to the library, or at least no harm
				bad := bytes.Clone(frame.Bytes())
				bad[r.IntN(len(bad))] ^= byte(1 + r.IntN(255))
				bad = bad[:r.IntN(len(bad)+1)]
				if got, _ := appendLZ4([]byte("before"), bad, maxInflated); !bytes.HasPrefix(got, []byte("before")) {
					t.Fatal("what was there before is gone")
				}
			}
		}
	}
}

// TestLZ4BlocksThatReferToOthers reads a frame whose second block repeats bytes of the first.
func TestLZ4BlocksThatReferToOthers(t *testing.T) {
	frame := []byte{0x04, 0x22, 0x4D, 0x18, 0x40, 0x40, 0xC0}
	frame = append(frame, 6, 0, 0, 0x80)
	frame = append(frame, "abcdef"...)
	second := append([]byte{0x10, 'X', 4, 0, 0x50}, "12345"...)
	frame = append(frame, byte(len(second)), 0, 0, 0)
	frame = append(append(frame, second...), 0, 0, 0, 0)
	const want = "abcdef" + "X" + "defX" + "12345"
	if got, ok := appendLZ4(nil, frame, maxInflated); !ok || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, ok, want)
	}
	if got, err := kgo.DefaultDecompressor().Decompress(frame, kgo.CodecLz4); err == nil && string(got) != want {
		t.Errorf("the library reads %q", got)
	}
}
