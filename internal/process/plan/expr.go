package plan

import (
	"myelin/internal/process/fn"
	"myelin/internal/vec"
)

// Expr is a bound scalar expression.
type Expr interface{ Type() vec.Type }

// Col is a column of the input.
type Col struct {
	Index int
	T     vec.Type
	Name  string
}

// Const is a literal: a vector of exactly one row.
type Const struct{ Value *vec.Vector }

// Param is $N (Index from 0), known only when the statement runs.
type Param struct {
	Index int
	T     vec.Type
}

// Call applies a scalar function, operator or cast.
type Call struct {
	Func *fn.Func
	Args []Expr
	T    vec.Type
}

// Logic is AND or OR over two or more operands, in SQL's three-valued logic; operands after a decisive one are not
// evaluated for that row.
type Logic struct {
	Or   bool
	Args []Expr
}

// Case is CASE WHEN … THEN … ELSE … END. A branch is evaluated only for the rows that reach it.
type Case struct {
	Whens, Thens []Expr
	Else         Expr // nil: NULL
	T            vec.Type
}

// Coalesce returns its first argument that is not NULL.
type Coalesce struct {
	Args []Expr
	T    vec.Type
}

// InList is x [NOT] IN (constants), hashed.
type InList struct {
	X    Expr
	List *vec.Vector
	Not  bool
}

// Type implements Expr.
func (e *Col) Type() vec.Type { return e.T }

// Type implements Expr.
func (e *Const) Type() vec.Type { return e.Value.Type }

// Type implements Expr.
func (e *Param) Type() vec.Type { return e.T }

// Type implements Expr.
func (e *Call) Type() vec.Type { return e.T }

// Type implements Expr.
func (e *Logic) Type() vec.Type { return vec.Type{Kind: vec.Bool} }

// Type implements Expr.
func (e *Case) Type() vec.Type { return e.T }

// Type implements Expr.
func (e *Coalesce) Type() vec.Type { return e.T }

// Type implements Expr.
func (e *InList) Type() vec.Type { return vec.Type{Kind: vec.Bool} }
