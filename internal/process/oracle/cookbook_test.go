package oracle_test

import (
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestCookbook runs the recipes of docs/guide/cookbook.md over the events in testdata/cookbook: once, and as views over events that
// come in any order. Both give the rows under the recipe.
func TestCookbook(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/guide/cookbook.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/cookbook/events.sql")
	if err != nil {
		t.Fatal(err)
	}
	d := database{}
	for line := range strings.Lines(string(script)) {
		if _, err := d.run(strings.TrimSpace(line)); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	events := d["events"].rel
	events.AppendOnly = true
	for i, c := range events.Columns {
		if c.Name == "ts" {
			events.TimeCol = i
		}
	}
	recipes := strings.Split(string(doc), "\n## ")[1:]
	if len(recipes) < 9 {
		t.Fatalf("there are only %d recipes", len(recipes))
	}
	r := rand.New(rand.NewPCG(1, 4))
	for _, recipe := range recipes {
		title, _, _ := strings.Cut(recipe, "\n")
		t.Run(title, func(t *testing.T) {
			_, rest, _ := strings.Cut(recipe, "```sql\n")
			query, rest, _ := strings.Cut(rest, "```")
			_, rest, _ = strings.Cut(rest, "```text\n")
			text, _, _ := strings.Cut(rest, "```")
			var want [][]string
			for line := range strings.Lines(text) {
				want = append(want, strings.Split(strings.TrimSpace(line), " | "))
			}
			got, err := d.run(query)
			slices.SortFunc(got, slices.Compare)
			if err != nil || !slices.EqualFunc(got, want, slices.Equal) {
				t.Errorf("once:\n%s", strings.ReplaceAll(strings.ReplaceAll(flat(got, err), "|", " | "), "; ", "\n"))
			}
			got, ok, err := d.stream(query, r)
			slices.SortFunc(canonical(got), slices.Compare)
			slices.SortFunc(canonical(want), slices.Compare)
			if err != nil || !ok || !slices.EqualFunc(got, want, slices.Equal) {
				t.Errorf("as a view: %v %s", ok, flat(got, err))
			}
		})
	}
}
