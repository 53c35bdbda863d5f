package watch

import (
	"encoding/json"
	"fmt"
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

// Load brings back what was saved. It is called before anything is observed.
func (w *Watch) Load(entries map[string][]byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, text := range entries { // sources first: streams belong to them
		if strings.HasPrefix(key, sourceKey) {
			s := &source{Events: map[string]*stream{}, Versions: map[string]*appVersion{}}
			if ok, err := read(key, text, &kept{}, s); err != nil || !ok {
				return err
			}
			s.Total.restore()
			w.mu.sources[s.Name] = s
		}
	}
	for key, text := range entries {
		switch {
		case strings.HasPrefix(key, streamKey):
			var k kept
			t := &stream{}
			if ok, err := read(key, text, &k, t); err != nil || !ok {
				return err
			}
			t.restore()
			if s := w.mu.sources[k.Source]; s != nil {
				s.Events[k.Event] = t
				w.mu.properties += len(t.Props)
			}
		case strings.HasPrefix(key, columnKey):
			c := &column{}
			if ok, err := read(key, text, &kept{}, c); err != nil || !ok {
				return err
			}
			c.History.Season = Season(c.History.Rhythm)
			w.mu.columns[c.View+"."+c.Name] = c
		}
	}
	return nil
}

func read(key string, text []byte, k *kept, state any) (bool, error) {
	err := json.Unmarshal(text, k)
	if err == nil && k.Version != formatVersion {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(k.State, state)
	}
	if err != nil {
		return false, fmt.Errorf("reading the watch's %q: %w", key, err)
	}
	return true, nil
}

// restore puts right what the text does not hold.
func (t *stream) restore() {
	t.Volume.Season = Season(t.Volume.Rhythm)
	if t.Props == nil {
		t.Props = map[string]*property{}
	}
	for _, p := range t.Props {
		p.turn = -1
	}
}

// replace takes over what another watch knows.
func (w *Watch) replace(from *Watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.limits = from.limits
	w.mu.sources, w.mu.columns, w.mu.properties = from.mu.sources, from.mu.columns, from.mu.properties
	w.mu.out = nil
}
