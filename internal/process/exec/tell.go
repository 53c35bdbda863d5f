package exec

import (
	"slices"
	"time"
)

// tell brings what others see of the views up to date.
func (t *task) tell() {
	t.told = time.Now()
	pos := t.main().positions()
	t.Engine.read.Store(&pos)
	for _, g := range t.groups {
		for _, j := range g.jobs {
			if j.broken {
				continue
			}
			s := j.stat()
			s.watermark.Store(j.limit(g.marks))
			var bytes, keys, behind int64
			for i, st := range j.stores() {
				if j.view != nil && i == len(j.stores())-1 {
					continue
				}
				bytes += st.Size()
				keys += int64(st.Len())
			}
			for _, in := range g.inputs {
				if slices.ContainsFunc(in.targets, func(x *target) bool { return x.job == j }) {
					behind += g.lag(in)
				}
			}
			s.bytes.Store(bytes)
			s.keys.Store(keys)
			s.behind.Store(behind)
		}
	}
}

func (g *group) lag(in *input) int64 {
	n := int64(0)
	for _, p := range in.parts {
		if _, end := g.reader.Ends(in.topic, p.n); end > p.pos {
			n += end - p.pos
		}
	}
	return n
}
