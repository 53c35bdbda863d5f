package exec

import (
	"context"
	"fmt"
	"time"

	"myelin/internal/process/op"
	"myelin/internal/process/plan"
)

// Operator is an operator of a query and what it has done.
type Operator struct {
	// Depth is how far it lies below the root; each operator comes before its inputs.
	Depth int
	// What it does, as EXPLAIN says it.
	What string
	// Rows that it gave since the process began, also those taken back.
	Rows int64
	// CPU is about how long it has computed.
	CPU time.Duration
	// StateKeys and StateBytes are what it remembers.
	StateKeys, StateBytes int64
}

// Explain tells what each operator of a running view has done.
func (e *Engine) Explain(ctx context.Context, name string) ([]Operator, error) {
	if v, ok := e.View(name); !ok || v.Query == nil {
		return nil, fmt.Errorf("there is no view %s", name)
	}
	var out []Operator
	done := make(chan struct{})
	err := e.ask(ctx, func(t *task) {
		defer close(done)
		if j := t.jobs[name]; j != nil && j.pipe != nil {
			out = operatorsOf(j.pipe)
		}
	})
	if err != nil {
		return nil, err
	}
	<-done
	if out == nil {
		return nil, fmt.Errorf("view %s has not begun", name)
	}
	return out, nil
}

func operatorsOf(p *op.Pipeline) []Operator {
	var out []Operator
	for _, m := range p.Meters() {
		o := Operator{Depth: m.Depth, What: plan.Describe(m.Node), Rows: m.Rows, CPU: m.CPU}
		o.StateKeys, o.StateBytes = m.State()
		out = append(out, o)
	}
	return out
}
