package broker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"myelin/internal/broker/partition"
	"myelin/internal/broker/store"
)

// The producer snapshot is one file with the state of all partitions: a cache that spares the next start from reading the
// whole log. docs/formats/producers.md describes it.
const (
	snapshotName  = "producers.snapshot"
	snapshotMagic = "MYPS"
	snapshotV1    = 1
)

type partitionKey struct {
	id    store.TopicID
	index int32
}

// readSnapshot returns the states of the last snapshot; none when it is missing or damaged.
func readSnapshot(fs vfs.FS, dir string, log *slog.Logger) map[partitionKey]partition.State {
	f, err := fs.Open(fs.PathJoin(dir, snapshotName))
	if err != nil {
		return nil
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err == nil {
		var states map[partitionKey]partition.State
		if states, err = decodeSnapshot(b); err == nil {
			return states
		}
	}
	log.Warn("ignoring the producer snapshot; the log is read instead", "error", err)
	return nil
}

var errSnapshot = errors.New("malformed producer snapshot")

func decodeSnapshot(b []byte) (map[partitionKey]partition.State, error) {
	const head, entry = 4 + 2, 16 + 4 + 8 + 4
	if len(b) < head+4 || string(b[:4]) != snapshotMagic {
		return nil, errSnapshot
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) != sum {
		return nil, fmt.Errorf("%w: checksum", errSnapshot)
	}
	if v := binary.BigEndian.Uint16(body[4:]); v != snapshotV1 {
		return nil, fmt.Errorf("%w: version %d", errSnapshot, v)
	}
	states := make(map[partitionKey]partition.State)
	for body = body[head:]; len(body) > 0; {
		if len(body) < entry {
			return nil, errSnapshot
		}
		k := partitionKey{id: store.TopicID(body[:16]), index: int32(binary.BigEndian.Uint32(body[16:]))}
		s := partition.State{Next: int64(binary.BigEndian.Uint64(body[20:]))}
		n := binary.BigEndian.Uint32(body[28:])
		body = body[entry:]
		if uint64(n) > uint64(len(body)) {
			return nil, errSnapshot
		}
		s.Encoded, body = body[:n], body[n:]
		states[k] = s
	}
	return states, nil
}

func encodeSnapshot(all []*partition.Partition, states []partition.State) []byte {
	be := binary.BigEndian
	b := be.AppendUint16([]byte(snapshotMagic), snapshotV1)
	for i, p := range all {
		b = append(b, p.ID[:]...)
		b = be.AppendUint32(b, uint32(p.Index))
		b = be.AppendUint64(b, uint64(states[i].Next))
		b = be.AppendUint32(b, uint32(len(states[i].Encoded)))
		b = append(b, states[i].Encoded...)
	}
	return be.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

// saveSnapshot writes the producers' states. It waits until the log is durable as far as they reach: a snapshot must never
// know more than the log.
func (b *Broker) saveSnapshot() error {
	b.saving <- struct{}{}
	defer func() { <-b.saving }()
	all := b.partitions()
	states := make([]partition.State, len(all))
	w := partition.NewWatcher()
	defer w.Close()
	for i, p := range all {
		states[i] = p.Capture()
	}
	for i, p := range all {
		if p.Log().HighWatermark() >= states[i].Next {
			continue
		}
		w.Add(p)
		for p.Log().HighWatermark() < states[i].Next && !p.Closed() && b.store.Err() == nil {
			select {
			case <-w.C:
			case <-b.store.Failed():
			case <-b.cfg.Clock.After(time.Second):
			}
		}
		if b.store.Err() != nil {
			return b.store.Err()
		}
	}
	return writeFile(b.cfg.FS, b.cfg.Dir, snapshotName, encodeSnapshot(all, states))
}

// writeFile replaces a file such that a crash leaves the old or the new one.
func writeFile(fs vfs.FS, dir, name string, data []byte) error {
	tmp := fs.PathJoin(dir, name+".tmp")
	f, err := fs.Create(tmp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = fs.Rename(tmp, fs.PathJoin(dir, name))
	}
	if err == nil {
		err = syncDir(fs, dir)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
