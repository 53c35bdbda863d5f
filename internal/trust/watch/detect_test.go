package watch

import (
	"fmt"
	"testing"
	"time"
)

func TestEachKindIsFoundAndEnds(t *testing.T) {
	method := func(i int) string {
		return fmt.Sprintf(`,"properties":{"method":%q,"order":"o%d"}`, []string{"card", "paypal", "invoice"}[i%3], i%200)
	}
	for _, c := range []struct {
		kind        Kind
		days        int
		usual, odd  func(i int) string
		late        time.Duration
		twice       bool
		want, value string // the property, and the value
		stays       bool   // nothing ends it but three days
	}{
		{kind: NewValue, days: 6, usual: method, odd: func(i int) string {
			if i%4 == 0 {
				return `,"properties":{"method":"crypto"}`
			}
			return method(i)
		}, want: "method", value: "crypto", stays: true},
		{kind: VanishedValue, days: 5, usual: method, odd: func(i int) string {
			return fmt.Sprintf(`,"properties":{"method":%q}`, []string{"card", "invoice"}[i%2])
		}, want: "method", value: "paypal"},
		{kind: Cardinality, days: 5, usual: func(i int) string { return fmt.Sprintf(`,"properties":{"page":"p%d"}`, i%120) },
			odd: func(int) string { return `,"properties":{"page":"p1"}` }, want: "page"},
		{kind: Naming, days: 2, usual: func(int) string { return `,"context":{"campaign":{"source":"google","medium":"cpc","name":"spring"}}` },
			odd: func(int) string {
				return `,"context":{"campaign":{"source":"Google","medium":"cpc","name":"{{campaign}}"}}`
			}, want: "campaign"},
		{kind: Lateness, days: 2, usual: method, odd: method, late: 20 * time.Minute},
		{kind: Duplicates, days: 2, usual: method, odd: method, twice: true},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			s := newScene(t)
			phase := func(n int, make func(int) string, late time.Duration, twice bool) {
				for i := range n {
					s.send("Order Completed", make(i), late)
					if i%30 == 29 {
						dropped := map[string]int64{}
						if twice {
							dropped["shop"] = 15
						}
						s.watch.Duplicates(dropped, s.now)
					}
					s.pass(2 * time.Minute)
				}
			}
			phase(c.days*720, c.usual, 0, false)
			if c.kind == Cardinality { // 30 events an hour are too few to count values
				for i := range 4 * 24 * 120 {
					s.send("Order Completed", c.usual(i), 0)
					s.pass(30 * time.Second)
				}
			}
			if f := s.last(c.kind); f != nil {
				t.Fatalf("found without a reason: %+v", f)
			}
			if c.kind == Cardinality {
				for i := range 6 * 120 {
					s.send("Order Completed", c.odd(i), 0)
					s.pass(30 * time.Second)
				}
			} else {
				phase(400, c.odd, c.late, c.twice)
			}
			f := s.last(c.kind)
			if f == nil || !f.Open || f.Source != "shop" || f.Property != c.want || f.Value != c.value {
				t.Fatalf("found %+v", f)
			}
			if c.stays {
				return
			}
			if c.kind == Cardinality {
				for i := range 6 * 120 {
					s.send("Order Completed", c.usual(i), 0)
					s.pass(30 * time.Second)
				}
			} else {
				phase(720, c.usual, 0, false)
			}
			if f := s.last(c.kind); f.Open {
				t.Errorf("it does not end: %+v", f)
			}
		})
	}
}

func TestAFigureOfAViewIsWatched(t *testing.T) {
	s := newScene(t)
	s.send("Order Completed", "", 0)
	at := float64(noon.Unix())
	figures := func(n int, x float64) {
		for i := range n {
			s.watch.Column("revenue", "total", at, x+float64(i%7))
			at += 300
			s.found = append(s.found, s.watch.Take()...)
		}
	}
	figures(10*288, 1000)
	if f := s.last(Column); f != nil {
		t.Fatalf("found without a reason: %+v", f)
	}
	figures(36, 100)
	if f := s.last(Column); f == nil || !f.Open || f.View != "revenue" || f.ColumnName != "total" {
		t.Fatalf("found %+v", f)
	}
	figures(72, 1000)
	if f := s.last(Column); f.Open {
		t.Errorf("it does not end: %+v", f)
	}
}

func TestWhatIsInsideIsWatched(t *testing.T) {
	s := newScene(t)
	usual := func(i int) string {
		if i%5 == 0 { // without an address nothing in it is missed
			return `,"properties":{"products":[]}`
		}
		return `,"properties":{"address":{"city":"Ulm","geo":{"lat":1.5}},"products":[{"sku":"a","price":2},{"sku":"b","price":3}]}`
	}
	phase := func(n int, more func(int) string) {
		for i := range n {
			s.send("Order Completed", more(i), 0)
			s.pass(2 * time.Minute)
		}
	}
	phase(1000, usual)
	if len(s.found) > 0 {
		t.Fatalf("found without a reason: %+v", s.found[0])
	}
	phase(300, func(i int) string {
		if i%2 == 0 {
			return usual(i)
		}
		return `,"properties":{"address":{"geo":{"lat":"1.5"}},"products":[{"sku":"a","price":2},{"sku":"b"}]}`
	})
	found := map[string]Kind{}
	for _, f := range s.found {
		if f.Open {
			found[f.Property] = f.Kind
		}
	}
	for property, kind := range map[string]Kind{"address.city": Nulls, "address.geo.lat": TypeMix, "products[].price": Nulls} {
		if found[property] != kind {
			t.Errorf("%s: found %q, not %s", property, found[property], kind)
		}
		delete(found, property)
	}
	if len(found) > 0 {
		t.Errorf("found as well: %v", found)
	}
}
