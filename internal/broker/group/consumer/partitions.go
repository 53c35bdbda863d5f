package consumer

import "slices"

// Partitions are partitions by topic: sorted, without empty lists.
type Partitions map[TopicID][]int32

func (p Partitions) has(topic TopicID, part int32) bool {
	_, ok := slices.BinarySearch(p[topic], part)
	return ok
}

func (p Partitions) add(topic TopicID, part int32) {
	list := p[topic]
	if i, ok := slices.BinarySearch(list, part); !ok {
		p[topic] = slices.Insert(list, i, part)
	}
}

func (p Partitions) count() int {
	n := 0
	for _, list := range p {
		n += len(list)
	}
	return n
}

func (p Partitions) equal(o Partitions) bool {
	if len(p) != len(o) {
		return false
	}
	for topic, list := range p {
		if !slices.Equal(list, o[topic]) {
			return false
		}
	}
	return true
}

func (p Partitions) clone() Partitions {
	out := make(Partitions, len(p))
	for topic, list := range p {
		out[topic] = slices.Clone(list)
	}
	return out
}

// where returns the partitions for which keep is true.
func (p Partitions) where(keep func(topic TopicID, part int32) bool) Partitions {
	out := make(Partitions, len(p))
	for topic, list := range p {
		var kept []int32
		for _, part := range list {
			if keep(topic, part) {
				kept = append(kept, part)
			}
		}
		if len(kept) > 0 {
			out[topic] = kept
		}
	}
	return out
}

// overlaps reports whether both have a partition in common.
func (p Partitions) overlaps(o Partitions) bool {
	for topic, list := range p {
		for _, part := range list {
			if o.has(topic, part) {
				return true
			}
		}
	}
	return false
}

// within reports whether all partitions are in o too.
func (p Partitions) within(o Partitions) bool {
	for topic, list := range p {
		for _, part := range list {
			if !o.has(topic, part) {
				return false
			}
		}
	}
	return true
}

// merge returns the partitions of both.
func (p Partitions) merge(o Partitions) Partitions {
	out := p.clone()
	for topic, list := range o {
		for _, part := range list {
			out.add(topic, part)
		}
	}
	return out
}

// NewPartitions makes sorted lists of what a request says.
func NewPartitions(topics []TopicID, parts func(i int) []int32) Partitions {
	out := make(Partitions, len(topics))
	for i, id := range topics {
		list := append(slices.Clone(parts(i)), out[id]...)
		slices.Sort(list)
		if list = slices.Compact(list); len(list) > 0 {
			out[id] = list
		}
	}
	return out
}
