package fn

import (
	"slices"
	"strings"

	"myelin/internal/vec"
)

// Agg is one overload of an aggregate function. The accumulators live in process/op.
type Agg struct {
	Name   string
	Args   []vec.Kind
	Return func(args []vec.Type) vec.Type
	// Invertible: a row can be taken back from the accumulator without keeping all values (count, sum, avg).
	Invertible bool
	// Ordered: ORDER BY inside the call matters (array_agg, string_agg).
	Ordered bool
	// Pending: known to the binder, which says that it is not there yet.
	Pending bool
	Help    string
}

func agg(name string, ret vec.Kind, invertible bool, help string, args ...vec.Kind) Agg {
	return Agg{Name: name, Args: args, Return: returns(ret), Invertible: invertible, Help: help}
}

// aggs lists all aggregate functions. Result types are PostgreSQL's.
var aggs = func() []Agg {
	out := []Agg{
		agg("count", vec.Int64, true, "number of rows, or of values that are not NULL", Any),
		agg("sum", vec.Int64, true, "sum of the values", vec.Int32),
		agg("sum", vec.Numeric, true, "sum of the values", vec.Int64),
		agg("sum", vec.Numeric, true, "sum of the values", vec.Numeric),
		agg("sum", vec.Float64, true, "sum of the values; it does not depend on their order", vec.Float64),
		agg("sum", vec.Interval, true, "sum of the values; it does not depend on their order", vec.Interval),
		agg("avg", vec.Numeric, true, "mean of the values", vec.Int32),
		agg("avg", vec.Numeric, true, "mean of the values", vec.Int64),
		agg("avg", vec.Numeric, true, "mean of the values", vec.Numeric),
		agg("avg", vec.Float64, true, "mean of the values", vec.Float64),
		agg("avg", vec.Interval, true, "mean of the values", vec.Interval),
		agg("bool_and", vec.Bool, true, "true if all values are true", vec.Bool),
		agg("every", vec.Bool, true, "true if all values are true", vec.Bool),
		agg("bool_or", vec.Bool, true, "true if any value is true", vec.Bool),
	}
	for _, name := range []string{"min", "max"} {
		help := map[string]string{"min": "smallest value", "max": "largest value"}[name]
		for _, k := range []vec.Kind{
			vec.Int32, vec.Int64, vec.Float64, vec.Numeric, vec.Text, vec.Date, vec.Time, vec.Timestamp, vec.Timestamptz, vec.Interval,
		} {
			out = append(out, agg(name, k, false, help, k))
		}
	}
	for _, name := range []string{"stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop"} {
		help := "standard deviation or variance, of a sample or of the population"
		for _, k := range []vec.Kind{vec.Int32, vec.Int64, vec.Numeric, vec.Float64} {
			a := agg(name, vec.Numeric, true, help, k)
			if k == vec.Float64 {
				a.Return = returns(vec.Float64)
			}
			out = append(out, a)
		}
	}
	return append(out,
		agg("approx_count_distinct", vec.Int64, false, "about how many different values there are: exact up to 256, then off by 2.3 % typically", Any),
		agg("approx_percentile", vec.Float64, false, "about the value that this fraction of the values does not exceed: off by 1 % of itself at most", vec.Float64, vec.Float64),
		Agg{Name: "string_agg", Args: []vec.Kind{vec.Text, vec.Text}, Return: returns(vec.Text), Ordered: true, Help: "the values, joined by a separator"},
		Agg{Name: "string_agg", Args: []vec.Kind{vec.Bytea, vec.Bytea}, Return: returns(vec.Bytea), Ordered: true, Help: "the values, joined by a separator"},
		Agg{Name: "array_agg", Args: []vec.Kind{AnyElement}, Ordered: true, Help: "the values as an array",
			Return: func(a []vec.Type) vec.Type { return vec.ArrayOf(a[0].Kind) }},
	)
}()

// Aggs returns all aggregate functions, for the reference.
func Aggs() []Agg { return slices.Clone(aggs) }

// IsAgg reports whether a name is an aggregate function.
func IsAgg(name string) bool {
	return slices.ContainsFunc(aggs, func(a Agg) bool { return a.Name == name })
}

// AggNames returns the names of all aggregate functions.
func AggNames() []string {
	var out []string
	for _, a := range aggs {
		if !slices.Contains(out, a.Name) {
			out = append(out, a.Name)
		}
	}
	return out
}

// ResolveAgg chooses the overload of an aggregate and the types that its arguments must have.
func ResolveAgg(name string, args []vec.Type) (a *Agg, types []vec.Type, ambiguous bool) {
	var cands []*Func
	byFunc := map[*Func]*Agg{}
	for i := range aggs {
		if aggs[i].Name != name {
			continue
		}
		f := &Func{Name: name, Args: aggs[i].Args, Return: aggs[i].Return}
		if f.takes(len(args)) && f.accepts(args) {
			cands = append(cands, f)
			byFunc[f] = &aggs[i]
		}
	}
	f, ambiguous := choose(cands, args)
	if f == nil {
		return nil, nil, ambiguous
	}
	return byFunc[f], f.argTypes(args), false
}

// Signature prints what the aggregate makes of what: numeric of bigint.
func (a *Agg) Signature() string {
	types := make([]vec.Type, len(a.Args))
	names := make([]string, len(a.Args))
	for i, k := range a.Args {
		types[i], names[i] = vec.Of(k), kindName(k)
	}
	ret := a.Return(types)
	if ret.Kind == vec.Array && ret.Elem == AnyElement {
		return kindName(AnyElement) + "[] of " + strings.Join(names, ", ")
	}
	if len(names) == 1 && ret.String() == names[0] {
		return names[0]
	}
	return ret.String() + " of " + strings.Join(names, ", ")
}
