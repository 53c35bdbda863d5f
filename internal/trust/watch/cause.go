package watch

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
)

const (
	maxDimValues = 40
	keptBad      = 64
	maxSamples   = 3
	maxSample    = 8 << 10
)

// mix is how the events of one name split by each dimension: slowly, what is usual, and quickly, what the last events were.
type mix struct {
	Dims [dimensions]map[string]*part `json:"dims"`
	Slow float64                      `json:"slow"`
	Fast float64                      `json:"fast"`
}

// part is the weight of one value. Halving all weights now and then lets old events fade.
type part struct {
	Slow float32 `json:"s"`
	Fast float32 `json:"f"`
}

// add counts an event. A full dimension forgets its rarest value.
func (m *mix) add(f *Fact) {
	const slow, fast = 10_000, 300
	m.Slow++
	m.Fast++
	for d, value := range f.Dims {
		p := m.Dims[d][value]
		if p == nil {
			p = m.enter(d, value)
		}
		p.Slow++
		p.Fast++
	}
	if m.Fast >= fast {
		m.Fast /= 2
		m.each(func(p *part) { p.Fast /= 2 })
	}
	if m.Slow >= slow {
		m.Slow /= 2
		m.each(func(p *part) { p.Slow /= 2 })
	}
}

func (m *mix) each(f func(*part)) {
	for _, values := range m.Dims {
		for _, p := range values {
			f(p)
		}
	}
}

func (m *mix) enter(d int, value string) *part {
	if m.Dims[d] == nil {
		m.Dims[d] = map[string]*part{}
	}
	if len(m.Dims[d]) >= maxDimValues {
		least, weight := "", float32(math.MaxFloat32)
		for k, p := range m.Dims[d] {
			if p.Slow+p.Fast < weight {
				least, weight = k, p.Slow+p.Fast
			}
		}
		delete(m.Dims[d], least)
	}
	p := &part{}
	m.Dims[d][value] = p
	return p
}

// usual and latest are a value's share of all events.
func (m *mix) usual(d int, value string) float64 {
	if p := m.Dims[d][value]; p != nil && m.Slow > 0 {
		return float64(p.Slow) / m.Slow
	}
	return 0
}

func (m *mix) latest(d int, value string) float64 {
	if p := m.Dims[d][value]; p != nil && m.Fast > 0 {
		return float64(p.Fast) / m.Fast
	}
	return 0
}

// evidence are the latest bad events of something.
type evidence struct {
	Dims    [][dimensions]string `json:"dims"`
	Samples []json.RawMessage    `json:"samples"`
	Paths   []string             `json:"paths"`
	Next    int                  `json:"next"`
}

func (e *evidence) add(f *Fact) {
	path := ""
	if len(f.Broken) > 0 {
		path = f.Broken[0]
	}
	if len(e.Dims) < keptBad {
		e.Dims, e.Paths = append(e.Dims, f.Dims), append(e.Paths, path)
	} else {
		e.Dims[e.Next%keptBad], e.Paths[e.Next%keptBad] = f.Dims, path
	}
	e.Next++
	if len(e.Samples) < maxSamples && len(f.Raw) <= maxSample && len(f.Raw) > 0 {
		e.Samples = append(e.Samples, slices.Clone(f.Raw))
	}
}

// path is the place that most of the bad events break.
func (e *evidence) path() string {
	counts, best := map[string]int{}, ""
	for _, p := range e.Paths {
		if counts[p]++; p != "" && (best == "" || counts[p] > counts[best]) {
			best = p
		}
	}
	return best
}

// causes ranks the values that most bad events have and most others have not.
func (m *mix) causes(e *evidence, badShare float64) []Cause {
	var out []Cause
	n := float64(len(e.Dims))
	if n < 2 {
		return nil
	}
	for d := range dimensions {
		counts := map[string]int{}
		for _, dims := range e.Dims {
			counts[dims[d]]++
		}
		for value, c := range counts {
			bad, all := float64(c)/n, max(m.latest(d, value), m.usual(d, value))
			if value == "" || bad < 0.6 || all > 0.9 || bad < 1.25*all {
				continue
			}
			out = append(out, Cause{Dimension: Dimensions[d], Value: value, ShareOfBad: bad, ShareOfAll: all,
				BadRate: min(1, bad*badShare/max(all, 0.01))})
		}
	}
	return best(out)
}

// missing ranks the values of which events are missing, when a part of them stays away. observed is what share of the expected
// events comes.
func (m *mix) missing(observed float64) []Cause {
	var out []Cause
	for d := range dimensions {
		for value := range m.Dims[d] {
			usual := m.usual(d, value)
			lost := (usual - observed*m.latest(d, value)) / max(1-observed, 0.05)
			if value == "" || usual < 0.03 || usual > 0.9 || lost < 0.7 || lost < 1.5*usual {
				continue
			}
			out = append(out, Cause{Dimension: Dimensions[d], Value: value, ShareOfBad: min(lost, 1), ShareOfAll: usual,
				BadRate: min(1, max(0, 1-observed*m.latest(d, value)/usual))})
		}
	}
	return best(out)
}

// surplus ranks the values of which there are too many.
func (m *mix) surplus(observed float64) []Cause {
	var out []Cause
	for d := range dimensions {
		for value := range m.Dims[d] {
			now, usual := m.latest(d, value), m.usual(d, value)
			extra := (observed*now - usual) / max(observed-1, 0.05)
			if value == "" || extra < 0.7 || extra < 1.5*usual {
				continue
			}
			out = append(out, Cause{Dimension: Dimensions[d], Value: value, ShareOfBad: min(extra, 1), ShareOfAll: usual})
		}
	}
	return best(out)
}

func best(all []Cause) []Cause {
	slices.SortFunc(all, func(a, b Cause) int {
		return cmp.Or(cmp.Compare(b.ShareOfBad-b.ShareOfAll, a.ShareOfBad-a.ShareOfAll), cmp.Compare(a.Dimension, b.Dimension), cmp.Compare(a.Value, b.Value))
	})
	return all[:min(len(all), 3)]
}
