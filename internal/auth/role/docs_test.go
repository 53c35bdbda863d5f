package role_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"myelin/internal/auth/role"
)

func TestTheGuideShowsTheTable(t *testing.T) {
	page, err := os.ReadFile("../../../docs/guide/governance.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range role.Table {
		cells := make([]string, len(role.All))
		for i, r := range role.All {
			if slices.Contains(g.Roles, r) {
				cells[i] = "yes"
			}
		}
		if row := "| " + g.Help + " | " + strings.Join(cells, " | ") + " |\n"; !strings.Contains(string(page), row) {
			t.Errorf("docs/guide/governance.md does not have %s", row)
		}
	}
}
