package app

import (
	"path/filepath"
	"testing"
)

// TestLineageTellsNoPathsOfThisMachine names files of tables as they stand in the project.
func TestLineageTellsNoPathsOfThisMachine(t *testing.T) {
	project := t.TempDir()
	for file, want := range map[string]string{
		filepath.Join(project, "data", "crm.csv"): "data/crm.csv",
		"data/crm.csv": "data/crm.csv",
		filepath.Join(filepath.Dir(project), "elsewhere.jsonl"): "elsewhere.jsonl",
	} {
		if got := inProject(project, file); got != want {
			t.Errorf("%s is called %s, want %s", file, got, want)
		}
	}
}
