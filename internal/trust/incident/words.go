package incident

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"myelin/internal/trust/watch"
)

// describe writes title, explanation and next step anew, in words for people who never saw a schema.
func (m *Manager) describe(i *Incident) {
	head := headline(i.Members)
	i.Kind, i.Source, i.Event, i.Property, i.View, i.Column = head.Kind, head.Source, head.Event, head.Property, head.View, head.Column
	i.Observed, i.Expected, i.Unit = head.Observed, head.Expected, head.Unit
	w := words{zone: m.cfg.Zone, now: i.DetectedAt, version: ""}
	for _, c := range i.Causes {
		if c.Dimension == watch.Dimensions[0] {
			w.version = " " + c.Value
		}
	}
	if sources := silent(i.Members); len(sources) > 1 {
		i.Title = "No events have come from " + list(sources) + w.since(i.StartedAt)
	} else {
		i.Title = w.title(head, i.StartedAt)
		if i.alone() {
			i.Title = strings.TrimSuffix(i.Title, w.since(i.StartedAt)) + " in one event so far," + strings.Replace(w.since(i.StartedAt), " since ", " at ", 1)
		}
		if n := others(i.Members, head); n > 0 && (family(head.Kind) == "less" || family(head.Kind) == "more") && head.Event != "" {
			i.Title = strings.Replace(i.Title, head.Event, fmt.Sprintf("%s and %s", head.Event, plural(n, "other event")), 1)
		}
	}
	i.Explanation = w.explain(i, head)
	i.NextStep = nextStep(i, head)
}

// alone reports whether one event with a wrong type is all there is so far.
func (i *Incident) alone() bool {
	return i.Kind == watch.TypeMix && i.Affected == 1 && len(i.Members) == 1 && i.State != Resolved
}

// headline is the member that says most: a whole source before an event, silence before less, contents before their
// consequences.
func headline(members []Member) Member {
	rank := func(m *Member) float64 {
		r := map[watch.Kind]float64{watch.Missing: 90, watch.Drop: 80, watch.Rise: 70, watch.TooFew: 69, watch.TooMany: 69, watch.TypeMix: 68, watch.Nulls: 65, watch.Violations: 60,
			watch.VanishedValue: 40, watch.NewValue: 35, watch.Cardinality: 30, watch.Column: 20}[m.Kind]
		if m.Event == "" && family(m.Kind) != "content" {
			r += 15
		}
		if m.Over {
			r -= 50
		}
		return r
	}
	best := &members[0]
	for k := range members[1:] {
		if rank(&members[k+1]) > rank(best) {
			best = &members[k+1]
		}
	}
	return *best
}

// silent are the sources that are silent altogether.
func silent(members []Member) []string {
	var out []string
	for _, m := range members {
		if m.Kind == watch.Missing && m.Event == "" && !slices.Contains(out, m.Source) {
			out = append(out, m.Source)
		}
	}
	return out
}

// others counts further events of the same kind of trouble.
func others(members []Member, head Member) int {
	seen := map[string]bool{head.Event: true, "": true}
	for _, m := range members {
		if family(m.Kind) == family(head.Kind) {
			seen[m.Event] = true
		}
	}
	return len(seen) - 2
}

// words writes sentences for one incident.
type words struct {
	zone    *time.Location
	now     time.Time
	version string
}

func (w words) since(t time.Time) string {
	zone, suffix := w.zone, ""
	if zone == nil {
		zone, suffix = time.UTC, " UTC"
	}
	t = t.In(zone)
	if t.Format(time.DateOnly) == w.now.In(zone).Format(time.DateOnly) {
		return " since " + t.Format("15:04") + suffix
	}
	return " since " + t.Format("2 January 15:04") + suffix
}

func (w words) title(m Member, started time.Time) string {
	since := w.since(started)
	from := " from " + m.Source + w.version
	what := m.Event + from
	if m.Event == "" {
		what = "Events" + from
	}
	prop := "`" + m.Property + "`"
	switch m.Kind {
	case watch.Missing:
		if m.Event == "" {
			return "No events have come" + from + since
		}
		return "No " + m.Event + " has come" + from + since
	case watch.Drop:
		verb := " fell by "
		return what + verb + percent(1-m.Observed/max(m.Expected, 1)) + since
	case watch.Rise:
		return what + fmt.Sprintf(" rose to %s times the usual", number(m.Observed/max(m.Expected, 1))) + since
	case watch.TooFew, watch.TooMany:
		each := ""
		if m.Value != "" {
			each = " for each " + m.Value
		}
		return map[watch.Kind]string{watch.TooFew: "Fewer ", watch.TooMany: "More "}[m.Kind] + m.Event + from + each + " than planned" + since
	case watch.Nulls:
		return what + " lost " + prop + " in " + percent(m.Observed) + " of events" + since
	case watch.TypeMix:
		return what + " has " + typeWord(m.Value) + " instead of " + typeWord(m.Note) + " in " + prop + since
	case watch.Violations:
		at := ""
		if m.Property != "" {
			at = ", most at " + prop
		}
		return percent(m.Observed) + " of " + what + " break the tracking plan" + at + since
	case watch.NewValue:
		return what + " has the new value “" + m.Value + "” in " + prop + since
	case watch.VanishedValue:
		return what + " has not had “" + m.Value + "” in " + prop + since
	case watch.Cardinality:
		return what + " has an unusual number of different values in " + prop + since
	case watch.Naming:
		return percent(m.Observed) + " of the campaign visits" + from + " have a campaign name with capital letters, spaces or unfilled placeholders" + since
	case watch.Duplicates:
		return m.Source + " sends " + percent(m.Observed) + " of its events twice" + since
	case watch.Lateness:
		return percent(m.Observed) + " of the events" + from + " arrive more than five minutes late" + since
	case watch.Column:
		return fmt.Sprintf("%s in %s is %s instead of about %s", m.Column, m.View, number(m.Observed), number(m.Expected)) + since
	}
	return what + " is unusual" + since
}

func (w words) explain(i *Incident, head Member) string {
	var out []string
	switch head.Kind {
	case watch.Missing:
		out = append(out, fmt.Sprintf("About %s would have been expected by the time this was noticed.", plural(int(math.Round(head.Expected)), "event")))
	case watch.Drop, watch.Rise:
		out = append(out, fmt.Sprintf("%s came where about %s were expected.", number(head.Observed), number(head.Expected)))
	case watch.TooFew, watch.TooMany:
		out = append(out, fmt.Sprintf("The tracking plan expects %s. It is %s.", head.Note, number(head.Observed)))
	case watch.Nulls, watch.Violations, watch.Lateness, watch.Duplicates, watch.Naming:
		out = append(out, fmt.Sprintf("Usual is %s.", percent(head.Expected)))
	case watch.TypeMix:
		if i.alone() {
			out = append(out, "It never was in thousands of events before. It may be the first of many, or a test. If nothing follows within hours, the incident resolves itself.")
		}
	case watch.VanishedValue:
		out = append(out, fmt.Sprintf("It usually stands in %s of these events.", percent(head.Expected)))
	}
	for k, c := range i.Causes {
		if k == 2 {
			break
		}
		verb := "of the affected events have"
		if family(head.Kind) == "less" {
			verb = "of the missing events would have"
		}
		out = append(out, fmt.Sprintf("%s %s %s “%s” (usually %s).", percent(c.ShareOfBad), verb, c.Dimension, c.Value, percent(c.ShareOfAll)))
	}
	if r := i.Release; r != nil {
		out = append(out, fmt.Sprintf("Release %s was first seen%s.", r.Version, strings.Replace(w.since(r.FirstSeen), " since ", " at ", 1)))
	}
	return strings.Join(out, " ")
}

func nextStep(i *Incident, head Member) string {
	team := "Ask the team of " + head.Source
	switch head.Kind {
	case watch.TooFew, watch.TooMany:
		return team + " what changed. If it is meant to be so, change what the tracking plan expects of " + head.Event + "."
	case watch.Missing, watch.Drop:
		if i.Release != nil {
			return team + " what release " + i.Release.Version + " changed; the events it does not send are not in Myelin and cannot be repaired here."
		}
		return team + " whether the tag, the SDK or the site itself changed. If it is meant to be so, resolve the incident; after three days the new level counts as normal."
	case watch.Rise:
		return "If a campaign explains it, resolve the incident. Otherwise " + strings.ToLower(team[:1]) + team[1:] + " whether events are sent more than once, or by a robot."
	case watch.Nulls, watch.TypeMix, watch.Violations:
		if i.alone() {
			return "Look at the event below: who sent it, with which version? A test needs nothing. Otherwise " + strings.ToLower(team[:1]) + team[1:] + " what was released last."
		}
		if i.Release != nil {
			return team + " to correct release " + i.Release.Version + ". Events in quarantine wait: repair and replay them on the Quarantine page."
		}
		return team + " to correct it. Events in quarantine wait: repair and replay them on the Quarantine page."
	case watch.NewValue, watch.VanishedValue, watch.Cardinality:
		return "If this is meant to be so, add it to the tracking plan and resolve the incident. Otherwise " + strings.ToLower(team[:1]) + team[1:] + " to correct it."
	case watch.Naming:
		return "Correct the links of the campaign: small letters, no spaces, no placeholders. Reports count each spelling as a campaign of its own."
	case watch.Duplicates:
		return team + " whether it sends again what was accepted already. Myelin drops the repeats, so no figure is wrong."
	case watch.Lateness:
		return team + " whether it holds events back. Views correct themselves when late events arrive."
	case watch.Column:
		return "Open the lineage of the view to see which events it is computed from."
	}
	return team + " what changed."
}

func percent(x float64) string {
	p := 100 * min(max(x, 0), 1)
	switch {
	case p > 0 && p < 1:
		return fmt.Sprintf("%.1f %%", p)
	case p > 99 && p < 100:
		return "99 %"
	}
	return fmt.Sprintf("%.0f %%", p)
}

func number(x float64) string {
	switch a := math.Abs(x); {
	case a >= 100:
		return thousands(int64(math.Round(x)))
	case a >= 10:
		return fmt.Sprintf("%.0f", x)
	case a == math.Trunc(a):
		return fmt.Sprintf("%.0f", x)
	case a >= 1:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2g", x)
}

func thousands(n int64) string {
	text := fmt.Sprint(n)
	for k := len(text) - 3; k > 0 && text[k-1] != '-'; k -= 3 {
		text = text[:k] + "," + text[k:]
	}
	return text
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%s %ss", thousands(int64(n)), what)
}

func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

func typeWord(t string) string {
	switch t {
	case "string":
		return "text"
	case "number":
		return "a number"
	case "boolean":
		return "true or false"
	case "object":
		return "a group of values"
	case "list":
		return "a list"
	}
	return "nothing"
}
