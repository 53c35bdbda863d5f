// Command myelin is the whole platform in one binary.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// version is set by the build.
var version = "dev"

// verb is one command of the command line.
type verb struct {
	name, args, help string
	run              func(ctx context.Context, args []string) error
}

func verbs() []verb {
	return []verb{
		{"serve", "", "run a project: collect, check, log, process and serve its events", serve},
		{"demo", "", "serve, plus a simulated shop that sends through the real HTTP door", demonstrate},
		{"apply", "", "make a running myelin follow the plan and SQL files of its project", apply},
		{"plan", "check|diff|…", "check, compare, import, export and learn tracking plans; write typed code", planVerb},
		{"replay", "", "repair events in quarantine and send them again, or discard them", replayVerb},
		{"sql", "[STATEMENT]", "ask a running myelin in SQL", sqlVerb},
		{"verify", "VIEW…", "compute views anew over what they have seen, and compare", verify},
		{"tail", "", "follow the events of a running myelin, each with its verdict", tail},
		{"bench", "", "measure this machine against myelin's goals", benchmark},
		{"doctor", "", "check a data folder while nothing runs on it, and say what is wrong", doctor},
		{"version", "", "print the version", func(context.Context, []string) error {
			fmt.Println("myelin", version)
			return nil
		}},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	var usage *usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.As(err, &usage):
		fmt.Fprintln(os.Stderr, "myelin:", usage.message)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "myelin:", err)
		os.Exit(1)
	}
}

// usageError is a mistake on the command line.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		help(os.Stderr)
		return &usageError{"say what to do: for example myelin demo"}
	}
	switch args[0] {
	case "help", "-h", "--help":
		help(os.Stdout)
		return nil
	case "-version", "--version":
		args[0] = "version"
	}
	var names []string
	for _, v := range verbs() {
		if v.name == args[0] {
			return v.run(ctx, args[1:])
		}
		names = append(names, v.name)
	}
	return &usageError{fmt.Sprintf("there is no verb %q; verbs are %s", args[0], strings.Join(names, ", "))}
}

func help(w io.Writer) {
	fmt.Fprintln(w, "myelin: collect, check, process and act on events as they happen\n\nusage: myelin VERB [flags]")
	for _, v := range verbs() {
		fmt.Fprintf(w, "  %-22s %s\n", strings.TrimSpace(v.name+" "+v.args), v.help)
	}
	fmt.Fprintln(w, "\nmyelin VERB -h lists the flags of a verb")
}

// parse reads the flags of a verb; extra arguments are allowed only where rest is true.
func parse(fs *flag.FlagSet, args []string, rest bool) error {
	fs.SetOutput(os.Stderr)
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return &usageError{err.Error()}
	}
	if !rest && fs.NArg() > 0 {
		return &usageError{fmt.Sprintf("%s takes no argument %q", fs.Name(), fs.Arg(0))}
	}
	return nil
}
