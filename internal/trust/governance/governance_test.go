package governance_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"myelin/internal/auth/role"
	"myelin/internal/clock"
	"myelin/internal/trust/governance"
)

type record struct {
	key   string
	value []byte
}

// journal is a list in memory. Its records can be tampered with.
type journal struct{ records []record }

func (j *journal) Append(_ context.Context, key string, value []byte) error {
	j.records = append(j.records, record{key, slices.Clone(value)})
	return nil
}

func (j *journal) Read(_ context.Context, each func(string, []byte)) error {
	for _, r := range j.records {
		each(r.key, r.value)
	}
	return nil
}

type table map[string][]byte

func (t table) Load(context.Context) (map[string][]byte, error) { return t, nil }

func (t table) Save(_ context.Context, key string, value []byte) error {
	if value == nil {
		delete(t, key)
		return nil
	}
	t[key] = value
	return nil
}

type files map[string]string

func (f files) Read(name string) (string, error) { return f[name], nil }
func (f files) Write(name, text string) error    { f[name] = text; return nil }
func (f files) Check(_, text string) error {
	if text == "broken" {
		return errors.New("it is broken")
	}
	return nil
}

var (
	marketer = role.Person{Name: "mia", Role: role.Marketer}
	engineer = role.Person{Name: "eli", Role: role.Engineer}
	viewer   = role.Person{Name: "vic", Role: role.Viewer}
	start    = clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
)

func openAudit(t *testing.T, j *journal, node string) *governance.Audit {
	t.Helper()
	a, err := governance.OpenAudit(t.Context(), j, start, node)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func write(t *testing.T, a *governance.Audit, n int) {
	t.Helper()
	for range n {
		if err := a.Record(t.Context(), engineer, "view.create", "revenue", map[string]string{"sql": "SELECT 1", "a": "b"}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAuditChainHoldsOverRestartsAndNodes(t *testing.T) {
	j := &journal{}
	write(t, openAudit(t, j, "one"), 3)
	write(t, openAudit(t, j, "two"), 2)
	a := openAudit(t, j, "one")
	write(t, a, 2)
	v, err := a.Verify(t.Context())
	if err != nil || !v.Intact || v.Entries != 7 {
		t.Fatalf("got %+v, %v", v, err)
	}
	if seq, head := a.Head(); seq != 5 || head != v.Heads["one"] {
		t.Errorf("the head is %d %s, not 5 %s", seq, head, v.Heads["one"])
	}
	if r := a.Recent(2); len(r) != 2 || r[0].Seq != 5 || r[1].Seq != 4 {
		t.Errorf("recent: %+v", r)
	}
}

func TestTamperingIsFound(t *testing.T) {
	for name, tamper := range map[string]func(*journal){
		"changed": func(j *journal) {
			j.records[2].value = bytes.Replace(j.records[2].value, []byte("eli"), []byte("bob"), 1)
		},
		"removed":  func(j *journal) { j.records = slices.Delete(j.records, 1, 2) },
		"swapped":  func(j *journal) { j.records[1], j.records[2] = j.records[2], j.records[1] },
		"inserted": func(j *journal) { j.records = slices.Insert(j.records, 3, j.records[1]) },
		"garbled":  func(j *journal) { j.records[3].value = []byte("{") },
		"cut":      func(j *journal) { j.records = j.records[:3] },
		"moved":    func(j *journal) { j.records[0].key = "other" },
	} {
		j := &journal{}
		a := openAudit(t, j, "one")
		write(t, a, 5)
		tamper(j)
		if v, err := a.Verify(t.Context()); err != nil || v.Intact {
			t.Errorf("%s: nothing was found: %+v, %v", name, v, err)
		}
	}
}

func TestRetriedAppendIsOneEntry(t *testing.T) {
	j := &journal{}
	a := openAudit(t, j, "one")
	write(t, a, 2)
	j.records = append(j.records, j.records[1])
	if v, err := a.Verify(t.Context()); err != nil || !v.Intact {
		t.Errorf("got %+v, %v", v, err)
	}
}

func openProposals(t *testing.T, tb table, f files, j *journal) *governance.Proposals {
	t.Helper()
	p, err := governance.OpenProposals(t.Context(), tb, openAudit(t, j, "one"), f, start, true)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAnApprovedProposalBecomesTheFile(t *testing.T) {
	tb, f, j := table{}, files{"plan/shop.yaml": "old"}, &journal{}
	p := openProposals(t, tb, f, j)
	x, err := p.Create(t.Context(), marketer, governance.Draft{Title: "Coupons", File: "plan/shop.yaml", Base: "old", Text: "new"})
	if err != nil {
		t.Fatal(err)
	}
	p = openProposals(t, tb, f, j) // a restart
	if _, err := p.Apply(t.Context(), engineer, x.ID); !errors.Is(err, governance.ErrState) {
		t.Errorf("an open proposal was applied: %v", err)
	}
	if _, err := p.Approve(t.Context(), engineer, x.ID, "fine"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(t.Context(), marketer, x.ID); err == nil {
		t.Error("a marketer applied")
	}
	if x, err = p.Apply(t.Context(), engineer, x.ID); err != nil || x.State != governance.Applied || f["plan/shop.yaml"] != "new" {
		t.Fatalf("%+v, %v, %v", x, err, f)
	}
	if len(j.records) != 3 || len(x.Decisions) != 2 {
		t.Errorf("%d audit entries, %d decisions", len(j.records), len(x.Decisions))
	}
}

// TestProposalsAreBounded makes what is too long, which leaves no trace in the audit log, and then more than is kept.
func TestProposalsAreBounded(t *testing.T) {
	tb, j := table{}, &journal{}
	p := openProposals(t, tb, files{}, j)
	draft := governance.Draft{Title: "t", File: "plan/shop.yaml", Text: "new"}
	for _, change := range []func(*governance.Draft){
		func(d *governance.Draft) { d.Title = strings.Repeat("é", 201) },
		func(d *governance.Draft) { d.Reason = strings.Repeat("é", 4001) },
		func(d *governance.Draft) { d.Text = strings.Repeat("\n", 460_000) }, // two bytes each when it is stored
	} {
		d := draft
		change(&d)
		if _, err := p.Create(t.Context(), engineer, d); err == nil {
			t.Errorf("a proposal with %d, %d, %d bytes was taken", len(d.Title), len(d.Reason), len(d.Text))
		}
	}
	if len(j.records) != 0 {
		t.Errorf("%d entries of the audit log tell of what never was", len(j.records))
	}
	draft.Text = strings.Repeat("x", 800_000)
	var first governance.Proposal
	for i := range 100 {
		x, err := p.Create(t.Context(), engineer, draft)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = x
		}
		start.Advance(time.Second)
		if _, err := p.Withdraw(t.Context(), engineer, x.ID, strings.Repeat("é", 4001)); err == nil {
			t.Fatal("a comment of 4001 characters was taken")
		}
		if _, err := p.Withdraw(t.Context(), engineer, x.ID, ""); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(p.List()); n > 85 || n < 70 || len(tb) != n {
		t.Errorf("%d proposals of 800 KB are kept, %d stored", n, len(tb))
	}
	if _, err := p.Find(first.ID); !errors.Is(err, governance.ErrNotFound) {
		t.Errorf("the first is still there: %v", err)
	}
}

// TestProposalsOfSeveralProcesses proposes at one, decides at another, and leaves something in the table that nobody can read.
func TestProposalsOfSeveralProcesses(t *testing.T) {
	tb, j := table{"junk": []byte("{"), "moved": []byte(`{"id":"other"}`)}, &journal{}
	one, two := openProposals(t, tb, files{}, j), openProposals(t, tb, files{}, j)
	x, err := one.Create(t.Context(), marketer, governance.Draft{Title: "t", File: "plan/shop.yaml", Text: "new"})
	if err != nil {
		t.Fatal(err)
	}
	if err := two.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := two.Reject(t.Context(), engineer, x.ID, "no"); err != nil {
		t.Fatal(err)
	}
	if err := one.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Approve(t.Context(), engineer, x.ID, "yes"); !errors.Is(err, governance.ErrState) {
		t.Errorf("what another process rejected was approved: %v", err)
	}
	if d := one.Damaged(); !slices.Equal(d, []string{"junk", "moved"}) || len(tb) != 3 {
		t.Errorf("damaged are %v, of %d", d, len(tb))
	}
}

func TestProposalsAreRefused(t *testing.T) {
	f := files{"plan/shop.yaml": "old"}
	p := openProposals(t, table{}, f, &journal{})
	draft := governance.Draft{File: "plan/shop.yaml", Base: "old", Text: "new"}
	if _, err := p.Create(t.Context(), viewer, draft); err == nil {
		t.Error("a viewer proposed")
	}
	for _, name := range []string{"../plan/x.yaml", "plan/../../x.yaml", "myelin.yaml", "plan/x.sh", "plan/a/b.yaml", "plan/.yaml", "plan/.hidden.yaml", "plan/a\x00.yaml", "plan/a\n.yaml"} {
		if _, err := p.Create(t.Context(), engineer, governance.Draft{File: name, Text: "x"}); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if _, err := p.Create(t.Context(), engineer, governance.Draft{File: "plan/shop.yaml", Text: "broken"}); err == nil {
		t.Error("a broken plan was accepted")
	}
	x, err := p.Create(t.Context(), engineer, draft)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Approve(t.Context(), engineer, x.ID, ""); !errors.Is(err, governance.ErrOwn) {
		t.Errorf("approved by its author: %v", err)
	}
	if _, err := p.Approve(t.Context(), role.Person{Name: "ada", Role: role.Admin}, x.ID, ""); err != nil {
		t.Fatal(err)
	}
	f["plan/shop.yaml"] = "changed meanwhile"
	if _, err := p.Apply(t.Context(), engineer, x.ID); !errors.Is(err, governance.ErrStale) {
		t.Errorf("a stale proposal was applied: %v", err)
	}
	if _, err := p.Approve(t.Context(), engineer, "nothing", ""); !errors.Is(err, governance.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}
