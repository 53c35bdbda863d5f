package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// suiteCase is one schema of the JSON-Schema-Test-Suite with its values.
type suiteCase struct {
	file, name string
	values     []struct {
		Description string
		Data        json.RawMessage
		Valid       bool
	}
}

const suiteRoot = "../../internal/trust/schema/testdata/JSON-Schema-Test-Suite"

// TestJSONSchemaTestSuiteThroughTheDoor puts every required schema of both dialects into a tracking plan of a running
// myelin, each as an event, and sends its values through POST /v1/validate.
func TestJSONSchemaTestSuiteThroughTheDoor(t *testing.T) {
	files := project{"myelin.yaml": "sources:\n"}
	cases := map[string][]suiteCase{}
	for dialect, url := range map[string]string{"draft7": "http://json-schema.org/draft-07/schema#", "draft2020-12": "https://json-schema.org/draft/2020-12/schema"} {
		plan, list := suitePlan(t, dialect, url)
		name := strings.ReplaceAll(dialect, "-", "")
		files["plan/"+name+".yaml"] = plan
		files["myelin.yaml"] += fmt.Sprintf("  - {name: %s, write_keys: [wk_%s], plan: %s}\n", name, name, name)
		cases[name] = list
	}
	s := run(t, files)
	for name, list := range cases {
		n := 0
		for i, c := range list {
			var calls []map[string]any
			for _, v := range c.values {
				calls = append(calls, map[string]any{"type": "track", "event": fmt.Sprintf("Case %04d", i), "userId": "u", "properties": map[string]any{"data": v.Data}})
			}
			verdicts := s.validate(t, "wk_"+name, calls)
			for k, v := range c.values {
				n++
				if (verdicts[k].Status == "valid") != v.Valid {
					t.Errorf("%s %s: %s: %s: %+v, want valid %t", name, c.file, c.name, v.Description, verdicts[k], v.Valid)
				}
			}
		}
		t.Logf("%s: %d cases", name, n)
		if n < 900 {
			t.Errorf("%s: only %d cases", name, n)
		}
	}
}

type verdict struct {
	Status     string
	Violations []struct{ Code, Path string }
}

// validate asks for the verdicts of calls.
func (s *server) validate(t *testing.T, key string, calls []map[string]any) []verdict {
	t.Helper()
	body, err := json.Marshal(map[string]any{"batch": calls})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, s.url("/v1/validate"), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(key, "")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ Results []verdict }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || len(answer.Results) != len(calls) {
		t.Fatalf("%s: %d verdicts for %d calls, %v", resp.Status, len(answer.Results), len(calls), err)
	}
	return answer.Results
}

// suitePlan is a plan with an event per schema of a dialect.
func suitePlan(t *testing.T, dialect, url string) (string, []suiteCase) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(suiteRoot, "tests", dialect, "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases for %s: %v", dialect, err)
	}
	var plan strings.Builder
	plan.WriteString("apiVersion: myelin/v1\nkind: TrackingPlan\nname: " + strings.ReplaceAll(dialect, "-", "") + "\nschemas: " + suiteRemotes(t) + "\nevents:\n")
	var list []suiteCase
	for _, path := range paths {
		var groups []struct {
			Description string
			Schema      any
			Tests       json.RawMessage
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&groups); err != nil {
			t.Fatal(err)
		}
		for _, g := range groups {
			if m, ok := g.Schema.(map[string]any); ok && m["$schema"] == nil {
				m["$schema"] = url
			}
			fmt.Fprintf(&plan, "  Case %04d: {properties: {data: {required: true, schema: %s}}}\n", len(list), yamlJSON(t, g.Schema))
			c := suiteCase{file: filepath.Base(path), name: g.Description}
			if err := json.Unmarshal(g.Tests, &c.values); err != nil {
				t.Fatal(err)
			}
			list = append(list, c)
		}
	}
	return plan.String(), list
}

// suiteRemotes are the schemas that the suite expects at http://localhost:1234.
func suiteRemotes(t *testing.T) string {
	t.Helper()
	all := map[string]any{}
	root := filepath.Join(suiteRoot, "remotes")
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".json" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var v any
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		all["http://localhost:1234/"+filepath.ToSlash(rel)] = v
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return yamlJSON(t, all)
}

// yamlJSON writes JSON that is YAML, too: not every escape of one is one of the other.
func yamlJSON(t *testing.T, v any) string {
	t.Helper()
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}
