package app

import (
	"maps"
	"slices"
	"strings"

	"myelin/internal/activate"
	"myelin/internal/connect"
	"myelin/internal/connect/all"
	"myelin/internal/control"
	"myelin/internal/process/exec"
	"myelin/internal/process/plan"
	"myelin/internal/process/sql"
)

// bindSink makes either a sink of the engine, into a topic, or one of the engine with a delivery behind it.
func (n *node) bindSink(b *bound, o control.Object, s *sql.CreateSink) error {
	if err := notPart(o, s.Name); err != nil {
		return err
	}
	options := connect.Options{}
	for _, x := range s.With {
		options[strings.ToLower(x.Key)] = x.Value
	}
	given, named := plan.Option(s.With, "connector")
	_, toTopic := options["topic"]
	if toTopic && (!named || strings.EqualFold(given.Value, "kafka")) {
		return b.bindTopicSink(o, s, options)
	}
	if strings.EqualFold(given.Value, blackhole) {
		return b.bindBlackhole(o, s)
	}
	connectors := all.Connectors()
	names := slices.Sorted(maps.Keys(connectors))
	connector, ok := connectors[strings.ToLower(given.Value)]
	if !ok {
		return noConnector(o, s, given, named, names)
	}
	if topic, both := plan.Option(s.With, "topic"); both {
		return sql.At(o.SQL, int(topic.At0), sql.CodeInvalidParameter, "a sink goes to a %s or to a topic, not to both", given.Value).
			WithHint("make two sinks, or leave topic out")
	}
	delete(options, "connector")
	if s.From == nil {
		return sql.At(o.SQL, int(s.Query.At0), sql.CodeNotSupported, "a %s sink reads a view", given.Value).
			WithHint("make a materialized view of the query and write CREATE SINK %s FROM that view", o.Name)
	}
	d := activate.Definition{Name: o.Name, From: s.From.Name, Topic: exec.OutPrefix + s.From.Name, Connector: connector, Options: options}
	if err := checkFields(o, s, d); err != nil {
		return err
	}
	if _, err := plan.BindSink(s, o.SQL, b.catalog, true); err != nil {
		return err
	}
	if !b.keptUp(s.From.Name) {
		return sql.At(o.SQL, int(s.From.At0), sql.CodeNotSupported, "%s is no materialized view, so that it has no changes to send", s.From.Name).
			WithHint("make a materialized view of the rows that are to be sent")
	}
	b.sinks = append(b.sinks, d)
	if !slices.ContainsFunc(b.engine.Sinks, func(x exec.Sink) bool { return x.Topic == d.Topic }) {
		b.engine.Sinks = append(b.engine.Sinks, exec.Sink{Name: d.Topic, From: s.From.Name, Topic: d.Topic})
	}
	return nil
}

// keptUp reports whether a name is a materialized view.
func (b *bound) keptUp(name string) bool {
	return slices.ContainsFunc(b.engine.Views, func(v exec.Definition) bool { return v.Relation.Name == name })
}

func noConnector(o control.Object, s *sql.CreateSink, given sql.Option, named bool, names []string) error {
	usage := "write WITH (connector = 'webhook', url = '…') or WITH (topic = '…', format = 'json')"
	if !named {
		return sql.At(o.SQL, int(s.Name.At0), sql.CodeInvalidParameter, "sink %s says neither a connector nor a topic", o.Name).WithHint("%s", usage)
	}
	err := sql.At(o.SQL, int(given.ValueAt), sql.CodeInvalidParameter, "there is no connector %q", given.Value)
	if x := sql.Suggest(given.Value, append(names, "kafka")); x == "kafka" || strings.EqualFold(given.Value, "topic") {
		return err.WithHint("write WITH (topic = '…', format = 'json')")
	} else if x != "" {
		return err.WithHint("did you mean '%s'?", x)
	}
	return err.WithHint("there is %s; or write WITH (topic = '…', format = 'json')", strings.Join(names, ", "))
}

// checkFields checks the options of a sink with a connector, and points at the first that is wrong.
func checkFields(o control.Object, s *sql.CreateSink, d activate.Definition) error {
	rules := []plan.OptionRule{{Name: "connector"}}
	for _, f := range d.Fields() {
		rules = append(rules, plan.OptionRule{Name: f.Name})
	}
	if err := plan.CheckOptions(o.SQL, "a "+d.Connector.Spec().Name+" sink", s.With, rules); err != nil {
		return err
	}
	errs := d.Validate()
	if len(errs) == 0 {
		return nil
	}
	at := func(e connect.FieldError) int {
		if x, ok := plan.Option(s.With, e.Field); ok {
			return int(x.ValueAt)
		}
		return int(s.Name.At0)
	}
	first := slices.MinFunc(errs, func(x, y connect.FieldError) int { return at(x) - at(y) })
	return sql.At(o.SQL, at(first), sql.CodeInvalidParameter, "%s %s", first.Field, first.Message).WithHint("%s", first.Hint)
}

func (b *bound) bindTopicSink(o control.Object, s *sql.CreateSink, options connect.Options) error {
	if err := plan.CheckOptions(o.SQL, "a sink to a topic", s.With, plan.TopicSinkOptions); err != nil {
		return err
	}
	view := s.From != nil && b.keptUp(s.From.Name)
	q, err := plan.BindSink(s, o.SQL, b.catalog, view)
	if err != nil {
		return err
	}
	if err := exec.Check(q); err != nil {
		return sql.At(o.SQL, int(s.At0), sql.CodeNotSupported, "%v", err)
	}
	out := exec.Sink{Name: o.Name, Query: q, Topic: options["topic"]}
	if view {
		out.From, out.Query = s.From.Name, nil
	}
	if k := options["key"]; k != "" {
		out.Key = splitList(k)
	}
	b.engine.Sinks = append(b.engine.Sinks, out)
	return nil
}
