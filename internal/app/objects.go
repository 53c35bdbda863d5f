package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"myelin/internal/activate"
	"myelin/internal/config"
	"myelin/internal/control"
	"myelin/internal/process/exec"
	"myelin/internal/process/plan"
	"myelin/internal/process/sql"
	"myelin/internal/serve/view"
	"myelin/internal/trust/schema"
)

// bound is the desired state, bound to relations: what the stages are to run, and what is wrong with the rest.
type bound struct {
	catalog  *catalog
	entries  []view.Entry
	engine   exec.Objects
	sinks    []activate.Definition
	problems []config.Problem
	failed   map[string]error          // what is wrong, by the object's name
	running  map[string]control.Object // those that could be bound
	order    []string                  // their names; each stands behind what it reads
}

// bindObjects binds every object in an order in which each finds what it reads. What is wrong with one leaves the others.
// An object that is wrong is taken as it is in running, if it is there.
func (n *node) bindObjects(objects []control.Object, running map[string]control.Object) *bound {
	return n.bindWith(n.judge.Plans(), objects, running)
}

// bindWith is bindObjects with plans that need not be in force.
func (n *node) bindWith(plans []*schema.Plan, objects []control.Object, running map[string]control.Object) *bound {
	b := &bound{catalog: newCatalog(n.cfg.Topics, plans), running: map[string]control.Object{}, failed: map[string]error{}}
	for _, r := range b.catalog.all() {
		b.entries = append(b.entries, view.Entry{Relation: r, Description: r.Comment})
	}
	left := slices.Clone(objects)
	for len(left) > 0 {
		var waiting []control.Object
		var errs []error
		for _, o := range left {
			if err := n.bindObject(b, o); err != nil {
				waiting, errs = append(waiting, o), append(errs, err)
			} else {
				b.running[o.Name] = o
				b.order = append(b.order, o.Name)
			}
		}
		if len(waiting) == len(left) { // nobody can go on: these are wrong
			if waiting = b.blame(waiting, errs, running); len(waiting) == 0 {
				break
			}
		}
		left = waiting
	}
	return b
}

// blame reports what is wrong with objects, once for each, and returns those to try again as they ran before: a slip in a
// declaration must not take away a view that people and sinks rely on, nor what was computed for it.
func (b *bound) blame(stuck []control.Object, errs []error, running map[string]control.Object) []control.Object {
	var again []control.Object
	for i, o := range stuck {
		before, ran := running[o.Name]
		ran = ran && before.Kind == o.Kind && before.SQL != o.SQL
		if slices.ContainsFunc(stuck, func(x control.Object) bool { r, ok := running[x.Name]; return ok && r.SQL != x.SQL }) && !ran {
			again = append(again, o) // it may only lack one of those that come back
			continue
		}
		b.failed[o.Name] = errs[i]
		p := problemOf(o, errs[i])
		if ran {
			again = append(again, before)
			p.Message += "; it goes on as it was before"
		}
		b.problems = append(b.problems, p)
	}
	return again
}

// problemOf places an error in the file that declares the object.
func problemOf(o control.Object, err error) config.Problem {
	p := config.Problem{File: describe(o), Line: max(o.Line, 1), Column: 1, Message: fmt.Sprintf("%s %s: %s", o.Kind, o.Name, err)}
	var at *sql.Error
	if errors.As(err, &at) {
		p.Message, p.Hint = fmt.Sprintf("%s %s: %s", o.Kind, o.Name, at.Msg), at.Hint
		if at.Line > 0 {
			p.Line, p.Column = max(o.Line, 1)+at.Line-1, at.Column
		}
	}
	return p
}

func (n *node) bindObject(b *bound, o control.Object) error {
	stmt, err := sql.ParseOne(o.SQL)
	if err != nil {
		return err
	}
	switch s := stmt.(type) {
	case *sql.CreateRelation:
		return n.bindRelation(b, o, s)
	case *sql.CreateView:
		return b.bindView(o, s)
	case *sql.CreateSink:
		return n.bindSink(b, o, s)
	}
	return fmt.Errorf("%s declares nothing", o.Name)
}

// name puts a relation under its name.
func (b *bound) name(r *plan.Relation, o control.Object, at sql.ObjectName) error {
	if at.Schema != "" && at.Schema != "public" {
		return sql.At(o.SQL, int(at.At0), sql.CodeNotSupported, "things are made in the schema public, not in %q", at.Schema).WithHint("write %s alone", at.Name)
	}
	if err := b.catalog.add(r); err != nil {
		return sql.At(o.SQL, int(at.At0), codeDuplicateTable, "%v", err)
	}
	return nil
}

// notPart refuses names that parts of views and of their sinks have.
func notPart(o control.Object, at sql.ObjectName) error {
	if !exec.IsPart(o.Name) {
		return nil
	}
	return sql.At(o.SQL, int(at.At0), sql.CodeInvalidParameter, "the name %q is kept for a part of a view", o.Name).WithHint("leave the # out")
}

func (n *node) bindRelation(b *bound, o control.Object, s *sql.CreateRelation) error {
	r, err := plan.BindRelation(s, o.SQL)
	if err != nil {
		return err
	}
	r.Schema, r.Comment = "public", o.Description
	if s.Source {
		b.entries = append(b.entries, view.Entry{Relation: r, SQL: o.SQL, Description: o.Description})
		return b.name(r, o, s.Name)
	}
	if err := notPart(o, s.Name); err != nil {
		return err
	}
	path, ok := plan.Option(s.With, "path")
	if !ok {
		return sql.At(o.SQL, int(s.Name.At0), sql.CodeInvalidParameter, "a table's rows come from a file").
			WithHint("add WITH (connector = 'file', path = 'tables/%s.csv')", o.Name)
	}
	if r.Key == nil {
		return sql.At(o.SQL, int(s.Name.At0), sql.CodeInvalidParameter, "table %s has no key", o.Name).WithHint("mark the column that identifies a row PRIMARY KEY")
	}
	file := path.Value
	if !filepath.IsAbs(file) {
		file = filepath.Join(n.Project, file)
	}
	if err := b.name(r, o, s.Name); err != nil {
		return err
	}
	b.engine.Tables = append(b.engine.Tables, exec.Table{Relation: r, File: file})
	b.entries = append(b.entries, view.Entry{Relation: r, SQL: o.SQL, Description: o.Description})
	return nil
}

func (b *bound) bindView(o control.Object, s *sql.CreateView) error {
	if !s.Materialized {
		return b.bindPlainView(o, s)
	}
	q, r, err := plan.BindView(s, o.SQL, b.catalog)
	if err != nil {
		return err
	}
	if err := exec.Check(q); err != nil {
		return sql.At(o.SQL, int(s.Query.At0), sql.CodeNotSupported, "%v", err)
	}
	if err := notPart(o, s.Name); err != nil {
		return err
	}
	r.Schema, r.Comment = "public", o.Description
	if err := b.name(r, o, s.Name); err != nil {
		return err
	}
	emit := "changes"
	if q.Emit == plan.EmitOnWindowClose {
		emit = "window close"
	}
	b.engine.Views = append(b.engine.Views, exec.Definition{Relation: r, Query: q})
	b.entries = append(b.entries, view.Entry{Relation: r, SQL: o.SQL, Description: o.Description, Emit: emit, TTL: q.Forgets()})
	return nil
}

// bindPlainView makes a name for a query: nothing is kept, whoever reads the view runs it.
func (b *bound) bindPlainView(o control.Object, s *sql.CreateView) error {
	r, err := plan.BindPlainView(s, o.SQL, b.catalog)
	if err != nil {
		return err
	}
	r.Schema, r.Comment = "public", o.Description
	if err := b.name(r, o, s.Name); err != nil {
		return err
	}
	b.entries = append(b.entries, view.Entry{Relation: r, SQL: o.SQL, Description: o.Description})
	return nil
}

// applyObjects brings the desired state into every stage.
func (n *node) applyObjects(ctx context.Context) error {
	n.desired.applying.Lock()
	defer n.desired.applying.Unlock()
	objects, _ := n.desired.registry.Snapshot()
	b := n.bindObjects(objects, n.desired.running)
	n.desired.setRuntime(b.problems)
	n.desired.traced.Store(b.trace(n.Project))
	if n.engine != nil {
		if err := n.engine.Apply(ctx, b.engine); err != nil {
			return fmt.Errorf("running the project's views: %w", err)
		}
	}
	n.desired.running, n.desired.bound = b.running, b
	n.publish(b.entries)
	if n.activate != nil {
		if err := n.activate.Apply(n.deliverable(b.sinks)); err != nil {
			return fmt.Errorf("running the project's sinks: %w", err)
		}
	}
	return nil
}

// publish makes the directory list exactly these entries.
func (n *node) publish(entries []view.Entry) {
	known := map[string]bool{}
	for _, e := range entries {
		known[e.Relation.Schema+"."+e.Relation.Name] = true
		if n.engine != nil {
			if v, ok := n.engine.View(e.Relation.Name); ok && e.Relation.Kind != plan.Stream {
				e.Table = v.Table
			}
		}
		n.directory.Put(e)
	}
	for _, e := range n.directory.Snapshot().All() {
		if !known[e.Relation.Schema+"."+e.Relation.Name] {
			n.directory.Drop(e.Relation.Schema, e.Relation.Name)
		}
	}
}
