package plan

import (
	"slices"

	"myelin/internal/vec"
)

// Over computes window functions: every input row once, with all its columns, then one column per call.
//
// Rows that are equal in all order keys are peers. Where a function must tell peers apart (row_number, lag, ROWS frames), they stand
// in the order of their column values, left to right, NULLs last, so that the answer does not depend on the order of arrival.
type Over struct {
	Input     Node
	Partition []Expr    // over Input; NULLs are equal; empty: one partition
	Order     []SortKey // over Input; empty: all rows of a partition are peers
	Calls     []OverCall
	Names     []string // of the calls
}

// OverCall is one window function call.
type OverCall struct {
	// Func is row_number, rank, dense_rank, percent_rank, cume_dist, ntile, lag, lead, first_value, last_value, nth_value or,
	// with Agg set, an aggregate function over the rows of the frame. Frame only matters to aggregates and the *_value functions.
	Func string
	Agg  bool
	// Args are over Input, evaluated for the row that is read: x of lag(x, n, d) at the row n before, n and d at the current row;
	// the counts of ntile and nth_value at the current row. lag and lead always have three arguments here (n BIGINT, d of x's type).
	Args   []Expr
	Star   bool // count(*)
	Filter Expr // aggregates only; nil: none
	Type   vec.Type
	Frame  Frame
}

// Frame says which rows of its partition a row's function sees.
type Frame struct {
	Mode       FrameMode
	Start, End Bound
	Exclude    Exclusion
}

// FrameMode is how the bounds of a frame count.
type FrameMode uint8

// The frame modes. Range is the default: with no bounds given, from the partition's start to the last peer of the current row.
const (
	Range  FrameMode = iota // by the value of the only order key
	Rows                    // by rows
	Groups                  // by groups of peers
)

// Bound is one end of a frame.
type Bound struct {
	Kind BoundKind
	// Rows is the distance of Preceding and Following of the modes Rows and Groups; it is not negative.
	Rows int64
	// Value is the distance of the mode Range: a vector of one row, not NULL and not negative, of a type that Order[0] can be
	// added to (numbers to numbers, INTERVAL to DATE, TIMESTAMP and TIMESTAMPTZ).
	Value *vec.Vector
}

// BoundKind names an end of a frame.
type BoundKind uint8

// The ends of a frame, in the order in which they may stand.
const (
	UnboundedPreceding BoundKind = iota
	Preceding
	CurrentRow // in the modes Range and Groups: the current row's first or last peer
	Following
	UnboundedFollowing
)

// Exclusion is a frame's EXCLUDE clause.
type Exclusion uint8

// The exclusions.
const (
	ExcludeNoOthers Exclusion = iota
	ExcludeCurrentRow
	ExcludeGroup
	ExcludeTies
)

// TopN keeps the rows of each partition whose rank by the order is in Offset+1 … Offset+Limit. It is what QUALIFY or a condition on
// row_number(), rank() or dense_rank() of a query in FROM becomes, and DISTINCT ON. Peers are told apart as in Over.
type TopN struct {
	Input         Node
	Partition     []Expr // over Input; NULLs are equal
	Order         []SortKey
	Rank          RankKind
	Offset, Limit int64 // Limit ≥ 0
	// RankName, if not empty, adds the rank as the last column, BIGINT: rows behind a row that comes or goes then change, too.
	RankName string
}

// RankKind says how TopN counts.
type RankKind uint8

// The ranks.
const (
	RowNumber RankKind = iota
	Rank               // peers have one rank, then a gap: more than Limit rows may stay
	DenseRank          // peers have one rank, no gaps
)

// Inputs implements Node.
func (n *Over) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *TopN) Inputs() []Node { return []Node{n.Input} }

// Schema implements Node.
func (n *Over) Schema() []Column {
	out := slices.Clone(n.Input.Schema())
	for i, c := range n.Calls {
		notNull := false
		switch c.Func {
		case "row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "count":
			notNull = true
		}
		out = append(out, Column{Name: n.Names[i], Type: c.Type, NotNull: notNull})
	}
	return out
}

// Schema implements Node.
func (n *TopN) Schema() []Column {
	out := n.Input.Schema()
	if n.RankName != "" {
		out = append(slices.Clone(out), Column{Name: n.RankName, Type: vec.Of(vec.Int64), NotNull: true})
	}
	return out
}

// Props implements Node.
func (n *Over) Props() Props {
	p := n.Input.Props()
	p.AppendOnly = false // a row that comes late moves those behind it
	return p
}

// Props implements Node.
func (n *TopN) Props() Props {
	p := n.Input.Props()
	p.AppendOnly = false
	if n.Rank == RowNumber && n.Limit == 1 {
		if key := plainColumns(n.Partition); key != nil {
			p.Key = key
		}
	}
	if n.RankName != "" && n.Rank == RowNumber {
		if key := plainColumns(n.Partition); key != nil && p.Key == nil {
			p.Key = append(key, len(n.Input.Schema()))
		}
	}
	return p
}

// plainColumns are the positions of expressions that are columns; nil if any is not.
func plainColumns(es []Expr) []int {
	out := make([]int, 0, len(es)+1)
	for _, e := range es {
		c, ok := e.(*Col)
		if !ok {
			return nil
		}
		out = append(out, c.Index)
	}
	return out
}
