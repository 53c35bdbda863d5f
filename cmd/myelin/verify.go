package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
)

// verify asks a running myelin to compute a view anew and compare.
func verify(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("verify", flag.ContinueOnError)
	base := fs.String("url", "http://127.0.0.1:8080", "`address` of a running myelin")
	if err := parse(fs, args, true); err != nil {
		return err
	}
	if fs.NArg() == 0 {
		return &usageError{"myelin verify VIEW…"}
	}
	different := 0
	for _, name := range fs.Args() {
		right, err := verifyView(ctx, *base, name)
		if err != nil {
			return fmt.Errorf("comparing %s: %w", name, err)
		}
		if !right {
			different++
		}
	}
	if different > 0 {
		return fmt.Errorf("views that differ from their queries: %d", different)
	}
	return nil
}

func verifyView(ctx context.Context, base, name string) (right bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/api/views/"+url.PathEscape(name)+"/verify", nil)
	if err != nil {
		return false, fmt.Errorf("making the request: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, fmt.Errorf("asking %s: %w; is myelin running?", base, err)
	}
	defer resp.Body.Close()
	var v struct {
		Same, Unsure             bool
		Step                     uint64
		Rows, Extra, Missing     int
		Records                  int64
		ExtraFirst, MissingFirst []string
		Notes                    []string
		Error                    struct{ Message, Hint string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		return false, fmt.Errorf("reading the answer of %s (%s): %w", base, resp.Status, err)
	}
	if resp.StatusCode != http.StatusOK {
		return false, errors.New(v.Error.Message)
	}
	switch {
	case v.Same:
		fmt.Printf("%s: its %d rows are what its query gives over %d records (step %d)\n", name, v.Rows, v.Records, v.Step)
	case v.Unsure:
		fmt.Printf("%s: %d rows; late ones may be all that differs: %d of its rows the query gives otherwise or not, %d that it gives are missing (step %d, %d records)\n",
			name, v.Rows, v.Extra, v.Missing, v.Step, v.Records)
	default:
		fmt.Printf("%s: %d rows; %d of them its query does not give, %d that it gives are missing (step %d, %d records)\n",
			name, v.Rows, v.Extra, v.Missing, v.Step, v.Records)
	}
	for _, r := range v.ExtraFirst {
		fmt.Println("  only in the view:", r)
	}
	for _, r := range v.MissingFirst {
		fmt.Println("  only in the query:", r)
	}
	for _, n := range v.Notes {
		fmt.Println("  note:", n)
	}
	return v.Same || v.Unsure, nil
}
