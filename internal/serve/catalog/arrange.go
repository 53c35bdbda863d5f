package catalog

import (
	"maps"
	"slices"
)

// arrange orders the steps so that each finds an equation with what is there already, where that is possible.
func arrange(steps []*joinStep, where []cond) []*joinStep {
	if len(steps) < 3 {
		return steps
	}
	all := slices.Clone(where)
	for _, st := range steps {
		all = append(all, st.on...)
	}
	left := slices.Clone(steps[1:])
	out := steps[:1:1]
	have := span(steps[0])
	for len(left) > 0 {
		pick := 0
		for i, st := range left {
			if st.kind != "inner" || st.lateral {
				if i == 0 || ready(st, have) && !outerBefore(left[:i]) {
					pick = i
					break
				}
				continue
			}
			if connected(st, have, all) {
				pick = i
				break
			}
		}
		st := left[pick]
		left = slices.Delete(left, pick, pick+1)
		out = append(out, st)
		maps.Copy(have, span(st))
	}
	return out
}

func outerBefore(steps []*joinStep) bool {
	return slices.ContainsFunc(steps, func(s *joinStep) bool { return s.kind != "inner" || s.lateral })
}

func span(st *joinStep) map[int]bool {
	m := map[int]bool{}
	for i := st.lo; i < st.hi; i++ {
		m[i] = true
	}
	return m
}

func within(refs, have map[int]bool) bool {
	for i := range refs {
		if !have[i] {
			return false
		}
	}
	return true
}

// ready reports whether all that a step's own condition refers to is there.
func ready(st *joinStep, have map[int]bool) bool {
	if st.lateral {
		return false
	}
	with := maps.Clone(have)
	maps.Copy(with, span(st))
	return !slices.ContainsFunc(st.on, func(cd cond) bool { return !within(cd.refs, with) })
}

func connected(st *joinStep, have map[int]bool, all []cond) bool {
	mine := span(st)
	return slices.ContainsFunc(all, func(cd cond) bool {
		if cd.l == nil {
			return false
		}
		return len(cd.lrefs) > 0 && len(cd.rrefs) > 0 &&
			(within(cd.lrefs, mine) && within(cd.rrefs, have) || within(cd.rrefs, mine) && within(cd.lrefs, have))
	})
}

// place gives each condition of WHERE, and each of an inner join's ON whose columns are not there yet, to the first step
// that has all its columns.
func (f *from) place(where []cond) {
	pending := where
	for _, st := range f.steps {
		if st.kind == "inner" {
			pending = append(pending, st.on...)
			st.on = nil
		}
	}
	have := map[int]bool{}
	for _, st := range f.steps {
		maps.Copy(have, span(st))
		var wait []cond
		for _, cd := range pending {
			switch {
			case len(cd.refs) == 0 || !within(cd.refs, have):
				wait = append(wait, cd)
			case st.kind == "inner":
				st.on = append(st.on, cd)
			default:
				st.after = append(st.after, cd)
			}
		}
		pending = wait
	}
	f.late = pending
}

// derive sorts the conditions of a step by how they are used.
func (st *joinStep) derive() {
	mine := span(st)
	outside := func(refs map[int]bool) bool {
		for i := range refs {
			if mine[i] {
				return false
			}
		}
		return true
	}
	for _, cd := range st.on {
		switch {
		case len(cd.refs) > 0 && within(cd.refs, mine) && st.kind != "full":
			st.own = append(st.own, cd)
		case st.lateral || cd.l == nil:
			st.residual = append(st.residual, cd)
		case len(cd.rrefs) > 0 && within(cd.rrefs, mine) && outside(cd.lrefs):
			st.probe, st.build = append(st.probe, *cd.l), append(st.build, *cd.r)
		case len(cd.lrefs) > 0 && within(cd.lrefs, mine) && outside(cd.rrefs):
			st.probe, st.build = append(st.probe, *cd.r), append(st.build, *cd.l)
		default:
			st.residual = append(st.residual, cd)
		}
	}
}
