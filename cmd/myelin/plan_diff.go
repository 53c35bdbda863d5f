package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"myelin/internal/trust/draft"
)

// askAPI sends JSON to a running myelin (a nil body: GET) and reads its answer.
func askAPI(ctx context.Context, url string, body, into any) error {
	method, reader := http.MethodGet, io.Reader(nil)
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("making the request: %w", err)
		}
		method, reader = http.MethodPost, bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, reader)
	if err != nil {
		return fmt.Errorf("making the request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if user := os.Getenv("MYELIN_USER"); user != "" {
		req.SetBasicAuth(user, os.Getenv("MYELIN_PASSWORD"))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("asking %s: %w; is myelin running?", url, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("reading the answer of %s: %w", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		var failure struct {
			Error struct{ Message, Hint string }
		}
		if json.Unmarshal(text, &failure) == nil && failure.Error.Message != "" {
			return fmt.Errorf("%s %s", failure.Error.Message, failure.Error.Hint)
		}
		return fmt.Errorf("%s answered %s", url, resp.Status)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", url, err)
	}
	return nil
}

func planDiff(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("plan diff", flag.ContinueOnError)
	base := fs.String("url", "http://127.0.0.1:8080", "`address` of a running myelin")
	days := fs.Int("days", 7, "how many `days` of traffic the backtest looks at")
	strict := fs.Bool("strict", false, "fail when the change breaks something or a version is too low")
	if err := parse(fs, args, true); err != nil {
		return err
	}
	var breaking bool
	var err error
	switch fs.NArg() {
	case 2:
		breaking, err = diffFiles(fs.Arg(0), fs.Arg(1))
	case 1:
		breaking, err = diffRunning(ctx, *base, fs.Arg(0), *days)
	default:
		return &usageError{"name the new plan file, or the old and the new one"}
	}
	if err == nil && breaking && *strict {
		err = errors.New("the change breaks something")
	}
	return err
}

func diffFiles(before, after string) (bad bool, err error) {
	a, err := readDraft(before)
	if err != nil {
		return false, err
	}
	b, err := readDraft(after)
	if err != nil {
		return false, err
	}
	changes, bumps := draft.Diff(a, b)
	for _, c := range changes {
		printChange(string(c.Class), c.Event, c.Path, c.What, c.Before, c.After)
		bad = bad || c.Class == draft.Breaking
	}
	for _, x := range bumps {
		if !x.Enough {
			fmt.Printf("version     %s: write version: %s\n", x.Event, x.Suggested)
		}
	}
	if len(changes) == 0 {
		fmt.Println("the plans are the same")
	}
	return bad, nil
}

func printChange(class, event, path, what, before, after string) {
	fmt.Printf("%-11s %s%s: %s", class, event, map[bool]string{true: " " + path}[path != ""], what)
	if before != "" && after != "" {
		fmt.Printf(" (%s → %s)", before, after)
	}
	fmt.Println()
}

func diffRunning(ctx context.Context, base, file string, days int) (bad bool, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return false, fmt.Errorf("reading the plan: %w", err)
	}
	var diff struct {
		Problems []struct {
			Line          int
			Message, Hint string
		}
		Changes  []struct{ Event, Path, What, Class, Before, After string }
		Breaking bool
		Bumps    []struct {
			Event, Suggested string
			Enough           bool
		}
		Breaks []struct{ Kind, Name, Message string }
	}
	if err := askAPI(ctx, base+"/api/plan/diff", map[string]any{"text": string(text)}, &diff); err != nil {
		return false, err
	}
	for _, p := range diff.Problems {
		fmt.Printf("%s:%d: %s (%s)\n", file, p.Line, p.Message, p.Hint)
	}
	if len(diff.Problems) > 0 {
		return false, fmt.Errorf("problems found: %d", len(diff.Problems))
	}
	for _, c := range diff.Changes {
		printChange(c.Class, c.Event, c.Path, c.What, c.Before, c.After)
	}
	if len(diff.Changes) == 0 {
		fmt.Println("the plan is what is in force")
	}
	for _, x := range diff.Bumps {
		if !x.Enough {
			fmt.Printf("version     %s: write version: %s\n", x.Event, x.Suggested)
		}
	}
	for _, x := range diff.Breaks {
		fmt.Printf("breaks      %s %s: %s\n", x.Kind, x.Name, x.Message)
	}
	var test struct {
		Complete      bool
		Before, After struct{ Total, Quarantined int64 }
		Rows          []struct{ Sentence string }
	}
	if err := askAPI(ctx, base+"/api/plan/backtest", map[string]any{"text": string(text), "days": days}, &test); err != nil {
		return false, err
	}
	fmt.Printf("backtest    %d events of the last %d days: %d quarantined now, %d with the new plan\n", test.After.Total, days, test.Before.Quarantined, test.After.Quarantined)
	if !test.Complete {
		fmt.Println("backtest    there was more traffic than could be looked at in time")
	}
	for _, r := range test.Rows {
		if r.Sentence != "" {
			fmt.Printf("backtest    %s\n", r.Sentence)
		}
	}
	return diff.Breaking || len(diff.Breaks) > 0, nil
}

// planInfer asks a running myelin for the plan that its traffic follows.
func planInfer(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("plan infer", flag.ContinueOnError)
	base := fs.String("url", "http://127.0.0.1:8080", "`address` of a running myelin")
	days := fs.Int("days", 7, "how many `days` of traffic to learn from")
	source := fs.String("source", "", "learn from one `source` only")
	name := fs.String("name", "learned", "`name` of the plan")
	out := fs.String("out", "", "`file` to write; standard output if not given")
	if err := parse(fs, args, false); err != nil {
		return err
	}
	var answer struct{ Text string }
	q := url.Values{"days": {strconv.Itoa(*days)}, "source": {*source}, "name": {*name}}
	if err := askAPI(ctx, *base+"/api/plan/infer?"+q.Encode(), nil, &answer); err != nil {
		return err
	}
	return put(*out, []byte(answer.Text))
}
