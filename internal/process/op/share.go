package op

import (
	"reflect"

	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// shared is an aggregation that a continuous query has several times over the same input: it is computed once, for all.
type shared struct {
	node plan.Node
	outs []sink // nil: not built yet
}

// findShared finds the aggregations that stand in a query more than once.
func findShared(root plan.Node) []*shared {
	var all []*plan.Aggregate
	plan.Walk(root, func(n plan.Node) {
		if a, ok := n.(*plan.Aggregate); ok {
			all = append(all, a)
		}
	})
	const many = 32 // aggregations, among which nothing is looked for
	if len(all) < 2 || len(all) > many {
		return nil
	}
	var out []*shared
	for i, a := range all {
		for _, b := range all[:i] {
			if reflect.DeepEqual(a, b) {
				out = append(out, &shared{node: a})
				break
			}
		}
	}
	return out
}

// sharedAs is what a node is shared as, nil if it is not.
func (p *Pipeline) sharedAs(n *plan.Aggregate) *shared {
	for _, s := range p.shared {
		if reflect.DeepEqual(s.node, n) {
			return s
		}
	}
	return nil
}

// buildOnce builds an aggregation, or feeds one more consumer from one that is built.
func (p *Pipeline) buildOnce(n *plan.Aggregate, out sink) error {
	s := p.sharedAs(n)
	if s == nil {
		return p.buildAggregate(n, out)
	}
	built := s.outs != nil
	s.outs = append(s.outs, out)
	if built {
		return nil
	}
	return p.buildAggregate(n, func(b *vec.Batch) {
		for _, out := range s.outs {
			out(b)
		}
	})
}
