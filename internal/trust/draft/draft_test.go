package draft

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"myelin/internal/trust/preset"
	"myelin/internal/trust/schema"
)

// compiles checks that a plan can be put into force.
func compiles(t *testing.T, text []byte) *schema.Plan {
	t.Helper()
	p, err := schema.Parse("plan.yaml", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p
}

func readPlan(t *testing.T, text []byte) *Plan {
	t.Helper()
	p, err := Read(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestImportsCompile imports the same order from every format: the plan compiles and asks for the same.
func TestImportsCompile(t *testing.T) {
	inner := `{"type":"object","properties":{"order_id":{"type":"string","maxLength":64},"total":{"type":"number","minimum":0,"exclusiveMinimum":true,"id":"/t"},
		"code":{"type":"string","pattern":"^(?=A)"},"products":{"type":"array","items":{"type":"object","properties":{"sku":{"type":"string"}},"required":["sku"]}}},"required":["order_id","total"]}`
	whole := `{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"context":{},"traits":{},"properties":` + inner + `}}`
	for name, c := range map[string]struct{ format, text string }{
		"protocols":     {"segment", `{"display_name":"x","rules":{"events":[{"name":"Order Completed","description":"An order: paid.","version":2,"rules":` + whole + `}],"identify":{"properties":{"traits":{"type":"object","properties":{"email":{"type":"string","format":"email"}}}}}}}`},
		"public api":    {"segment", `{"data":{"rules":[{"type":"TRACK","key":"Order Completed","version":2,"jsonSchema":` + whole + `},{"type":"IDENTIFY","jsonSchema":{"properties":{"traits":{"properties":{"email":{"type":"string","format":"email"}}}}}}]}}`},
		"rudder":        {"rudderstack", `{"name":"x","rules":{"events":[{"name":"Order Completed","eventType":"track","version":2,"rules":` + whole + `},{"eventType":"identify","rules":{"properties":{"traits":{"properties":{"email":{"type":"string","format":"email"}}}}}}]}}`},
		"rudder list":   {"rudderstack", `{"events":[{"name":"Order Completed","eventType":"track","properties":[{"name":"order_id","type":"string","required":true,"propConfig":{"maxLength":64}},{"name":"total","type":"number","required":true,"propConfig":{"exclusiveMinimum":0}},{"name":"products","type":"array"}]}]}`},
		"iglu":          {"iglu", strings.Replace(inner, `{"type"`, `{"$schema":"http://iglucentral.com/schemas/com.snowplowanalytics.self-desc/schema/jsonschema/1-0-0#","self":{"vendor":"com.acme","name":"order_completed","format":"jsonschema","version":"2-0-0"},"type"`, 1)},
		"schema":        {"jsonschema", strings.Replace(inner, `{"type"`, `{"title":"Order Completed","type"`, 1)},
		"schema bundle": {"jsonschema", `{"$defs":{"Order Completed":` + inner + `}}`},
		"csv":           {"csv", "Event,Event version,Property,Type,Required,Max length,Minimum\nOrder Completed,2-0-0,order_id,string,yes,64,\nOrder Completed,,total,number,yes,,0\nOrder Completed,,products,array,,,\n"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Import(c.format, "shop", []byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			text := p.YAML()
			compiled := compiles(t, text)
			if compiled.Events[0].Name != "Order Completed" {
				t.Fatalf("the event is called %s", compiled.Events[0].Name)
			}
			back := readPlan(t, text)
			e := &back.Events[0]
			if x := e.Property("order_id"); x == nil || !x.Required || show(x.Rule["maxLength"]) != "64" {
				t.Errorf("order_id is %+v\n%s", x, text)
			}
			if x := e.Property("total"); x == nil || !x.Required || x.Kind() != "number" {
				t.Errorf("total is %+v", x)
			}
			if e.Version != "" && e.Version != "2-0-0" {
				t.Errorf("the version is %s", e.Version)
			}
			if x := e.Property("code"); x != nil && (x.Rule["pattern"] != nil || len(p.Notes) == 0) {
				t.Error("the pattern that looks ahead was neither left out nor noted")
			}
			if x := e.Property("products"); x != nil && x.Rule["items"] != nil && !strings.Contains(string(text), "sku: {type: string, required: true}") {
				t.Errorf("the item's required property is lost:\n%s", text)
			}
			if strings.Contains(c.text, "email") && back.Events[len(back.Events)-1].Type != "identify" {
				t.Errorf("identify is lost:\n%s", text)
			}
		})
	}
}

// TestPresetsGoRound exports every ready-made plan and reads it back: nothing that the format has a place for is lost.
func TestPresetsGoRound(t *testing.T) {
	for _, name := range preset.Names {
		text, err := preset.Text(name)
		if err != nil {
			t.Fatal(err)
		}
		p := readPlan(t, text)
		if changes, _ := Diff(p, readPlan(t, text)); len(changes) > 0 {
			t.Errorf("%s differs from itself: %v", name, changes)
		}
		for format, exported := range map[string][]byte{"jsonschema": p.JSONSchema(), "segment": p.Segment(), "csv": p.CSV()} {
			again, err := Import(format, name, exported)
			if err != nil {
				t.Errorf("%s as %s: %v", name, format, err)
				continue
			}
			for _, e := range p.Events {
				f := again.find(e.Type, e.Name)
				if f == nil && format == "jsonschema" {
					f = again.find("track", e.Name)
				}
				if f == nil {
					t.Errorf("%s as %s loses %s", name, format, e.Name)
					continue
				}
				for _, x := range e.Properties {
					y := f.Property(x.Name)
					if y == nil || y.Required != x.Required || x.Kind() != "" && y.Kind() != x.Kind() {
						t.Errorf("%s as %s: %s of %s becomes %+v", name, format, x.Name, e.Name, y)
					}
				}
			}
			if format == "csv" {
				compiles(t, again.YAML())
			}
		}
	}
}

func TestChangesAreClassified(t *testing.T) {
	const head = "apiVersion: myelin/v1\nkind: TrackingPlan\nname: shop\nevents:\n  A:\n    version: 1-2-3\n"
	const before = head + `    properties:
      id: {type: string, required: true, maxLength: 8, description: An id}
      n: {type: integer, minimum: 0}
      c: {type: string, enum: [x, y]}
      o: {type: object, properties: {p: {type: string}}}
`
	for _, c := range []struct{ change, to, want string }{
		{"", "", "[]"},
		{"n: {type: integer, minimum: 0}", "n: {type: integer, minimum: 1}", "[breaking revision /properties/n] 1-3-0"},
		{"n: {type: integer, minimum: 0}", "n: {type: integer, minimum: -1}", "[compatible addition /properties/n] 1-2-4"},
		{"n: {type: integer, minimum: 0}", "n: {type: integer}", "[compatible addition /properties/n] 1-2-4"},
		{"n: {type: integer, minimum: 0}", "n: {type: number, minimum: 0}", "[breaking revision /properties/n] 1-3-0"},
		{"n: {type: integer, minimum: 0}", "n: {type: [integer, \"null\"], minimum: 0}", "[compatible addition /properties/n] 1-2-4"},
		{"n: {type: integer, minimum: 0}", "n: {type: string}", "[breaking model /properties/n compatible addition /properties/n] 2-0-0"},
		{"n: {type: integer, minimum: 0}", "m: {type: integer}", "[breaking model /properties/n compatible addition /properties/m] 2-0-0"},
		{"n: {type: integer, minimum: 0}", "n: {type: integer, minimum: 0, required: true}", "[breaking revision /properties/n] 1-3-0"},
		{"maxLength: 8, description: An id", "maxLength: 9, description: The id", "[compatible addition /properties/id cosmetic  /properties/id] 1-2-4"},
		{"required: true, ", "", "[compatible addition /properties/id] 1-2-4"},
		{"[x, y]", "[x, y, z]", "[compatible addition /properties/c] 1-2-4"},
		{"[x, y]", "[x]", "[breaking revision /properties/c] 1-3-0"},
		{"{p: {type: string}}", "{p: {type: string, maxLength: 2}}", "[breaking revision /properties/o/p] 1-3-0"},
		{"    properties:\n", "    additional: quarantine\n    properties:\n", "[breaking revision ] 1-3-0"},
		{"    properties:\n", "    owner: ana\n    properties:\n", "[cosmetic  ]"},
		{"  A:\n", "  B:\n", "[breaking model  compatible  ]"},
	} {
		after := strings.Replace(before, c.change, c.to, 1)
		compiles(t, []byte(after))
		changes, bumps := Diff(readPlan(t, []byte(before)), readPlan(t, []byte(after)))
		var parts []string
		for _, x := range changes {
			parts = append(parts, fmt.Sprintf("%s %s %s", x.Class, x.Level, x.Path))
		}
		got := fmt.Sprint(parts)
		for _, b := range bumps {
			got += " " + b.Suggested
			if b.Enough {
				t.Errorf("%s: 1-2-3 is said to be enough", c.to)
			}
		}
		if got != c.want {
			t.Errorf("%q → %q is %s, want %s", c.change, c.to, got, c.want)
		}
	}
}

func TestInferenceLearnsWhatTrafficFollows(t *testing.T) {
	f := NewInference()
	for i := range 60 {
		f.Add(fmt.Appendf(nil, `{"type":"track","event":"Order Completed","properties":{"id":"o%d","at":"2026-11-22T10:00:%02dZ","total":%d.5,"n":%d,"currency":%q,"items":[{"sku":"s%d","qty":1}],"late":%t}}`,
			i, i%60, i, i, []string{"EUR", "USD"}[i%2], i, i%3 == 0))
		f.Add([]byte(`{"type":"identify","traits":{"email":"a@b.example"}}`))
		f.Add([]byte(`{"type":"page","name":"Home"}`))
	}
	f.Add([]byte(`{"type":"track","event":"Order Completed","properties":{"id":"x","total":"12","n":null,"currency":"EUR","at":"2026-11-22T10:00:00Z","extra":1}}`))
	text := f.Plan("learned").YAML()
	compiles(t, text)
	p := readPlan(t, text)
	e := p.find("track", "Order Completed")
	want := map[string]string{"id": "{type: string}", "at": "{type: string, format: date-time}", "total": "{type: number, minimum: 0}", "n": "{type: integer, minimum: 0}",
		"currency": "{type: string, enum: [EUR, USD]}", "items": "{type: array, items: {type: object, properties: {qty: {type: integer, required: true, minimum: 0}, sku: {type: string, required: true}}}}",
		"late": "{type: boolean}", "extra": "{type: integer}"}
	got := map[string]string{}
	for _, x := range e.Properties {
		got[x.Name] = flow(x.Rule)
		if must := x.Name == "id" || x.Name == "at" || x.Name == "total" || x.Name == "currency"; x.Required != must {
			t.Errorf("%s is required: %t", x.Name, x.Required)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("learned %v, want %v", got, want)
	}
	if id := p.find("identify", "identify"); id == nil || id.Property("email").Rule["format"] != "email" {
		t.Errorf("identify was not learned:\n%s", text)
	}
}
