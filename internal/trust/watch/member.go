package watch

import (
	"encoding/json"
	"slices"
	"strings"

	"myelin/internal/tape"
)

// How far inside an event its properties are watched: objects in objects, and the first entries of lists.
const (
	maxLevels = 3
	maxItems  = 16
	maxInside = perEvent * 7 / 10 // from then on only properties themselves are added
)

// properties goes over what the event has, and over what it should have and has not. What is inside an object is missed only
// where the object is there, and in a list where one of its entries lacks it.
func (w *Watch) properties(s *source, t *stream, f *Fact) {
	w.mu.path = w.mu.path[:0]
	w.members(s, t, f, f.Members, "", 1)
	for _, p := range t.Props {
		lacks := p.turn != t.Turn
		if p.In != "" {
			in := t.Props[strings.TrimSuffix(p.In, "[]")]
			if in == nil || in.held != t.Turn {
				continue
			}
			if strings.HasSuffix(p.In, "[]") {
				if in.items == 0 {
					continue
				}
				if p.turn == t.Turn { // only its type and value have been looked at
					p.N++
					w.ratio(s, t, f.Event, p.name, &p.Nulls, Nulls, p.items < in.items, f)
					p.judged(f.Broken)
					continue
				}
			}
		}
		if lacks {
			p.N++
			w.ratio(s, t, f.Event, p.name, &p.Nulls, Nulls, true, f)
			p.spread(w, s, t, f, p.name)
		}
		p.judged(f.Broken)
	}
}

// judged takes what the plan said of the property in the event at hand.
func (p *property) judged(broken []string) {
	bad := 0.0
	for _, path := range broken {
		if p.isAt(path) {
			bad = 1
			break
		}
	}
	p.Broken += (bad - p.Broken) / max(1, min(p.N, 60))
}

// isAt reports whether a violation's JSON pointer, as /properties/items/0/price, leads to the property, items[].price.
func (p *property) isAt(path string) bool {
	section, rest, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok || section != "properties" && section != "traits" {
		return false
	}
	name := p.name
	for part := range strings.SplitSeq(rest, "/") {
		if after, listed := strings.CutPrefix(name, "[]"); listed && (part == "*" || part != "" && strings.Trim(part, "0123456789") == "") {
			name = after
			continue
		}
		if len(name) < len(p.name) {
			if name, ok = strings.CutPrefix(name, "."); !ok {
				return false
			}
		}
		if strings.Contains(part, "~") {
			part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
		}
		if name, ok = strings.CutPrefix(name, part); !ok {
			return false
		}
	}
	return name == ""
}

// members goes over the members of one object. in is its path, "" for the properties themselves.
func (w *Watch) members(s *source, t *stream, f *Fact, obj int, in string, level int) {
	d := f.Doc
	if obj < 0 {
		return
	}
	before := len(w.mu.path)
	end := d.End(obj)
	for k := d.First(obj); k < end; k = d.End(k + 1) {
		if before > 0 {
			w.mu.path = append(w.mu.path, '.')
		}
		w.mu.path = append(w.mu.path, d.Bytes(k)...)
		if p := w.property(s, t, f, k+1, in); p != nil && level < maxLevels {
			w.inside(s, t, f, p, k+1, level)
		}
		w.mu.path = w.mu.path[:before]
	}
}

// inside goes over what an object, or the entries of a list, hold.
func (w *Watch) inside(s *source, t *stream, f *Fact, p *property, node, level int) {
	d := f.Doc
	switch d.Kind(node) {
	case tape.Object:
		w.members(s, t, f, node, p.name, level+1)
	case tape.Array:
		before := len(w.mu.path)
		w.mu.path = append(w.mu.path, "[]"...)
		p.items = 0
		seen := 0
		for i := range d.Elements(node) {
			if seen++; seen > maxItems {
				break
			}
			if d.Kind(i) == tape.Object {
				p.items++
				w.members(s, t, f, i, p.name+"[]", level+1)
			}
		}
		w.mu.path = w.mu.path[:before]
	}
}

// property looks at one value, at w.mu.path. It returns what is known of it; nil: it is null, or not watched.
func (w *Watch) property(s *source, t *stream, f *Fact, node int, in string) *property {
	d := f.Doc
	kind := typeOf(d.Kind(node))
	p := t.Props[string(w.mu.path)]
	if p == nil {
		if kind == 0 {
			return nil
		}
		if len(t.Props) >= perEvent || in != "" && len(t.Props) >= maxInside || w.mu.properties >= w.limits.Properties || len(w.mu.path) > 100 {
			w.mu.untracked.Properties++
			return nil
		}
		p = &property{First: f.At, In: in, name: string(w.mu.path), turn: -1, held: -1}
		t.Props[p.name] = p
		w.mu.properties++
	}
	listed := strings.HasSuffix(in, "[]")
	if p.turn != t.Turn {
		p.turn, p.items = t.Turn, 0
		if !listed {
			p.N++
			w.ratio(s, t, f.Event, p.name, &p.Nulls, Nulls, kind == 0, f)
		}
	}
	if kind == 0 {
		return nil
	}
	p.held = t.Turn
	if listed {
		p.items++
	}
	o := p.Odd
	if opened, closed := p.typed(kind, f, s); opened || closed {
		if opened {
			o = p.Odd
		}
		w.mu.out = append(w.mu.out, w.oddType(s, t, f.Event, p.name, p, o, opened, f.At))
	}
	text := d.Bytes(node)
	if kind >= 4 {
		return p
	}
	p.Spread.add(text)
	p.spread(w, s, t, f, p.name)
	if kind != 3 && kind != 1 {
		return p
	}
	if value, what, open := p.took(text, f); what != "" {
		out := Finding{Kind: what, Source: s.Name, Event: f.Event, Property: p.name, Value: value, Open: open, At: clockTime(f.At), Since: clockTime(f.At), Unit: "share"}
		if open {
			out.Since, out.Observed = clockTime(p.Values[value].First), p.share(p.Values[value])
			out.Samples = []json.RawMessage{slices.Clone(f.Raw)}
		}
		w.mu.out = append(w.mu.out, out)
	}
	return p
}
