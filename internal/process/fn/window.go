package fn

import "myelin/internal/vec"

// WindowFunc is a function that only works with OVER. Aggregate functions work with OVER, too.
type WindowFunc struct {
	Name string
	// Args are the kinds of the arguments; Optional of them, from the end, may be left out.
	Args     []vec.Kind
	Optional int
	// Return is the type of the result; elem is the type of the AnyElement arguments.
	Return func(elem vec.Type) vec.Type
	// Framed functions look at the frame, the others at the whole partition.
	Framed        bool
	Help, Example string
}

var windows = func() []WindowFunc {
	same := func(t vec.Type) vec.Type { return t }
	is := func(k vec.Kind) func(vec.Type) vec.Type { return func(vec.Type) vec.Type { return vec.Of(k) } }
	e, n := AnyElement, vec.Int32
	return []WindowFunc{
		{Name: "row_number", Return: is(vec.Int64), Help: "number of the row in its partition, from 1", Example: "row_number() OVER (PARTITION BY user_key ORDER BY at)"},
		{Name: "rank", Return: is(vec.Int64), Help: "rank with gaps: rows that are equal in the order share one", Example: "rank() OVER (ORDER BY total DESC)"},
		{Name: "dense_rank", Return: is(vec.Int64), Help: "rank without gaps", Example: "dense_rank() OVER (ORDER BY total DESC)"},
		{Name: "percent_rank", Return: is(vec.Float64), Help: "(rank − 1) / (rows − 1)", Example: "percent_rank() OVER (ORDER BY total)"},
		{Name: "cume_dist", Return: is(vec.Float64), Help: "share of the rows that stand before the row or are equal to it", Example: "cume_dist() OVER (ORDER BY total)"},
		{Name: "ntile", Args: []vec.Kind{n}, Return: is(vec.Int32), Help: "number of the row's bucket when the partition is cut into so many", Example: "ntile(4) OVER (ORDER BY total)"},
		{Name: "lag", Args: []vec.Kind{e, n, e}, Optional: 2, Return: same, Help: "value in the row so many before, or a default", Example: "lag(at, 1) OVER (PARTITION BY user_key ORDER BY at)"},
		{Name: "lead", Args: []vec.Kind{e, n, e}, Optional: 2, Return: same, Help: "value in the row so many behind, or a default", Example: "lead(at) OVER (PARTITION BY user_key ORDER BY at)"},
		{Name: "first_value", Args: []vec.Kind{e}, Return: same, Framed: true, Help: "value in the first row of the frame", Example: "first_value(page) OVER (PARTITION BY user_key ORDER BY at)"},
		{Name: "last_value", Args: []vec.Kind{e}, Return: same, Framed: true, Help: "value in the last row of the frame", Example: "last_value(page) OVER (PARTITION BY user_key)"},
		{Name: "nth_value", Args: []vec.Kind{e, n}, Return: same, Framed: true, Help: "value in the row of that number in the frame", Example: "nth_value(page, 2) OVER (PARTITION BY user_key ORDER BY at)"},
	}
}()

// Windows returns all window functions, for the reference.
func Windows() []WindowFunc { return append([]WindowFunc(nil), windows...) }

// Window finds a window function; nil if there is none of that name.
func Window(name string) *WindowFunc {
	for i := range windows {
		if windows[i].Name == name {
			return &windows[i]
		}
	}
	return nil
}
