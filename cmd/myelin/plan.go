package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"myelin/internal/app"
	"myelin/internal/trust/codegen"
	"myelin/internal/trust/draft"
	"myelin/internal/trust/preset"
	"myelin/internal/trust/schema"
)

// planVerb is everything about tracking plans.
func planVerb(ctx context.Context, args []string) error {
	verbs := map[string]func(context.Context, []string) error{"check": planCheck, "diff": planDiff, "import": planImport, "export": planExport, "infer": planInfer, "codegen": planCodegen}
	if len(args) > 0 && verbs[args[0]] != nil {
		return verbs[args[0]](ctx, args[1:])
	}
	return &usageError{`myelin plan check   [--project DIR]                       the files are right, and their examples too
       myelin plan diff    [--url URL] NEW.yaml | OLD.yaml NEW.yaml  what a change breaks; against a running myelin with a backtest
       myelin plan import  --from FORMAT | --preset NAME FILE…  a plan from another tool, or a ready-made one
       myelin plan export  --to jsonschema|segment|csv FILE     a plan for another tool
       myelin plan infer   [--url URL] [--days 7]               a plan learned from traffic
       myelin plan codegen --lang LANGUAGE FILE                 typed wrappers over SDKs`}
}

// planCheck checks files without a server.
func planCheck(_ context.Context, args []string) error {
	fs := flag.NewFlagSet("plan check", flag.ContinueOnError)
	dir := fs.String("project", ".", "the project `folder`")
	if err := parse(fs, args, true); err != nil {
		return err
	}
	if fs.NArg() > 0 { // single plans, outside of a project
		for _, name := range fs.Args() {
			p, err := compiled(name)
			if err != nil {
				return err
			}
			fmt.Printf("%s is fine: events: %d\n", name, len(p.Events))
		}
		return nil
	}
	report, err := app.CheckProject(*dir)
	if err != nil {
		return err
	}
	for _, p := range report.Problems {
		fmt.Println(p.Error())
	}
	if n := len(report.Problems); n > 0 {
		return fmt.Errorf("problems found: %d", n)
	}
	fmt.Printf("all files are fine: plans: %d, events: %d, SQL objects: %d\n", report.Plans, report.Events, report.Objects)
	return nil
}

// compiled reads a plan file and says what is wrong with it.
func compiled(name string) (*schema.Plan, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	return schema.Parse(name, text)
}

// readDraft reads a plan file that compiles.
func readDraft(name string) (*draft.Plan, error) {
	if _, err := compiled(name); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	return draft.Read(text)
}

// put writes to a file, or to standard output.
func put(name string, text []byte) error {
	if name == "" || name == "-" {
		_, err := os.Stdout.Write(text)
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if err := os.WriteFile(name, text, 0o644); err != nil {
		return fmt.Errorf("writing the plan: %w", err)
	}
	fmt.Println("wrote", name)
	return nil
}

func planImport(_ context.Context, args []string) error {
	fs := flag.NewFlagSet("plan import", flag.ContinueOnError)
	from := fs.String("from", "", "`format` of the files: "+strings.Join(draft.Formats, ", "))
	ready := fs.String("preset", "", "a ready-made `plan`: "+strings.Join(preset.Names, ", "))
	name := fs.String("name", "", "`name` of the plan")
	out := fs.String("out", "", "`file` to write; standard output if not given")
	if err := parse(fs, args, true); err != nil {
		return err
	}
	if *ready != "" {
		text, err := preset.Text(*ready)
		if err != nil {
			return &usageError{err.Error()}
		}
		if *name != "" {
			text = []byte(strings.Replace(string(text), "\nname: "+*ready+"\n", "\nname: "+*name+"\n", 1))
		}
		return put(*out, text)
	}
	if *from == "" || fs.NArg() == 0 {
		return &usageError{"say what to import: myelin plan import --from segment plan.json, or --preset ecommerce"}
	}
	var all *draft.Plan
	for _, file := range fs.Args() {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
		of := *name
		if of == "" {
			of = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
		}
		p, err := draft.Import(*from, of, text)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if all == nil {
			all = p
			continue
		}
		all.Add(p)
	}
	for _, note := range all.Notes {
		fmt.Fprintln(os.Stderr, "note:", note)
	}
	text := all.YAML()
	if _, err := schema.Parse(or(*out, "the imported plan"), text); err != nil {
		fmt.Fprintf(os.Stderr, "the plan needs a hand before it can be used:\n%v\n", err)
	}
	return put(*out, text)
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func planExport(_ context.Context, args []string) error {
	fs := flag.NewFlagSet("plan export", flag.ContinueOnError)
	to := fs.String("to", "jsonschema", "`format`: jsonschema, segment or csv")
	out := fs.String("out", "", "`file` to write; standard output if not given")
	if err := parse(fs, args, true); err != nil {
		return err
	}
	if fs.NArg() != 1 {
		return &usageError{"name one plan file: myelin plan export --to csv plan/shop.yaml"}
	}
	p, err := readDraft(fs.Arg(0))
	if err != nil {
		return err
	}
	write, ok := map[string]func() []byte{"jsonschema": p.JSONSchema, "segment": p.Segment, "csv": p.CSV}[*to]
	if !ok {
		return &usageError{fmt.Sprintf("there is no format %q; there are jsonschema, segment and csv", *to)}
	}
	return put(*out, write())
}

func planCodegen(_ context.Context, args []string) error {
	fs := flag.NewFlagSet("plan codegen", flag.ContinueOnError)
	lang := fs.String("lang", "typescript", "`language`: "+strings.Join(codegen.Languages, ", "))
	out := fs.String("out", "", "`file` to write; standard output if not given")
	if err := parse(fs, args, true); err != nil {
		return err
	}
	if fs.NArg() != 1 {
		return &usageError{"name one plan file: myelin plan codegen --lang typescript plan/shop.yaml"}
	}
	p, err := readDraft(fs.Arg(0))
	if err != nil {
		return err
	}
	text, err := codegen.Generate(*lang, p)
	if err != nil {
		return &usageError{err.Error()}
	}
	return put(*out, []byte(text))
}
