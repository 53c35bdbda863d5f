package batch

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func sample() View {
	b := NewBuilder(1000)
	b.Add([]byte("k"), []byte("v"))
	b.Add(nil, nil)
	b.Add([]byte{}, bytes.Repeat([]byte("x"), 300))
	return b.Build()
}

func TestBuilderMakesWhatKafkaReads(t *testing.T) {
	v := sample()
	if err := v.Check(); err != nil {
		t.Fatal(err)
	}
	var kb kmsg.RecordBatch
	if err := kb.ReadFrom(v); err != nil {
		t.Fatal(err)
	}
	if kb.NumRecords != 3 || kb.LastOffsetDelta != 2 || kb.ProducerID != -1 || int(kb.Length) != len(v)-12 {
		t.Fatalf("batch %+v", kb)
	}
	rs, err := Decode(v)
	if err != nil {
		t.Fatal(err)
	}
	if string(rs[0].Key) != "k" || rs[1].Key != nil || rs[1].Value != nil || rs[2].Key == nil || len(rs[2].Value) != 300 || rs[2].Offset != 2 {
		t.Fatalf("records %+v", rs)
	}
}

func TestMarkerSaysHowTheTransactionEnded(t *testing.T) {
	for _, commit := range []bool{true, false} {
		v := Marker(7, 3, commit, 1000)
		got, ok := v.MarkerCommits()
		if !ok || got != commit || !v.Control() || !v.Transactional() || v.Check() != nil {
			t.Fatalf("marker of commit=%v reads %v, %v", commit, got, ok)
		}
	}
}

func TestDamageIsFound(t *testing.T) {
	good := sample()
	for i := posAttributes; i < len(good); i++ {
		v := View(bytes.Clone(good))
		v[i] ^= 0x10
		if v.Check() == nil {
			t.Fatalf("a flipped bit at %d was not noticed", i)
		}
	}
	for i := posAttributes; i < len(good); i++ { // damage that a producer made and sealed must be found by structure
		v := View(bytes.Clone(good))
		v[i] ^= 0x10
		v.seal()
		_ = v.Check()
		_, _ = Decode(v)
	}
}

func TestSequencesWrap(t *testing.T) {
	if n := NextSequence(1<<31-1, 1); n != 0 {
		t.Fatalf("after the last sequence comes %d", n)
	}
}

func FuzzBatch(f *testing.F) {
	f.Add([]byte(sample()))
	f.Add([]byte(Marker(1, 1, true, 1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, _, err := Split(b)
		if err != nil {
			return
		}
		v.seal()
		checked := v.Check() == nil
		rs, err := Decode(v)
		if checked && v.Compression() == 0 && err == nil && len(rs) != int(v.Count()) {
			t.Fatalf("%d records of %d", len(rs), v.Count())
		}
		v.MarkerCommits()
	})
}
