package preset

import (
	"testing"

	"myelin/internal/trust/schema"
)

// TestPresetsCompile checks every ready-made plan, its naming rules and its examples.
func TestPresetsCompile(t *testing.T) {
	want := map[string]int{"ecommerce": 28, "b2b-saas": 10, "video": 17, "mobile": 14, "ga4": 39}
	for _, name := range Names {
		text, err := Text(name)
		if err != nil {
			t.Fatal(err)
		}
		p, err := schema.Parse(name+".yaml", text)
		if err != nil {
			t.Error(err)
			continue
		}
		if p.Name != name || len(p.Events) != want[name] {
			t.Errorf("%s has %d events, want %d", p.Name, len(p.Events), want[name])
		}
		for _, e := range p.Events {
			if e.Type.String() == "track" && e.Version == "" {
				t.Errorf("%s: %s has no version", name, e.Name)
			}
		}
	}
}
