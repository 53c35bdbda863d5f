package exec

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"myelin/internal/process/state"
)

// handover is what an engine keeps from one run to the next: readers must not see less than they saw, whoever runs the task.
type handover struct {
	held []*state.Table // what readers see stands still; of the goroutine that runs or follows
	step uint64         // that they see
}

// hold has readers see the views as they are, until release: a run and a follower begin from the state of the last flush, which is
// older than what was shown since.
func (e *Engine) hold() {
	if len(e.hands.held) == 0 {
		e.hands.step = e.pub.Step()
	}
	var fresh []*state.Table
	for _, v := range e.Views() {
		if !slices.Contains(e.hands.held, v.Table) {
			fresh = append(fresh, v.Table)
		}
	}
	e.pub.Hold(fresh...)
	e.hands.held = append(e.hands.held, fresh...)
}

// release shows the views as they have become.
func (e *Engine) release() {
	e.pub.Release(e.hands.held...)
	e.hands.held = nil
}

// Restoring reports whether Run has not brought the state back yet.
func (e *Engine) Restoring() bool { return e.restoring.Load() }

// tail are the recorded steps behind a fence.
type tail struct{ steps []*step }

// claim makes the task ours, and reads all that the processes before left in the log: the state, which steps were sent, and the steps
// since. Each of the three is taken from its last holder first and read then, so that it is at rest; they do not depend on each
// other, and each takes several round trips.
func (t *task) claim(ctx context.Context) (*tail, error) {
	var out tail
	var sent outMarks
	g, each := errgroup.WithContext(ctx)
	g.Go(t.timed("state", func() error { return t.catchUpDisk(each) }))
	g.Go(t.timed("outputs", func() (err error) {
		sent.last, sent.began, err = t.out.marks(each)
		return err
	}))
	g.Go(t.timed("steps", func() (err error) {
		if err = t.takeOver(each); err == nil {
			err = t.readSteps(each, &out)
		}
		return err
	}))
	err := g.Wait()
	t.last, t.began = sent.last, sent.began // before the outputs are made, which know by it that they have begun
	return &out, err
}

type outMarks struct {
	last  uint64
	began map[string]uint64
}

// readSteps reads the recorded steps. Which of them count is known once the state is.
func (t *task) readSteps(ctx context.Context, out *tail) error {
	err := t.cluster.ReadTail(ctx, t.cfg.own(StepsTopic), time.Time{}, func(r *kgo.Record) {
		t.cut.Store(r.Offset + 1)
		s, perr := parseStep(r.Value)
		if perr != nil {
			t.cfg.Log.Error("a recorded step cannot be read; what it computed may differ now", "offset", r.Offset, "error", perr)
			return
		}
		out.steps = append(out.steps, s)
	})
	if err != nil {
		return fmt.Errorf("reading the recorded steps: %w", err)
	}
	// What a predecessor that does not know yet wrote behind our fence may be cut by our own first flush.
	for i := len(out.steps) - 1; i >= 0; i-- {
		if s := out.steps[i]; s.Kind == stepFence {
			if s.Writer == t.fence.writer {
				t.fence.next = t.cut.Load()
			}
			break
		}
	}
	return nil
}

// timed notes how long a part of taking over takes.
func (t *task) timed(what string, f func() error) func() error {
	return func() error {
		began := time.Now()
		err := f()
		t.took.Lock()
		defer t.took.Unlock()
		t.took.parts = append(t.took.parts, what, time.Since(began).Round(time.Millisecond))
		return err
	}
}

// tellTaken says how long taking the task over took, and each of its parts.
func (t *task) tellTaken(began time.Time, heard time.Time, steps int) {
	if t.cfg.Owner == nil {
		return
	}
	t.took.Lock()
	defer t.took.Unlock()
	parts := append([]any{"task", t.cfg.Task, "took", time.Since(began).Round(time.Millisecond), "steps", steps}, t.took.parts...)
	if !heard.IsZero() {
		parts = append(parts, "unheard", time.Since(heard).Round(time.Millisecond))
	}
	t.cfg.Log.Info("took a task over", parts...)
}
