package schema

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"myelin/internal/event"
	"myelin/internal/tape"
)

// orderPlan and orderEvent are the measure of the verdict's speed: an order of 15 properties with two products.
const orderPlan = `
apiVersion: myelin/v1
kind: TrackingPlan
name: shop
events:
  Order Completed:
    version: 1-0-2
    additional: false
    properties:
      order_id: {type: string, required: true, minLength: 3, maxLength: 64, pattern: "^o_[a-z0-9]+$"}
      checkout_id: {type: string, required: true}
      affiliation: {type: string}
      total: {type: number, required: true, minimum: 0}
      subtotal: {type: number, minimum: 0}
      revenue: {type: number, required: true, minimum: 0}
      shipping: {type: number, minimum: 0}
      tax: {type: number, minimum: 0}
      discount: {type: number, minimum: 0}
      coupon: {type: string, maxLength: 20}
      currency: {type: string, required: true, enum: [EUR, USD, GBP]}
      payment_method: {type: string, enum: [card, paypal, invoice, klarna]}
      is_first: {type: boolean}
      placed_at: {type: string, format: date-time}
      products:
        type: array
        minItems: 1
        maxItems: 100
        items:
          type: object
          additional: false
          properties:
            product_id: {type: string, required: true}
            sku: {type: string}
            name: {type: string, maxLength: 100}
            price: {type: number, required: true, minimum: 0}
            quantity: {type: integer, required: true, minimum: 1}
            category: {type: string}
`

const orderEvent = `{"messageId":"ajs-next-1795356000000-7f6c1a4e","type":"track","event":"Order Completed","userId":"user_4711",` +
	`"anonymousId":"7f6c1a4e-0b7d-4a53-9a35-1f2e3d4c5b6a","timestamp":"2026-11-22T13:59:59.120Z","properties":{"order_id":"o_50314b8e9bcf",` +
	`"checkout_id":"fksdjfsdjfisjf9sdfjsd9f","affiliation":"Google Store","total":27.5,"subtotal":22.5,"revenue":25.0,"shipping":3,"tax":2,` +
	`"discount":2.5,"coupon":"hasbros","currency":"USD","payment_method":"card","is_first":true,"placed_at":"2026-11-22T13:59:58Z",` +
	`"products":[{"product_id":"507f1f77bcf86cd799439011","sku":"45790-32","name":"Monopoly: 3rd Edition","price":19.25,"quantity":1,` +
	`"category":"Games"},{"product_id":"505bd76785ebb509fc183733","sku":"46493-32","name":"Uno Card Game","price":3,"quantity":2,"category":"Games"}]}}`

// BenchmarkVerdict is one event from bytes to verdict: parse, read, check.
func BenchmarkVerdict(b *testing.B) {
	p, err := Parse("shop.yaml", []byte(orderPlan))
	if err != nil {
		b.Fatal(err)
	}
	var (
		c    Checker
		d    tape.Doc
		e    event.Event
		v    event.Verdict
		base = event.Base{ReceivedAt: receivedAt, BatchContext: -1, BatchIntegrations: -1}
		text = []byte(orderEvent)
	)
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	before, n := cpuTime(), 0
	for b.Loop() {
		n++
		if d.Parse(text) != nil {
			b.Fatal("not JSON")
		}
		v.Reset()
		event.Read(&e, &d, 0, &base, &v)
		p.Check(&c, &e, &v)
	}
	b.ReportMetric(float64(cpuTime()-before)/float64(n), "cpu-ns/op")
	if v.Status != event.Accepted {
		b.Fatal(show(&v))
	}
}

// cpuTime is what this process has used, which other work on the machine does not distort as it does the wall clock.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCheck is the validator alone.
func BenchmarkCheck(b *testing.B) {
	p, err := Parse("shop.yaml", []byte(orderPlan))
	if err != nil {
		b.Fatal(err)
	}
	var c Checker
	e, v := judge(b, p, &c, orderEvent)
	b.ReportAllocs()
	for b.Loop() {
		v.Reset()
		p.Check(&c, e, v)
	}
}

func TestVerdictAllocatesNothing(t *testing.T) {
	r := testing.Benchmark(BenchmarkVerdict)
	if r.N == 0 {
		t.Fatal("the benchmark failed")
	}
	if n := r.AllocsPerOp(); n != 0 {
		t.Errorf("a verdict allocates %d times", n)
	}
}

// TestLargeEventsTakeLinearTime judges events as large as they may be, built to be slow.
func TestLargeEventsTakeLinearTime(t *testing.T) {
	for _, additional := range []string{"warn", "drop", "quarantine", "{type: integer}"} {
		key := "additional"
		if additional[0] == '{' {
			key = "additionalProperties"
		}
		p, err := Parse("shop.yaml", []byte("apiVersion: myelin/v1\nkind: TrackingPlan\nname: shop\nevents: {A: {"+key+": "+additional+", properties: {total: {type: number}, tags: {type: array, items: {type: string}}}}}"))
		if err != nil {
			t.Fatal(err)
		}
		var members []string
		for i := range 20_000 {
			members = append(members, fmt.Sprintf(`"totl%d":%d`, i, i))
		}
		text := `{"type":"track","event":"A","userId":"u","messageId":"m","properties":{` + strings.Join(members, ",") + `,"tags":[` + strings.Repeat("1,", 20_000) + `1]}}`
		before := cpuTime()
		_, v := judge(t, p, &Checker{}, text)
		if took := cpuTime() - before; took > time.Second {
			t.Errorf("%s: judging took %v", additional, took)
		}
		if len(v.Violations) > maxViolations || len(v.Patches) > maxDropped {
			t.Errorf("%s: %d violations and %d patches", additional, len(v.Violations), len(v.Patches))
		}
	}
}

// FuzzVerdict judges anything that parses: the stored event is JSON whatever was wrong with it, and one in quarantine is
// not repaired.
func FuzzVerdict(f *testing.F) {
	f.Add([]byte(orderEvent))
	f.Add([]byte(`{"type":"track","event":"order completed","userId":"u","properties":{"total":"1","products":[{"price":null}],"total":2}}`))
	text := strings.ReplaceAll(orderPlan, "total: {type: number, required: true, minimum: 0}",
		"total: {type: number, required: true, minimum: 0, on_error: {coerce: number, rename: [sum], default: 1}}\n      email: {type: string, transform: hash}")
	p, err := Parse("shop.yaml", []byte(text))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var d, out tape.Doc
		if d.Parse(text) != nil {
			return
		}
		var e event.Event
		var v event.Verdict
		event.Read(&e, &d, 0, &event.Base{ReceivedAt: receivedAt, BatchContext: -1, BatchIntegrations: -1}, &v)
		p.Check(&Checker{Key: []byte("key")}, &e, &v)
		if err := out.Parse(event.AppendCanonical(nil, &e, &v, event.Meta{Source: "web"})); err != nil {
			t.Fatal(err)
		}
		for _, x := range v.Patches {
			if v.Status == event.Quarantined && !x.Privacy {
				t.Fatalf("a quarantined event is changed: %+v", x)
			}
		}
		if (v.Status == event.Accepted) != (len(v.Violations) == 0) {
			t.Fatal(show(&v))
		}
	})
}
