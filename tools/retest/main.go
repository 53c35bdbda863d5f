// Command retest runs go test and gives a few failed tests one second chance, in the open: a test that fails and then passes is listed
// as FLAKY below its whole output, to be mended. Nothing is repeated where more than a few tests failed, a package did not build, or a
// test program ended before its time (a panic, a timeout, an exit). It ends with the summary lines of go test.
//
//	go run ./tools/retest [-most 3] [-within 14m] PACKAGE...
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"
)

func main() {
	most := flag.Int("most", 3, "how many tests, and tests of how many packages, may fail once")
	within := flag.Duration("within", 14*time.Minute, "how long both runs may take in all")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *within)
	defer cancel()
	r := runner{out: os.Stdout, most: *most, within: *within}
	if err := r.all(ctx, flag.Args()); err != nil {
		os.Exit(1)
	}
}

// event is a line of go test -json.
type event struct {
	Action, Package, Test, Output, ImportPath string
}

// outcome is what became of one package.
type outcome struct {
	name    string
	summary string   // its line, as go test writes it
	lines   []output // of its tests, and its own
	started []string
	passed  []string // tests and their subtests
	skipped []string
	failed  []string
	// whole: the test program came to its end and said FAIL or PASS.
	whole, bad bool
}

type output struct{ test, text string }

type runner struct {
	out    io.Writer
	most   int
	within time.Duration
	dir    string   // of the module; "" is here
	env    []string // nil: ours
}

var errFailed = errors.New("failed")

// all runs the tests, and those that failed once more where there are few.
func (r *runner) all(ctx context.Context, packages []string) error {
	first, err := r.run(ctx, packages...)
	if err == nil {
		return nil
	}
	again, reason := r.chance(first)
	if reason != "" {
		fmt.Fprintf(r.out, "\nno test is repeated: %s\n\n", reason)
		r.summaries(first)
		return err
	}
	fmt.Fprintf(r.out, "\n==> a second chance, for what failed above\n")
	var flaky, failed []string
	for _, o := range again {
		tests := o.tests()
		second, err := r.run(ctx, "-count", "1", "-run", "^("+quoted(tests)+")$", o.name)
		for _, test := range tests {
			if err == nil && len(second) == 1 && slices.Contains(second[0].passed, test) {
				flaky = append(flaky, o.name+" "+test)
			} else {
				failed = append(failed, o.name+" "+test)
			}
		}
		if len(second) == 1 {
			*o = *second[0]
		}
	}
	fmt.Fprintln(r.out)
	for _, test := range flaky {
		fmt.Fprintf(r.out, "FLAKY: %s failed, then passed; output of the failure above\n", test)
	}
	for _, test := range failed {
		fmt.Fprintf(r.out, "FAILED TWICE: %s\n", test)
	}
	fmt.Fprintln(r.out)
	r.summaries(first)
	if len(failed) > 0 {
		return errFailed
	}
	return nil
}

// chance returns the packages whose failed tests are to be run again, or why there are none.
func (r *runner) chance(all []*outcome) (again []*outcome, reason string) {
	n := 0
	for _, o := range all {
		if !o.bad {
			continue
		}
		tests := o.tests()
		switch {
		case !o.whole:
			return nil, o.name + " did not build, or ended before its time"
		case len(tests) == 0:
			return nil, o.name + " failed without a test that did"
		}
		again, n = append(again, o), n+len(tests)
	}
	switch {
	case n == 0:
		return nil, "go test failed without a package that did"
	case n > r.most || len(again) > r.most:
		return nil, fmt.Sprintf("%d tests of %d packages failed, more than %d", n, len(again), r.most)
	}
	return again, ""
}

// tests are the failed tests of a package, without their subtests.
func (o *outcome) tests() []string {
	var out []string
	for _, name := range o.failed {
		if top, _, _ := strings.Cut(name, "/"); !slices.Contains(out, top) {
			out = append(out, top)
		}
	}
	return out
}

func quoted(tests []string) string {
	var out []string
	for _, t := range tests {
		out = append(out, regexp.QuoteMeta(t))
	}
	return strings.Join(out, "|")
}

// run runs go test and prints what it would have printed, package by package.
func (r *runner) run(ctx context.Context, args ...string) ([]*outcome, error) {
	left := r.within
	if end, ok := ctx.Deadline(); ok {
		left = time.Until(end)
	}
	// The test program's own limit comes a little before ours: it tells which tests hang.
	args = append([]string{"test", "-json", "-timeout", max(left-5*time.Second, time.Second).Round(time.Second).String()}, args...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Stderr, cmd.Dir, cmd.Env = os.Stderr, r.dir, r.env
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // go test ends its test programs, too
	cmd.WaitDelay = 10 * time.Second
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	all, err := r.read(pipe)
	return all, errors.Join(err, cmd.Wait())
}

// read takes in the lines of go test -json.
func (r *runner) read(from io.Reader) ([]*outcome, error) {
	var all []*outcome
	open := map[string]*outcome{}
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil {
				fmt.Fprint(r.out, line)
			} else if o := r.take(open, e); o != nil {
				all = append(all, o)
				delete(open, o.name)
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return all, err
		}
	}
	for _, o := range open { // cut off
		o.bad, o.whole, o.summary = true, false, "FAIL\t"+o.name+"\n"
		for _, test := range o.started {
			if !slices.Contains(slices.Concat(o.passed, o.skipped, o.failed), test) {
				fmt.Fprintf(r.out, "cut off: %s\n", test)
			}
		}
		all = append(all, o)
		r.print(o)
	}
	return all, nil
}

// take takes in one event. It returns the package that has ended with it.
func (r *runner) take(open map[string]*outcome, e event) *outcome {
	if e.Package == "" { // of the build
		fmt.Fprint(r.out, e.Output)
		return nil
	}
	o := open[e.Package]
	if o == nil {
		o = &outcome{name: e.Package}
		open[e.Package] = o
	}
	switch {
	case e.Action == "output":
		o.say(e)
	case e.Action == "run":
		o.started = append(o.started, e.Test)
	case e.Test != "" && e.Action == "pass":
		o.passed = append(o.passed, e.Test)
	case e.Test != "" && e.Action == "skip":
		o.skipped = append(o.skipped, e.Test)
	case e.Test != "" && e.Action == "fail":
		o.failed = append(o.failed, e.Test)
	case e.Test == "" && (e.Action == "pass" || e.Action == "skip" || e.Action == "fail"):
		o.bad = e.Action == "fail"
		r.print(o)
		return o
	}
	return nil
}

var summary = regexp.MustCompile(`^(ok  |FAIL|\?   )\t`)

func (o *outcome) say(e event) {
	switch {
	case e.Test == "" && summary.MatchString(e.Output):
		o.summary = e.Output
	case e.Test == "" && (e.Output == "FAIL\n" || e.Output == "PASS\n"):
		o.whole = true
	case !strings.HasPrefix(e.Output, "=== "):
		o.lines = append(o.lines, output{e.Test, e.Output})
	}
}

// print writes the output of what failed, and the line of the package.
func (r *runner) print(o *outcome) {
	if o.bad {
		for _, l := range o.lines {
			if !slices.Contains(o.passed, l.test) && !slices.Contains(o.skipped, l.test) {
				fmt.Fprint(r.out, l.text)
			}
		}
		if o.whole {
			fmt.Fprintln(r.out, "FAIL")
		}
	}
	fmt.Fprint(r.out, o.summary)
}

func (r *runner) summaries(all []*outcome) {
	for _, o := range all {
		fmt.Fprint(r.out, o.summary)
	}
}
