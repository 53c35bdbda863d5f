package watch

import (
	"hash/fnv"
	"math"
	"math/bits"
	"slices"
	"strings"

	"myelin/internal/tape"
)

// maxValues bounds the set of values that a property is watched for; one with more has no fixed set.
const (
	maxValues     = 64
	maxValueBytes = 64
)

// property is what is known of one property of an event.
type property struct {
	First  float64           `json:"first"`
	N      float64           `json:"n"` // events since it was first seen
	Nulls  ratio             `json:"nulls"`
	Types  [6]float64        `json:"types"` // decaying shares by tape.Kind, truths as one
	M      float64           `json:"m"`     // values counted for Types
	Odd    *odd              `json:"odd"`
	Broken float64           `json:"broken"` // decaying share that violates the plan
	Values map[string]*value `json:"values"`
	Taken  float64           `json:"taken"`  // values ever
	Weight float64           `json:"weight"` // of all values, fading
	Many   bool              `json:"many"`   // it has no fixed set of values
	Newest float64           `json:"since"`  // when the set last grew
	Spread distinct          `json:"spread"`
	In     string            `json:"in,omitempty"` // the object or list[] that it is a member of; "": the event's properties
	name   string            // with the path to it
	turn   int64             // number of the last event that had it
	held   int64             // number of the last event in which it was not null
	items  int               // of a list: its objects in that event; of a member of them: how many had it
}

// value is one of a fixed set.
type value struct {
	W     float64 `json:"s"` // weight, fading
	N     float64 `json:"n"`
	First float64 `json:"f"`
	Last  float64 `json:"l"`
	At    float64 `json:"c"` // how many values of the property there had been when it was last seen
	Worst float64 `json:"w"` // the longest that it stayed away, in events that should have had it
	Gone  bool    `json:"g"`
	New   bool    `json:"o"` // it is reported as new
}

func kindOf(name string) int { return max(0, slices.Index(typeNames[:], name)) }

var typeNames = [...]string{"null", "boolean", "number", "string", "list", "object"}

func typeOf(k tape.Kind) int {
	switch k {
	case tape.False, tape.True:
		return 1
	case tape.Number:
		return 2
	case tape.String:
		return 3
	case tape.Array:
		return 4
	case tape.Object:
		return 5
	}
	return 0
}

// usualType is the type that the property mostly has.
func (p *property) usualType() string {
	best := 1
	for t := range p.Types {
		if p.Types[t] > p.Types[best] {
			best = t
		}
	}
	return typeNames[best]
}

// took counts a value of a fixed set. It returns the value that is new, gone or back, with what happened.
func (p *property) took(text []byte, f *Fact) (name string, what Kind, open bool) {
	if p.Many {
		return "", "", false
	}
	if len(text) > maxValueBytes {
		p.Many, p.Values = true, nil
		return "", "", false
	}
	v := p.Values[string(text)]
	if v == nil {
		if len(p.Values) >= maxValues {
			p.Many, p.Values = true, nil
			return "", "", false
		}
		if p.Values == nil {
			p.Values = map[string]*value{}
		}
		v = &value{First: f.At}
		p.Values[string(text)] = v
	}
	p.Taken++
	p.Weight++
	v.W++
	v.N++
	back := v.Gone
	if !back && v.N > 1 {
		v.Worst = max(v.Worst, (p.Taken-v.At)*p.share(v))
	}
	v.Gone, v.At, v.Last = false, p.Taken, f.At
	if p.Weight > 10_000 {
		p.Weight /= 2
		for _, x := range p.Values {
			x.W /= 2
		}
	}
	if back {
		return string(text), VanishedValue, false
	}
	const settled = 3 * 24 * hourSeconds
	if !v.New && v.N >= 8 && v.First-p.First > settled && p.N > 1000 && v.N >= 0.02*p.sinceOf(v, f) {
		v.New = true
		if p.Newest < v.First-settled {
			p.Newest = v.First
			return string(text), NewValue, true
		}
		p.Newest = v.First
	}
	return "", "", false
}

// share is how many of the values are v.
func (p *property) share(v *value) float64 { return v.W / max(p.Weight, 1) }

// sinceOf estimates how many values there were since v was first seen.
func (p *property) sinceOf(v *value, f *Fact) float64 {
	span := max(f.At-p.First, 1)
	return p.N * (f.At - v.First) / span
}

// gone looks for values that stay away. A value must be missing far beyond what it ever was.
func (p *property) gone(now float64, report func(name string, v *value)) {
	for name, v := range p.Values {
		if v.Gone || v.N < 100 || now-v.Last < hourSeconds || v.Last-v.First < 3*24*hourSeconds {
			continue
		}
		missing := (p.Taken - v.At) * p.share(v)
		if missing > max(25, 3*v.Worst) {
			v.Gone = true
			report(name, v)
		}
	}
}

// distinct estimates how many different values there are in an hour, by linear counting (Whang 1990), and what is usual.
type distinct struct {
	Bits [16]uint64 `json:"bits"`
	N    float64    `json:"n"`
	Hour int64      `json:"hour"`
	Mean float64    `json:"mean"` // of the logarithm of different values per value
	Var  float64    `json:"var"`
	Of   float64    `json:"of"` // hours learned from
	Off  int        `json:"off"`
	Open bool       `json:"open"`
	Last float64    `json:"last"`
}

func (d *distinct) add(text []byte) {
	h := fnv.New64a()
	_, _ = h.Write(text)
	x := h.Sum64()
	x ^= x >> 29
	d.Bits[(x>>6)&15] |= 1 << (x & 63)
	d.N++
}

func (d *distinct) estimate() float64 {
	const size = 16 * 64
	zeros := size
	for _, w := range d.Bits {
		zeros -= bits.OnesCount64(w)
	}
	if zeros == 0 {
		zeros = 1
	}
	return size * math.Log(size/float64(zeros))
}

// turn ends an hour. It reports a change that lasted two hours, and its end.
func (d *distinct) turn(at float64) (changed bool) {
	hour := int64(at) / hourSeconds
	if hour == d.Hour {
		return false
	}
	if d.N >= 50 {
		// At saturation the share of different values falls with the number of values: compare like with like.
		x := math.Log(max(d.estimate(), 1)) - 0.5*math.Log(d.N)
		d.Last = d.estimate()
		off := d.Of >= 48 && math.Abs(x-d.Mean) > max(6*math.Sqrt(d.Var), 1.6)
		switch {
		case off && !d.Open:
			if d.Off++; d.Off >= 2 {
				d.Open, changed = true, true
			}
		case d.Open && !off:
			d.Open, d.Off, changed = false, 0, true
		case d.Open:
			if d.Off++; d.Off > freezeHours {
				d.Open, d.Off, d.Of, changed = false, 0, 0, true
			}
		default:
			d.Off = 0
			d.Of++
			w := 1 / min(d.Of, 200)
			e := x - d.Mean
			d.Mean += e * w
			d.Var += (e*e - d.Var) * w
		}
	}
	d.Bits, d.N, d.Hour = [16]uint64{}, 0, hour
	return changed
}

// oddName reports what is wrong with how a campaign is named; "" is nothing.
func oddName(part, name string) string {
	switch {
	case name == "":
		return ""
	case strings.ContainsAny(name, "{}[]%<>") || strings.EqualFold(name, "(not set)") || strings.EqualFold(name, "undefined") || strings.EqualFold(name, "null"):
		return "an unfilled placeholder"
	case part != "name" && strings.ToLower(name) != name:
		return "capital letters"
	case strings.ContainsAny(name, " \t"):
		return "spaces"
	}
	return ""
}
