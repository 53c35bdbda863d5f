package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// job is a replay or a discard as the API tells it.
type job struct {
	ID, State, Error   string
	Progress           float64
	Accepted, Rejected int64
	Counts             struct{ Matched, Sent, Discarded, StillBroken, Skipped, Repeats, Lost int64 }
	Plans              []string
}

// replayVerb shows what waits in quarantine, and repairs and sends it again.
func replayVerb(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("replay", flag.ContinueOnError)
	base := fs.String("url", "http://127.0.0.1:8080", "`address` of a running myelin")
	list := fs.Bool("list", false, "only list the causes")
	dry := fs.Bool("dry-run", false, "only say what would happen")
	all := fs.Bool("all", false, "also send events that still break the plan")
	everything := fs.Bool("everything", false, "send all that waits; needed where nothing is chosen by --group, --event, --source, --code or --id")
	discard := fs.Bool("discard", false, "give the events up instead; needs --reason")
	reason := fs.String("reason", "", "why, for the ledger")
	repairs := fs.String("repairs", "", "`JSON` list of repairs, or @file")
	filter := map[string][]string{}
	for name, help := range map[string]string{"group": "only this `cause` (its id)", "event": "only this `event`", "source": "only this `source`", "code": "only this violation `code`", "id": "only the event with this `messageId`"} {
		key := map[string]string{"group": "groups", "event": "events", "source": "sources", "code": "codes", "id": "messageIds"}[name]
		fs.Func(name, help+"; may be given more than once", func(s string) error {
			filter[key] = append(filter[key], s)
			return nil
		})
	}
	if err := parse(fs, args, false); err != nil {
		return err
	}
	if *list {
		return listCauses(ctx, *base)
	}
	body := map[string]any{"filter": filter}
	if text := *repairs; text != "" {
		if file, ok := strings.CutPrefix(text, "@"); ok {
			read, err := os.ReadFile(file)
			if err != nil {
				return fmt.Errorf("reading the repairs: %w", err)
			}
			text = string(read)
		}
		if !json.Valid([]byte(text)) {
			return &usageError{`--repairs is not JSON; write [{"op":"coerce","path":"/properties/total","to":"number"}]`}
		}
		body["repairs"] = json.RawMessage(text)
	}
	if *dry {
		return previewReplay(ctx, *base, body)
	}
	body["reason"] = *reason
	path := "/api/quarantine/replay"
	if *discard {
		path = "/api/quarantine/discard"
	} else {
		body["all"] = *all
		body["everything"] = *everything
	}
	var j job
	if err := askAPI(ctx, *base+path, body, &j); err != nil {
		return err
	}
	return follow(ctx, *base, j)
}

func listCauses(ctx context.Context, base string) error {
	var answer struct {
		Totals struct{ Waiting, Replayed, Discarded int64 }
		Groups []struct {
			ID, Event, Code, Path, Source, Explanation string
			Waiting                                    int64
		}
	}
	if err := askAPI(ctx, base+"/api/quarantine/groups", nil, &answer); err != nil {
		return err
	}
	for _, g := range answer.Groups {
		if g.Waiting > 0 {
			fmt.Printf("%s %7d  %s %s at %s from %s\n    %s\n", g.ID, g.Waiting, g.Event, g.Code, g.Path, g.Source, g.Explanation)
		}
	}
	fmt.Printf("waiting: %d, replayed: %d, discarded: %d\n", answer.Totals.Waiting, answer.Totals.Replayed, answer.Totals.Discarded)
	return nil
}

func previewReplay(ctx context.Context, base string, body map[string]any) error {
	var p struct {
		Matched, WouldPass, StillBroken, Repeats int64
		Complete, Unsure                         bool
		Remaining                                []struct {
			Code, Path string
			Count      int64
		}
	}
	if err := askAPI(ctx, base+"/api/quarantine/preview", body, &p); err != nil {
		return err
	}
	fmt.Printf("selected: %d, would pass: %d, would still break the plan: %d\n", p.Matched, p.WouldPass, p.StillBroken)
	if p.Repeats > 0 {
		fmt.Printf("accepted before, in another copy: %d\n", p.Repeats)
	}
	if p.Unsure {
		fmt.Println("this process releases no events: some of them may repeat what came before")
	}
	if !p.Complete {
		fmt.Println("there are more than could be looked at in time")
	}
	for _, r := range p.Remaining {
		fmt.Printf("  %d times %s at %s\n", r.Count, r.Code, r.Path)
	}
	return nil
}

// follow waits for the end of a job. The job goes on when this stops waiting.
func follow(ctx context.Context, base string, j job) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for j.State == "pending" || j.State == "running" {
		select {
		case <-ctx.Done():
			fmt.Printf("job %s goes on; GET /api/quarantine/jobs/%s tells about it\n", j.ID, j.ID)
			return nil
		case <-tick.C:
		}
		if err := askAPI(ctx, base+"/api/quarantine/jobs/"+j.ID, nil, &j); err != nil && ctx.Err() == nil {
			return err
		}
	}
	c := j.Counts
	fmt.Printf("job %s is %s: selected: %d, sent: %d, discarded: %d, still broken: %d, dealt with before: %d\n", j.ID, j.State, c.Matched, c.Sent, c.Discarded, c.StillBroken, c.Skipped)
	if c.Repeats > 0 {
		fmt.Printf("not sent, because an event with the same messageId was accepted before: %d\n", c.Repeats)
	}
	if c.Lost > 0 {
		fmt.Printf("deleted from quarantine before the job came to them: at most %d\n", c.Lost)
	}
	if len(j.Plans) > 1 {
		fmt.Printf("the tracking plan was changed meanwhile: %s\n", strings.Join(j.Plans, "; then "))
	}
	if j.State != "done" {
		return fmt.Errorf("the job %s: %s", j.State, j.Error)
	}
	return nil
}
