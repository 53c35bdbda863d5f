package plan

import "myelin/internal/vec"

// EventColumn is a planned property of a typed event stream.
type EventColumn struct {
	Name string   // the column's name
	Path []string // below properties, or from the root of the event for group and identify traits
	Kind vec.Kind
}

// EventStream is the relation of the canonical events of a topic: all of them (names nil), or those of the given names with a typed
// column per planned property. A planned name that a standard column has gets the prefix prop_.
func EventStream(schema, name, topic string, names []string, props []EventColumn, delay int64, comment string) *Relation {
	r := &Relation{
		Schema: schema, Name: name, Kind: Stream, Topic: topic, Format: "json", Events: names, Delay: delay, AppendOnly: true, Comment: comment,
	}
	text, tz, js := vec.Of(vec.Text), vec.Of(vec.Timestamptz), vec.Of(vec.JSONB)
	// No column is said to be never NULL: a quarantined event may lack any of them.
	add := func(name string, t vec.Type, from Part, path ...string) {
		c := Column{Name: name, Type: t}
		r.Columns = append(r.Columns, c)
		r.Scan = append(r.Scan, ScanColumn{Column: c, From: from, Path: path, Index: len(r.Columns) - 1})
	}
	add("message_id", text, FromValue, "messageId")
	add("type", text, FromValue, "type")
	add("event", text, FromValue, "event")
	add("user_id", text, FromValue, "userId")
	add("anonymous_id", text, FromValue, "anonymousId")
	add("ts", tz, FromValue, "timestamp")
	r.TimeCol = len(r.Columns) - 1
	add("received_at", tz, FromValue, "receivedAt")
	add("source", text, FromValue, "myelin", "source")
	add("user_key", text, FromUserKey)
	add("context", js, FromValue, "context")
	add("properties", js, FromValue, "properties")
	add("traits", js, FromValue, "traits")
	taken := map[string]bool{}
	for _, c := range r.Columns {
		taken[c.Name] = true
	}
	for _, p := range props {
		n := p.Name
		if taken[n] {
			n = "prop_" + n
		}
		if taken[n] {
			continue
		}
		taken[n] = true
		add(n, vec.Of(p.Kind), FromValue, append([]string{"properties"}, p.Path...)...)
	}
	return r
}
