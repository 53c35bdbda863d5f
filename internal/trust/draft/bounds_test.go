package draft

import (
	"fmt"
	"strings"
	"testing"
)

// TestLearningNamesWithoutEndIsBounded learns from 50,000 names of events and of properties, flat and nested: what is beyond the
// bounds is left out, and the plan says so.
func TestLearningNamesWithoutEndIsBounded(t *testing.T) {
	f := NewInference()
	for i := range 50_000 {
		f.Add(fmt.Appendf(nil, `{"type":"track","event":"Event %d","properties":{"p%d":1,"o":{"q%d":{"r%d":2}}}}`, i, i, i, i))
		f.Add(fmt.Appendf(nil, `{"type":"track","event":"Order Completed","properties":{"p%d":1,"o":{"q%d":{"r%d":2}}}}`, i, i, i))
	}
	if len(f.events) != maxEvents || f.properties > maxInAll || f.LeftOut == 0 {
		t.Errorf("%d events and %d properties are known, %d left out", len(f.events), f.properties, f.LeftOut)
	}
	{ // and a plan as wide as it gets
		var wide strings.Builder
		for i := range 400 {
			fmt.Fprintf(&wide, `"w%d":{"x%d":1},`, i, i)
		}
		for i := range 1000 {
			f.Add(fmt.Appendf(nil, `{"type":"track","event":"Event %d","properties":{%s"z":1}}`, i, wide.String()))
			if f.properties == maxInAll {
				break
			}
		}
	}
	if f.properties != maxInAll {
		t.Errorf("%d properties are known", f.properties)
	}
	if p := f.Plan("learned"); len(p.Events) != maxEvents || !strings.Contains(p.Description, "not complete") {
		t.Errorf("the plan has %d events and says %q", len(p.Events), p.Description)
	}
}
