package app

import (
	"fmt"
	"maps"
	"slices"

	"myelin/internal/config"
	"myelin/internal/event"
	"myelin/internal/process/plan"
	"myelin/internal/trust/schema"
	"myelin/internal/vec"
)

// catalog is what the queries of a project can read. It implements plan.Catalog and plan.Lister.
type catalog struct {
	relations map[string]*plan.Relation // by name, in the schema public
	planned   map[string]*plan.Relation // by plan and name, of typed event streams
}

// Relation implements plan.Catalog.
func (c *catalog) Relation(schema, name string) (*plan.Relation, error) {
	if schema == "" || schema == "public" {
		if r := c.relations[name]; r != nil {
			return r, nil
		}
	}
	if r := c.planned[schema+"."+name]; r != nil {
		return r, nil
	}
	return nil, nil
}

// add puts a relation under its name.
func (c *catalog) add(r *plan.Relation) error {
	if c.relations[r.Name] != nil {
		return fmt.Errorf("the name %s is taken by a stream: choose another", r.Name)
	}
	c.relations[r.Name] = r
	return nil
}

// all lists every relation once, in the order of their names.
func (c *catalog) all() []*plan.Relation {
	seen := map[*plan.Relation]bool{}
	var out []*plan.Relation
	for _, group := range []map[string]*plan.Relation{c.relations, c.planned} {
		for _, name := range slices.Sorted(maps.Keys(group)) {
			if r := group[name]; !seen[r] {
				seen[r] = true
				out = append(out, r)
			}
		}
	}
	return out
}

// RelationNames implements plan.Lister.
func (c *catalog) RelationNames() []string {
	var out []string
	for name := range c.relations {
		out = append(out, name)
	}
	for name := range c.planned {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

var columnKinds = map[string]vec.Kind{
	"text": vec.Text, "numeric": vec.Numeric, "double": vec.Float64, "bigint": vec.Int64, "boolean": vec.Bool,
	"timestamp": vec.Timestamptz, "date": vec.Date, "jsonb": vec.JSONB,
}

// newCatalog has the governed topics, quarantine and the typed stream of every planned event.
func newCatalog(topics map[string]config.Topic, plans []*schema.Plan) *catalog {
	c := &catalog{relations: map[string]*plan.Relation{}, planned: map[string]*plan.Relation{}}
	for name, t := range topics {
		if t.Governed {
			r := plan.EventStream("public", name, name, nil, nil, t.Watermark.Std().Microseconds(), "Every accepted event.")
			r.Partitions, r.Keyed = int(t.Partitions), true
			c.relations[name] = r
		}
	}
	delay := topics["events"].Watermark.Std().Microseconds()
	rejected := plan.EventStream("public", quarantineTopic, quarantineTopic, nil, nil, delay, "Every event that breaks the plan, whole, with its reasons.")
	violations := plan.Column{Name: "violations", Type: vec.Of(vec.JSONB)}
	rejected.Scan = append(rejected.Scan, plan.ScanColumn{Column: violations, Path: []string{"myelin", "violations"}, Index: len(rejected.Columns)})
	rejected.Columns = append(rejected.Columns, violations)
	c.relations[quarantineTopic] = rejected

	shared := map[string]int{}
	for _, p := range plans {
		for _, e := range p.Events {
			shared[e.Stream]++
		}
	}
	for _, p := range plans {
		for _, e := range p.Events {
			if e.Type != event.Track {
				continue
			}
			r := typedStream(p, e, delay)
			r.Partitions, r.Keyed = int(topics["events"].Partitions), true
			c.planned[p.Name+"."+e.Stream] = r
			if _, taken := c.relations[e.Stream]; shared[e.Stream] == 1 && !taken {
				r.Schema = "public"
				c.relations[e.Stream] = r
			}
		}
	}
	return c
}

func typedStream(p *schema.Plan, e *schema.Event, delay int64) *plan.Relation {
	var columns []plan.EventColumn
	for _, col := range e.Columns {
		kind, ok := columnKinds[col.Kind]
		if !ok {
			panic(fmt.Sprintf("app: the plan has a column of kind %q", col.Kind))
		}
		if len(col.Path) > 1 && col.Path[0] == "properties" {
			columns = append(columns, plan.EventColumn{Name: col.Name, Path: col.Path[1:], Kind: kind})
		}
	}
	return plan.EventStream(p.Name, e.Stream, "events", []string{e.Name}, columns, delay, e.Description)
}
