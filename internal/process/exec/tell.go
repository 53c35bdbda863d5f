package exec

import (
	"math"
	"slices"
	"time"

	"myelin/internal/process/state"
)

// tell brings what others see of the views up to date.
func (t *task) tell() {
	since := time.Since(t.told)
	t.told = time.Now()
	clock := t.now()
	pos := t.main().positions()
	t.Engine.read.Store(&pos)
	t.settle()
	var all, apart int64
	for _, g := range t.groups {
		for _, j := range g.jobs {
			if j.broken {
				continue
			}
			s := j.stat()
			s.watermark.Store(j.limit(g.marks))
			var bytes, keys, behind, disk int64
			for i, st := range j.stores() {
				all += st.Size()
				if x, ok := st.(state.Spiller); ok {
					disk += x.Apart()
				}
				if j.view != nil && i == len(j.stores())-1 {
					continue
				}
				bytes += st.Size()
				keys += int64(st.Len())
			}
			for _, in := range g.inputs {
				if slices.ContainsFunc(in.targets, func(x *target) bool { return x.job == j }) {
					behind += g.lag(in, j.share)
				}
			}
			apart += disk
			s.bytes.Store(bytes)
			s.disk.Store(disk)
			s.keys.Store(keys)
			s.behind.Store(behind)
			s.lag.Store(int64(j.lag(g, clock)))
			j.measure(s, since)
		}
	}
	t.tells.status(t)
	t.metrics.state.Add(all - t.sized.Swap(all)) // other tasks of the process add theirs
	t.tellScratch(all - apart)
	t.keepWithin(all - apart)
}

// lag is how many records of the partitions that a job reads were not read yet.
func (g *group) lag(in *input, s share) int64 {
	n := int64(0)
	for _, p := range in.parts {
		if !s.has(p.n) {
			continue
		}
		if _, end := g.reader.Ends(in.topic, p.n); end > p.pos {
			n += end - p.pos
		}
	}
	return n
}

// lag is how late the rows were that the job shows: the most of the topics and views that it reads.
func (j *job) lag(g *group, clock int64) time.Duration {
	var most time.Duration
	for _, in := range g.inputs {
		if !slices.ContainsFunc(in.targets, func(x *target) bool { return x.job == j }) {
			continue
		}
		d := in.lag
		if in.arrived > 0 && g.lag(in, j.share) > 0 {
			d = max(d, time.Duration(clock-in.arrived)*time.Microsecond)
		}
		most = max(most, d)
	}
	for _, up := range j.ups {
		if up.pipe != nil {
			most = max(most, up.lag(up.group, clock))
		}
	}
	return most
}

// measure takes the number of rows read per second over spans of at least a second.
func (j *job) measure(s *status, since time.Duration) {
	j.span += since
	if j.span < time.Second {
		return
	}
	in := s.in.Load()
	s.rate.Store(math.Float64bits(float64(in-j.counted) / j.span.Seconds()))
	j.span, j.counted = 0, in
}
