package quarantine

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/event"
	"myelin/internal/tape"
)

// Cause is one reason why an event is where it is.
type Cause struct {
	// ID names the group that counts the event for this reason.
	ID string
	// Code and Path are the violation's, Path with * for the number of a list's item.
	Code, Path string
	// Severity is error for what sent an event to quarantine; Expected and Got are the violation's.
	Severity, Expected, Got string

	key key
}

// Causes are the reasons that stand in a record of the river, each once, appended to dst. d is scratch memory.
func Causes(dst []Cause, d *tape.Doc, r *kgo.Record) []Cause {
	if d.Parse(r.Value) != nil {
		return dst
	}
	text := func(obj int, name string) string {
		i := d.Get(obj, name)
		if d.Kind(i) != tape.String {
			return ""
		}
		return string(d.Bytes(i))
	}
	name := string(event.Header(r, event.HeaderEvent))
	if name == "" {
		name = string(event.Header(r, event.HeaderType))
	}
	first := len(dst)
	for i := range d.Elements(d.Get(d.Get(0, "myelin"), "violations")) {
		c := Cause{Code: text(i, "code"), Path: general(text(i, "path")), Severity: text(i, "severity"), Expected: text(i, "expected"), Got: text(i, "got")}
		c.key = key{event: name, code: c.Code, path: c.Path, source: string(event.Header(r, event.HeaderSource))}
		if quarantined := string(event.Header(r, event.HeaderStatus)) == event.Quarantined.String(); quarantined && c.Severity == event.Error.String() {
			c.key.rule = c.Expected
		}
		if slices.ContainsFunc(dst[first:], func(x Cause) bool { return x.key == c.key }) {
			continue
		}
		c.ID = idOf(c.key)
		dst = append(dst, c)
	}
	return dst
}
