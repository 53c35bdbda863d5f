package state

// Timers is a heap of entry ids by time. It is not stored: owners rebuild it from their entries.
type Timers struct{ items []timer }

type timer struct {
	at int64
	id uint32
}

// Push adds a timer.
func (t *Timers) Push(at int64, id uint32) {
	t.items = append(t.items, timer{at, id})
	for i := len(t.items) - 1; i > 0; {
		up := (i - 1) / 2
		if !t.less(i, up) {
			return
		}
		t.items[i], t.items[up] = t.items[up], t.items[i]
		i = up
	}
}

// Next is the earliest time; ok is false if there is none.
func (t *Timers) Next() (at int64, ok bool) {
	if len(t.items) == 0 {
		return 0, false
	}
	return t.items[0].at, true
}

// Pop removes the earliest timer.
func (t *Timers) Pop() (at int64, id uint32) {
	top := t.items[0]
	last := len(t.items) - 1
	t.items[0] = t.items[last]
	t.items = t.items[:last]
	for i := 0; ; {
		c := 2*i + 1
		if c >= last {
			break
		}
		if c+1 < last && t.less(c+1, c) {
			c++
		}
		if !t.less(c, i) {
			break
		}
		t.items[i], t.items[c] = t.items[c], t.items[i]
		i = c
	}
	return top.at, top.id
}

// Reset removes all timers.
func (t *Timers) Reset() { t.items = t.items[:0] }

func (t *Timers) less(i, j int) bool {
	a, b := t.items[i], t.items[j]
	return a.at < b.at || a.at == b.at && a.id < b.id
}
