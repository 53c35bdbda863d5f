package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"myelin/internal/auth/role"
	"myelin/internal/config"
	"myelin/internal/control"
	"myelin/internal/log"
	"myelin/internal/process/sql"
	"myelin/internal/serve/api"
	"myelin/internal/serve/query"
)

// controlTopic keeps what people made interactively.
const controlTopic = "myelin.control"

// desired is what the files and the people want, and what is wrong with it.
type desired struct {
	table    *log.Table
	plans    *log.Table // texts of the plans that were in force last, by file
	texts    map[string][]byte
	registry *control.Registry
	// applying is held while a change goes through all stages, so that two changes do not mix.
	applying sync.Mutex
	running  map[string]control.Object // what the stages run, by name; under applying
	traced   atomic.Pointer[traced]    // what that is made of
	mu       struct {
		sync.Mutex
		files   []config.Problem // of the plan and SQL texts
		runtime []config.Problem // found when the objects were made
	}
}

// openDesired loads the desired state and reads the project. Mistakes in files are problems to show, not reasons to stop.
func (n *node) openDesired(ctx context.Context) error {
	d := &desired{}
	n.desired = d
	var err error
	if d.table, err = n.cluster.OpenTable(ctx, controlTopic); err != nil {
		return err
	}
	if d.registry, err = control.Open(ctx, d.table); err != nil {
		return err
	}
	if d.plans, err = n.cluster.OpenTable(ctx, plansTopic); err != nil {
		return err
	}
	if d.texts, err = d.plans.Load(ctx); err != nil {
		return err
	}
	_, err = n.readFiles(ctx, false)
	return err
}

// readFiles brings the project's files into the registry and the plans into force.
func (n *node) readFiles(ctx context.Context, prune bool) (control.Change, error) {
	p := readProject(n.files, os.Getenv)
	if err := n.desired.keepPlans(ctx, &p); err != nil {
		return control.Change{}, err
	}
	sources := n.trustSources()
	for i := range sources {
		plan := sources[i].Plan
		known := plan == ""
		for _, x := range p.plans {
			known = known || x.Name == plan
		}
		if !known {
			p.add(config.Problem{File: "myelin.yaml", Line: 1, Column: 1, Message: fmt.Sprintf("source %s wants the plan %q, which is not there", sources[i].Name, plan),
				Hint: "its events go to quarantine until plan/*.yaml has one with this name"})
			sources[i].PlanMissing = true
		}
	}
	if err := n.judge.SetPlans(p.plans, sources); err != nil {
		p.add(config.Problem{File: "plan", Line: 1, Column: 1, Message: err.Error(), Hint: "the plans in force before stay in force"})
	}
	if prune && p.stuck {
		p.add(config.Problem{File: "sql", Line: 1, Column: 1, Message: "nothing was removed, because not all SQL files can be read", Hint: "mend them and run myelin apply --prune again"})
		prune = false
	}
	n.desired.setProblems(p.problems)
	change, err := n.desired.registry.Reconcile(p.objects, prune)
	if err != nil {
		n.desired.setProblems(append(p.problems, config.Problem{File: "sql", Line: 1, Column: 1, Message: err.Error(), Hint: "rename one of the two"}))
	}
	return change, nil
}

func (d *desired) setProblems(files []config.Problem) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.files = files
}

func (d *desired) setRuntime(problems []config.Problem) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.runtime = problems
}

func (d *desired) problems() []config.Problem {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append(slices.Clone(d.mu.files), d.mu.runtime...)
}

// Apply implements api.Files.
func (n *node) Apply(ctx context.Context, prune bool) (api.Applied, error) {
	change, err := n.readFiles(ctx, prune)
	if err == nil {
		err = n.applyObjects(ctx)
	}
	if err != nil {
		return api.Applied{}, err
	}
	problems, err := n.Problems(ctx)
	return api.Applied{Created: list(change.Created), Updated: list(change.Updated), Removed: list(change.Removed), Kept: list(change.Kept),
		Problems: problems.Problems}, err
}

// list is names as JSON shows them: an empty list, not null.
func list(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}

// Change implements query.Changer: what a person creates or drops over a SQL connection.
func (n *node) Change(ctx context.Context, _ *query.Session, stmt sql.Statement, text string) (tag string, err error) {
	if err := mayChange(ctx, stmt); err != nil {
		return "", err
	}
	action, object := changed(stmt)
	if err := n.audit.Record(ctx, role.Of(ctx), action, object, nil); err != nil {
		return "", err
	}
	if d, ok := stmt.(*sql.Drop); ok {
		return "DROP", n.drop(ctx, d)
	}
	if a, ok := stmt.(*sql.AlterView); ok {
		return "ALTER MATERIALIZED VIEW", n.alterView(ctx, a)
	}
	o, ok := declared(stmt)
	if !ok {
		return "", &query.Error{Code: query.CodeFeatureNotSupported, Message: "this statement is not supported here"}
	}
	o.SQL = strings.TrimSuffix(strings.TrimSpace(text), ";")
	objects, _ := n.desired.registry.Snapshot()
	b := n.bindObjects(append(objects, o), nil)
	for _, p := range b.problems {
		if strings.HasPrefix(p.Message, fmt.Sprintf("%s %s: ", o.Kind, o.Name)) {
			return "", &query.Error{Code: query.CodeSyntax, Message: p.Message, Hint: p.Hint}
		}
	}
	if err := n.desired.registry.Put(ctx, o); err != nil {
		return "", ownedError(err)
	}
	tags := map[control.Kind]string{control.Source: "CREATE SOURCE", control.Table: "CREATE TABLE", control.View: "CREATE MATERIALIZED VIEW", control.Sink: "CREATE SINK"}
	return tags[o.Kind], n.applyObjects(ctx)
}

// mayChange checks the role of who makes or drops something.
func mayChange(ctx context.Context, stmt sql.Statement) error {
	need := role.ChangeViews
	switch x := stmt.(type) {
	case *sql.CreateSink:
		need = role.ChangeSinks
	case *sql.Drop:
		if strings.EqualFold(x.Kind, "sink") {
			need = role.ChangeSinks
		}
	}
	if err := role.Of(ctx).Check(need); err != nil {
		return &query.Error{Code: codePrivilege, Message: err.Error()}
	}
	return nil
}

// codePrivilege is PostgreSQL's insufficient_privilege.
const codePrivilege = "42501"

func (n *node) drop(ctx context.Context, d *sql.Drop) error {
	objects, _ := n.desired.registry.Snapshot()
	left := slices.Clone(objects)
	for _, name := range d.Names {
		i := slices.IndexFunc(left, func(o control.Object) bool { return o.Name == name.Name })
		if i < 0 && !d.IfExists {
			return &query.Error{Code: query.CodeUndefinedTable, Message: fmt.Sprintf("%s %q does not exist", d.Kind, name.Name)}
		}
		if i >= 0 {
			left = slices.Delete(left, i, i+1)
		}
	}
	lost := n.bindObjects(left, nil).lost(left, n.bindObjects(objects, nil))
	if len(lost) > 0 && !d.Cascade {
		return &query.Error{Code: codeDependent, Message: fmt.Sprintf("cannot drop %s, because other objects read it: %s", d.Names[0].Name, strings.Join(lost, ", ")),
			Hint: "drop those first, or write CASCADE to drop them, too"}
	}
	for _, name := range lost {
		if err := n.desired.registry.Drop(ctx, name); err != nil {
			return ownedError(err)
		}
	}
	for _, name := range d.Names {
		if err := n.desired.registry.Drop(ctx, name.Name); err != nil {
			return ownedError(err)
		}
	}
	return n.applyObjects(ctx)
}

// codeDependent is PostgreSQL's dependent_objects_still_exist.
const codeDependent = "2BP01"

// lost names the objects that could be bound before and now cannot.
func (b *bound) lost(objects []control.Object, before *bound) []string {
	var out []string
	for _, o := range objects {
		_, could := before.running[o.Name]
		if _, can := b.running[o.Name]; could && !can {
			out = append(out, o.Name)
		}
	}
	return out
}

func ownedError(err error) error {
	var owned *control.OwnedError
	if errors.As(err, &owned) {
		return &query.Error{Code: query.CodeReadOnly, Message: err.Error()}
	}
	return err
}

// describe names an object's place for a problem.
func describe(o control.Object) string {
	if o.File != "" {
		return o.File
	}
	return strings.ToLower(string(o.Kind)) + " " + o.Name
}

func splitList(s string) []string {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		out = append(out, strings.TrimSpace(part))
	}
	return out
}
