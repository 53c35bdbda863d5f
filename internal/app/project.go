package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"myelin/internal/config"
	"myelin/internal/control"
	"myelin/internal/process/sql"
	"myelin/internal/trust/schema"
)

// project is what the files of a project folder say. What is wrong with one file or statement is a problem and leaves the
// rest as it is.
type project struct {
	plans    []*schema.Plan
	texts    map[string]string // of the plans, by file
	broken   []string          // files of plans that cannot be used
	stuck    bool              // some SQL could not be read, so that what the files declare is not wholly known
	objects  []control.Object
	problems []config.Problem
}

// readProject reads plan/*.yaml and sql/*.sql.
func readProject(files fs.FS, getenv func(string) string) project {
	p := project{texts: map[string]string{}}
	for _, name := range p.glob(files, "plan/*.yaml", "plan/*.yml") {
		p.readPlan(files, name)
	}
	for _, name := range p.glob(files, "sql/*.sql") {
		p.readSQL(files, name, getenv)
	}
	return p
}

func (p *project) glob(files fs.FS, patterns ...string) []string {
	var out []string
	for _, pattern := range patterns {
		names, err := fs.Glob(files, pattern)
		if err != nil {
			p.add(config.Problem{File: pattern, Line: 1, Column: 1, Message: err.Error()})
		}
		out = append(out, names...)
	}
	slices.Sort(out)
	return out
}

func (p *project) add(problem config.Problem) { p.problems = append(p.problems, problem) }

func (p *project) read(files fs.FS, name string) (string, bool) {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		p.stuck = true
		p.add(config.Problem{File: name, Line: 1, Column: 1, Message: "the file cannot be read: " + err.Error(), Hint: "check its permissions"})
		return "", false
	}
	return string(text), true
}

func (p *project) readPlan(files fs.FS, name string) {
	text, ok := p.read(files, name)
	if !ok {
		p.broken = append(p.broken, name)
		return
	}
	plan, err := schema.Parse(name, []byte(text))
	var problems schema.Problems
	if err != nil {
		p.broken = append(p.broken, name)
	}
	switch {
	case errors.As(err, &problems):
		for _, x := range problems {
			p.add(config.Problem{File: x.File, Line: x.Line, Column: x.Column, Message: x.Message, Hint: x.Hint})
		}
		return
	case err != nil:
		p.add(config.Problem{File: name, Line: 1, Column: 1, Message: err.Error()})
		return
	}
	for _, other := range p.plans {
		if other.Name == plan.Name {
			p.add(config.Problem{File: name, Line: 1, Column: 1, Message: fmt.Sprintf("the plan %q is in %s already", plan.Name, other.File),
				Hint: "give one of them another name"})
			return
		}
	}
	p.plans = append(p.plans, plan)
	p.texts[name] = text
}

func (p *project) readSQL(files fs.FS, name string, getenv func(string) string) {
	written, ok := p.read(files, name)
	if !ok {
		return
	}
	text, missing := config.Expand(written, getenv)
	for _, variable := range missing {
		at := strings.Index(written, "${"+variable)
		p.add(config.Problem{File: name, Line: 1 + strings.Count(written[:at], "\n"), Column: 1,
			Message: fmt.Sprintf("the environment variable %s is not set", variable), Hint: "set it before the start, or write ${" + variable + ":-a default}"})
	}
	for _, item := range sql.Parse(text) {
		line := 1 + strings.Count(text[:item.Pos], "\n")
		if item.Err != nil {
			p.stuck = true
			p.add(config.Problem{File: name, Line: max(item.Err.Line, 1), Column: max(item.Err.Column, 1), Message: item.Err.Msg, Hint: item.Err.Hint})
			continue
		}
		o, ok := declared(item.Stmt)
		if !ok {
			p.add(config.Problem{File: name, Line: line, Column: 1, Message: "a project's SQL files declare things; this statement does something else",
				Hint: "use CREATE SOURCE, CREATE TABLE, CREATE MATERIALIZED VIEW or CREATE SINK"})
			continue
		}
		if i := slices.IndexFunc(p.objects, func(x control.Object) bool { return x.Name == o.Name }); i >= 0 {
			p.add(config.Problem{File: name, Line: line, Column: 1, Message: fmt.Sprintf("%s is declared in %s:%d already", o.Name, p.objects[i].File, p.objects[i].Line),
				Hint: "names are shared by sources, tables, views and sinks: choose another"})
			continue
		}
		o.SQL, o.File, o.Line, o.Description = item.Text, name, line, commentAbove(text[:item.Pos])
		p.objects = append(p.objects, o)
	}
}

// declared says what a statement makes; false: nothing.
func declared(stmt sql.Statement) (control.Object, bool) {
	switch s := stmt.(type) {
	case *sql.CreateRelation:
		if s.Source {
			return control.Object{Name: s.Name.Name, Kind: control.Source}, true
		}
		return control.Object{Name: s.Name.Name, Kind: control.Table}, true
	case *sql.CreateView:
		return control.Object{Name: s.Name.Name, Kind: control.View}, true
	case *sql.CreateSink:
		return control.Object{Name: s.Name.Name, Kind: control.Sink}, true
	}
	return control.Object{}, false
}

// commentAbove is the text of the comment lines right above a statement.
func commentAbove(before string) string {
	lines := strings.Split(strings.TrimRight(before, " \t"), "\n")
	if n := len(lines); n > 0 && strings.TrimSpace(lines[n-1]) == "" {
		lines = lines[:n-1]
	}
	var out []string
	for i := len(lines) - 1; i >= 0; i-- {
		text, ok := strings.CutPrefix(strings.TrimSpace(lines[i]), "--")
		if !ok {
			break
		}
		out = append(out, strings.TrimSpace(text))
	}
	slices.Reverse(out)
	return strings.Join(out, " ")
}

// projectFiles is the project folder as a file system.
func projectFiles(dir string) (fs.FS, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the project folder %s: %w; name it with --project", dir, err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder; --project takes the folder that has %s", dir, path.Join(dir, "myelin.yaml"))
	}
	return os.DirFS(dir), nil
}

// Report is what CheckProject found.
type Report struct {
	Plans, Events, Objects int
	Problems               []config.Problem
}

// CheckProject reads the files of a project folder without running anything.
func CheckProject(dir string) (Report, error) {
	files, err := projectFiles(dir)
	if err != nil {
		return Report{}, err
	}
	var r Report
	_, err = config.Load(path.Join(dir, "myelin.yaml"))
	var problems config.Problems
	if errors.As(err, &problems) {
		r.Problems = problems
	} else if err != nil {
		return Report{}, err
	}
	p := readProject(files, os.Getenv)
	r.Plans, r.Objects, r.Problems = len(p.plans), len(p.objects), append(r.Problems, p.problems...)
	for _, plan := range p.plans {
		r.Events += len(plan.Events)
	}
	return r, nil
}
