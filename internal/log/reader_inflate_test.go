package log

import (
	"bytes"
	"compress/gzip"
	"errors"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kgo"
)

func packed(t *testing.T, codec kgo.CompressionCodecType, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	switch codec {
	case kgo.CodecGzip:
		w := gzip.NewWriter(&b)
		if _, err := w.Write(plain); err != nil || w.Close() != nil {
			t.Fatal(err)
		}
	case kgo.CodecSnappy:
		return s2.EncodeSnappy(nil, plain)
	case kgo.CodecLz4:
		w := lz4.NewWriter(&b)
		if _, err := w.Write(plain); err != nil || w.Close() != nil {
			t.Fatal(err)
		}
	case kgo.CodecZstd:
		w, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		return w.EncodeAll(plain, nil)
	}
	return b.Bytes()
}

func TestBatchesInflateWithinTheBound(t *testing.T) {
	small, large := bytes.Repeat([]byte("abcdefgh"), 1000), make([]byte, 5<<20)
	for _, codec := range []kgo.CompressionCodecType{kgo.CodecGzip, kgo.CodecSnappy, kgo.CodecLz4, kgo.CodecZstd} {
		f := &inflater{max: 5<<20 - 1}
		for range 2 { // the second time with what the first left behind
			if got, err := f.Decompress(packed(t, codec, small), codec); err != nil || !bytes.Equal(got, small) {
				t.Errorf("codec %d: %d bytes, %v", codec, len(got), err)
			}
		}
		src := packed(t, codec, large)
		if _, err := f.Decompress(src, codec); !errors.Is(err, errInflated) {
			t.Errorf("codec %d: %d bytes of %d were taken: %v", codec, len(large), len(src), err)
		}
		var c Chunk
		if err := c.decompress(src, codec, f); !errors.Is(err, errInflated) {
			t.Errorf("codec %d: a chunk took them: %v", codec, err)
		}
	}
}
