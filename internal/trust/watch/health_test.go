package watch

import (
	"fmt"
	"testing"
	"time"
)

// TestHealthSaysWhichPropertyBreaksThePlan has one event of which all break it, few and new, and one of which a property does.
func TestHealthSaysWhichPropertyBreaksThePlan(t *testing.T) {
	s := newScene(t)
	broken := func(path string) string {
		return fmt.Sprintf(`,"myelin":{"violations":[{"code":"type_mismatch","path":%q}]}`, path)
	}
	const order = `,"properties":{"total":5,"a/b":1,"items":[{"price":1,"sku":"x"}],"0":{"x":1}}`
	for i := range 200 {
		more := order
		switch i % 4 {
		case 0:
			more += broken("/properties/total")
		case 1:
			more += broken("/properties/items/0/price")
		case 2:
			more += broken("/properties/a~1b")
		}
		s.send("Order Completed", more, 0)
		s.pass(10 * time.Second)
	}
	for range 5 {
		s.send("Debug", `,"properties":{}`+broken("/event"), 0)
		s.pass(10 * time.Second)
	}
	for _, e := range s.watch.Health(s.now).Sources[0].Events {
		if e.Name == "Debug" {
			if e.ViolationRate != 1 {
				t.Errorf("of Debug %v break the plan, not all", e.ViolationRate)
			}
			continue
		}
		if e.ViolationRate < 0.6 || e.ViolationRate > 0.9 {
			t.Errorf("of Order Completed %v break the plan, not three of four", e.ViolationRate)
		}
		for _, p := range e.Properties {
			bad := p.Name == "total" || p.Name == "items[].price" || p.Name == "a/b"
			if bad != (p.ViolationRate > 0.15 && p.ViolationRate < 0.35) || !bad && p.ViolationRate != 0 {
				t.Errorf("of %s %v break the plan", p.Name, p.ViolationRate)
			}
		}
		if len(e.Properties) != 7 {
			t.Errorf("%d properties: %+v", len(e.Properties), e.Properties)
		}
	}
}
