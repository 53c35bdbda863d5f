package incident_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"myelin/internal/auth/role"
	"myelin/internal/clock"
	"myelin/internal/trust/incident"
	"myelin/internal/trust/watch"
)

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

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func at(minute int) time.Time { return noon.Add(time.Duration(minute) * time.Minute) }

var marketer = role.Person{Name: "mia", Role: role.Marketer}

func open(t *testing.T, tb table) (*incident.Manager, *clock.Manual) {
	t.Helper()
	c := clock.NewManual(noon)
	m, err := incident.OpenManager(t.Context(), incident.Config{Table: tb, Clock: c,
		Feeds: func(_, event, view string) bool { return event == "Order Completed" && view == "revenue_per_minute" }})
	if err != nil {
		t.Fatal(err)
	}
	return m, c
}

func found(t *testing.T, m *incident.Manager, fs ...watch.Finding) {
	t.Helper()
	if err := m.Found(t.Context(), fs); err != nil {
		t.Fatal(err)
	}
}

func nulls(open bool, minute int) watch.Finding {
	return watch.Finding{Kind: watch.Nulls, Source: "shop-ios", Event: "Order Completed", Property: "currency", Open: open, Since: at(5), At: at(minute),
		Observed: 0.2, Expected: 0.001, Unit: "share", Affected: 12,
		Causes:  []watch.Cause{{Dimension: "app version", Value: "4.2", ShareOfBad: 0.98, ShareOfAll: 0.3}},
		Release: &watch.Release{Version: "4.2", FirstSeen: at(1)}}
}

func gone(event string, minute int, open bool) watch.Finding {
	return watch.Finding{Kind: watch.Missing, Source: "shop-ios", Event: event, Open: open, Since: at(minute - 8), At: at(minute), Expected: 14, Unit: "events"}
}

func TestTitlesAreInPlainWords(t *testing.T) {
	for _, c := range []struct {
		f    watch.Finding
		want string
	}{
		{nulls(true, 9), "Order Completed from shop-ios 4.2 lost `currency` in 20 % of events since 12:05 UTC"},
		{gone("Order Completed", 10, true), "No Order Completed has come from shop-ios since 12:02 UTC"},
		{gone("", 10, true), "No events have come from shop-ios since 12:02 UTC"},
		{watch.Finding{Kind: watch.Drop, Source: "web", Event: "Signed Up", Observed: 48, Expected: 100, Since: at(-1440), At: at(0), Open: true, Unit: "events"},
			"Signed Up from web fell by 52 % since 1 March 12:00 UTC"},
		{watch.Finding{Kind: watch.Rise, Source: "web", Event: "Signed Up", Observed: 210, Expected: 100, Since: at(0), At: at(0), Open: true, Unit: "events"},
			"Signed Up from web rose to 2.1 times the usual since 12:00 UTC"},
		{watch.Finding{Kind: watch.TypeMix, Source: "web", Event: "Signed Up", Property: "age", Value: "string", Note: "number", Since: at(0), At: at(0), Open: true},
			"Signed Up from web has text instead of a number in `age` since 12:00 UTC"},
		{watch.Finding{Kind: watch.Column, View: "revenue_per_minute", ColumnName: "revenue", Observed: 1200.4, Expected: 5000, Since: at(0), At: at(0), Open: true},
			"revenue in revenue_per_minute is 1,200 instead of about 5,000 since 12:00 UTC"},
	} {
		m, _ := open(t, table{})
		found(t, m, c.f)
		if is := m.List("", 10); len(is) != 1 || is[0].Title != c.want {
			t.Errorf("got %+v, want %q", is, c.want)
		}
	}
}

// TestOneEventIsSaidToBeOne follows the first event with a wrong type: it is not critical, and what is said changes with the second.
func TestOneEventIsSaidToBeOne(t *testing.T) {
	m, _ := open(t, table{})
	f := watch.Finding{Kind: watch.TypeMix, Source: "web", Event: "Signed Up", Property: "age", Value: "string", Note: "number", Since: at(0), At: at(0), Open: true,
		Observed: 1, Unit: "share", Affected: 1}
	found(t, m, f)
	i := m.List("", 1)[0]
	if i.Title != "Signed Up from web has text instead of a number in `age` in one event so far, at 12:00 UTC" || i.Severity != incident.Warning {
		t.Errorf("got %q, %s", i.Title, i.Severity)
	}
	if !strings.Contains(i.Explanation, "resolves itself") || !strings.Contains(i.NextStep, "A test needs nothing") {
		t.Errorf("got %q, %q", i.Explanation, i.NextStep)
	}
	id := i.ID
	end := f
	end.Open, end.At, end.Note = false, at(400), "nothing followed"
	other, _ := open(t, table{})
	found(t, other, f)
	found(t, other, end)
	if i, err := other.Find(id); err != nil || i.State != incident.Resolved || i.Resolution != "nothing followed" {
		t.Errorf("got %+v, %v", i, err)
	}
	f.Affected, f.At = 3, at(9)
	found(t, m, f)
	if i := m.List("", 1)[0]; i.ID != id || i.Title != "Signed Up from web has text instead of a number in `age` since 12:00 UTC" || i.Severity != incident.Critical {
		t.Errorf("got %q, %s", i.Title, i.Severity)
	}
}

func TestOneCauseIsOneIncident(t *testing.T) {
	m, _ := open(t, table{})
	found(t, m, gone("Order Completed", 10, true), gone("Product Viewed", 12, true))
	found(t, m, gone("", 14, true), watch.Finding{Kind: watch.Drop, Source: "shop-ios", Event: "Order Completed", Observed: 3, Expected: 100, Since: at(2), At: at(20), Open: true, Unit: "events"})
	found(t, m, watch.Finding{Kind: watch.Column, View: "revenue_per_minute", ColumnName: "revenue", Observed: 1, Expected: 5000, Since: at(5), At: at(25), Open: true, Unit: "value"})
	is := m.List("", 10)
	if len(is) != 1 || len(is[0].Members) != 5 || is[0].Title != "No events have come from shop-ios since 12:02 UTC" || is[0].Severity != incident.Critical {
		t.Fatalf("got %+v", is)
	}
	found(t, m, nulls(true, 30)) // another cause
	if is := m.List("", 10); len(is) != 2 {
		t.Errorf("%d incidents", len(is))
	}
}

func TestAnIncidentEndsWithTheLastOfItsFindings(t *testing.T) {
	tb := table{}
	m, _ := open(t, tb)
	found(t, m, nulls(true, 9), watch.Finding{Kind: watch.Violations, Source: "shop-ios", Event: "Order Completed", Property: "currency", Open: true, Since: at(6), At: at(9), Observed: 0.2, Unit: "share"})
	found(t, m, nulls(false, 40))
	m, _ = open(t, tb) // a restart
	if is := m.List("", 10); len(is) != 1 {
		t.Fatalf("%d are open", len(is))
	}
	end := watch.Finding{Kind: watch.Violations, Source: "shop-ios", Event: "Order Completed", Since: at(6), At: at(50), Unit: "share"}
	found(t, m, end)
	is := m.List("resolved", 10)
	if len(is) != 1 || is[0].Resolution != "recovered" || is[0].ResolvedAt == nil || !is[0].ResolvedAt.Equal(at(50)) {
		t.Fatalf("got %+v", is)
	}
	found(t, m, nulls(true, 9)) // told again after a crash: it is the same one, and it is back
	if all := m.List("all", 10); len(all) != 1 {
		t.Errorf("%d incidents", len(all))
	}
}

func TestPeopleHandleIncidents(t *testing.T) {
	m, c := open(t, table{})
	found(t, m, nulls(true, 9))
	id := m.List("", 1)[0].ID
	if _, err := m.Acknowledge(t.Context(), role.Person{Name: "vic", Role: role.Viewer}, id, ""); err == nil {
		t.Error("a viewer acknowledged")
	}
	if i, err := m.Acknowledge(t.Context(), marketer, id, "on it"); err != nil || i.State != incident.Acknowledged || i.Assignee != "mia" {
		t.Errorf("got %+v, %v", i, err)
	}
	if i, err := m.Mute(t.Context(), marketer, id, "", time.Time{}); err != nil || i.MutedUntil == nil {
		t.Errorf("got %+v, %v", i, err)
	}
	c.Advance(25 * time.Hour)
	if err := m.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	if i, _ := m.Find(id); i.State != incident.Open {
		t.Errorf("after the mute it is %s", i.State)
	}
	if _, err := m.Resolve(t.Context(), marketer, id, "the app store has the fix"); err != nil {
		t.Fatal(err)
	}
	found(t, m, nulls(true, 60)) // it goes on from the same onset: somebody has decided
	if is := m.List("", 10); len(is) != 0 {
		t.Errorf("it came back: %+v", is)
	}
	i, _ := m.Find(id)
	var verbs []string
	for _, s := range i.History {
		verbs = append(verbs, s.Verb)
	}
	if got := strings.Join(verbs, " "); got != "opened acknowledged muted unmuted resolved" {
		t.Errorf("history: %s", got)
	}
}

// TestAnIncidentAlwaysFitsIntoARecord has its history filled with the longest comments.
func TestAnIncidentAlwaysFitsIntoARecord(t *testing.T) {
	tb := table{}
	m, _ := open(t, tb)
	found(t, m, nulls(true, 9))
	id := m.List("", 1)[0].ID
	if _, err := m.Acknowledge(t.Context(), marketer, id, strings.Repeat("é", 2001)); err == nil {
		t.Error("a comment of 2001 characters was taken")
	}
	for range 60 {
		if _, err := m.Acknowledge(t.Context(), marketer, id, strings.Repeat("\U0001F4C8", 2000)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(tb[id]); n > 500_000 {
		t.Errorf("the incident has %d bytes", n)
	}
	if _, err := m.Mute(t.Context(), marketer, id, "", time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -23*3600))); err == nil {
		t.Error("it was muted for ever")
	}
}

func TestDamagedIncidentsAreLeftOut(t *testing.T) {
	tb := table{}
	m, _ := open(t, tb)
	found(t, m, nulls(true, 9))
	tb["i-junk"], tb["i-moved"] = []byte("{"), []byte(`{"id":"i-other"}`)
	m, _ = open(t, tb)
	if is := m.List("all", 10); len(is) != 1 {
		t.Errorf("%d incidents are there", len(is))
	}
}

func TestSilenceOfSeveralSourcesIsOneIncident(t *testing.T) {
	m, _ := open(t, table{})
	a, b := gone("", 10, true), gone("", 12, true)
	b.Source = "shop-web"
	found(t, m, a, b)
	if is := m.List("", 10); len(is) != 1 || is[0].Title != "No events have come from shop-ios and shop-web since 12:02 UTC" {
		t.Errorf("got %+v", is)
	}
}
