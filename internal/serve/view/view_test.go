package view_test

import (
	"fmt"
	"testing"

	"myelin/internal/process/plan"
	"myelin/internal/serve/view"
)

func put(d *view.Directory, schema, name string) {
	d.Put(view.Entry{Relation: &plan.Relation{Schema: schema, Name: name}})
}

func TestIdentifiersAreStable(t *testing.T) {
	oids := map[string]uint32{}
	for round := range 2 { // the second is another process, which makes things in another order
		d := view.New()
		for i := range 200 {
			if round == 1 {
				i = 199 - i
			}
			put(d, "", fmt.Sprint("view", i))
		}
		seen := map[uint32]bool{}
		for _, e := range d.Snapshot().All() {
			if e.OID < 16384 || e.OID >= 1<<25 || seen[e.OID] {
				t.Fatalf("%s has the identifier %d", e.Relation.Name, e.OID)
			}
			seen[e.OID] = true
			if old := oids[e.Relation.Name]; old != 0 && old != e.OID {
				t.Errorf("%s was %d and is %d", e.Relation.Name, old, e.OID)
			}
			oids[e.Relation.Name] = e.OID
			if back, ok := d.Snapshot().ByOID(e.OID); !ok || back != e {
				t.Errorf("%d is not found", e.OID)
			}
		}
	}
}

func TestAReplacedOrRemadeRelationKeepsItsIdentifier(t *testing.T) {
	d := view.New()
	put(d, "", "a")
	before, _ := d.Snapshot().Lookup("", "a")
	put(d, "public", "a")
	d.Drop("", "a")
	if _, ok := d.Snapshot().Lookup("public", "a"); ok {
		t.Fatal("dropped, but found")
	}
	put(d, "", "a")
	if after, _ := d.Snapshot().Lookup("public", "a"); after == before || after.OID != before.OID {
		t.Fatalf("%d became %d", before.OID, after.OID)
	}
}

func TestASnapshotDoesNotChange(t *testing.T) {
	d := view.New()
	put(d, "marts", "a")
	s := d.Snapshot()
	put(d, "", "b")
	d.Drop("marts", "a")
	if _, ok := s.Lookup("marts", "a"); !ok || len(s.All()) != 1 || s.Version == d.Snapshot().Version {
		t.Fatalf("%+v", s)
	}
	if _, ok := s.Lookup("", "a"); ok {
		t.Fatal("found in the wrong schema")
	}
}
