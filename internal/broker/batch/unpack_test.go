package batch

import (
	"bytes"
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// bomb is a batch that says it has n records, whose compressed bytes unfold to size.
func bomb(t testing.TB, codec, size int, n int32) View {
	t.Helper()
	packed, err := pack(make([]byte, size), codec)
	if err != nil {
		t.Fatal(err)
	}
	b := NewBuilder(1)
	b.Add([]byte("k"), []byte("v"))
	v := append(b.Build()[:HeaderSize:HeaderSize], packed...)
	v[posAttributes+1] = byte(codec)
	for at, x := range map[int]uint32{posLength: uint32(len(v) - prefixSize), posCount: uint32(n), posLastDelta: uint32(n - 1)} {
		v[at], v[at+1], v[at+2], v[at+3] = byte(x>>24), byte(x>>16), byte(x>>8), byte(x)
	}
	v.seal()
	if err := v.Check(); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestBombsAreNotUnfolded looks into small batches that would take much memory.
func TestBombsAreNotUnfolded(t *testing.T) {
	for codec := 1; codec <= 4; codec++ {
		v := bomb(t, codec, maxPlainBytes+1, 5)
		if _, err := Decode(v); !errors.Is(err, ErrRecord) {
			t.Errorf("codec %d, %d bytes: %v", codec, len(v), err)
		}
	}
	v := bomb(t, 4, 16<<20, 1<<31-1)
	if _, err := Decode(v); !errors.Is(err, ErrRecord) {
		t.Errorf("two billion records: %v", err)
	}
	if _, err := v.Retain(nil, Retention{Keep: func([]byte, int64) bool { return true }}); !errors.Is(err, ErrRecord) {
		t.Errorf("two billion records, compacted: %v", err)
	}
}

// TestUnpackReadsWhatClientsPack compares with what franz-go compresses.
func TestUnpackReadsWhatClientsPack(t *testing.T) {
	plain := bytes.Repeat([]byte("abcdefgh0123"), 20_000)
	for codec := 1; codec <= 4; codec++ {
		packed, err := pack(plain, codec)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 { // decoders are used again, after errors too
			got, err := unpack(packed, codec)
			if err != nil || !bytes.Equal(got, plain) {
				t.Errorf("codec %d: %d bytes, %v", codec, len(got), err)
			}
			if _, err := unpack(packed[:len(packed)/2], codec); err == nil {
				t.Errorf("codec %d: half of it is taken", codec)
			}
		}
	}
}

// FuzzUnpack compares with the decompressor of franz-go, and looks that nothing unfolds beyond the bound.
func FuzzUnpack(f *testing.F) {
	for codec := 1; codec <= 4; codec++ {
		packed, err := pack([]byte("what is compressed, compressed, compressed"), codec)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed, codec)
	}
	f.Add(append(append([]byte{}, xerial...), 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 3, 2, 4, 'a', 'b'), 2)
	theirs := kgo.DefaultDecompressor()
	f.Fuzz(func(t *testing.T, b []byte, codec int) {
		if codec < 1 || codec > 4 || len(b) > 1<<16 {
			return
		}
		got, err := unpack(b, codec)
		if len(got) > maxPlainBytes && err == nil {
			t.Fatalf("%d bytes", len(got))
		}
		if err != nil {
			return
		}
		want, err := theirs.Decompress(b, kgo.CompressionCodecType(codec))
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, theirs %d, %v", len(got), len(want), err)
		}
	})
}
