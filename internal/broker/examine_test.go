package broker_test

import (
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"myelin/internal/broker"
)

// FuzzProducers reads producer snapshots whose checksum is right.
func FuzzProducers(f *testing.F) {
	fs := vfs.NewMem()
	b, err := broker.Open(broker.Config{Dir: "data", FS: fs, Store: smallStore})
	if err != nil {
		f.Fatal(err)
	}
	if _, err := b.Topics().Create("t", 1, nil); err != nil {
		f.Fatal(err)
	}
	done := make(chan error, 1)
	b.Topics().Partition("t", 0).Append(idempotentBatch(7, 1, 0, 3), func(_ int64, err error) { done <- err })
	if err := <-done; err != nil {
		f.Fatal(err)
	}
	if err := b.Close(); err != nil {
		f.Fatal(err)
	}
	const name = "data/producers.snapshot"
	good, err := fs.UnsafeGetFileDataBuffer(name)
	if err != nil {
		f.Fatal(err)
	}
	if err := broker.CheckProducers(fs, "data"); err != nil {
		f.Fatal(err)
	}
	f.Add(good[:len(good)-4])
	f.Add([]byte("MYPS\x00\x01"))
	f.Fuzz(func(t *testing.T, body []byte) {
		mem := vfs.NewMem()
		if err := mem.MkdirAll("data", 0o755); err != nil {
			t.Fatal(err)
		}
		file, err := mem.Create(name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		_, err = file.Write(binary.BigEndian.AppendUint32(body[:len(body):len(body)], crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))))
		if err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		_ = broker.CheckProducers(mem, "data")
	})
}
