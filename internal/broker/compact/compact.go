// Package compact shrinks the logs of compacted topics in the background: of each key the last record stays, what aborted
// transactions wrote goes, and so do tombstones and markers once every reader had time to see them. Offsets never change.
//
// A pass over one partition reads what has come since the last pass into a map from keys to offsets, bounded in size, and
// then rewrites the sealed segments from the first on (store.Partition.Rewrite). What does not fit into the map is left to
// the next pass. The rules are Kafka's (LogCleaner, KIP-58, KIP-354, KIP-534): nothing at or after the last stable offset
// is touched, a batch that an active producer may repeat keeps its header, and a marker stays as long as anything of its
// transaction does.
package compact

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"myelin/internal/broker/partition"
	"myelin/internal/broker/store"
	"myelin/internal/clock"
)

// Config bounds the work. Every field but Save has a usable zero value.
type Config struct {
	Clock          clock.Clock
	Log            *slog.Logger
	MapBytes       int   // memory for keys: 32 MiB, about 1.3 million keys a pass
	BytesPerSecond int64 // read: 64 MiB; negative: no bound
	// Save makes the partitions' producers and transactions durable. It is called before aborted transactions are forgotten
	// in the log.
	Save func() error
}

// Policy is what the topic's configuration asks for.
type Policy struct {
	DeleteRetention time.Duration // how long tombstones and markers stay once they are compacted
	MinLag          time.Duration // younger segments are left alone
	MaxLag          time.Duration // older ones are compacted whatever the ratio; 0: none
	DirtyRatio      float64       // share of bytes not yet compacted that makes a pass worth it
}

// Result is what a pass did.
type Result struct {
	store.Rewritten
	Keys    int   // in the map
	Clean   int64 // compacted up to this offset
	Records int64 // removed
}

// Cleaner compacts partitions, one at a time. Its methods are not to be called at the same time.
type Cleaner struct {
	cfg Config
	bad map[*partition.Partition]int64 // damaged at this offset: not tried again before a restart
}

// New returns a cleaner.
func New(cfg Config) *Cleaner {
	if cfg.Clock == nil {
		cfg.Clock = clock.Real{}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.MapBytes <= 0 {
		cfg.MapBytes = 32 << 20
	}
	if cfg.BytesPerSecond == 0 {
		cfg.BytesPerSecond = 64 << 20
	}
	return &Cleaner{cfg: cfg, bad: map[*partition.Partition]int64{}}
}

// scope is the part of a log that a pass may touch.
type scope struct {
	segs  []store.SealedSegment
	dirty int64 // compacted up to here
	end   int64 // end of the last segment
}

// scopeOf finds what may be compacted now, and whether it is worth it.
func scopeOf(p *partition.Partition, pol Policy, now time.Time) (sc scope, due bool) {
	stable := p.Bounds().Stable
	var clean, dirty int64
	oldest := int64(-1)
	sc.dirty = -1
	for _, s := range p.Log().Sealed() {
		if s.End > stable || pol.MinLag > 0 && s.MaxTimestamp > now.Add(-pol.MinLag).UnixMilli() {
			break
		}
		sc.segs, sc.end = append(sc.segs, s), s.End
		if s.Clean >= s.End && sc.dirty < 0 {
			clean += s.Bytes
			continue
		}
		if sc.dirty < 0 {
			sc.dirty, oldest = max(s.Base, s.Clean), s.Created
		}
		dirty += s.Bytes
	}
	if dirty == 0 {
		return sc, false
	}
	late := pol.MaxLag > 0 && oldest >= 0 && oldest < now.Add(-pol.MaxLag).UnixMilli()
	return sc, late || float64(dirty)/float64(clean+dirty) >= pol.DirtyRatio
}

// Clean runs one pass over a partition if it is due.
func (c *Cleaner) Clean(ctx context.Context, p *partition.Partition, pol Policy) (res Result, err error) {
	if at, ok := c.bad[p]; ok && at >= p.Bounds().Start {
		return res, nil
	}
	sc, due := scopeOf(p, pol, c.cfg.Clock.Now())
	if !due {
		return res, nil
	}
	ps := &pass{c: c, ctx: ctx, p: p, now: c.cfg.Clock.Now(), retention: pol.DeleteRetention, keys: newOffsets(c.cfg.MapBytes), open: map[int64]bool{}}
	ps.aborted = abortedBy(p.AbortedIn(0, sc.end))
	ps.active = p.Windows()
	if err := ps.gather(sc); err != nil {
		return res, c.failed(p, err)
	}
	ps.start = p.Bounds().Start
	res.Rewritten, err = p.Log().Rewrite(ctx, store.Rewrite{UpTo: ps.end, Clean: ps.end, Filter: ps.filter, BeforeSwap: ps.beforeSwap})
	res.Keys, res.Clean, res.Records = ps.keys.n, ps.end, ps.removed
	if err != nil {
		return res, c.failed(p, err)
	}
	if res.Segments > 0 {
		c.cfg.Log.Debug("compacted", "topic", p.Topic, "partition", p.Index, "before", res.Before, "after", res.After, "keys", res.Keys)
	}
	return res, nil
}

// failed notes damage, so that it is met once and not in every pass. What a later pass can do is no error.
func (c *Cleaner) failed(p *partition.Partition, err error) error {
	var damage *store.CorruptError
	if errors.As(err, &damage) {
		c.bad[p] = damage.Offset
	}
	for _, later := range []error{context.Canceled, store.ErrUnknownTopic, store.ErrClosed, store.ErrDiskFull, store.ErrOffsetRange} {
		if errors.Is(err, later) {
			return nil
		}
	}
	return fmt.Errorf("compacting %s-%d: %w", p.Topic, p.Index, err)
}

// pace waits as long as n bytes more should take.
func (ps *pass) pace(n int) error {
	rate := ps.c.cfg.BytesPerSecond
	if rate < 0 {
		return ps.ctx.Err()
	}
	const portion = 1 << 20
	if ps.read += int64(n); ps.read < portion {
		return nil
	}
	due := time.Duration(float64(ps.read) / float64(rate) * float64(time.Second))
	ps.read = 0
	select {
	case <-ps.c.cfg.Clock.After(due):
		return nil
	case <-ps.ctx.Done():
		return ps.ctx.Err()
	}
}
