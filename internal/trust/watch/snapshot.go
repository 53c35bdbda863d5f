package watch

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"strings"
)

// formatVersion is the version of the kept state: docs/formats/watch.md. State of another version is not read; the watch then
// learns anew.
const formatVersion = 1

// kept is one entry of the state.
type kept struct {
	Version int             `json:"v"`
	Source  string          `json:"source,omitempty"`
	Event   string          `json:"event,omitempty"`
	State   json.RawMessage `json:"state"`
}

const (
	sourceKey = "source/"
	streamKey = "stream/"
	columnKey = "column/"
)

// Save returns the entries that changed since the last Save, by key. All of them and the place up to which events were observed
// must become durable together.
func (w *Watch) Save() (map[string][]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[string][]byte{}
	put := func(key, source, event string, state any) error {
		text, err := json.Marshal(state)
		if err == nil {
			out[key], err = json.Marshal(kept{Version: formatVersion, Source: source, Event: event, State: text})
		}
		if err != nil {
			return fmt.Errorf("saving %s: %w", key, err)
		}
		return nil
	}
	for name, s := range w.mu.sources {
		if s.dirty {
			if err := put(sourceKey+name, name, "", s); err != nil {
				return nil, err
			}
		}
		for event, t := range s.Events {
			if !t.dirty {
				continue
			}
			if err := put(streamKey+name+"\x00"+event, name, event, t); err != nil {
				return nil, err
			}
		}
	}
	for key, c := range w.mu.columns {
		if !c.dirty {
			continue
		}
		if err := put(columnKey+key, "", "", c); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// SaveAll is Save of everything, changed or not.
func (w *Watch) SaveAll() (map[string][]byte, error) {
	w.mu.Lock()
	for _, s := range w.mu.sources {
		s.dirty = true
		for _, t := range s.Events {
			t.dirty = true
		}
	}
	for _, c := range w.mu.columns {
		c.dirty = true
	}
	w.mu.Unlock()
	return w.Save()
}

// Saved says that what Save returned is durable, as long as nothing was observed in between.
func (w *Watch) Saved() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.mu.sources {
		s.dirty = false
		for _, t := range s.Events {
			t.dirty = false
		}
	}
	for _, c := range w.mu.columns {
		c.dirty = false
	}
}

// Load brings back what was saved. It is called before anything is observed. Entries that cannot be read are returned: what they
// knew is learned anew.
func (w *Watch) Load(entries map[string][]byte) (damaged []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, text := range entries { // sources first: streams belong to them
		if strings.HasPrefix(key, sourceKey) {
			s := &source{Events: map[string]*stream{}, Versions: map[string]*appVersion{}}
			var k kept
			if ok := read(text, &k, s); !ok || s.Total == nil || !s.Total.restore() || s.Name != key[len(sourceKey):] {
				damaged = report(damaged, key, &k)
				continue
			}
			if s.Versions == nil {
				s.Versions = map[string]*appVersion{}
			}
			maps.DeleteFunc(s.Versions, func(_ string, v *appVersion) bool { return v == nil })
			maps.DeleteFunc(s.Expected, func(_ string, x *expected) bool { return x == nil })
			w.mu.sources[s.Name] = s
		}
	}
	for key, text := range entries {
		switch {
		case strings.HasPrefix(key, streamKey):
			var k kept
			t := &stream{}
			if ok := read(text, &k, t); !ok || !t.restore() {
				damaged = report(damaged, key, &k)
				continue
			}
			if s := w.mu.sources[k.Source]; s != nil {
				s.Events[k.Event] = t
				w.mu.properties += len(t.Props)
			}
		case strings.HasPrefix(key, columnKey):
			c := &column{}
			var k kept
			if ok := read(text, &k, c); !ok || !c.History.restore() {
				damaged = report(damaged, key, &k)
				continue
			}
			w.mu.columns[c.View+"."+c.Name] = c
		}
	}
	return damaged
}

func read(text []byte, k *kept, state any) bool {
	return json.Unmarshal(text, k) == nil && k.Version == formatVersion && json.Unmarshal(k.State, state) == nil
}

// report lists an entry as damaged, unless it is of another version of the format.
func report(damaged []string, key string, k *kept) []string {
	if k.Version != 0 && k.Version != formatVersion {
		return damaged
	}
	return append(damaged, key)
}

// restore puts right what the text does not hold; false: it is damaged.
func (h *history) restore() bool {
	h.Season = Season(h.Rhythm)
	return (h.Hours == nil || len(h.Hours) == keptHours) && h.Season <= Weekly && h.First >= 0 && h.Newest >= h.First-1
}

// restore puts right what the text does not hold; false: it is damaged.
func (t *stream) restore() bool {
	v := t.Volume
	if v == nil || len(v.Seen) != daySlots || len(v.Plain) != daySlots || len(v.Right) != daySlots || v.Slot < 0 || !v.history.restore() || math.Abs(float64(v.Slot*slotSeconds)-v.Last) > forgetAfter {
		return false
	}
	for _, parts := range t.Mix.Dims {
		maps.DeleteFunc(parts, func(_ string, p *part) bool { return p == nil })
	}
	if t.Props == nil {
		t.Props = map[string]*property{}
	}
	for name, p := range t.Props {
		if p == nil {
			return false
		}
		p.name = name
		for _, x := range p.Values {
			if x == nil {
				return false
			}
		}
		if o := p.Odd; o != nil && (o.Type < 0 || o.Type >= len(p.Types) || o.Proof == nil) {
			return false
		}
		p.turn, p.held = -1, -1
	}
	return true
}

// replace takes over what another watch knows.
func (w *Watch) replace(from *Watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.limits = from.limits
	w.mu.sources, w.mu.columns, w.mu.properties = from.mu.sources, from.mu.columns, from.mu.properties
	w.mu.out = nil
}
