package cluster

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"myelin/internal/process/exec"
	"myelin/internal/process/op"
)

// wholes are the views that are run in parts, by name.
type wholes map[string]exec.Definition

func wholesOf(all exec.Objects) wholes {
	out := wholes{}
	for _, d := range all.Views {
		if d.Parts() != nil {
			out[d.Relation.Name] = d
		}
	}
	return out
}

// names are what a view is run as.
func (w wholes) names(view string) []string {
	if d, ok := w[view]; ok {
		return d.Parts()
	}
	return []string{view}
}

// find finds a view: one that is run in parts is there when all of them are.
func (w wholes) find(view string, one func(name string) (*exec.View, bool)) (*exec.View, bool) {
	d, ok := w[view]
	if !ok {
		return one(view)
	}
	var parts []*exec.View
	for _, name := range d.Parts() {
		v, ok := one(name)
		if !ok {
			return nil, false
		}
		parts = append(parts, v)
	}
	return exec.Whole(d, parts), true
}

// list puts views in the place of their parts, in the order of the names.
func (w wholes) list(all map[string]*exec.View) []*exec.View {
	all = maps.Clone(all)
	one := func(name string) (*exec.View, bool) { v, ok := all[name]; return v, ok }
	for view := range w {
		v, ok := w.find(view, one)
		for _, name := range w.names(view) {
			delete(all, name)
		}
		if ok {
			all[view] = v
		}
	}
	return slices.SortedFunc(maps.Values(all), func(a, b *exec.View) int { return strings.Compare(a.Relation.Name, b.Relation.Name) })
}

// runs is a view, or a part of one, and the engine that runs it.
type runs struct {
	name   string
	engine *exec.Engine
}

// merges reports whether the first of them is the view itself, which merges what the others have folded.
func merges(parts []runs) bool { return len(parts) > 1 && !exec.IsPart(parts[0].name) }

// compared are the names of what is compared of a view: where its parts only fold, it is the view itself, by the task that has it.
func (w wholes) compared(view string) []string {
	names := w.names(view)
	if len(names) > 1 && !exec.IsPart(names[0]) {
		return names[:1]
	}
	return names
}

// verify compares a view, part by part.
func verify(ctx context.Context, parts []runs) (*exec.Verification, error) {
	var out []*exec.Verification
	for _, p := range parts {
		v, err := p.engine.Verify(ctx, p.name)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	if len(out) == 1 {
		return out[0], nil
	}
	return exec.WholeVerification(out), nil
}

func explain(ctx context.Context, parts []runs) ([]op.Operator, error) {
	var out [][]op.Operator
	for _, p := range parts {
		r, err := p.engine.Explain(ctx, p.name)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	if len(out) == 1 {
		return out[0], nil
	}
	if merges(parts) {
		return exec.MergedReport(out[0], out[1:]), nil
	}
	return exec.WholeReport(out), nil
}

// pause lets all parts of a view stand still, or none.
func pause(ctx context.Context, parts []runs) error {
	for i, p := range parts {
		err := p.engine.Pause(ctx, p.name)
		if err == nil {
			continue
		}
		return errors.Join(err, resume(ctx, parts[:i]))
	}
	return nil
}

func resume(ctx context.Context, parts []runs) error {
	var errs []error
	for _, p := range parts {
		errs = append(errs, p.engine.Resume(ctx, p.name))
	}
	return errors.Join(errs...)
}
