package watch

import "math"

// firmType is after how many values of one type a single other one is news.
const firmType = 2000

// odd is a suspicion: values of a type that the property hardly ever has.
type odd struct {
	Type    int       `json:"type"`
	Version string    `json:"version"`
	First   float64   `json:"first"`
	N       float64   `json:"n"`     // odd ones
	Of      float64   `json:"of"`    // all of that version since
	Since   float64   `json:"since"` // all of any version since
	User    uint64    `json:"-"`
	Users   int       `json:"users"`
	Open    bool      `json:"open"`
	Calm    float64   `json:"calm"`
	Proof   *evidence `json:"proof"`
}

// typed takes a value's type; opened and closed say what it led to. A type that never came in thousands of values is told with the
// first event that has it, if a release has just begun to send, or if single wrong values are no habit of the source.
func (p *property) typed(t int, f *Fact, s *source) (opened, closed bool) {
	if o := p.Odd; o != nil {
		opened, closed = p.suspect(o, t, f)
		switch {
		case closed && o.Users < 2:
			p.stray(o, s)
		case !o.Open && o.Since > 400:
			p.Odd = nil
			s.strayed(o.First)
		case closed:
			p.Odd = nil
		}
		if o.Open && t == o.Type {
			return opened, closed // it teaches nothing
		}
	} else if p.M >= 100 && p.Types[t] < 0.003 {
		p.Odd = &odd{Type: t, Version: f.Dims[versionDimension], First: f.At, N: 1, Of: 1, Since: 1, User: f.User, Users: 1, Proof: &evidence{}}
		p.Odd.Proof.add(f)
		if p.M >= firmType && (s.fresh && p.Types[t] < 1e-4 || p.oneType() && s.steady(f.At)) {
			p.Odd.Open = true
			s.Alone = f.At
			return true, false
		}
	}
	p.M = min(p.M+1, 20_000)
	for k := range p.Types {
		x := 0.0
		if k == t {
			x = 1
		}
		p.Types[k] += (x - p.Types[k]) / p.M
	}
	return opened, closed
}

// suspect follows a suspicion. Two odd values of two users are enough where the version that sends them sends hardly
// anything else; otherwise it takes five, and a share of 5 %.
func (p *property) suspect(o *odd, t int, f *Fact) (opened, closed bool) {
	o.Since++
	if f.Dims[versionDimension] == o.Version {
		o.Of++
	}
	if t != o.Type {
		o.Calm++
		return false, o.Open && o.over(f.At)
	}
	o.Calm = 0
	o.N++
	if f.Dims[versionDimension] != o.Version {
		o.Of = max(o.Of, o.N*2) // not one version's doing
	}
	if f.User != o.User || f.User == 0 {
		o.Users++
		o.User = f.User
	}
	o.Proof.add(f)
	if o.Open || o.Users < 2 {
		return false, false
	}
	one := o.N >= 2 && o.N >= 0.6*o.Of
	many := o.N >= 5 && o.N >= 0.05*o.Since
	o.Open = one || many
	return o.Open, false
}

// over reports whether it has stayed away for far longer than it did before. A few may be the first of many.
func (o *odd) over(at float64) bool {
	const few = 5
	if after := at - o.First; o.N < few && after < 6*hourSeconds && (after < hourSeconds || o.Calm <= 300) {
		return false
	}
	return o.Calm > max(60, 12*(o.Since-o.Calm)/o.N)
}

// alone reports whether there is only one event so far.
func (o *odd) alone() bool { return o.N == 1 }

// oneType reports whether all the values had the same type, as far as is remembered: a single other one is forgotten in about 80,000.
func (p *property) oneType() bool {
	for _, share := range p.Types {
		if share > 1-1e-6 {
			return true
		}
	}
	return false
}

// stray ends a suspicion that one visitor raised and none followed. The property has been seen with that type, and the source with
// a stray.
func (p *property) stray(o *odd, s *source) {
	p.Odd = nil
	p.Types[o.Type] += 1 / max(p.M, 1)
	p.Types[kindOf(p.usualType())] -= 1 / max(p.M, 1)
	s.strayed(o.First)
}

// A source whose single wrong values were followed by nothing is not believed the next one: after one stray, for two weeks.
const (
	aloneAfter = 24 * hourSeconds // a single wrong value that nothing follows is over
	strayWeeks = 4                // strays fade
	mostStrays = 0.6
)

func (s *source) strayed(at float64) {
	s.Strays = s.strays(at) + 1
	s.StrayAt = max(s.StrayAt, at)
}

func (s *source) strays(at float64) float64 {
	return s.Strays * math.Exp(-max(0, at-s.StrayAt)/(strayWeeks*weekHours*hourSeconds))
}

// steady reports whether a single wrong value may be told: strays are rare, and none was told within a day.
func (s *source) steady(at float64) bool {
	return s.strays(at) < mostStrays && (s.Alone == 0 || at-s.Alone > aloneAfter)
}
