package app

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"myelin/internal/auth/certs/certtest"
)

// TestMetricsPage compares docs/reference/metrics.md with what a running process exports. With MYELIN_REWRITE it writes the page
// anew.
func TestMetricsPage(t *testing.T) {
	r := runProject(t, certtest.New(t), "sources: [{name: shop, write_keys: [wk]}]\n")
	code, text := r.do(t, "GET", "/metrics", "", "")
	if code != 200 {
		t.Fatal(code)
	}
	help := map[string]string{}
	var exported []string
	for _, line := range strings.Split(text, "\n") {
		name, rest, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE "), " ")
		switch {
		case !strings.HasPrefix(name, "myelin_"):
		case strings.HasPrefix(line, "# HELP "):
			help[name] = rest
		case strings.HasPrefix(line, "# TYPE "):
			exported = append(exported, fmt.Sprintf("| `%s` | %s | %s |", name, rest, help[name]))
		}
	}
	slices.Sort(exported)
	const page = "../../docs/reference/metrics.md"
	doc, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `myelin_.*\\|\n")
	if os.Getenv("MYELIN_REWRITE") != "" {
		at := rows.FindIndex(doc)
		head := string(doc)
		if at != nil {
			head = head[:at[0]]
		}
		rest := rows.ReplaceAllString(string(doc)[len(head):], "")
		if err := os.WriteFile(page, []byte(head+strings.Join(exported, "\n")+"\n"+rest), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	var listed []string
	for _, row := range rows.FindAllString(string(doc), -1) {
		listed = append(listed, strings.TrimSuffix(row, "\n"))
	}
	for _, row := range exported {
		// Gauges whose labels come and go are listed even where there is nothing yet.
		if !slices.Contains(listed, row) {
			t.Errorf("%s does not have %s; MYELIN_REWRITE=1 go test ./internal/app -run MetricsPage writes it", page, row)
		}
	}
	for _, row := range listed {
		name := strings.Split(row, "`")[1]
		if !slices.Contains(exported, row) && name != "myelin_log_group_lag_records" && name != "myelin_tls_expiry_seconds" {
			t.Errorf("%s has %s, which is not exported", page, row)
		}
	}
}
