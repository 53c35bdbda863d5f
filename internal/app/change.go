package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"myelin/internal/auth/role"
	"myelin/internal/control"
	"myelin/internal/process/sql"
	"myelin/internal/serve/api"
	"myelin/internal/serve/query"
)

// SQLSTATE codes of changes.
const (
	codePrivilege      = "42501" // insufficient_privilege
	codeDependent      = "2BP01" // dependent_objects_still_exist
	codeDuplicateTable = "42P07"
	codeWrongObject    = "42809" // wrong_object_type
	codeSkipped        = "00000"
)

// Change implements query.Changer: what a person creates or drops over a SQL connection. Positions of mistakes count in text.
func (n *node) Change(ctx context.Context, s *query.Session, stmt sql.Statement, text string) (tag string, err error) {
	if err := mayChange(ctx, stmt); err != nil {
		return "", err
	}
	action, object := changed(stmt)
	if err := n.audit.Record(ctx, role.Of(ctx), action, object, nil); err != nil {
		return "", err
	}
	n.desired.changing.Lock()
	defer n.desired.changing.Unlock()
	switch x := stmt.(type) {
	case *sql.Drop:
		return "DROP " + strings.ToUpper(x.Kind), n.drop(ctx, s, x, text)
	case *sql.AlterView:
		return "ALTER MATERIALIZED VIEW", n.alterView(ctx, x, text)
	case *sql.Comment:
		return "", sql.At(text, int(x.At0), sql.CodeNotSupported, "COMMENT ON is not supported").
			WithHint("write the description as a -- comment right above the CREATE statement")
	}
	return n.create(ctx, s, stmt, text)
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

func (n *node) create(ctx context.Context, s *query.Session, stmt sql.Statement, text string) (tag string, err error) {
	o, ok := declared(stmt)
	if !ok {
		return "", &query.Error{Code: query.CodeFeatureNotSupported, Message: "this statement is not supported here"}
	}
	item := sql.Parse(text)[0]
	o.SQL, o.Description = item.Text, commentAbove(text[:item.Pos])
	tag = "CREATE " + strings.ToUpper(kindOf(o))
	name, replace, ifNotExists := declaredName(stmt)
	objects, _ := n.desired.registry.Snapshot()
	at := slices.IndexFunc(objects, func(x control.Object) bool { return x.Name == o.Name })
	switch {
	case at >= 0 && replace:
		return tag, n.replace(ctx, o, item.Pos, objects, at, name, text)
	case at >= 0 && ifNotExists:
		s.Notify("NOTICE", codeDuplicateTable, fmt.Sprintf("relation %q already exists, skipping", o.Name))
		return tag, nil
	case at >= 0:
		return "", sql.At(text, int(name.At0), codeDuplicateTable, "relation %q already exists", o.Name).WithHint("%s", existsHint(objects[at]))
	}
	b := n.bindObjects(append(objects, o), nil)
	if err := b.failed[o.Name]; err != nil {
		return "", moved(err, text, item.Pos)
	}
	if err := n.desired.registry.Put(ctx, o); err != nil {
		return "", ownedError(err)
	}
	return tag, n.applyObjects(ctx)
}

// replace puts an object in the place of one of the same kind.
func (n *node) replace(ctx context.Context, o control.Object, pos int, objects []control.Object, at int, name sql.ObjectName, text string) error {
	old := objects[at]
	if kindOf(old) != kindOf(o) {
		return sql.At(text, int(name.At0), codeWrongObject, "%q is not a %s", o.Name, kindOf(o)).WithHint("it is a %s: drop it first, or choose another name", kindOf(old))
	}
	before := n.bindObjects(objects, nil)
	after := slices.Clone(objects)
	after[at] = o
	b := n.bindObjects(after, nil)
	if err := b.failed[o.Name]; err != nil {
		return moved(err, text, pos)
	}
	if lost := b.lost(after, before); len(lost) > 0 {
		return &query.Error{Code: codeDependent, Message: fmt.Sprintf("cannot replace %s %s: what reads it would no longer work: %s", kindOf(o), o.Name, strings.Join(lost, ", ")),
			Hint: "keep the columns that they use, or drop them first"}
	}
	if err := n.desired.registry.Replace(ctx, o); err != nil {
		return ownedError(err)
	}
	return n.applyObjects(ctx)
}

// declaredName is the name that a CREATE statement gives, and what it says about one that is taken.
func declaredName(stmt sql.Statement) (name sql.ObjectName, replace, ifNotExists bool) {
	switch x := stmt.(type) {
	case *sql.CreateRelation:
		return x.Name, false, x.IfNotExists
	case *sql.CreateView:
		return x.Name, x.OrReplace, x.IfNotExists
	case *sql.CreateSink:
		return x.Name, false, x.IfNotExists
	}
	return sql.ObjectName{}, false, false
}

func existsHint(o control.Object) string {
	if o.Owner == control.Files {
		return fmt.Sprintf("it is the %s of %s:%d: change it there and run myelin apply, or choose another name", kindOf(o), o.File, o.Line)
	}
	return fmt.Sprintf("write DROP %s %s first, or choose another name", strings.ToUpper(kindOf(o)), o.Name)
}

// kindOf is how SQL names an object's kind: it tells the two kinds of view apart.
func kindOf(o control.Object) string {
	if o.Kind == control.View {
		if stmt, err := sql.ParseOne(o.SQL); err == nil {
			if v, ok := stmt.(*sql.CreateView); ok && v.Materialized {
				return "materialized view"
			}
		}
	}
	return string(o.Kind)
}

// moved places an error in the text that its statement is part of, from pos on.
func moved(err error, text string, pos int) error {
	var e *sql.Error
	if !errors.As(err, &e) || e.Line == 0 {
		return err
	}
	return sql.At(text, e.Pos+pos, e.Code, "%s", e.Msg).WithHint("%s", e.Hint)
}

func (n *node) drop(ctx context.Context, s *query.Session, d *sql.Drop, text string) error {
	objects, _ := n.desired.registry.Snapshot()
	left := slices.Clone(objects)
	var dropped []control.Object
	for _, name := range d.Names {
		i := slices.IndexFunc(left, func(o control.Object) bool { return o.Name == name.Name })
		if i < 0 {
			if slices.ContainsFunc(dropped, func(o control.Object) bool { return o.Name == name.Name }) {
				continue // named twice
			}
			if !d.IfExists {
				return n.unknown(d.Kind, name, objects, text)
			}
			s.Notify("NOTICE", codeSkipped, fmt.Sprintf("%s %q does not exist, skipping", d.Kind, name.Name))
			continue
		}
		if kind := kindOf(left[i]); kind != d.Kind {
			return wrongKind(d.Kind, kind, name, "DROP", "to remove", text)
		}
		dropped = append(dropped, left[i])
		left = slices.Delete(left, i, i+1)
	}
	lost := n.bindObjects(left, nil).lost(left, n.bindObjects(objects, nil))
	if len(lost) > 0 && !d.Cascade {
		return dependents(dropped, lost, text, d)
	}
	var all []control.Object
	for _, name := range lost {
		all = append(all, left[slices.IndexFunc(left, func(o control.Object) bool { return o.Name == name })])
	}
	slices.Reverse(all) // what reads goes before what is read
	for _, o := range append(slices.Clone(all), dropped...) {
		if o.Owner == control.Files {
			return ownedError(&control.OwnedError{Object: o})
		}
	}
	for _, o := range append(all, dropped...) {
		if err := n.desired.registry.Drop(ctx, o.Name); err != nil {
			return ownedError(err)
		}
	}
	if len(lost) > 0 {
		s.Notify("NOTICE", codeSkipped, "drop cascades to "+strings.Join(lost, ", "))
	}
	return n.applyObjects(ctx)
}

func dependents(dropped []control.Object, lost []string, text string, d *sql.Drop) error {
	var names []string
	for _, o := range dropped {
		names = append(names, o.Name)
	}
	return sql.At(text, int(d.Names[0].At0), codeDependent, "cannot drop %s %s, because other objects read it: %s", d.Kind, strings.Join(names, ", "), strings.Join(lost, ", ")).
		WithHint("drop those first, or write CASCADE to drop them, too")
}

// unknown says that there is no object of a name, and what may be meant.
func (n *node) unknown(kind string, name sql.ObjectName, objects []control.Object, text string) error {
	err := sql.At(text, int(name.At0), sql.CodeUndefinedTable, "%s %q does not exist", kind, name.Name)
	if kind == "sink" {
		err.Code = sql.CodeUndefinedObject
	}
	if e, ok := n.directory.Snapshot().Lookup(name.Schema, name.Name); ok {
		if e.Relation.Topic != "" {
			return err.WithHint("%s is a stream that comes with Myelin and its tracking plan; change the plan instead", name.Name)
		}
		return err.WithHint("%s is part of the system and stays", name.Name)
	}
	var names, others []string
	for _, o := range objects {
		if others = append(others, o.Name); kindOf(o) == kind {
			names = append(names, o.Name)
		}
	}
	for _, list := range [][]string{names, others} {
		if x := sql.Suggest(name.Name, list); x != "" {
			return err.WithHint("did you mean %s?", x)
		}
	}
	if len(names) > 0 && len(names) <= 16 {
		return err.WithHint("there are %s", strings.Join(names, ", "))
	}
	return err.WithHint("write DROP %s IF EXISTS to go on without it", strings.ToUpper(kind))
}

// wrongKind says that a name means another kind of object.
func wrongKind(want, kind string, name sql.ObjectName, verb, purpose, text string) error {
	return sql.At(text, int(name.At0), codeWrongObject, "%q is not a %s", name.Name, want).
		WithHint("use %s %s %s a %s", verb, strings.ToUpper(kind), purpose, kind)
}

// alterView carries out ALTER MATERIALIZED VIEW … PAUSE and RESUME.
func (n *node) alterView(ctx context.Context, a *sql.AlterView, text string) error {
	objects, _ := n.desired.registry.Snapshot()
	i := slices.IndexFunc(objects, func(o control.Object) bool { return o.Name == a.Name.Name })
	if i < 0 {
		err := n.unknown("materialized view", a.Name, objects, text)
		var e *sql.Error
		if errors.As(err, &e) && strings.Contains(e.Hint, "IF EXISTS") {
			e.Hint = "SHOW VIEWS lists what there is"
		}
		return err
	}
	if kind := kindOf(objects[i]); kind != "materialized view" {
		return sql.At(text, int(a.Name.At0), codeWrongObject, "%q is not a materialized view", a.Name.Name).
			WithHint("it is a %s; only what is kept up to date can be paused", kind)
	}
	_, err := n.PauseView(ctx, a.Name.Name, a.Action == "pause")
	if errors.Is(err, api.ErrNotFound) {
		return sql.At(text, int(a.Name.At0), sql.CodeUndefinedTable, "materialized view %q is not running here", a.Name.Name).WithHint("see GET /api/problems")
	}
	return err
}

// lost names the objects that could be bound before and now cannot, each behind what it reads.
func (b *bound) lost(objects []control.Object, before *bound) []string {
	var out []string
	for _, name := range before.order {
		if _, can := b.running[name]; !can && slices.ContainsFunc(objects, func(o control.Object) bool { return o.Name == name }) {
			out = append(out, name)
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
