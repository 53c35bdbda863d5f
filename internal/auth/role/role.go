// Package role says what people may do: six roles, the actions there are, and one table that joins them.
package role

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Role is what somebody is to the installation. "" stands for nobody, who may do nothing.
type Role string

// The roles.
const (
	Viewer   Role = "viewer"
	Marketer Role = "marketer"
	Analyst  Role = "analyst"
	Engineer Role = "engineer"
	Privacy  Role = "privacy"
	Admin    Role = "admin"
)

// All are the roles, in the order of the table.
var All = []Role{Viewer, Marketer, Analyst, Engineer, Privacy, Admin}

// Action is something that can be done.
type Action string

// The actions.
const (
	Read         Action = "read"          // pages with figures: overview, views, quality, incidents, lineage, plan
	ReadEvents   Action = "read events"   // single events of single people
	Query        Action = "query"         // SQL, in the UI and over PostgreSQL's protocol
	Handle       Action = "handle"        // acknowledge, mute and resolve incidents
	Propose      Action = "propose"       // a change of the tracking plan
	Repair       Action = "repair"        // repair, replay and discard what is in quarantine
	ChangeViews  Action = "change views"  // create and drop tables, views and sources
	ChangeSinks  Action = "change sinks"  // create and drop sinks, send dead letters again
	Approve      Action = "approve"       // proposals of others
	ApplyFiles   Action = "apply files"   // follow the project's files, write an approved proposal into them
	Unmask       Action = "unmask"        // see values that privacy rules hide
	ErasePerson  Action = "erase person"  // suppress and delete somebody
	ReadAudit    Action = "read audit"    // who did what
	ManageAccess Action = "manage access" // users, tokens, Kafka rights
)

// Grant is one line of the table.
type Grant struct {
	Action Action
	// Help says what the action is, for people.
	Help  string
	Roles []Role
}

// Table is the whole of it. docs/guide/governance.md shows it; a test keeps the two the same.
var Table = []Grant{
	{Read, "see the overview, views, quality, incidents, lineage and the tracking plan", All},
	{ReadEvents, "see single events", []Role{Marketer, Analyst, Engineer, Privacy, Admin}},
	{Query, "ask questions in SQL", []Role{Analyst, Engineer, Privacy, Admin}},
	{Handle, "acknowledge, mute and resolve incidents", []Role{Marketer, Analyst, Engineer, Privacy, Admin}},
	{Propose, "propose a change of the tracking plan", []Role{Marketer, Analyst, Engineer, Privacy, Admin}},
	{Repair, "repair, replay and discard events in quarantine", []Role{Marketer, Analyst, Engineer, Admin}},
	{ChangeViews, "create and drop tables, views and sources", []Role{Analyst, Engineer, Admin}},
	{ChangeSinks, "create and drop sinks, send dead letters again", []Role{Engineer, Admin}},
	{Approve, "approve or reject proposals of others", []Role{Engineer, Privacy, Admin}},
	{ApplyFiles, "follow the project's files, and write approved proposals into them", []Role{Engineer, Admin}},
	{Unmask, "see values that privacy rules hide", []Role{Privacy, Admin}},
	{ErasePerson, "suppress and delete a person", []Role{Privacy, Admin}},
	{ReadAudit, "read the audit log", []Role{Privacy, Admin}},
	{ManageAccess, "manage users, tokens and Kafka rights", []Role{Admin}},
}

// May reports whether the role may do it. An unknown action is nobody's.
func (r Role) May(a Action) bool {
	for _, g := range Table {
		if g.Action == a {
			return slices.Contains(g.Roles, r)
		}
	}
	return false
}

// Parse reads a role's name.
func Parse(name string) (Role, error) {
	if r := Role(strings.ToLower(name)); slices.Contains(All, r) {
		return r, nil
	}
	return "", fmt.Errorf("there is no role %q; roles are viewer, marketer, analyst, engineer, privacy, admin", name)
}

// DeniedError says that somebody may not do something.
type DeniedError struct {
	Person Person
	Action Action
}

// Error implements error: who may not do what, and who may.
func (e *DeniedError) Error() string {
	for _, g := range Table {
		if g.Action == e.Action {
			names := make([]string, len(g.Roles))
			for i, r := range g.Roles {
				names[i] = string(r)
			}
			return fmt.Sprintf("%s is %s and may not %s; these roles may: %s", e.Person.Name, e.Person.Role, g.Help, strings.Join(names, ", "))
		}
	}
	return fmt.Sprintf("%s may not %s", e.Person.Name, e.Action)
}

// Person is who does something.
type Person struct {
	Name string
	Role Role
}

// Local is whoever sits at this machine: on loopback nobody logs in, and everything is allowed.
var Local = Person{Name: "local", Role: Admin}

// Check is nil if the person may do it, else a DeniedError.
func (p Person) Check(a Action) error {
	if p.Role.May(a) {
		return nil
	}
	return &DeniedError{Person: p, Action: a}
}

type contextKey struct{}

// With returns a context that knows who acts.
func With(ctx context.Context, p Person) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// Of is who acts in ctx: nobody, who may do nothing, unless With told.
func Of(ctx context.Context) Person {
	p, _ := ctx.Value(contextKey{}).(Person)
	return p
}
