package schema

import (
	"sync"

	"myelin/internal/event"
)

// nearest finds the planned event that an unplanned name was meant to be, and remembers what it found.
type nearest struct {
	folded map[string]*Event
	events []*Event

	mu *sync.Mutex
	// memory of names seen, emptied when it is full, so that a flood of names costs time but no memory.
	memory map[string]*Event
}

const (
	nearMemory  = 4096
	nearMaxName = 128 // longer names are compared by folding only
)

func newNearest(events []*Event) nearest {
	n := nearest{folded: map[string]*Event{}, mu: &sync.Mutex{}, memory: map[string]*Event{}}
	for _, e := range events {
		if e.Type != event.Track && e.Type != event.Page && e.Type != event.Screen {
			continue
		}
		n.events = append(n.events, e)
		for _, name := range append([]string{e.Name}, e.aliases...) {
			n.folded[string(rune('0'+e.Type))+fold(name)] = e
		}
	}
	return n
}

// find is the planned event of type t that name probably means, or nil.
func (n *nearest) find(t event.Type, name []byte) *Event {
	if len(n.events) == 0 || len(name) == 0 || len(name) > maxName {
		return nil
	}
	key := nameKey(t, string(name))
	n.mu.Lock()
	e, ok := n.memory[key]
	n.mu.Unlock()
	if ok {
		return e
	}
	e = n.search(t, string(name))
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.memory) >= nearMemory {
		clear(n.memory)
	}
	n.memory[key] = e
	return e
}

// search compares without case, spaces and punctuation first, then allows one slip of the keyboard in short names and
// two in longer ones; two planned names equally near are no suggestion.
func (n *nearest) search(t event.Type, name string) *Event {
	folded := fold(name)
	if folded == "" {
		return nil
	}
	if e := n.folded[string(rune('0'+t))+folded]; e != nil {
		return e
	}
	if len(name) > nearMaxName || len(folded) < 4 {
		return nil
	}
	limit := 3
	if len(folded) < 8 {
		limit = 2
	}
	var best *Event
	tied := false
	for _, e := range n.events {
		if e.Type != t {
			continue
		}
		d := distance(folded, fold(e.Name), limit+1) // told apart up to limit, to see ties
		switch {
		case d < limit:
			best, limit, tied = e, d, false
			if d == 0 {
				return e
			}
		case d == limit && best != nil:
			tied = true
		}
	}
	if tied {
		return nil
	}
	return best
}

// nearest is the planned property that an unplanned name was probably meant to be, or "".
func (o *objectRule) nearest(name string) string {
	if len(name) > nearMaxName || len(o.props) > 256 {
		return ""
	}
	names := make([]string, 0, len(o.props))
	for i := range o.props {
		if o.props[i].declared {
			names = append(names, o.props[i].name)
		}
	}
	return closest(name, names)
}
