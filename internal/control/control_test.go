package control

import (
	"context"
	"errors"
	"slices"
	"testing"
)

type memory map[string][]byte

func (m memory) Load(context.Context) (map[string][]byte, error) { return m, nil }

func (m memory) Save(_ context.Context, key string, value []byte) error {
	if value == nil {
		delete(m, key)
		return nil
	}
	m[key] = value
	return nil
}

func names(r *Registry) []string {
	objects, _ := r.Snapshot()
	var out []string
	for _, o := range objects {
		out = append(out, o.Name)
	}
	return out
}

func TestReconcileOwnsOnlyWhatFilesDeclare(t *testing.T) {
	store := memory{}
	r, err := Open(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Put(t.Context(), Object{Name: "mine", Kind: View, SQL: "SELECT 1"}); err != nil {
		t.Fatal(err)
	}
	first := []Object{{Name: "a", Kind: View, SQL: "1"}, {Name: "crm", Kind: Table, SQL: "t"}}
	if ch, err := r.Reconcile(first, false); err != nil || !slices.Equal(ch.Created, []string{"a", "crm"}) {
		t.Fatalf("change %+v, %v", ch, err)
	}
	if got := names(r); !slices.Equal(got, []string{"crm", "a", "mine"}) {
		t.Errorf("objects %v; want tables before views", got)
	}
	second := []Object{{Name: "a", Kind: View, SQL: "2"}}
	ch, err := r.Reconcile(second, false)
	if err != nil || !slices.Equal(ch.Updated, []string{"a"}) || !slices.Equal(ch.Kept, []string{"crm"}) {
		t.Fatalf("change %+v, %v; want a updated and crm kept without prune", ch, err)
	}
	ch, err = r.Reconcile(second, true)
	if err != nil || !slices.Equal(ch.Removed, []string{"crm"}) {
		t.Fatalf("change %+v, %v; want crm removed", ch, err)
	}
	if got := names(r); !slices.Equal(got, []string{"a", "mine"}) {
		t.Errorf("objects %v; what a person made must stay", got)
	}
}

func TestFilesAndPeopleDoNotTakeEachOthersNames(t *testing.T) {
	r, err := Open(t.Context(), memory{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Reconcile([]Object{{Name: "a", Kind: View, SQL: "1", File: "sql/a.sql", Line: 3}}, false); err != nil {
		t.Fatal(err)
	}
	var owned *OwnedError
	if err := r.Put(t.Context(), Object{Name: "a", Kind: View}); !errors.As(err, &owned) {
		t.Errorf("putting over a file's object: %v", err)
	}
	if err := r.Drop(t.Context(), "a"); !errors.As(err, &owned) {
		t.Errorf("dropping a file's object: %v", err)
	}
	if err := r.Put(t.Context(), Object{Name: "b", Kind: View}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Reconcile([]Object{{Name: "b", Kind: View}}, true); !errors.As(err, &owned) {
		t.Errorf("declaring a person's object: %v", err)
	}
	if got := names(r); !slices.Equal(got, []string{"b", "a"}) && !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("objects %v after a refused reconciliation", got)
	}
}

func TestWhatPeopleMadeSurvivesARestart(t *testing.T) {
	store := memory{}
	r, err := Open(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	changed := r.Changed()
	if err := r.Put(t.Context(), Object{Name: "mine", Kind: Sink, SQL: "CREATE SINK mine"}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
	default:
		t.Error("a change did not wake the watcher")
	}
	again, err := Open(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	if got := names(again); !slices.Equal(got, []string{"mine"}) {
		t.Errorf("objects after a restart: %v", got)
	}
	if err := again.Drop(t.Context(), "mine"); err != nil {
		t.Fatal(err)
	}
	if len(store) != 0 {
		t.Errorf("the store still has %v", store)
	}
}

func TestARegistryLearnsWhatOthersMake(t *testing.T) {
	r, err := Open(t.Context(), memory{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Reconcile([]Object{{Name: "a", Kind: View, SQL: "1"}}, false); err != nil {
		t.Fatal(err)
	}
	before := r.Changed()
	text := []byte(`{"name":"v","kind":"view","sql":"SELECT 1","owner":"people"}`)
	for i, want := range []bool{true, false} {
		if changed, err := r.Learn("v", text); err != nil || changed != want {
			t.Fatalf("learning it for the %d. time: changed %v, %v", i+1, changed, err)
		}
	}
	select {
	case <-before:
	default:
		t.Error("nobody was told")
	}
	if changed, _ := r.Learn("a", nil); changed {
		t.Error("a file's object was removed by somebody else")
	}
	if _, err := r.Learn("x", []byte("{")); err == nil {
		t.Error("an object that cannot be read was learnt")
	}
	if changed, err := r.Learn("v", nil); err != nil || !changed || !slices.Equal(names(r), []string{"a"}) {
		t.Errorf("after the removal there are %v", names(r))
	}
}
