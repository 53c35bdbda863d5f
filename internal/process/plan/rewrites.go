package plan

import "strings"

// Rewrites are ways to compute the same rows with less work. Each can be left out, so that answers with and without it can be compared.
type Rewrites uint32

// The rewrites. Those from JoinExpiry on are chosen by the operators.
const (
	// PushConditions moves conditions towards scans, and makes equalities between the inputs of a join its keys.
	PushConditions Rewrites = 1 << iota
	// RanksToTop turns a condition on row_number(), rank() or dense_rank() into a TopN.
	RanksToTop
	// CaseFilters makes conditions inside count(DISTINCT CASE …) filters.
	CaseFilters
	// PruneColumns reads and passes on only the columns that are needed.
	PruneColumns
	// MergeProjects makes one projection of several.
	MergeProjects
	// OwnExtremes finds joins of rows with the greatest or least value of their own window.
	OwnExtremes
	// JoinExpiry forgets the rows of a join that can find no match any more.
	JoinExpiry
	// Pairs joins inputs that never take a row back without what only serves to find rows again.
	Pairs
	// Panes folds the rows of a hop once for each slide instead of once for each window.
	Panes
	// SharedAggregates computes equal aggregations of a view once.
	SharedAggregates
	// SharedDistincts counts the values of one column under several filters in one table, a bit for each filter.
	SharedDistincts
	// FirstRows keeps one row of each partition where only the first is asked for and none is taken back.
	FirstRows

	// AllRewrites are all of them.
	AllRewrites Rewrites = 1<<iota - 1
)

var rewriteNames = []string{
	"conditions moved", "ranks to top", "case to filter", "columns pruned", "projections merged", "own extreme", "join expiry", "append-only join", "panes",
	"shared aggregation", "shared distinct", "first rows",
}

// String names rewrites as EXPLAIN does, with commas.
func (r Rewrites) String() string {
	var names []string
	for i, name := range rewriteNames {
		if r&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// optimizer rewrites a tree.
type optimizer struct {
	opt   Options
	fired Rewrites
}

// try rewrites a tree unless that is left out, and notes, where that is asked for, whether it changed anything.
func (o *optimizer) try(r Rewrites, n Node, rewrite func(Node) Node) Node {
	if o.opt.Without&r != 0 {
		return n
	}
	if !o.opt.Explain {
		return rewrite(n)
	}
	before := Explain(n)
	if n = rewrite(n); Explain(n) != before {
		o.fired |= r
	}
	return n
}

// optimize rewrites a bound tree into one that gives the same rows with less work.
func (o *optimizer) optimize(n Node) Node {
	opt := o.opt
	if opt.Continuous {
		n = unsorted(n)
	}
	n = o.try(PushConditions, n, func(n Node) Node { return pushDown(n, nil) })
	n = o.try(RanksToTop, n, lowerRanks)
	n = o.try(CaseFilters, n, caseFilters)
	n = fuseSessions(n)
	n = chooseLookups(n, opt)
	n = o.try(PruneColumns, n, pruneAll)
	n = findBounds(n, opt)
	n = o.try(MergeProjects, n, mergeProjects)
	n = findLags(n, opt)
	if opt.TTL > 0 {
		return n // what the last finds keeps the rows of windows in a form of its own
	}
	return o.try(OwnExtremes, n, func(n Node) Node { return findOwnExtremes(n, opt) })
}
