package app

import (
	"strings"
	"testing"
	"testing/fstest"
)

func noEnv(string) string { return "" }

func TestABrokenFileLeavesTheRestAsItIs(t *testing.T) {
	p := readProject(fstest.MapFS{
		"plan/a.yaml": {Data: []byte("apiVersion: myelin/v1\nkind: TrackingPlan\nname: a\nevents:\n  E: {properties: {x: {type: string}}}\n")},
		"plan/b.yaml": {Data: []byte("apiVersion: myelin/v1\nkind: TrackingPlan\nname: b\nevnts: {}\n")},
		"sql/a.sql": {Data: []byte("-- Counts everything.\n-- Twice.\nCREATE MATERIALIZED VIEW good AS SELECT count(*) FROM events;\n" +
			"CREATE MATERIALIZED VIEW bad AS SELEC 1;\nSELECT 1;\nCREATE SINK s FROM good WITH (connector = 'webhook', url = '${URL}');\n")},
		"sql/b.sql": {Data: []byte("CREATE TABLE good (a TEXT PRIMARY KEY) WITH (connector = 'file', path = 'x.csv');")},
	}, noEnv)
	if len(p.broken) != 1 || p.broken[0] != "plan/b.yaml" || !p.stuck {
		t.Errorf("broken %v, stuck %v; want plan/b.yaml, and that a statement could not be read", p.broken, p.stuck)
	}
	if len(p.plans) != 1 || p.plans[0].Name != "a" {
		t.Errorf("plans %v; want a alone", p.plans)
	}
	if len(p.objects) != 2 || p.objects[0].Name != "good" || p.objects[1].Name != "s" {
		t.Fatalf("objects %+v; want good and s", p.objects)
	}
	if o := p.objects[0]; o.Description != "Counts everything. Twice." || o.Line != 3 || o.File != "sql/a.sql" || !strings.HasPrefix(o.SQL, "CREATE MATERIALIZED VIEW good") {
		t.Errorf("object %+v", o)
	}
	var got []string
	for _, x := range p.problems {
		got = append(got, x.Error())
	}
	text := strings.Join(got, "\n")
	for _, want := range []string{"plan/b.yaml:4:", "sql/a.sql:4:", "sql/a.sql:5:1", "URL is not set", "sql/b.sql:1:1: good is declared in sql/a.sql:3 already"} {
		if !strings.Contains(text, want) {
			t.Errorf("problems lack %q:\n%s", want, text)
		}
	}
}
