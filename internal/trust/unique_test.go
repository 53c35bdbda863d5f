package trust

import (
	"strings"
	"testing"

	"myelin/internal/trust/schema"
)

const peoplePlan = `
apiVersion: myelin/v1
kind: TrackingPlan
name: shop
identify:
  unique: {key: traits.email, within: 1d}
  traits: {email: {type: string, pii: email}}
group:
  unique: {key: traits.email, within: 1d}
  traits: {email: {type: string}}
`

// TestUniqueTraits has no named event with a rule, private values, and calls without a name, which do not take each other's values.
func TestUniqueTraits(t *testing.T) { forEachBroker(t, testUniqueTraits) }

func testUniqueTraits(t *testing.T, brokers []string) {
	r := newRig(t, brokers)
	plan, err := schema.Parse("shop.yaml", []byte(peoplePlan))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.judge.SetPlans([]*schema.Plan{plan}, []Source{{Name: "web", WriteKeys: []string{"wk"}, Plan: "shop"}}); err != nil {
		t.Fatal(err)
	}
	r.start(ReleaseConfig{})
	call := func(kind, mid string) string {
		return `{"type":"` + kind + `","messageId":"` + mid + `","userId":"u","groupId":"g","traits":{"email":"ana@shop.example"}}`
	}
	r.produce(r.sealed(call("identify", "i1")), r.sealed(call("group", "g1")), r.sealed(call("identify", "i2")), r.sealed(call("group", "g2")))
	got := r.released(4)
	same(t, summary(got), strings.TrimSpace(`
events g1 valid
events i1 valid
quarantine g2 quarantined duplicate_unique@/traits/email
quarantine i2 quarantined duplicate_unique@/traits/email`))
	for _, rec := range got {
		private := strings.Contains(string(rec.Value), `"got":"a private value"`)
		if told := strings.Contains(string(rec.Value), `"got":"\"ana`); strings.HasPrefix(rec.Topic, "quarantine") && (told == private || private != strings.Contains(string(rec.Value), `"i2"`)) {
			t.Errorf("the violation says %s", rec.Value)
		}
	}
}
