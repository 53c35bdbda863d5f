package quarantine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"

	"myelin/internal/event"
)

// idOf names a group for as long as its key stays the same, over restarts too.
func idOf(k key) string {
	sum := sha256.Sum256([]byte(strings.Join(k.parts(), "\x00")))
	return hex.EncodeToString(sum[:8])
}

// parts are what the id is made of. The rule counts where there is one, so that ids of warnings stay as they were.
func (k key) parts() []string {
	parts := []string{k.event, k.code, k.path, k.source}
	if k.rule != "" {
		parts = append(parts, k.rule)
	}
	return parts
}

// general writes * for the numbers of a list's items, so that item 0 and item 7 are one cause.
func general(path string) string {
	if len(path) > maxPath {
		path = strings.ToValidUTF8(path[:maxPath], "") + "…"
	}
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if i > 1 && p != "" && strings.IndexFunc(p, func(r rune) bool { return !unicode.IsDigit(r) }) < 0 {
			parts[i] = "*"
		}
	}
	return strings.Join(parts, "/")
}

// property is the path as people say it: "total", or "price in products".
func property(path string) string {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if len(parts) > 1 && (parts[0] == "properties" || parts[0] == "traits") {
		parts = parts[1:]
	}
	var words []string
	for i := len(parts) - 1; i >= 0; i-- {
		p := strings.ReplaceAll(strings.ReplaceAll(parts[i], "~1", "/"), "~0", "~")
		switch {
		case p == "*" && i == len(parts)-1:
			words = append(words, "an entry")
		case p != "*":
			words = append(words, p)
		}
	}
	return strings.Join(words, " in ")
}

// explain says what a group is about and what to do, in words for people who never saw a schema.
func explain(g *Group) (explanation, nextStep string) {
	what, from, prop := quote(g.Event), quote(g.Source), quote(property(g.Path))
	fate := map[string]string{
		"quarantined": "These events wait in quarantine; none is lost.",
		"fixed":       "They were repaired and went on.",
		"warn":        "They went on as they are.",
	}[g.Status]
	if g.Status == "quarantined" && g.Waiting == 0 && g.Replayed+g.Discarded > 0 {
		fate = "None of them waits in quarantine any more."
	}
	developer := fmt.Sprintf("Ask the team of %s to correct it", from)
	switch event.Code(g.Code) {
	case event.UnplannedEvent:
		return say(fate, "%s sends an event named %s that is not in the tracking plan.", from, what),
			"If the event is wanted, add it to the plan; if not, ask the team of " + from + " to stop sending it."
	case event.MisspelledEvent:
		return say(fate, "%s sends %s, but the tracking plan calls this event %s.", from, quote(g.Got), quote(g.Expected)),
			developer + ", or add the other spelling to the event in the plan."
	case event.RequiredMissing:
		return say(fate, "%s from %s comes without %s, which every such event must have.", what, from, prop),
			developer + ", or make the property optional in the plan."
	case event.TypeMismatch:
		return say(fate, "In %s from %s, %s should be %s but was %s.", what, from, prop, article(g.Expected), article(g.Got)),
			developer + fixable(g)
	case event.RangeViolation:
		return say(fate, "In %s from %s, %s should be %s but was %s.", what, from, prop, g.Expected, g.Got),
			developer + ", or change the limits in the plan."
	case event.LengthViolation:
		return say(fate, "In %s from %s, %s has %s; the plan allows %s.", what, from, prop, g.Got, g.Expected),
			developer + ", or change the allowed length in the plan."
	case event.EnumViolation:
		return say(fate, "In %s from %s, %s was %s; the plan allows %s.", what, from, prop, g.Got, g.Expected),
			"If the value is a new one, add it to the list in the plan; if it is a typing error, " + lower(developer) + "."
	case event.PatternViolation, event.FormatViolation:
		return say(fate, "In %s from %s, %s should look like %s but was %s.", what, from, prop, strings.TrimPrefix(g.Expected, "text like "), g.Got),
			developer + ", or change the rule in the plan."
	case event.AdditionalProperty:
		if meant, ok := strings.CutPrefix(g.Expected, "the planned property "); ok {
			return say(fate, "%s from %s carries %s; the tracking plan calls it %s.", what, from, prop, quote(meant)),
				developer + ", or add the other spelling to the property in the plan: then it is put right on the way in."
		}
		return say(fate, "%s from %s carries %s, which is not in the tracking plan.", what, from, prop),
			"If the property is wanted, add it to the plan; if not, ask the team of " + from + " to stop sending it."
	case event.ArrayItem:
		return say(fate, "In %s from %s, a list has an entry that breaks the plan: %s should be %s but was %s.", what, from, prop, article(g.Expected), article(g.Got)),
			developer + ", or change the rule for the list's entries in the plan."
	case "duplicate_unique":
		return say(fate, "%s from %s came twice with the same %s (%s).", what, from, prop, g.Got),
			"Look for a page that is reloaded or a request that is sent again; the first event counted, so totals are right."
	case event.NoID:
		return say(fate, "%s from %s names no person: it has neither a userId nor an anonymousId.", what, from),
			developer + ": every call must carry one of the two. The usual SDKs do that by themselves."
	case event.IDTooLong:
		return say(fate, "An id in %s from %s is too long: %s.", what, from, g.Got), developer + ": ids should be short and fixed, not texts or addresses."
	case event.BadTimestamp:
		return say(fate, "The time of %s from %s cannot be read: %s.", what, from, g.Got), developer + ": times are written like 2026-11-22T14:03:05Z."
	case event.FutureTimestamp:
		return say(fate, "%s from %s claims to happen in the future: %s.", what, from, g.Got), "The sender's clock is probably wrong. " + developer + "."
	case event.TooLarge:
		return say(fate, "%s from %s is too large: %s.", what, from, g.Got), developer + ": send references instead of whole documents."
	case event.BadJSON, event.NotAnObject:
		return say(fate, "A record from %s is not an event: %s.", from, g.Got), developer + ": each record must be one JSON object."
	case event.UnknownType:
		return say(fate, "A call from %s has no type that Myelin knows: %s.", from, g.Got), developer + ": type is track, identify, page, screen, group or alias."
	case event.UnknownSource:
		return say(fate, "A record came in over Kafka that does not say which source it is from."),
			"Set the record's header source to a source of myelin.yaml, or put its writeKey into the event."
	case event.PlanMissing:
		return say(fate, "%s from %s could not be checked: %s is not there or cannot be read.", what, from, g.Expected),
			"Mend or add the file under plan/ and run myelin apply: the problems on the overview name the file and the line."
	case event.VersionUnknown:
		return say(fate, "%s from %s says that it follows version %s; the tracking plan knows %s.", what, from, g.Got, g.Expected),
			"Add the version under versions of the event in the plan, or ask the team of " + from + " to name one that is there."
	case event.SchemaViolation:
		return say(fate, "In %s from %s, %s should be %s but was %s.", what, from, prop, g.Expected, g.Got), developer + ", or change the rule in the plan."
	}
	return say(fate, "%s from %s breaks the rule %s at %s.", what, from, g.Code, prop), developer + "."
}

func say(fate, format string, args ...any) string {
	return strings.TrimSpace(fmt.Sprintf(format, args...) + " " + fate)
}

func quote(s string) string {
	if s == "" {
		return "(no name)"
	}
	return "“" + s + "”"
}

// kindWords are the types of values as people call them.
var kindWords = map[string]string{"string": "text", "number": "a number", "integer": "a whole number", "boolean": "yes or no", "array": "a list",
	"object": "a group of values", "null": "empty"}

// article says a type, a list of types, or a type with a value as people do.
func article(s string) string {
	if word, ok := kindWords[s]; ok {
		return word
	}
	if types := strings.Split(s, ", "); len(types) > 1 && kindWords[types[0]] != "" {
		for i, t := range types {
			types[i] = article(t)
		}
		return strings.Join(types, " or ")
	}
	for _, kind := range [...]string{"string ", "number ", "boolean "} {
		if value, ok := strings.CutPrefix(s, kind); ok {
			return map[string]string{"string ": "the text "}[kind] + value
		}
	}
	return s
}

func lower(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// fixable tells about coercion where it would help.
func fixable(g *Group) string {
	if g.Status == "quarantined" && strings.HasPrefix(g.Got, "string ") && (strings.HasPrefix(g.Expected, "number") || strings.HasPrefix(g.Expected, "integer")) {
		return ". If the text holds a number, the plan can turn it into one on the way in."
	}
	return "."
}
