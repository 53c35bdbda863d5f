package schema

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"myelin/internal/event"
)

// dice makes random schemas and values from a small world, in which they often meet.
type dice struct{ *rand.Rand }

func (d dice) pick(words ...string) string { return words[d.IntN(len(words))] }

func (d dice) number() string {
	return d.pick("0", "-0", "1", "1.0", "-1", "2", "2.5", "3", "0.1", "0.3", "10", "1e1", "100e-1", "1E2", "-2.50", "9007199254740993", "9007199254740992.0",
		"12345678901234567890123", "1.5e300", "-1e-7", "0.0000001", "7", "1e400", "2e400")
}

func (d dice) text() string {
	return d.pick("", "a", "ab", "abc", "aB", "A", "ü", "日本語", "a b", "12", "AB12", "2026-11-22", "\U0001F600", "x_1", "ABC", "no", `a\"b`, `\u0061`, `\ud83d\ude00`, `\\`)
}

func (d dice) value(depth int) string {
	switch n := d.IntN(9); {
	case n == 0:
		return d.pick("null", "true", "false")
	case n < 3:
		return d.number()
	case n < 6 || depth == 0:
		return `"` + d.text() + `"`
	case n < 7:
		list := make([]string, d.IntN(4))
		for i := range list {
			list[i] = d.value(depth - 1)
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	list := make([]string, d.IntN(4))
	for i := range list {
		list[i] = fmt.Sprintf(`"%s":%s`, d.pick("a", "b", "c", "d", `\u0061`), d.value(depth-1))
	}
	return "{" + strings.Join(list, ",") + "}"
}

func (d dice) schema(depth int) string {
	if d.IntN(12) == 0 {
		return d.pick("true", "false", "{}")
	}
	var words []string
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	kinds := []string{"null", "boolean", "integer", "number", "string", "array", "object"}
	if d.IntN(2) == 0 {
		if d.IntN(3) == 0 {
			i := d.IntN(len(kinds) - 1)
			add(`"type":["%s","%s"]`, kinds[i], kinds[i+1])
		} else {
			add(`"type":"%s"`, kinds[d.IntN(len(kinds))])
		}
	}
	for n := d.IntN(4); n > 0; n-- {
		switch d.IntN(20) {
		case 0:
			add(`"minimum":%s`, d.number())
		case 1:
			add(`"maximum":%s`, d.number())
		case 2:
			add(`"exclusiveMinimum":%s`, d.number())
		case 3:
			add(`"exclusiveMaximum":%s`, d.number())
		case 4:
			add(`"multipleOf":%s`, d.pick("1", "2", "0.1", "0.5", "3e0", "1e-7", "0.3", "100"))
		case 5:
			add(`"minLength":%d`, d.IntN(4))
		case 6:
			add(`"maxLength":%d`, d.IntN(4))
		case 7:
			add(`"pattern":"%s"`, d.pick("^a", "b$", "^[a-z]+$", "^[A-Z]{2,4}[0-9]+$", "^a?b*$", "^.$", "[0-9]", "^$", "^(ab|a)c?$", "^x_[0-9]{1,3}$", "^a{0,2}$", "^a*a$", "^[a-z]*[b-c]$"))
		case 8:
			list := make([]string, 1+d.IntN(8))
			for i := range list {
				list[i] = d.value(1)
			}
			add(`"enum":[%s]`, strings.Join(list, ","))
		case 9:
			add(`"const":%s`, d.value(1))
		case 10:
			add(`"minItems":%d`, d.IntN(3))
		case 11:
			add(`"maxItems":%d`, d.IntN(3))
		case 12:
			if depth > 0 {
				add(`"items":%s`, d.schema(depth-1))
			}
		case 13, 14, 15:
			if depth > 0 {
				add(`"properties":{"a":%s,"b":%s}`, d.schema(depth-1), d.schema(depth-1))
			}
		case 16:
			add(`"required":["%s"]`, d.pick("a", "b", "c"))
		case 17:
			if depth > 0 {
				add(`"additionalProperties":%s`, d.schema(depth-1))
			}
		case 18:
			if depth > 0 {
				add(`"%s":[%s,%s]`, d.pick("anyOf", "allOf", "oneOf", "prefixItems"), d.schema(depth-1), d.schema(depth-1))
			}
		case 19:
			if depth > 0 {
				add(`"%s":%s`, d.pick("not", "if", "then", "else", "contains", "propertyNames", "unevaluatedProperties"), d.schema(depth-1))
			} else {
				add(`"%s":%d`, d.pick("minProperties", "maxProperties"), d.IntN(3))
			}
		}
	}
	seen := map[string]bool{}
	unique := words[:0]
	for _, w := range words {
		name, _, _ := strings.Cut(w, ":")
		if !seen[name] {
			seen[name] = true
			unique = append(unique, w)
		}
	}
	return "{" + strings.Join(unique, ",") + "}"
}

func decode(t *testing.T, text string) any {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// agree checks that the compiled validator and jsonschema give one verdict for schemas and values grown from a seed.
func agree(t *testing.T, seed uint64) {
	d := dice{rand.New(rand.NewPCG(seed, 1))}
	text := d.schema(3)
	c := jsonschema.NewCompiler()
	if err := c.AddResource("http://test/schema", decode(t, text)); err != nil {
		t.Fatal(err)
	}
	oracle, err := c.Compile("http://test/schema")
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	p, err := Parse("plan.yaml", []byte("apiVersion: myelin/v1\nkind: TrackingPlan\nname: x\nevents:\n  T:\n    properties:\n      data: {required: true, schema: "+
		string(compactJSON(decode(t, text)))+"}\n"))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	checker := &Checker{}
	for range 20 {
		value := d.value(3)
		want := oracle.Validate(decode(t, value)) == nil
		_, v := judge(t, p, checker, `{"type":"track","event":"T","userId":"u","messageId":"m","properties":{"data":`+value+`}}`)
		if got := v.Status == event.Accepted; got != want {
			t.Fatalf("seed %d: schema %s, value %s: compiled says %t (%s), jsonschema %t", seed, text, value, got, show(v), want)
		}
	}
}

// compactJSON writes JSON that is YAML too: not every escape of one is one of the other.
func compactJSON(v any) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return []byte(strings.TrimSpace(b.String()))
}

func TestCompiledAgreesWithJSONSchema(t *testing.T) {
	for seed := range uint64(3000) {
		agree(t, seed)
	}
}

func FuzzCompiledAgreesWithJSONSchema(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(agree)
}

// FuzzParse feeds the plan reader anything.
func FuzzParse(f *testing.F) {
	f.Add([]byte(orderPlan))
	f.Add([]byte("apiVersion: myelin/v1\nkind: TrackingPlan\nname: x\nevents: {A: {properties: {a: &x {type: string}, b: *x}}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse("plan.yaml", text)
		if (p == nil) == (err == nil) {
			t.Fatal("neither a plan nor an error")
		}
		if p == nil {
			return
		}
		_, v := judge(t, p, &Checker{}, orderEvent)
		_ = v
	})
}
