package exec

import (
	"context"
	"fmt"

	"myelin/internal/process/op"
)

// Explain tells what each operator of a running view has done.
func (e *Engine) Explain(ctx context.Context, name string) ([]op.Operator, error) {
	if v, ok := e.View(name); !ok || v.Query == nil {
		return nil, fmt.Errorf("there is no view %s", name)
	}
	var out []op.Operator
	done := make(chan struct{})
	err := e.ask(ctx, func(t *task) {
		defer close(done)
		if j := t.jobs[name]; j != nil && j.pipe != nil {
			out = j.pipe.Report()
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
