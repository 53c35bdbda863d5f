package app

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"myelin/internal/auth/role"
	"myelin/internal/trust/replay"
)

// The most that the audit log says of one job.
const (
	maxAuditCauses = 20
	maxAuditText   = 2000
)

// jobStarted notes in the audit log who wants which events repaired, replayed or discarded, and why.
func (n *node) jobStarted(ctx context.Context, j replay.Job) error {
	detail := map[string]string{"filter": asText(j.Filter)}
	if len(j.Filter.Groups) > 0 {
		detail["causes"] = n.causes(j.Filter.Groups)
	}
	if n.groups != nil {
		detail["waiting"] = strconv.FormatInt(n.groups.Held().Waiting, 10)
	}
	if len(j.Repairs) > 0 {
		detail["repairs"] = asText(j.Repairs)
	}
	if j.Reason != "" {
		detail["reason"] = j.Reason
	}
	if j.Everything {
		detail["everything"] = "confirmed"
	}
	if j.All {
		detail["all"] = "events that still break the plan, too"
	}
	return n.audit.Record(ctx, role.Of(ctx), "quarantine."+string(j.Kind), j.ID, detail)
}

// jobEnded notes in the audit log what a job has done.
func (n *node) jobEnded(ctx context.Context, j replay.Job) error {
	detail := counted(j)
	detail["state"], detail["kind"], detail["by"] = string(j.State), string(j.Kind), j.By
	if len(j.Plans) > 0 {
		detail["plans"] = strings.Join(j.Plans, "; then ")
	}
	if j.Error != "" {
		detail["error"] = j.Error
	}
	return n.audit.Record(ctx, role.Person{Name: "myelin"}, "quarantine.ended", j.ID, detail)
}

// counted are the counts of a job that are not zero.
func counted(j replay.Job) map[string]string {
	c, detail := j.Counts, map[string]string{}
	for name, count := range map[string]int64{"matched": c.Matched, "sent": c.Sent, "discarded": c.Discarded, "still_broken": c.StillBroken,
		"skipped": c.Skipped, "repeats": c.Repeats, "lost": c.Lost} {
		if count > 0 || name == "matched" {
			detail[name] = strconv.FormatInt(count, 10)
		}
	}
	return detail
}

// causes names causes as people know them.
func (n *node) causes(ids []string) string {
	known := map[string]string{}
	if n.groups != nil {
		for _, g := range n.groups.Snapshot().Groups {
			known[g.ID] = fmt.Sprintf("%s: %s at %s from %s, %d waiting", g.Event, g.Code, g.Path, g.Source, g.Waiting)
		}
	}
	var out []string
	for i, id := range ids {
		if i == maxAuditCauses {
			out = append(out, fmt.Sprintf("and %d more", len(ids)-i))
			break
		}
		if text, ok := known[id]; ok {
			out = append(out, text)
			continue
		}
		out = append(out, id)
	}
	return strings.Join(out, "; ")
}

// asText is v as JSON, cut where it is too long to be kept with every entry.
func asText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	if len(text) > maxAuditText {
		return strings.ToValidUTF8(string(text[:maxAuditText]), "") + "…"
	}
	return string(text)
}
