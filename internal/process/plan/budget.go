package plan

import "myelin/internal/process/sql"

// A statement of a few lines can stand for a plan of any size: WITH items that each read the one before twice, nested CUBEs, an
// expression that is used twice in each of many nested queries. The binder stops at these bounds.
const (
	maxParts    = 5_000   // queries and tables bound
	maxExprs    = 200_000 // expressions bound
	maxNodes    = 5_000   // operators copied
	maxExprSize = 20_000  // parts of one expression
)

// budget is what a statement has used of its bounds.
type budget struct {
	parts, exprs, nodes int
	sizes               map[Expr]int
}

func (b *binder) tooComplex(pos int) {
	b.fail(pos, sql.CodeTooComplex, "make materialized views of its parts", "the statement stands for a plan that is too large")
}

// part counts a query or table.
func (b *binder) part(pos int) {
	if b.used.parts++; b.used.parts > maxParts {
		b.tooComplex(pos)
	}
}

// copied clones a tree and counts its operators.
func (b *binder) copied(n Node, pos int) Node {
	Walk(n, func(Node) { b.used.nodes++ })
	if b.used.nodes > maxNodes {
		b.tooComplex(pos)
	}
	return clone(n)
}

// bounded checks the size of an expression.
func (b *binder) bounded(e Expr, pos int) Expr {
	if b.used.sizes == nil {
		b.used.sizes = map[Expr]int{}
	}
	if sizeOf(e, b.used.sizes) > maxExprSize {
		b.tooComplex(pos)
	}
	return e
}

// sizeOf counts the parts of an expression, those that stand in it several times each time. known remembers.
func sizeOf(e Expr, known map[Expr]int) int {
	if e == nil {
		return 0
	}
	var args []Expr
	switch e := e.(type) {
	case *Call:
		args = e.Args
	case *Logic:
		args = e.Args
	case *Coalesce:
		args = e.Args
	case *InList:
		args = []Expr{e.X}
	case *Case:
		args = append(append([]Expr{e.Else}, e.Whens...), e.Thens...)
	default:
		return 1
	}
	if n, ok := known[e]; ok {
		return n
	}
	n := 1
	for _, a := range args {
		n = min(n+sizeOf(a, known), 2*maxExprSize)
	}
	known[e] = n
	return n
}

// maxPushed bounds the conditions that the optimizer moves below a projection, which repeats what it computes in them.
const maxPushed = 2_000

// pushable reports whether a condition stays small when it is written over the input of a projection.
func pushable(p Expr, n *Project) bool {
	known := map[Expr]int{}
	size := 0
	visit(p, func(x Expr) {
		size++
		if c, ok := x.(*Col); ok && c.Index < len(n.Exprs) {
			size += sizeOf(n.Exprs[c.Index], known)
		}
	})
	return size <= maxPushed
}
