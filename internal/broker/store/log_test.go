package store_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"myelin/internal/broker/store"
	"myelin/internal/clock"
)

// one opens a store with one topic of one partition.
func one(t *testing.T, cfg store.Config, tc store.TopicConfig) (*store.Store, *store.Partition) {
	t.Helper()
	s := open(t, cfg)
	id := store.TopicID{1}
	if _, ok := s.Topic(id); !ok {
		if err := s.CreateTopic(id, "t", 1, tc); err != nil {
			t.Fatal(err)
		}
	}
	return s, s.Partition(id, 0)
}

func offsets(t *testing.T, p *store.Partition, from int64) (got []int64) {
	t.Helper()
	batches, err := readAll(p, from)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range batches {
		got = append(got, b.BaseOffset())
	}
	return got
}

func TestReadKeepsToItsLimits(t *testing.T) {
	for _, place := range []string{"memory", "disk"} {
		t.Run(place, func(t *testing.T) {
			mem := vfs.NewMem()
			s, p := one(t, small(mem), store.TopicConfig{})
			for i := range 6 {
				appendWait(t, p, makeBatch(10, int64(i), make([]byte, 39))) // 100 bytes each
			}
			if place == "disk" {
				closeStore(t, s)
				s, p = one(t, small(mem), store.TopicConfig{})
			}
			defer closeStore(t, s)
			cases := []struct {
				offset   int64
				maxBytes int
				upTo     int64
				bytes    int
				first    int64
			}{
				{0, 1000, 60, 600, 0},
				{0, 250, 60, 200, 0},
				{0, 1, 60, 100, 0}, // at least one
				{25, 1000, 60, 400, 20},
				{25, 1000, 40, 200, 20}, // up to the last stable offset
				{59, 1000, 60, 100, 50},
				{60, 1000, 60, 0, 0},
				{0, 1000, 1 << 40, 600, 0}, // upTo beyond the end
				{30, 1000, 30, 0, 0},
			}
			for _, c := range cases {
				got, err := p.Read([]byte("x"), c.offset, c.maxBytes, c.upTo)
				if err != nil {
					t.Errorf("%+v: %v", c, err)
					continue
				}
				if len(got) != 1+c.bytes || got[0] != 'x' {
					t.Errorf("%+v: %d bytes", c, len(got)-1)
					continue
				}
				if c.bytes > 0 && store.Batch(got[1:]).BaseOffset() != c.first {
					t.Errorf("%+v: first batch at %d", c, store.Batch(got[1:]).BaseOffset())
				}
			}
			for _, offset := range []int64{-1, 61} {
				if _, err := p.Read(nil, offset, 100, 60); !errors.Is(err, store.ErrOffsetRange) {
					t.Errorf("reading at %d: %v", offset, err)
				}
			}
		})
	}
}

func TestBadBatchesAreRefused(t *testing.T) {
	s, p := one(t, small(vfs.NewMem()), store.TopicConfig{})
	defer closeStore(t, s)
	good := makeBatch(1, 1, []byte("x"))
	for name, c := range map[string]struct {
		batch []byte
		want  error
	}{
		"empty":     {nil, store.ErrBadBatch},
		"short":     {good[:60], store.ErrBadBatch},
		"cut":       {good[:61], store.ErrBadBatch},
		"two":       {slices.Concat(good, good), store.ErrBadBatch},
		"old magic": {func() []byte { b := slices.Clone(good); b[16] = 1; return b }(), store.ErrBadBatch},
		"too large": {makeBatch(1, 1, make([]byte, 16<<10)), store.ErrTooLarge},
	} {
		if _, err := p.Append(c.batch, 0, nil); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if base := appendWait(t, p, good); base != 0 {
		t.Errorf("refused batches used offsets up to %d", base)
	}
}

func TestAppendCallsBackInOrder(t *testing.T) {
	s, p := one(t, small(vfs.NewMem()), store.TopicConfig{})
	defer closeStore(t, s)
	var wg sync.WaitGroup
	next := int64(0) // callbacks come from one goroutine
	for range 1000 {
		wg.Add(1)
		if _, err := p.Append(makeBatch(3, 1, make([]byte, 200)), 0, func(base int64, err error) {
			defer wg.Done()
			if err != nil || base != next {
				t.Errorf("callback for %d, %v; want %d", base, err, next)
			}
			if hw := p.HighWatermark(); hw < base+3 {
				t.Errorf("acknowledged %d with high watermark %d", base, hw)
			}
			next = base + 3
		}); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	if p.NextOffset() != 3000 || p.HighWatermark() != 3000 {
		t.Errorf("next offset %d, high watermark %d", p.NextOffset(), p.HighWatermark())
	}
}

func TestWatchersWakeWhenTheEndMoves(t *testing.T) {
	s, p := one(t, small(vfs.NewMem()), store.TopicConfig{})
	defer closeStore(t, s)
	ch := make(chan struct{}, 1)
	p.Watch(ch)
	appendWait(t, p, makeBatch(1, 1, nil))
	<-ch
	if _, err := p.DeleteRecords(1); err != nil {
		t.Fatal(err)
	}
	<-ch
	p.Unwatch(ch)
	appendWait(t, p, makeBatch(1, 1, nil))
	select {
	case <-ch:
		t.Error("woken after Unwatch")
	default:
	}
	p.Watch(ch)
	if err := s.DeleteTopic(p.Topic()); err != nil {
		t.Fatal(err)
	}
	<-ch
	if _, err := p.Read(nil, 1, 100, 2); !errors.Is(err, store.ErrUnknownTopic) {
		t.Errorf("reading a deleted topic: %v", err)
	}
	if _, err := p.Append(makeBatch(1, 1, nil), 0, nil); !errors.Is(err, store.ErrUnknownTopic) {
		t.Errorf("appending to a deleted topic: %v", err)
	}
}

func TestOffsetForTime(t *testing.T) {
	mem := vfs.NewMem()
	s, p := one(t, small(mem), store.TopicConfig{SegmentBytes: 100 << 10})
	// Timestamps rise by 10 per batch, but every seventh batch is 500 late.
	stamp := func(i int) int64 {
		if i%7 == 6 {
			return int64(1000 + 10*i - 500)
		}
		return int64(1000 + 10*i)
	}
	const n = 400
	for i := range n {
		appendWait(t, p, makeBatch(2, stamp(i), make([]byte, 1000)))
	}
	check := func(p *store.Partition, from int) {
		t.Helper()
		for ts := int64(400); ts < 1000+10*n+20; ts += 5 {
			want := from
			for want < n && stamp(want) < ts {
				want++
			}
			base, maxTS, found, err := p.OffsetForTime(ts)
			if err != nil || found != (want < n) || found && (base != int64(2*want) || maxTS != stamp(want)) {
				t.Fatalf("time %d: offset %d (%d), %v, %v; want batch %d", ts, base, maxTS, found, err, want)
			}
		}
		base, ts, found, err := p.MaxTimestamp()
		if last := n - 1; err != nil || !found || base != int64(2*last) || ts != stamp(last) {
			t.Errorf("largest timestamp %d at %d, %v, %v", ts, base, found, err)
		}
	}
	check(p, 0)
	closeStore(t, s)
	s, p = one(t, small(mem), store.TopicConfig{})
	check(p, 0)
	if _, err := p.DeleteRecords(301); err != nil {
		t.Fatal(err)
	}
	check(p, 150)
	closeStore(t, s)
	// Without its index files, or with nonsense in them, the store rebuilds them.
	for _, name := range listFiles(t, mem, "data/topics") {
		if strings.HasSuffix(name, ".index") {
			if err := mem.Remove(name); err != nil {
				t.Fatal(err)
			}
		} else if strings.HasSuffix(name, ".timeindex") {
			if b, err := mem.UnsafeGetFileDataBuffer(name); err == nil {
				clear(b)
			}
		}
	}
	s, p = one(t, small(mem), store.TopicConfig{})
	check(p, 150)
	closeStore(t, s)
}

func TestDeleteRecordsFreesSegments(t *testing.T) {
	mem := vfs.NewMem()
	s, p := one(t, small(mem), store.TopicConfig{SegmentBytes: 5 << 10})
	for i := range 50 {
		appendWait(t, p, makeBatch(1, int64(i), make([]byte, 1000)))
	}
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	before := p.Size()
	if start, err := p.DeleteRecords(22); err != nil || start != 22 {
		t.Fatalf("log start %d, %v", start, err)
	}
	if after := p.Size(); after >= before || after < 28*1000 {
		t.Errorf("size %d, was %d", after, before)
	}
	if _, err := p.Read(nil, 21, 100, 50); !errors.Is(err, store.ErrOffsetRange) {
		t.Errorf("reading below the log start: %v", err)
	}
	if got := offsets(t, p, 22); len(got) != 28 || got[0] != 22 {
		t.Errorf("offsets %v", got)
	}
	if start, err := p.DeleteRecords(10); err != nil || start != 22 {
		t.Errorf("log start went back to %d, %v", start, err)
	}
	if _, err := p.DeleteRecords(51); !errors.Is(err, store.ErrOffsetRange) {
		t.Errorf("deleting beyond the end: %v", err)
	}
	if start, err := p.DeleteRecords(-1); err != nil || start != 50 || p.Size() != 0 {
		t.Errorf("deleting everything: start %d, %v, size %d", start, err, p.Size())
	}
	closeStore(t, s)
	s, p = one(t, small(mem), store.TopicConfig{})
	if p.LogStart() != 50 || p.HighWatermark() != 50 {
		t.Errorf("after a restart: %d to %d", p.LogStart(), p.HighWatermark())
	}
	if base := appendWait(t, p, makeBatch(1, 1, nil)); base != 50 {
		t.Errorf("next offset %d", base)
	}
	for _, name := range listFiles(t, mem, "data/topics") {
		if strings.HasSuffix(name, ".log") && !strings.HasSuffix(name, "50.log") {
			t.Errorf("%s is still there", name)
		}
	}
	closeStore(t, s)
}

func TestRetention(t *testing.T) {
	start := time.UnixMilli(1_000_000_000)
	now := clock.NewManual(start)
	cfg := small(vfs.NewMem())
	cfg.Clock = now
	s, p := one(t, cfg, store.TopicConfig{SegmentBytes: 5 << 10, RetentionAge: time.Hour, RetentionBytes: 20 << 10})
	defer closeStore(t, s)
	for i := range 40 { // one a minute
		appendWait(t, p, makeBatch(1, start.Add(time.Duration(i)*time.Minute).UnixMilli(), make([]byte, 1000)))
	}
	if freed, err := s.ApplyRetention(); err != nil || freed < 15<<10 || p.Size() < 20<<10 || p.Size() > 26<<10 {
		t.Errorf("by size: freed %d, %v, left %d", freed, err, p.Size())
	}
	now.Advance(85 * time.Minute) // records up to minute 25 are too old
	if _, err := s.ApplyRetention(); err != nil {
		t.Fatal(err)
	}
	if first := p.LogStart(); first < 20 || first > 25 {
		t.Errorf("by age: log start %d", first)
	}
	if err := s.SetTopicConfig(p.Topic(), store.TopicConfig{SegmentBytes: 5 << 10}); err != nil {
		t.Fatal(err)
	}
	now.Advance(1000 * time.Hour)
	if freed, err := s.ApplyRetention(); err != nil || freed != 0 {
		t.Errorf("without limits: freed %d, %v", freed, err)
	}
	if err := s.SetTopicConfig(p.Topic(), store.TopicConfig{RetentionAge: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ApplyRetention(); err != nil || p.LogStart() != 40 || p.Size() != 0 {
		t.Errorf("everything too old: log start %d, size %d, %v", p.LogStart(), p.Size(), err)
	}
}

func TestTopicsAreKept(t *testing.T) {
	mem := vfs.NewMem()
	s := open(t, small(mem))
	a, b := store.TopicID{1}, store.TopicID{2}
	cfg := store.TopicConfig{SegmentBytes: 1000, SegmentAge: time.Hour, RetentionAge: time.Minute, RetentionBytes: 7, Compact: true, Meta: []byte("mine")}
	for _, err := range []error{s.CreateTopic(a, "a", 2, cfg), s.CreateTopic(b, "b", 1, store.TopicConfig{}), s.AddPartitions(a, 5)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct{ got, want error }{
		"same name":       {s.CreateTopic(store.TopicID{3}, "a", 1, cfg), store.ErrTopicExists},
		"same id":         {s.CreateTopic(a, "c", 1, cfg), store.ErrTopicExists},
		"path as name":    {s.CreateTopic(store.TopicID{3}, "../c", 1, cfg), store.ErrBadTopic},
		"dots":            {s.CreateTopic(store.TopicID{3}, "..", 1, cfg), store.ErrBadTopic},
		"no partitions":   {s.CreateTopic(store.TopicID{3}, "c", 0, cfg), store.ErrBadTopic},
		"fewer":           {s.AddPartitions(a, 4), store.ErrBadTopic},
		"unknown":         {s.AddPartitions(store.TopicID{9}, 4), store.ErrUnknownTopic},
		"delete unknown":  {s.DeleteTopic(store.TopicID{9}), store.ErrUnknownTopic},
		"delete and make": {errors.Join(s.DeleteTopic(b), s.CreateTopic(store.TopicID{4}, "b", 3, store.TopicConfig{})), nil},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v", name, c.got)
		}
	}
	for range 2 {
		infos := s.Topics()
		if len(infos) != 2 || infos[0].Name != "a" || infos[0].Partitions != 5 || infos[1].ID != (store.TopicID{4}) || infos[1].Partitions != 3 {
			t.Fatalf("topics %+v", infos)
		}
		got := infos[0].Config
		if string(got.Meta) != "mine" || got.SegmentAge != time.Hour || got.RetentionAge != time.Minute || got.RetentionBytes != 7 || !got.Compact {
			t.Errorf("configuration %+v", got)
		}
		if s.Partition(a, 4) == nil || s.Partition(a, 5) != nil || s.Partition(b, 0) != nil {
			t.Error("wrong partitions")
		}
		closeStore(t, s)
		s = open(t, small(mem))
	}
	closeStore(t, s)
}

func TestForeignFoldersAreRefused(t *testing.T) {
	for name, prepare := range map[string]func(mem *vfs.MemFS){
		"other files":   func(mem *vfs.MemFS) { write(mem, "data/holiday.jpg", "x") },
		"newer version": func(mem *vfs.MemFS) { write(mem, "data/VERSION", "myelin log 2\nsalt 0\n") },
		"bad checkpoint": func(mem *vfs.MemFS) {
			s, _ := store.Open(small(mem))
			_ = s.Close()
			write(mem, "data/CHECKPOINT", "MYCKPT01xxxx")
		},
	} {
		mem := vfs.NewMem()
		if err := mem.MkdirAll("data", 0o755); err != nil {
			t.Fatal(err)
		}
		prepare(mem)
		if _, err := store.Open(small(mem)); !errors.Is(err, store.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func write(mem *vfs.MemFS, name, text string) {
	f, err := mem.Create(name, vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = f.Write([]byte(text))
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		panic(err)
	}
}
