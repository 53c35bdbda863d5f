package schema

import (
	"regexp"
	"regexp/syntax"
	"unicode/utf8"
)

// pattern is a regular expression. The simple, anchored kind that plans use most (a sequence of ASCII classes with
// counts, such as ^[A-Z]{3}$ or ^ord_[0-9]+$) is matched without the regexp engine.
type pattern struct {
	source string
	re     *regexp.Regexp
	steps  []span // nil: use re
	open   bool   // anything may follow the steps
}

// span is a run of min to max bytes of one ASCII class; max -1 has no end.
type span struct {
	class    [2]uint64
	min, max int
}

func newPattern(source string) (*pattern, error) {
	re, err := regexp.Compile(source)
	if err != nil {
		return nil, err
	}
	p := &pattern{source: source, re: re}
	p.simplify()
	return p, nil
}

// match reports whether s matches.
func (p *pattern) match(s []byte) bool {
	if p.steps == nil {
		return p.re.Match(s)
	}
	at := 0
	for i := range p.steps {
		st := &p.steps[i]
		n := 0
		for at < len(s) && (st.max < 0 || n < st.max) && s[at] < utf8.RuneSelf && st.class[s[at]>>6]&(1<<(s[at]&63)) != 0 {
			at++
			n++
		}
		if n < st.min {
			return false
		}
	}
	return p.open || at == len(s)
}

// simplify fills steps when greedy matching without going back finds what the engine finds: each run of variable length
// is last, or is followed by a class that shares nothing with it.
func (p *pattern) simplify() {
	tree, err := syntax.Parse(p.source, syntax.Perl)
	if err != nil {
		return
	}
	tree = tree.Simplify()
	parts := []*syntax.Regexp{tree}
	if tree.Op == syntax.OpConcat {
		parts = tree.Sub
	}
	if len(parts) < 2 || parts[0].Op != syntax.OpBeginText {
		return
	}
	parts = parts[1:]
	open := true
	if last := parts[len(parts)-1]; last.Op == syntax.OpEndText && last.Flags&syntax.WasDollar != 0 || last.Op == syntax.OpEndText {
		open = false
		parts = parts[:len(parts)-1]
	}
	var steps []span
	for _, part := range parts {
		more, ok := spans(part)
		if !ok {
			return
		}
		steps = append(steps, more...)
	}
	for i := 0; i+1 < len(steps); {
		a, b := &steps[i], steps[i+1]
		if a.class == b.class { // x{2,4} is simplified to xx(x(x)?)?, and is put together again here
			a.min += b.min
			if a.max < 0 || b.max < 0 {
				a.max = -1
			} else {
				a.max += b.max
			}
			steps = append(steps[:i+1], steps[i+2:]...)
			continue
		}
		i++
	}
	for i := 0; i+1 < len(steps); i++ {
		if steps[i].min == steps[i].max {
			continue
		}
		// What follows a run of variable length must not be able to start with a byte of that run, also when runs
		// between may be empty.
		for j := i + 1; j < len(steps); j++ {
			if steps[i].class[0]&steps[j].class[0] != 0 || steps[i].class[1]&steps[j].class[1] != 0 {
				return
			}
			if steps[j].min > 0 {
				break
			}
		}
	}
	if len(steps) == 0 {
		return
	}
	p.steps, p.open = steps, open
}

// spans turns one part of a concatenation into runs.
func spans(re *syntax.Regexp) ([]span, bool) {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return nil, false
		}
		var out []span
		for _, r := range re.Rune {
			if r >= utf8.RuneSelf {
				return nil, false
			}
			st := span{min: 1, max: 1}
			st.class[r>>6] |= 1 << (r & 63)
			out = append(out, st)
		}
		return out, true
	case syntax.OpCharClass:
		st := span{min: 1, max: 1}
		for i := 0; i+1 < len(re.Rune); i += 2 {
			if re.Rune[i+1] >= utf8.RuneSelf {
				return nil, false
			}
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				st.class[r>>6] |= 1 << (r & 63)
			}
		}
		return []span{st}, true
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest:
		if re.Flags&syntax.NonGreedy != 0 {
			return nil, false
		}
		in, ok := spans(re.Sub[0])
		if !ok || len(in) != 1 || in[0].min > 1 {
			return runOfRuns(re, in, ok)
		}
		st := in[0]
		switch {
		case re.Op == syntax.OpQuest:
			st.min = 0
		case re.Op == syntax.OpStar:
			st.min, st.max = 0, -1
		default:
			st.max = -1
		}
		return []span{st}, true
	case syntax.OpCapture:
		return spans(re.Sub[0])
	case syntax.OpConcat:
		var out []span
		for _, sub := range re.Sub {
			more, ok := spans(sub)
			if !ok {
				return nil, false
			}
			out = append(out, more...)
		}
		return out, true
	}
	return nil, false
}

// runOfRuns handles (x(x)?)?, into which the parser turns x{0,2}: a run of one class whose parts are all that class.
func runOfRuns(re *syntax.Regexp, in []span, ok bool) ([]span, bool) {
	if !ok || re.Op != syntax.OpQuest || len(in) == 0 {
		return nil, false
	}
	st := in[0]
	if st.min != 1 || st.max != 1 {
		return nil, false
	}
	for _, next := range in[1:] {
		if next.class != st.class || next.min != 0 || next.max < 0 {
			return nil, false
		}
		st.max += next.max
	}
	st.min = 0
	return []span{st}, true
}
