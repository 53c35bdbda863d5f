package app

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"myelin/internal/config"
	"myelin/internal/control"
	"myelin/internal/log"
	"myelin/internal/serve/api"
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
	changing sync.Mutex                // held while a statement makes or drops something; taken before applying
	running  map[string]control.Object // what the stages run, by name; under applying
	bound    *bound                    // the same, bound; under applying
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
	if err == nil {
		err = n.nodes.tellApplied(ctx, prune)
	}
	if err != nil {
		return api.Applied{}, err
	}
	return api.Applied{Created: list(change.Created), Updated: list(change.Updated), Removed: list(change.Removed), Kept: list(change.Kept),
		Problems: shownProblems(n.objectProblems())}, nil
}

// list is names as JSON shows them: an empty list, not null.
func list(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
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
