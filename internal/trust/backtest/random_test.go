package backtest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/event"
	"myelin/internal/log"
	"myelin/internal/trust/schema"
)

// TestRandomChangesOfRandomPlansArePredicted backtests random changes of random plans on random traffic, and then applies them to
// the same traffic: per event, app version and verdict the numbers are the same. MYELIN_SOAK_SEEDS says how many are tried.
func TestRandomChangesOfRandomPlansArePredicted(t *testing.T) {
	seeds := 6
	if n, err := strconv.Atoi(os.Getenv("MYELIN_SOAK_SEEDS")); err == nil && n > 0 {
		seeds = n
	}
	var moved, refused int64
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(uint64(seed), 77))
		before, after := randomPlan(rng), randomPlan(rng)
		events := traffic(rng, 250)
		fake, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			t.Fatal(err)
		}
		cluster, err := log.Open(log.Config{Brokers: fake.ListenAddrs()})
		if err != nil {
			t.Fatal(err)
		}
		old := newPipeline(t, cluster, "old", before, events)
		predicted, err := Run(t.Context(), old.traffic, old.judge, judgeOf(t, after), func() bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		for _, side := range []struct {
			applied *pipeline
			want    func(*Row) Counts
		}{{old, func(r *Row) Counts { return r.Before }}, {newPipeline(t, cluster, "new", after, events), func(r *Row) Counts { return r.After }}} {
			if wrong := side.applied.differs(t, events, predicted, side.want); wrong != "" {
				t.Errorf("seed %d: %s\nbefore:\n%s\nafter:\n%s", seed, wrong, before, after)
			}
		}
		for i := range predicted.Rows {
			moved += predicted.Rows[i].changed()
		}
		refused += predicted.After.Quarantined
		cluster.Close()
		fake.Close()
	}
	if moved == 0 || refused == 0 {
		t.Errorf("the plans try too little: %d verdicts differ, %d are quarantined", moved, refused)
	}
	t.Logf("%d seeds: %d verdicts moved", seeds, moved)
}

// differs says where the rows of a report are not what a pipeline really did; "" nowhere.
func (p *pipeline) differs(t *testing.T, events []string, predicted Report, want func(*Row) Counts) string {
	t.Helper()
	got, sent, total := map[place]*Counts{}, map[string]place{}, 0
	for i, text := range events { // rows go by the name that was sent
		sent[fmt.Sprintf("m%d", i)] = judgeDoc(t, text)
	}
	err := p.traffic(t.Context(), func(rec *kgo.Record) bool {
		at := sent[string(event.Header(rec, event.HeaderID))]
		if got[at] == nil {
			got[at] = &Counts{}
		}
		status, _ := event.ParseStatus(string(event.Header(rec, event.HeaderStatus)))
		got[at].add(status, 1)
		total++
		return true
	})
	if err != nil || total != len(events) {
		return fmt.Sprintf("%d events were released, %v", total, err)
	}
	var wrong []string
	for i := range predicted.Rows {
		r := &predicted.Rows[i]
		at := place{r.Event, r.Source, r.AppVersion}
		if got[at] == nil || *got[at] != want(r) {
			wrong = append(wrong, fmt.Sprintf("%s: %v was predicted as %+v and came as %+v", p.name, at, want(r), got[at]))
		}
		delete(got, at)
	}
	for at := range got {
		wrong = append(wrong, fmt.Sprintf("%s: %v was not predicted", p.name, at))
	}
	return strings.Join(wrong, "\n")
}

// randomPlan is a plan with random rules for what traffic sends. Private values are hashed in all of them alike: what was stored
// hashed cannot be judged by another rule.
func randomPlan(rng *rand.Rand) string {
	for {
		text := drawPlan(rng)
		if _, err := schema.Parse("shop.yaml", []byte(text)); err == nil {
			return text
		}
	}
}

func drawPlan(rng *rand.Rand) string {
	pick := func(words ...string) string { return words[rng.IntN(len(words))] }
	action := func() string { return pick("allow", "warn", "drop", "quarantine") }
	var s strings.Builder
	fmt.Fprintf(&s, "apiVersion: myelin/v1\nkind: TrackingPlan\nname: shop\ndefaults: {unplanned_event: %s, misspelled_event: %s, violation: %s, additional_property: %s, null_is_absent: %s}\nevents:\n",
		pick("allow", "warn", "quarantine"), pick("allow", "warn", "fix", "quarantine"), action(), action(), pick("true", "false"))
	properties := func(indent string) {
		for _, p := range []struct {
			name  string
			rules []string
			mends []string
		}{
			{"order_id", []string{"type: string", "type: [string, integer]", "type: string, maxLength: 3", "type: string, minLength: 2", `type: string, pattern: "^o[0-9]+$"`}, []string{"coerce: string", "default: none"}},
			{"total", []string{"type: number", "type: integer", "type: number, maximum: 80", "type: number, minimum: 2", "type: [number, string]", "enum: [1, 99]"}, []string{"coerce: number", "coerce: integer", "default: 0"}},
			{"currency", []string{"type: string", "type: string, enum: [EUR, USD]", "type: string, enum: [EUR, USD, GBP]", "type: string, enum: [eur]", "const: EUR"}, []string{"case: enum", "case: upper", "case: lower", "trim: true", "default: EUR"}},
			{"qty", []string{"type: integer", "type: number", "type: [integer, string]", "type: integer, minimum: 3"}, []string{"coerce: integer", "rename: [quantity]", "rename: [quantity], default: 1"}},
			{"extra", []string{"type: object", "type: object, properties: {a: {type: array, items: {type: integer}}}", "type: object, properties: {a: {type: array, maxItems: 0}}", "type: array"}, []string{"coerce: array"}},
		} {
			if rng.IntN(5) == 0 {
				continue
			}
			rule := pick(p.rules...)
			if rng.IntN(2) == 0 {
				rule += ", required: true"
			}
			switch rng.IntN(4) {
			case 0:
				rule += ", on_error: " + action()
			case 1, 2:
				rule += ", on_error: {" + pick(p.mends...) + pick("", ", action: warn", ", action: drop") + "}"
			}
			fmt.Fprintf(&s, "%s%s: {%s}\n", indent, p.name, rule)
		}
	}
	for _, name := range []string{"Order Completed", "Signed Up", "Product Viewed"} {
		if name != "Order Completed" && rng.IntN(2) == 0 {
			continue
		}
		fmt.Fprintf(&s, "  %s:\n    version: 2-0-0\n", name)
		if rng.IntN(2) == 0 {
			fmt.Fprintf(&s, "    unique: {key: properties.order_id, within: %s}\n", pick("1h", "30d", "2h"))
		}
		if rng.IntN(3) == 0 {
			fmt.Fprintf(&s, "    violation: %s\n", action())
		}
		if rng.IntN(4) == 0 {
			fmt.Fprintf(&s, "    additional: %s\n", pick("true", "false"))
		}
		s.WriteString("    properties:\n      email: {type: string, format: email, transform: hash, on_error: " + pick("warn", "drop", "quarantine") + "}\n")
		properties("      ")
		if rng.IntN(3) == 0 {
			fmt.Fprintf(&s, "    versions:\n      1-0-0:\n        app_version: %q\n        properties:\n          email: {type: string, format: email, transform: hash, on_error: %s}\n", pick("<4.2", ">=4.2", "4.1"), pick("warn", "drop", "quarantine"))
			properties("          ")
		}
	}
	return s.String()
}
