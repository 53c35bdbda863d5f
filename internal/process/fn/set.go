package fn

import "myelin/internal/vec"

// SetFunc is one overload of a function that gives rows: it stands in FROM or in the select list.
type SetFunc struct {
	Name string
	Args []vec.Kind
	// Columns are the names and types of what it gives.
	Columns func(args []vec.Type) []SetColumn
	// Rows appends what row i of the arguments gives to out, one vector per column, all equally long afterwards. args are as long as
	// the batch, or of length 1 for constants. No argument is NULL in the row. It stops after limit rows with an error. The caller
	// drops what a failed call has appended.
	Rows func(env *Env, args []*vec.Vector, i int, limit int, out []*vec.Vector) error
	// Volatile, Stable and Clock are as in Func.
	Volatile, Stable, Clock bool
	Help, Example           string
}

// SetColumn is a column of a set-returning function.
type SetColumn struct {
	Name    string
	Type    vec.Type
	NotNull bool
}
