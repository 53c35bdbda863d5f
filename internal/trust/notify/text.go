package notify

import (
	"fmt"
	"strings"

	"myelin/internal/trust/incident"
)

// Subject is the message in one line.
func (m *Message) Subject() string {
	switch m.Verb {
	case Digest:
		return fmt.Sprintf("Myelin, %s: %s", m.Summary.To.In(m.Zone).Format("2 January"), m.Summary.headline())
	case Resolved:
		return "Resolved: " + m.Incident.Title
	case Reopened:
		return "Again: " + m.Incident.Title
	}
	return m.Incident.Title
}

func (s *Summary) headline() string {
	if len(s.StillOpen) == 0 && len(s.Opened) == 0 {
		return "all is well"
	}
	return fmt.Sprintf("%d open, %d new, %d resolved", len(s.StillOpen), len(s.Opened), len(s.Solved))
}

// Text is the message in plain text.
func (m *Message) Text() string {
	var b strings.Builder
	if m.Verb == Digest {
		m.digest(&b)
		return b.String()
	}
	i := &m.Incident
	b.WriteString(m.Subject() + "\n\n")
	if m.Verb == Resolved {
		fmt.Fprintf(&b, "It is over: %s.\n", i.Resolution)
		if i.ResolvedAt != nil {
			fmt.Fprintf(&b, "It lasted from %s to %s.\n", i.StartedAt.In(m.Zone).Format("2 January 15:04"), i.ResolvedAt.In(m.Zone).Format("2 January 15:04"))
		}
	} else {
		for _, s := range []string{i.Explanation, i.NextStep} {
			if s != "" {
				b.WriteString(s + "\n\n")
			}
		}
	}
	if m.Link != "" {
		b.WriteString(m.Link + "\n")
	}
	return b.String()
}

func (m *Message) digest(b *strings.Builder) {
	s := m.Summary
	fmt.Fprintf(b, "%s to %s\n\n", s.From.In(m.Zone).Format("2 January 15:04"), s.To.In(m.Zone).Format("2 January 15:04 MST"))
	part := func(title string, is []incident.Incident) {
		if len(is) == 0 {
			return
		}
		b.WriteString(title + "\n")
		const most = 20
		for k, i := range is {
			if k == most {
				fmt.Fprintf(b, "  and %d more\n", len(is)-most)
				break
			}
			fmt.Fprintf(b, "  - %s\n", i.Title)
		}
		b.WriteString("\n")
	}
	if len(s.StillOpen) == 0 && len(s.Opened) == 0 {
		b.WriteString("Nothing went wrong.\n\n")
	}
	part("Still open:", s.StillOpen)
	part("New since yesterday:", s.Opened)
	part("Resolved since yesterday:", s.Solved)
	for _, l := range s.Lines {
		b.WriteString(l + "\n")
	}
	if m.Link != "" {
		b.WriteString("\n" + m.Link + "\n")
	}
}
