package plan

import (
	"slices"
	"strings"

	"myelin/internal/process/sql"
)

// OptionRule is an option that a WITH (…) may have.
type OptionRule struct {
	Name string
	// Values are those allowed, the case does not count; nil: any text but the empty one.
	Values []string
}

// otherOptions says what to do instead of options that other engines have.
var otherOptions = map[string]string{
	"scan.startup.mode":            "leave it out: a source is read from the first record that its topic holds; a view of later ones says WHERE ts >= …",
	"scan.startup":                 "leave it out: a source is read from the first record that its topic holds; a view of later ones says WHERE ts >= …",
	"auto.offset.reset":            "leave it out: a source is read from the first record that its topic holds; a view of later ones says WHERE ts >= …",
	"properties.bootstrap.servers": "leave it out: the cluster is named once, by kafka.brokers in myelin.yaml",
	"bootstrap.servers":            "leave it out: the cluster is named once, by kafka.brokers in myelin.yaml",
	"brokers":                      "leave it out: the cluster is named once, by kafka.brokers in myelin.yaml",
	"properties.group.id":          "leave it out: how far a view has read is kept with the view",
	"group.id":                     "leave it out: how far a view has read is kept with the view",
	"kafka_topic":                  "did you mean topic?",
	"value_format":                 "did you mean format?",
	"value.format":                 "did you mean format?",
	"key.fields":                   "did you mean key?",
	"ttl.seconds":                  "did you mean ttl?",
	"retention.seconds":            "write ttl = '30 days'",
	"state.ttl":                    "write ttl = '30 days'",
	"sql.state.ttl":                "write ttl = '30 days'",
	"table.exec.state.ttl":         "write ttl = '30 days'",
	"timestamp":                    "write WATERMARK FOR column AS column - INTERVAL '5 seconds' behind the columns",
}

// foreignOption is what to do instead of an option of another engine, "" if it is none.
func foreignOption(name string) string {
	name = strings.ReplaceAll(strings.ToLower(name), "_", ".")
	for _, key := range []string{name, strings.ReplaceAll(name, ".", "_"), strings.TrimSuffix(name, ".mode")} {
		if h := otherOptions[key]; h != "" {
			return h
		}
	}
	return ""
}

// CheckOptions refuses options of what ("a source") that are unknown, given twice, or have a value that is not allowed.
func CheckOptions(text, what string, given []sql.Option, rules []OptionRule) error {
	seen := map[string]bool{}
	for _, o := range given {
		i := slices.IndexFunc(rules, func(r OptionRule) bool { return strings.EqualFold(r.Name, o.Key) })
		if i < 0 {
			return unknownOption(text, what, o, rules)
		}
		if r := rules[i]; seen[r.Name] {
			return sql.At(text, int(o.At0), sql.CodeSyntax, "the option %s is given twice", r.Name).WithHint("remove one of them")
		} else if seen[r.Name] = true; o.Value == "" {
			return sql.At(text, int(o.ValueAt), sql.CodeInvalidParameter, "the option %s is empty", r.Name).WithHint("give it a value, or leave it out")
		} else if r.Values != nil && !slices.ContainsFunc(r.Values, func(v string) bool { return strings.EqualFold(v, o.Value) }) {
			return badValue(text, what, o, r)
		}
	}
	return nil
}

func unknownOption(text, what string, o sql.Option, rules []OptionRule) error {
	err := sql.At(text, int(o.At0), sql.CodeInvalidParameter, "%s has no option %q", what, o.Key)
	if len(rules) == 0 {
		return err.WithHint("leave WITH (…) out")
	}
	var names []string
	for _, r := range rules {
		names = append(names, r.Name)
	}
	if h := foreignOption(o.Key); h != "" {
		return err.WithHint("%s", h)
	}
	if s := sql.Suggest(o.Key, names); s != "" {
		return err.WithHint("did you mean %s?", s)
	}
	return err.WithHint("the options are %s", strings.Join(names, ", "))
}

func badValue(text, what string, o sql.Option, r OptionRule) error {
	err := sql.At(text, int(o.ValueAt), sql.CodeInvalidParameter, "%s of %s cannot be %q", r.Name, what, o.Value)
	if s := sql.Suggest(o.Value, r.Values); s != "" {
		return err.WithHint("did you mean '%s'?", s)
	}
	if len(r.Values) == 1 {
		return err.WithHint("write %s = '%s', or leave it out", r.Name, r.Values[0])
	}
	return err.WithHint("it can be %s", strings.Join(r.Values, ", "))
}

// SourceOptions are the options of CREATE SOURCE. connector is there for those who are used to name it.
var SourceOptions = []OptionRule{{Name: "topic"}, {Name: "format", Values: []string{"json"}}, {Name: "connector", Values: []string{"kafka"}}}

// TableOptions are the options of CREATE TABLE.
var TableOptions = []OptionRule{{Name: "connector", Values: []string{"file"}}, {Name: "path"}}

// ViewOptions are the options of CREATE MATERIALIZED VIEW.
var ViewOptions = []OptionRule{{Name: "ttl"}, {Name: "parallelism"}, {Name: "rewrites", Values: []string{"on", "off"}}}

// TopicSinkOptions are the options of a sink that writes to a topic.
var TopicSinkOptions = []OptionRule{
	{Name: "topic"}, {Name: "format", Values: []string{"json"}}, {Name: "key"}, {Name: "connector", Values: []string{"kafka"}},
}
