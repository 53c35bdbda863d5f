package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"myelin/internal/event"
)

// TestJSONSchemaTestSuite runs the required cases of both dialects, each schema as a property of a plan and each value in
// an event (testdata/JSON-Schema-Test-Suite, MIT licence).
func TestJSONSchemaTestSuite(t *testing.T) {
	const root = "testdata/JSON-Schema-Test-Suite"
	schemas := remotes(t, filepath.Join(root, "remotes"))
	for dialect, url := range map[string]string{"draft7": "http://json-schema.org/draft-07/schema#", "draft2020-12": "https://json-schema.org/draft/2020-12/schema"} {
		files, err := filepath.Glob(filepath.Join(root, "tests", dialect, "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no cases for %s: %v", dialect, err)
		}
		cases := 0
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var groups []struct {
				Description string
				Schema      json.RawMessage
				Tests       []struct {
					Description string
					Data        json.RawMessage
					Valid       bool
				}
			}
			if err := json.Unmarshal(text, &groups); err != nil {
				t.Fatal(err)
			}
			for _, g := range groups {
				p, err := Parse("plan.yaml", suitePlan(t, g.Schema, url, schemas))
				if err != nil {
					t.Errorf("%s %s: %s: %v", dialect, filepath.Base(file), g.Description, err)
					continue
				}
				for _, test := range g.Tests {
					cases++
					_, v := judge(t, p, &Checker{}, fmt.Sprintf(`{"type":"track","event":"T","userId":"u","properties":{"data":%s}}`, test.Data))
					if (v.Status == event.Accepted) != test.Valid {
						t.Errorf("%s %s: %s: %s: %s, want valid %t", dialect, filepath.Base(file), g.Description, test.Description, show(v), test.Valid)
					}
				}
			}
		}
		t.Logf("%s: %d cases", dialect, cases)
	}
}

func suitePlan(t *testing.T, schema json.RawMessage, dialect string, schemas []byte) []byte {
	var v any
	d := json.NewDecoder(bytes.NewReader(schema))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	if m, ok := v.(map[string]any); ok && m["$schema"] == nil {
		m["$schema"] = dialect
	}
	return []byte("apiVersion: myelin/v1\nkind: TrackingPlan\nname: suite\nschemas: " + string(schemas) +
		"\nevents:\n  T:\n    properties:\n      data: {required: true, schema: " + string(compactJSON(v)) + "}\n")
}

// remotes are the schemas that the suite expects at http://localhost:1234.
func remotes(t *testing.T, root string) []byte {
	m := map[string]any{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".json") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		var v any
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil {
			return err
		}
		m["http://localhost:1234/"+filepath.ToSlash(rel)] = v
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return compactJSON(m)
}
