package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// apply asks a running myelin to read its project again.
func apply(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("apply", flag.ContinueOnError)
	base := fs.String("url", "http://127.0.0.1:8080", "`address` of a running myelin")
	prune := fs.Bool("prune", false, "also remove what the files do not declare any more")
	if err := parse(fs, args, false); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("%s/api/apply?prune=%t", *base, *prune), nil)
	if err != nil {
		return fmt.Errorf("making the request: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("asking %s: %w; is myelin running?", *base, err)
	}
	defer resp.Body.Close()
	var answer struct {
		Created, Updated, Removed, Kept []string
		Problems                        []struct {
			File          string
			Line, Column  int
			Message, Hint string
		}
		Error struct{ Message, Hint string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return fmt.Errorf("reading the answer of %s (%s): %w", *base, resp.Status, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", answer.Error.Message, answer.Error.Hint)
	}
	for _, part := range []struct {
		what  string
		names []string
	}{{"created", answer.Created}, {"changed", answer.Updated}, {"removed", answer.Removed}, {"not declared any more, kept (--prune removes)", answer.Kept}} {
		if len(part.names) > 0 {
			fmt.Printf("%s: %s\n", part.what, strings.Join(part.names, ", "))
		}
	}
	for _, p := range answer.Problems {
		fmt.Printf("%s:%d:%d: %s\n  hint: %s\n", p.File, p.Line, p.Column, p.Message, p.Hint)
	}
	if n := len(answer.Problems); n > 0 {
		return fmt.Errorf("problems: %d; everything else is applied", n)
	}
	fmt.Println("the plans and SQL files are in force")
	return nil
}

// tail prints the live events, one a line.
func tail(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("tail", flag.ContinueOnError)
	base := fs.String("url", "http://127.0.0.1:8080", "`address` of a running myelin")
	status := fs.String("status", "all", "only events that are valid, warn, fixed or quarantined")
	text := fs.String("q", "", "only events that contain this `text`")
	whole := fs.Bool("json", false, "print whole events")
	if err := parse(fs, args, false); err != nil {
		return err
	}
	q := url.Values{"status": {*status}, "q": {*text}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, *base+"/api/events/live?"+q.Encode(), nil)
	if err != nil {
		return fmt.Errorf("making the request: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("asking %s: %w; is myelin running?", *base, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		answer, _ := io.ReadAll(io.LimitReader(resp.Body, 1024)) // shown as far as it can be read
		return fmt.Errorf("%s answered %s: %s", *base, resp.Status, answer)
	}
	err = printEvents(resp.Body, os.Stdout, *whole)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func printEvents(stream io.Reader, out io.Writer, whole bool) error {
	lines := bufio.NewScanner(stream)
	lines.Buffer(make([]byte, 1<<20), 16<<20)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var row struct {
			Timestamp, Source, Status, Type, Event, UserKey string
			Violations                                      []struct{ Code, Path, Expected, Got string }
			JSON                                            json.RawMessage
		}
		if err := json.Unmarshal([]byte(data), &row); err != nil || row.Status == "" {
			continue // a note that events were left out
		}
		if whole {
			fmt.Fprintln(out, string(row.JSON))
			continue
		}
		fmt.Fprintf(out, "%s  %-10s %-11s %-8s %s  %s\n", row.Timestamp, row.Source, row.Status, row.Type, row.Event, row.UserKey)
		for _, v := range row.Violations {
			fmt.Fprintf(out, "    %s at %s: expected %s, got %s\n", v.Code, v.Path, v.Expected, v.Got)
		}
	}
	return lines.Err()
}
