package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"myelin/internal/tape"
	"myelin/internal/trust/schema"
)

// Repair is one change to events on their way back. Repairs are applied in their order.
type Repair struct {
	// Op is rename_event, rename, coerce, default, set, drop or source.
	Op string `json:"op" doc:"rename_event, rename, coerce, default, set, drop or source"`
	// Path is a JSON pointer into the event, with * for every item of a list.
	Path string `json:"path,omitempty" doc:"JSON pointer, * for every item of a list"`
	// To is the new name (rename_event, rename, source), or the type (coerce).
	To string `json:"to,omitempty" doc:"new name; for coerce: number, integer, string, boolean, array, trim, lower or upper"`
	// Value is the JSON to put in (default: where nothing is; set: in any case).
	Value json.RawMessage `json:"value,omitempty" doc:"JSON value for default and set"`
	// SQL computes the value to put in from the event, in place of Value: (properties->>'subtotal')::numeric * 1.19.
	SQL string `json:"sql,omitempty" doc:"SQL expression over the event, in place of value"`
	// Event restricts the repair to events of this name.
	Event string `json:"event,omitempty" doc:"only events of this name"`
}

// Expressions compiles SQL expressions over events. A nil Expressions knows none.
type Expressions interface {
	Compile(text string) (Expression, error)
}

// Expression computes one value per event.
type Expression interface {
	// Eval returns JSON texts in the order of events; nil where the expression is NULL or cannot be computed. It ends with ctx.
	Eval(ctx context.Context, events [][]byte) ([][]byte, error)
}

// sqlTime is how long SQL may take for one batch of events: longer, and nobody else's replay would have a turn.
var sqlTime = 10 * time.Second // a variable for the test only

// step is a compiled repair.
type step struct {
	Repair
	path  []string
	value []byte
	expr  Expression
}

var ops = []string{"rename_event", "rename", "coerce", "default", "set", "drop", "source"}

var textChanges = map[string]func(string) string{"trim": strings.TrimSpace, "lower": strings.ToLower, "upper": strings.ToUpper}

// compile checks repairs and prepares them.
func compile(repairs []Repair, exprs Expressions) ([]step, error) {
	var out []step
	for i, r := range repairs {
		s, err := compileOne(r, exprs)
		if err != nil {
			return nil, fmt.Errorf("repair %d: %w", i+1, err)
		}
		out = append(out, s)
	}
	return out, nil
}

func compileOne(r Repair, exprs Expressions) (step, error) {
	s := step{Repair: r, value: r.Value}
	if !slices.Contains(ops, r.Op) {
		return s, fmt.Errorf("there is no repair %q; there are %s", r.Op, strings.Join(ops, ", "))
	}
	wantsTo := r.Op == "rename_event" || r.Op == "rename" || r.Op == "coerce" || r.Op == "source"
	if wantsTo && r.To == "" {
		return s, fmt.Errorf("%s needs to", r.Op)
	}
	if r.Op != "rename_event" && r.Op != "source" {
		var err error
		if s.path, err = parsePath(r.Path); err != nil {
			return s, err
		}
	}
	if r.Op == "rename" && len(s.path) < 2 {
		return s, fmt.Errorf("rename takes a property, not %s", r.Path)
	}
	if r.Op == "coerce" && textChanges[r.To] == nil && !schema.CanCoerce(r.To) {
		return s, fmt.Errorf("coerce knows number, integer, string, boolean, array, trim, lower and upper, not %q", r.To)
	}
	if r.Op != "default" && r.Op != "set" {
		return s, nil
	}
	switch {
	case r.SQL != "" && len(r.Value) > 0:
		return s, fmt.Errorf("%s takes a value or sql, not both", r.Op)
	case r.SQL != "":
		if exprs == nil {
			return s, fmt.Errorf("SQL expressions are not available here")
		}
		var err error
		s.expr, err = exprs.Compile(r.SQL)
		return s, err
	case len(r.Value) == 0:
		return s, fmt.Errorf("%s needs a value or sql", r.Op)
	}
	if _, err := parseValue(r.Value); err != nil {
		return s, fmt.Errorf("the value is not JSON: %w", err)
	}
	return s, nil
}

// item is one event that is being repaired.
type item struct {
	tree   *value
	source string
}

func (it *item) name() string {
	for _, field := range [...]string{"event", "name"} {
		if x := it.tree.get(field); x != nil && x.kind == tape.String {
			return x.text()
		}
	}
	return ""
}

// apply applies steps to all items, one step after the other, so that SQL is run for many events at once.
func apply(ctx context.Context, steps []step, items []*item) error {
	for _, s := range steps {
		var chosen []*item
		for _, it := range items {
			if it.tree != nil && it.tree.kind == tape.Object && (s.Event == "" || it.name() == s.Event) {
				chosen = append(chosen, it)
			}
		}
		values, err := s.values(ctx, chosen)
		if err != nil {
			return err
		}
		for i, it := range chosen {
			var x []byte
			if values != nil {
				x = values[i]
			}
			s.apply(it, x)
		}
	}
	return nil
}

// values are what a step with SQL puts into each item; nil without SQL.
func (s *step) values(ctx context.Context, items []*item) ([][]byte, error) {
	if s.expr == nil || len(items) == 0 {
		return nil, nil
	}
	events := make([][]byte, len(items))
	for i, it := range items {
		events[i] = it.tree.append(nil)
	}
	limited, cancel := context.WithTimeout(ctx, sqlTime)
	defer cancel()
	out, err := s.expr.Eval(limited, events)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case limited.Err() != nil:
		err = fmt.Errorf("it takes more than %s for %d events", sqlTime, len(events))
	}
	if err == nil && len(out) != len(items) {
		err = fmt.Errorf("it gives %d values for %d events", len(out), len(items))
	}
	if err != nil {
		return nil, fmt.Errorf("computing %s: %w", s.SQL, err)
	}
	return out, nil
}

func (s *step) apply(it *item, computed []byte) {
	switch s.Op {
	case "source":
		it.source = s.To
		return
	case "rename_event":
		field := "event"
		if x := it.tree.get("type"); x != nil && (x.text() == "page" || x.text() == "screen") {
			field = "name"
		}
		it.tree.set(field, &value{kind: tape.String, raw: tape.AppendQuoted(nil, s.To)})
		return
	}
	put := s.value
	if s.expr != nil {
		put = computed
	}
	create := (s.Op == "default" || s.Op == "set") && put != nil
	it.tree.each(s.path, create, func(parent *value, name string) {
		x := parent.get(name)
		switch s.Op {
		case "rename":
			if x != nil && parent.remove(name) {
				parent.set(s.To, x)
			}
		case "drop":
			parent.remove(name)
		case "coerce":
			if x != nil {
				x.coerce(s.To)
			}
		case "default", "set":
			if put != nil && (s.Op == "set" || x.missing()) {
				if v, err := parseValue(put); err == nil { // checked before, or made by SQL
					parent.set(name, v)
				}
			}
		}
	})
}

// coerce turns a scalar into another type where nothing is guessed; else it stays.
func (v *value) coerce(to string) {
	if f := textChanges[to]; f != nil {
		if v.kind == tape.String {
			v.replace(&value{kind: tape.String, raw: tape.AppendQuoted(nil, f(v.text()))})
		}
		return
	}
	raw, ok := schema.Coerce(to, v.kind, v.text())
	if !ok {
		return
	}
	if x, err := parseValue(raw); err == nil {
		v.replace(x)
	}
}

// CanCoerce reports whether there is a coercion to the type named to.
func CanCoerce(to string) bool { return schema.CanCoerce(to) }
