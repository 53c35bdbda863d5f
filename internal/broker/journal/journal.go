// Package journal keeps what the broker has been told about itself, such as credentials and quotas: the last record per key of
// an internal partition, all of it in memory.
package journal

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"myelin/internal/broker/batch"
	"myelin/internal/broker/partition"
	"myelin/internal/clock"
)

const (
	maxKeys      = 20_000
	rewriteAfter = 1000 // records beyond those that count
)

// ErrFull refuses a new key because there are too many.
var ErrFull = errors.New("the broker keeps no more settings of this kind")

// Journal may be used from many goroutines.
type Journal struct {
	p     *partition.Partition
	clock clock.Clock
	write sync.Mutex // held over a change, which waits for the disk; before mu
	extra int        // records in the partition that do not count any more; under write
	mu    struct {
		sync.Mutex
		values map[string][]byte
	}
}

// Open reads the partition.
func Open(p *partition.Partition, c clock.Clock) (*Journal, error) {
	j := &Journal{p: p, clock: c}
	j.mu.values = map[string][]byte{}
	read := 0
	err := p.Each(p.Bounds().Start, func(v batch.View) error {
		records, err := batch.Decode(v)
		if err != nil {
			return fmt.Errorf("reading settings at %d: %w", v.BaseOffset(), err)
		}
		for _, r := range records {
			read++
			j.set(string(r.Key), slices.Clone(r.Value))
		}
		return nil
	})
	j.extra = read - len(j.mu.values)
	return j, err
}

func (j *Journal) set(key string, value []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if value == nil {
		delete(j.mu.values, key)
		return
	}
	j.mu.values[key] = value
}

// Find returns the value of a key.
func (j *Journal) Find(key string) ([]byte, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	v, ok := j.mu.values[key]
	return v, ok
}

// Each calls f for every key with the prefix, which is cut off.
func (j *Journal) Each(prefix string, f func(key string, value []byte)) {
	j.mu.Lock()
	values := maps.Clone(j.mu.values)
	j.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if rest, ok := strings.CutPrefix(key, prefix); ok {
			f(rest, values[key])
		}
	}
}

// Write makes changes durable together; a nil value takes a key away.
func (j *Journal) Write(changes map[string][]byte) error {
	if len(changes) == 0 {
		return nil
	}
	j.write.Lock()
	defer j.write.Unlock()
	grown := 0
	j.mu.Lock()
	for key, value := range changes {
		if _, known := j.mu.values[key]; !known && value != nil {
			grown++
		}
	}
	full := grown > 0 && len(j.mu.values)+grown > maxKeys
	j.mu.Unlock()
	if full {
		return ErrFull
	}
	var start int64
	rewrite := j.extra >= rewriteAfter
	err := j.p.Frozen(func(next int64, add func(batch.View) error) error {
		start = next
		if rewrite {
			if err := j.rewrite(add); err != nil {
				return err
			}
		}
		return add(j.encode(changes))
	})
	if err != nil {
		return fmt.Errorf("writing settings of the broker: %w", err)
	}
	for key, value := range changes {
		j.set(key, value)
	}
	j.extra += len(changes) - grown
	if rewrite {
		j.extra = len(changes)
		if _, err := j.p.DeleteRecords(start); err != nil {
			return fmt.Errorf("deleting old settings of the broker: %w", err)
		}
	}
	return nil
}

// rewrite appends everything that counts, so that what lies before can go.
func (j *Journal) rewrite(add func(batch.View) error) error {
	const together = 500
	j.mu.Lock()
	values := maps.Clone(j.mu.values)
	j.mu.Unlock()
	for keys := range slices.Chunk(slices.Sorted(maps.Keys(values)), together) {
		some := map[string][]byte{}
		for _, k := range keys {
			some[k] = values[k]
		}
		if err := add(j.encode(some)); err != nil {
			return err
		}
	}
	return nil
}

func (j *Journal) encode(values map[string][]byte) batch.View {
	b := batch.NewBuilder(j.clock.Now().UnixMilli())
	for _, key := range slices.Sorted(maps.Keys(values)) {
		b.Add([]byte(key), values[key])
	}
	return b.Build()
}
