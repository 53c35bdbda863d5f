package oracle_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"myelin/internal/process/fn"
	"myelin/internal/process/plan"
)

var rewrite = flag.Bool("rewrite", false, "write the generated parts of docs/reference/functions.md")

const reference = "../../../docs/reference/functions.md"

// TestReferenceIsCurrent compares the tables of docs/reference/functions.md with the code's own; every example in them runs.
func TestReferenceIsCurrent(t *testing.T) {
	data, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	want := text
	for name, table := range map[string]string{
		"functions": functions(t), "aggregates": aggregates(), "sets": sets(t), "lists": lists(), "windows": windows(t),
	} {
		want = replace(t, want, name, table)
	}
	if want == text {
		return
	}
	if !*rewrite {
		t.Fatal("docs/reference/functions.md is behind the code: go test ./internal/process/oracle -run Reference -rewrite")
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
				got, err := (database{}).run("SELECT " + f.Example)
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

// sets prints the functions that give rows; each example runs.
func sets(t *testing.T) string {
	var b strings.Builder
	b.WriteString("| Function | Gives | Example | Rows |\n| --- | --- | --- | --- |\n")
	for _, f := range fn.Sets() {
		if f.Help == "" {
			continue
		}
		got, err := (database{}).run("SELECT * FROM " + f.Example)
		if err != nil {
			t.Errorf("the example of %s fails: %s: %v", f.Name, f.Example, err)
		}
		var rows []string
		for _, r := range got {
			rows = append(rows, "`"+cell(strings.Join(r, ", "))+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s |\n", f.Name, f.Help, cell(f.Example), strings.Join(rows, " "))
	}
	return b.String()
}

// lists prints the aggregate functions that are made of lists.
func lists() string {
	var b strings.Builder
	b.WriteString("| Function | Written |\n| --- | --- |\n")
	all := plan.ListAggs()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "| `%s` | `%s` |\n", name, all[name])
	}
	return b.String()
}

// windows prints the window functions; each example runs over a small table.
func windows(t *testing.T) string {
	var b strings.Builder
	b.WriteString("| Function | Gives | Example |\n| --- | --- | --- |\n")
	for _, f := range fn.Windows() {
		if _, err := (database{}).run("SELECT " + f.Example + " FROM (VALUES (1, 'a', 2, '/')) t(user_key, at, total, page)"); err != nil {
			t.Errorf("the example of %s fails: %s: %v", f.Name, f.Example, err)
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` |\n", f.Name, f.Help, f.Example)
	}
	return b.String()
}
