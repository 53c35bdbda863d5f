package app

import (
	"strings"
	"testing"

	"myelin/internal/config"
	"myelin/internal/control"
	"myelin/internal/trust"
)

func TestABrokenChangeLeavesAnObjectAsItRan(t *testing.T) {
	n := &node{cfg: config.Default(), doorstage: &doorstage{judge: trust.NewJudge(nil)}}
	view := func(name, query string) control.Object {
		return control.Object{Name: name, Kind: control.View, SQL: "CREATE MATERIALIZED VIEW " + name + " AS " + query, File: "sql/a.sql", Line: 1}
	}
	base, top := view("base", "SELECT event, count(*) AS n FROM events GROUP BY event"), view("top", "SELECT max(n) AS most FROM base")
	before := n.bindObjects([]control.Object{base, top}, nil)
	if len(before.problems) != 0 || len(before.engine.Views) != 2 {
		t.Fatalf("problems %v", before.problems)
	}
	broken, fresh := view("base", "SELECT event, count(*) AS n FROM eventz GROUP BY event"), view("fresh", "SELECT nope FROM events")
	after := n.bindObjects([]control.Object{broken, top, fresh}, before.running)
	if after.running["base"].SQL != base.SQL || after.running["top"].SQL != top.SQL || len(after.running) != 2 {
		t.Errorf("running %v; want base and top as they were", after.running)
	}
	if len(after.problems) != 2 || !strings.Contains(after.problems[0].Message, "it goes on as it was before") || !strings.Contains(after.problems[1].Message, "view fresh") {
		t.Errorf("problems %v; want those of base and fresh", after.problems)
	}
	if again := n.bindObjects([]control.Object{broken}, after.running); again.running["base"].SQL != base.SQL {
		t.Error("the second try forgets the object that ran")
	}
	if lost := n.bindObjects([]control.Object{top}, nil).lost([]control.Object{top}, before); len(lost) != 1 || lost[0] != "top" {
		t.Errorf("without base, %v is lost; want top", lost)
	}
}
