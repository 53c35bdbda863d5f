package eval_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"myelin/internal/process/fn"
)

var rewrite = flag.Bool("rewrite", false, "write the generated parts of docs/reference/sql.md")

const reference = "../../../docs/reference/sql.md"

// TestReferenceIsCurrent compares the tables of functions in docs/reference/sql.md with the code's own; every example in them runs.
func TestReferenceIsCurrent(t *testing.T) {
	data, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	want := replace(t, replace(t, text, "functions", functions(t)), "aggregates", aggregates())
	if want == text {
		return
	}
	if !*rewrite {
		t.Fatal("docs/reference/sql.md is behind the code: go test ./internal/process/eval -run Reference -rewrite")
	}
	if err := os.WriteFile(reference, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func replace(t *testing.T, text, name, table string) string {
	head, rest, ok := strings.Cut(text, "<!-- generated: "+name+" -->\n")
	_, tail, found := strings.Cut(rest, "<!-- end -->")
	if !ok || !found {
		t.Fatalf("no place for the %s", name)
	}
	return head + "<!-- generated: " + name + " -->\n" + table + "<!-- end -->" + tail
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

// functions prints one table a chapter. Overloads are one row: the first that has a help text speaks for all.
func functions(t *testing.T) string {
	var b strings.Builder
	for _, g := range fn.Groups() {
		var rows []string
		seen := map[string]bool{}
		for _, f := range g.Funcs {
			if f.Help == "" || f.Name[0] < 'a' || f.Name[0] > 'z' || seen[f.Name] || strings.Contains(f.Name, " ") {
				continue
			}
			seen[f.Name] = true
			result := ""
			if !f.Volatile && !f.Stable {
				got, err := answer("SELECT " + f.Example)
				if err != nil || len(got) != 1 {
					t.Errorf("the example of %s fails: %s: %v", f.Name, f.Example, err)
					continue
				}
				if g.Title == "Mathematics" && len(got[0][0]) > 12 {
					got[0][0] = got[0][0][:10] + "…" // the last digits depend on the processor
				}
				result = "`" + cell(strings.ReplaceAll(got[0][0], "\n", "⏎")) + "`"
			}
			rows = append(rows, fmt.Sprintf("| `%s` | %s | `%s` | %s |\n", f.Name, cell(f.Help), cell(f.Example), result))
		}
		if len(rows) == 0 {
			continue
		}
		slices.Sort(rows)
		fmt.Fprintf(&b, "### %s\n\n| Function | Gives | Example | Result |\n| --- | --- | --- | --- |\n%s\n", g.Title, strings.Join(rows, ""))
	}
	return b.String()
}

func aggregates() string {
	var b strings.Builder
	b.WriteString("| Function | Gives | Result type |\n| --- | --- | --- |\n")
	seen := map[string]int{}
	var names []string
	types := map[string][]string{}
	help := map[string]string{}
	for _, a := range fn.Aggs() {
		if a.Pending {
			continue
		}
		if seen[a.Name]++; seen[a.Name] == 1 {
			names = append(names, a.Name)
		}
		help[a.Name] = a.Help
		in := a.Signature()
		types[a.Name] = append(types[a.Name], in)
	}
	for _, n := range names {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", n, help[n], cell(strings.Join(types[n], ", ")))
	}
	return b.String()
}
