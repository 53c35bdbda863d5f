package fn

import (
	"bytes"
	"regexp"
	"regexp/syntax"
	"unicode/utf8"
)

// expression is a compiled regular expression. Where every match has the same text at nearly the same place, it is looked for
// first: that is much faster than the expression itself.
type expression struct {
	*regexp.Regexp
	needle []byte // nil: there is none
	lead   int    // the most bytes that a match can have before it
	walk   *walk  // nil: it is not so simple
}

// maxLead is the longest beginning of a match that is worth it.
const maxLead = 64

func newExpression(re *regexp.Regexp) *expression {
	x := &expression{Regexp: re}
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return x // it was compiled from the same text
	}
	parts := []*syntax.Regexp{tree}
	if tree.Op == syntax.OpConcat {
		parts = tree.Sub
	}
	lead := 0
	for _, p := range parts {
		if p.Op == syntax.OpLiteral && p.Flags&syntax.FoldCase == 0 && len(p.Rune) >= 3 {
			x.needle, x.lead, x.walk = []byte(string(p.Rune)), lead, newWalk(tree)
			return x
		}
		most, ok := longest(p)
		if lead += most; !ok || lead > maxLead {
			return x
		}
	}
	return x
}

// longest is the most bytes that an expression can match; ok is false if there is no limit, or it is not known.
func longest(r *syntax.Regexp) (n int, ok bool) {
	switch r.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary,
		syntax.OpNoWordBoundary:
		return 0, true
	case syntax.OpLiteral:
		return utf8.UTFMax * len(r.Rune), true
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return utf8.UTFMax, true
	case syntax.OpCapture, syntax.OpQuest:
		return longest(r.Sub[0])
	case syntax.OpRepeat:
		n, ok = longest(r.Sub[0])
		return n * r.Max, ok && r.Max >= 0
	case syntax.OpConcat, syntax.OpAlternate:
		for _, s := range r.Sub {
			most, known := longest(s)
			if !known {
				return 0, false
			}
			if r.Op == syntax.OpConcat {
				n += most
			} else {
				n = max(n, most)
			}
		}
		return n, true
	}
	return 0, false
}

// find is FindSubmatchIndex. The result may lie in dst.
func (x *expression) find(s []byte, dst []int) []int {
	if x.walk != nil {
		if m, ok := x.walk.find(s, x.needle, x.lead, dst); ok {
			return m
		}
	}
	from := 0
	if x.needle != nil {
		at := bytes.Index(s, x.needle)
		if at < 0 {
			return nil
		}
		// No match begins before at-lead. One more character stays in front, so that ^ and \b see what is there.
		if from = at - x.lead - utf8.UTFMax; from < 0 {
			from = 0
		}
		for from > 0 && !utf8.RuneStart(s[from]) {
			from--
		}
	}
	m := x.FindSubmatchIndex(s[from:])
	if from > 0 {
		for i := range m {
			if m[i] >= 0 {
				m[i] += from
			}
		}
	}
	return m
}
