package fn

import (
	"slices"
	"strings"

	"myelin/internal/vec"
)

// category groups kinds for the choice among overloads (PostgreSQL §10.2, pg_type.typcategory).
func category(k vec.Kind) byte {
	switch k {
	case vec.Bool:
		return 'B'
	case vec.Int32, vec.Int64, vec.Float64, vec.Numeric:
		return 'N'
	case vec.Text:
		return 'S'
	case vec.Date, vec.Time, vec.Timestamp, vec.Timestamptz:
		return 'D'
	case vec.Interval:
		return 'T'
	case vec.Array, AnyArray:
		return 'A'
	case Any, AnyElement, AnyScalar:
		return 'P'
	case vec.Unknown:
		return 'X'
	}
	return 'U'
}

func preferred(k vec.Kind) bool {
	switch k {
	case vec.Bool, vec.Float64, vec.Text, vec.Timestamptz, vec.Interval:
		return true
	}
	return false
}

// Implicit reports whether a value of from may stand where to is wanted without a cast being written.
func Implicit(from, to vec.Kind) bool {
	if from == to || from == vec.Unknown {
		return true
	}
	switch from {
	case vec.Int32:
		return to == vec.Int64 || to == vec.Numeric || to == vec.Float64
	case vec.Int64:
		return to == vec.Numeric || to == vec.Float64
	case vec.Numeric:
		return to == vec.Float64
	case vec.Date:
		return to == vec.Timestamp || to == vec.Timestamptz
	case vec.Timestamp:
		return to == vec.Timestamptz
	case vec.Time:
		return to == vec.Interval
	}
	return false
}

// Match is a resolved call: the overload, and the type that each argument must be converted to.
type Match struct {
	Func *Func
	Args []vec.Type
}

// kindAt is the declared kind of argument i.
func (f *Func) kindAt(i int) vec.Kind {
	if f.Variadic && i >= len(f.Args)-1 {
		return f.Args[len(f.Args)-1]
	}
	return f.Args[i]
}

func (f *Func) takes(n int) bool {
	if f.Variadic {
		return n >= len(f.Args)
	}
	return n == len(f.Args)
}

// Resolve chooses the overload for arguments of these types, as PostgreSQL does (§10.2, §10.3). Unknown stands for an untyped
// literal, NULL or parameter. A nil match with ambiguous true means that several overloads fit equally well.
func Resolve(name string, args []vec.Type) (m *Match, ambiguous bool) {
	return ResolveIn(Overloads(name), args)
}

// accepts reports whether every argument converts implicitly.
func (f *Func) accepts(args []vec.Type) bool {
	elem := vec.Unknown
	for i, a := range args {
		switch k := f.kindAt(i); k {
		case Any:
		case AnyScalar:
			if a.Kind == vec.Array {
				return false
			}
		case AnyElement, AnyArray:
			if k == AnyArray {
				if a.Kind != vec.Array && a.Kind != vec.Unknown {
					return false
				}
				if a.Kind == vec.Array {
					a = vec.Of(a.Elem)
				}
			}
			if a.Kind == vec.Unknown {
				continue
			}
			switch {
			case elem == vec.Unknown || Implicit(elem, a.Kind):
				elem = a.Kind
			case !Implicit(a.Kind, elem):
				return false
			}
		default:
			if a.Kind == vec.Array {
				if k != vec.Array {
					return false
				}
				continue
			}
			if !Implicit(a.Kind, k) {
				return false
			}
		}
	}
	return true
}

// argTypes gives the types that the arguments must have.
func (f *Func) argTypes(args []vec.Type) []vec.Type {
	out := make([]vec.Type, len(args))
	elem := vec.Type{}
	for i, a := range args {
		k := f.kindAt(i)
		if k == AnyArray && a.Kind == vec.Array {
			a = vec.Of(a.Elem)
		} else if k != AnyElement {
			continue
		}
		if elem.Kind == vec.Unknown || Implicit(elem.Kind, a.Kind) && elem.Kind != a.Kind {
			elem = a
		}
	}
	if elem.Kind == vec.Unknown {
		elem = vec.Of(vec.Text)
	}
	for i, a := range args {
		switch k := f.kindAt(i); k {
		case Any, AnyScalar:
			out[i] = a
			if a.Kind == vec.Unknown {
				out[i] = vec.Of(vec.Text)
			}
		case AnyElement:
			out[i] = elem
		case AnyArray:
			out[i] = vec.ArrayOf(elem.Kind)
		case vec.Array:
			out[i] = a
			if a.Kind != vec.Array {
				out[i] = vec.ArrayOf(vec.Text)
			}
		default:
			out[i] = vec.Of(k)
			if a.Kind == k {
				out[i] = a
			}
		}
	}
	return out
}

func choose(cands []*Func, args []vec.Type) (*Func, bool) {
	if len(cands) == 0 {
		return nil, false
	}
	for _, f := range cands {
		if exact(f, args) == len(args) {
			return f, false
		}
	}
	if len(cands) == 1 {
		return cands[0], false
	}
	if f := assumeSame(cands, args); f != nil {
		return f, false
	}
	cands = best(cands, func(f *Func) int { return exact(f, args) })
	cands = best(cands, func(f *Func) int {
		n := 0
		for i, a := range args {
			if k := f.kindAt(i); a.Kind != vec.Unknown && (k == a.Kind || preferred(k) && category(k) == category(a.Kind)) {
				n++
			}
		}
		return n
	})
	if len(cands) > 1 {
		cands = byUnknown(cands, args)
	}
	// Polymorphic overloads come after those made for the kind.
	cands = best(cands, func(f *Func) int {
		n := 0
		for i := range args {
			if k := f.kindAt(i); k != Any && k != AnyElement && k != AnyScalar {
				n++
			}
		}
		return n
	})
	if len(cands) == 1 {
		return cands[0], false
	}
	return lastChoice(cands, args)
}

func exact(f *Func, args []vec.Type) int {
	n := 0
	for i, a := range args {
		if a.Kind != vec.Unknown && f.kindAt(i) == a.Kind {
			n++
		}
	}
	return n
}

// assumeSame takes the unknown argument of two to be of the other's kind.
func assumeSame(cands []*Func, args []vec.Type) *Func {
	if len(args) != 2 || (args[0].Kind == vec.Unknown) == (args[1].Kind == vec.Unknown) {
		return nil
	}
	k := args[0].Kind + args[1].Kind // Unknown is 0
	for _, f := range cands {
		if !f.Variadic && f.Args[0] == k && f.Args[1] == k {
			return f
		}
	}
	return nil
}

// best keeps the candidates with the highest score.
func best(cands []*Func, score func(*Func) int) []*Func {
	var out []*Func
	top := -1
	for _, f := range cands {
		switch s := score(f); {
		case s > top:
			top, out = s, []*Func{f}
		case s == top:
			out = append(out, f)
		}
	}
	return out
}

// byUnknown decides by the arguments of unknown kind: text wins where a candidate takes it; else the category that all agree on.
func byUnknown(cands []*Func, args []vec.Type) []*Func {
	for i, a := range args {
		if a.Kind != vec.Unknown {
			continue
		}
		cat := category(cands[0].kindAt(i))
		agree := true
		for _, f := range cands {
			c := category(f.kindAt(i))
			if c == 'S' {
				cat, agree = 'S', true
				break
			}
			agree = agree && c == cat
		}
		if !agree {
			continue
		}
		inCat := slices.DeleteFunc(slices.Clone(cands), func(f *Func) bool { return category(f.kindAt(i)) != cat })
		pref := slices.DeleteFunc(slices.Clone(inCat), func(f *Func) bool { return !preferred(f.kindAt(i)) })
		if len(pref) > 0 {
			inCat = pref
		}
		if len(inCat) > 0 {
			cands = inCat
		}
	}
	return cands
}

// lastChoice takes unknown arguments to be of the one kind that all known ones have.
func lastChoice(cands []*Func, args []vec.Type) (*Func, bool) {
	known := vec.Unknown
	for _, a := range args {
		if a.Kind == vec.Unknown {
			continue
		}
		if known != vec.Unknown && known != a.Kind {
			return nil, true
		}
		known = a.Kind
	}
	if known == vec.Unknown {
		return nil, true
	}
	var found *Func
	for _, f := range cands {
		ok := true
		for i, a := range args {
			ok = ok && (a.Kind != vec.Unknown || Implicit(known, f.kindAt(i)))
		}
		if ok {
			if found != nil {
				return nil, true
			}
			found = f
		}
	}
	return found, found == nil
}

// Common is the type that values of two types take where they must be one (UNION, CASE, COALESCE, IN); ok is false if none is.
func Common(a, b vec.Type) (_ vec.Type, ok bool) {
	switch {
	case a == b || b.Kind == vec.Unknown:
		return a, true
	case a.Kind == vec.Unknown:
		return b, true
	case a.Kind == vec.Array || b.Kind == vec.Array:
		if a.Kind == b.Kind {
			if e, ok := Common(vec.Of(a.Elem), vec.Of(b.Elem)); ok {
				return vec.ArrayOf(e.Kind), true
			}
		}
		return a, false
	case a.Kind == b.Kind:
		return vec.Of(a.Kind), true // the modifiers differ
	case category(a.Kind) != category(b.Kind):
		return a, false
	case Implicit(a.Kind, b.Kind):
		return b, true
	case Implicit(b.Kind, a.Kind):
		return a, true
	}
	return a, false
}

// ResolveIn is Resolve among given overloads.
func ResolveIn(overloads []*Func, args []vec.Type) (m *Match, ambiguous bool) {
	var cands []*Func
	for _, f := range overloads {
		if f.takes(len(args)) && f.accepts(args) {
			cands = append(cands, f)
		}
	}
	f, ambiguous := choose(cands, args)
	if f == nil {
		return nil, ambiguous
	}
	return &Match{f, f.argTypes(args)}, false
}

// Signature prints the function with the types of its arguments.
func (f *Func) Signature() string {
	words := make([]string, len(f.Args))
	for i, k := range f.Args {
		words[i] = kindName(k)
	}
	if f.Variadic {
		words[len(words)-1] += ", …"
	}
	return f.Name + "(" + strings.Join(words, ", ") + ")"
}

func kindName(k vec.Kind) string {
	switch k {
	case Any, AnyElement, AnyScalar:
		return "any"
	case AnyArray, vec.Array:
		return "array"
	}
	return k.String()
}
