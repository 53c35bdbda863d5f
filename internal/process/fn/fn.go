// Package fn is the table of scalar and aggregate functions: names, signatures, help and vector kernels.
package fn

import (
	"slices"
	"strings"
	"sync"
	"time"

	"myelin/internal/vec"
)

// Env is what a kernel may know beyond its arguments. It is fixed within a step, so that a replay gives the same answers.
type Env struct {
	// Now is the step's clock, microseconds since 1970-01-01 UTC: what now() returns.
	Now int64
	// Errs collects rows whose value could not be computed; the value itself is set to NULL.
	Errs []RowError
	// Params are the values of $1, $2, …: vectors of one row.
	Params []*vec.Vector
	// Zone is the session's time zone; nil is UTC, which continuous queries always use.
	Zone *time.Location
	// Interrupted reports whether nobody wants what is being computed any more; nil: somebody always does.
	Interrupted func() bool

	work int  // done since Interrupted was last asked
	over bool // it said so
}

// lookEvery is how much work is done before Interrupted is asked again.
const lookEvery = 1 << 13

// Worked reports whether to give up, after so much more work: a unit is what takes about as long as comparing two values. What can
// go on for long over one row, or over many, calls it as it goes.
func (e *Env) Worked(units int) bool {
	if e.Interrupted == nil || e.over {
		return e.over
	}
	if e.work += units; e.work >= lookEvery {
		e.work = 0
		e.over = e.Interrupted()
	}
	return e.over
}

// Fail records that a row could not be computed. The kernel sets its value to NULL.
func (e *Env) Fail(row int, err error) {
	e.Errs = append(e.Errs, RowError{Row: int32(row), Err: err})
}

// Location is the session's time zone.
func (e *Env) Location() *time.Location {
	if e.Zone == nil {
		return time.UTC
	}
	return e.Zone
}

// RowError is an error of one row, for example a division by zero.
type RowError struct {
	Row int32
	Err error
}

// Kernel computes out for the rows in sel (nil: 0..n-1). out is sized to n rows and may be reused from an earlier call;
// its other rows are left as they are. args are as long as out, or of length 1 for constants.
type Kernel func(env *Env, args []*vec.Vector, sel []int32, n int, out *vec.Vector)

// Func is one overload of a scalar function.
type Func struct {
	Name   string
	Args   []vec.Kind
	Return func(args []vec.Type) vec.Type
	// Strict: NULL in, NULL out, and the kernel is not called for such rows.
	Strict bool
	// Volatile functions may not be folded; Env functions (now()) are stable within a step.
	Volatile bool
	// Stable functions depend on Env (now(), the time zone): the same within a step, folded only where a step begins.
	Stable bool
	// Clock functions are Stable ones that depend on the time.
	Clock bool
	// Variadic: the last of Args stands for one or more arguments.
	Variadic bool
	Eval     Kernel
	// Help and Example are shown in the generated reference.
	Help, Example string
}

// Pseudo-kinds of arguments that take values of any kind.
const (
	Any        vec.Kind = 250 + iota // whatever it is
	AnyElement                       // the same kind in all such arguments
	AnyArray                         // an array of the kind that AnyElement stands for
	AnyScalar                        // whatever it is, but no array
)

func returns(k vec.Kind) func([]vec.Type) vec.Type {
	t := vec.Of(k)
	return func([]vec.Type) vec.Type { return t }
}

func returnsArray(k vec.Kind) func([]vec.Type) vec.Type {
	t := vec.ArrayOf(k)
	return func([]vec.Type) vec.Type { return t }
}

// def makes a strict function.
func def(name string, ret vec.Kind, eval Kernel, help, example string, args ...vec.Kind) Func {
	return Func{Name: name, Args: args, Return: returns(ret), Strict: true, Eval: eval, Help: help, Example: example}
}

// op makes a strict operator.
func op(name string, ret vec.Kind, eval Kernel, args ...vec.Kind) Func {
	return Func{Name: name, Args: args, Return: returns(ret), Strict: true, Eval: eval}
}

// table holds all functions and operators by name.
var table = sync.OnceValue(func() map[string][]*Func {
	m := map[string][]*Func{}
	for _, list := range groups() {
		for i := range list.Funcs {
			f := &list.Funcs[i]
			m[f.Name] = append(m[f.Name], f)
		}
	}
	return m
})

// Group is a chapter of the function reference.
type Group struct {
	Title string
	Funcs []Func
}

// groups lists all functions in the order of the reference.
var groups = sync.OnceValue(func() []Group {
	return []Group{
		{"Comparison", compareFuncs()},
		{"Arithmetic", arithFuncs()},
		{"Mathematics", mathFuncs()},
		{"Text", textFuncs()},
		{"Patterns", patternFuncs()},
		{"Date and time", timeFuncs()},
		{"JSON", jsonFuncs()},
		{"Arrays", arrayFuncs()},
		{"Putting values together", makeFuncs()},
		{"Other", otherFuncs()},
	}
})

// Groups returns all scalar functions by chapter, for the reference.
func Groups() []Group { return groups() }

// Overloads returns the functions of a name; nil if there is none.
func Overloads(name string) []*Func { return table()[name] }

// Names returns the names of all functions that are called by name, sorted: operators are left out.
func Names() []string {
	var out []string
	for n := range table() {
		if c := n[0]; c >= 'a' && c <= 'z' && !strings.Contains(n, " ") {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}
