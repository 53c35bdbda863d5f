package codegen

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"myelin/internal/trust/draft"
	"myelin/internal/trust/preset"
)

// odd has names that are words of the languages, and characters that are none of any.
const odd = `
apiVersion: myelin/v1
kind: TrackingPlan
name: odd
events:
  "2nd Über-Event $5":
    description: "Says \"hi\" */ and more"
    properties: {class: {type: string, required: true}, 1st: {type: integer}, in: {type: [string, number]}, "a-b": {type: array, items: {type: number}}, o: {type: object}}
  Empty: {properties: {}}
  Import: {properties: {"a_b": {type: string}, "a b": {type: string}, client: {type: string}}}
  "注文完了": {properties: {"名前": {type: string, required: true}, "住所": {type: string}, "☕": {type: string}, "☕☕": {type: string}}}
  "注文": {properties: {}}
  "☕": {properties: {}}
  Track Empty: {properties: {}}
  Track Who: {properties: {}}
  Who: {properties: {a: {type: string}}}
  Tracker: {properties: {a: {type: string}}}
  "☕☕ ☕☕": {properties: {}}
`

func plans(t *testing.T) map[string]*draft.Plan {
	t.Helper()
	out := map[string]*draft.Plan{}
	texts := map[string][]byte{"odd": []byte(odd)}
	for _, name := range preset.Names {
		text, err := preset.Text(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = text
	}
	for name, text := range texts {
		p, err := draft.Read(text)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = p
	}
	return out
}

// generate writes the wrappers of every plan, each into a folder of its own.
func generate(t *testing.T, language string) string {
	t.Helper()
	dir := t.TempDir()
	for name, p := range plans(t) {
		text, err := Generate(language, p)
		if err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, strings.ReplaceAll(name, "-", "_"), File[language]), text)
	}
	return dir
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
}

func TestTypeScriptCompiles(t *testing.T) {
	tsc, err := filepath.Abs("../../../ui/node_modules/.bin/tsc")
	if err != nil {
		t.Fatal(err)
	}
	dir := generate(t, "typescript")
	put(t, filepath.Join(dir, "use.ts"), `import { trackOrderCompleted, type Tracker } from "./ecommerce/analytics"
declare const analytics: Tracker
trackOrderCompleted(analytics, { order_id: "o-1", currency: "EUR", total: 5, products: [{ sku: "a" }] })
// @ts-expect-error: the order's id is missing
trackOrderCompleted(analytics, { currency: "EUR", products: [] })
// @ts-expect-error: a total is a number
trackOrderCompleted(analytics, { order_id: "o-1", currency: "EUR", total: "5", products: [] })
`)
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.ts"))
	if err != nil {
		t.Fatal(err)
	}
	run(t, dir, tsc, append([]string{"--strict", "--noEmit", "--target", "es2020", "--module", "es2020", "--moduleResolution", "bundler", "use.ts"}, files...)...)
}

func TestPythonCompilesAndSends(t *testing.T) {
	dir := generate(t, "python")
	put(t, filepath.Join(dir, "use.py"), `
import sys
sys.path.insert(0, "ecommerce")
import analytics_events as e
class Client:
    def track(self, **kw): self.sent = kw
c = Client()
e.order_completed(c, user_id="u", order_id="o-1", currency="EUR", total=5.0, products=[{"sku": "a"}])
assert c.sent["event"] == "Order Completed" and c.sent["context"] == {"protocols": {"event_version": "1-0-0"}}, c.sent
assert c.sent["properties"] == {"order_id": "o-1", "currency": "EUR", "total": 5.0, "products": [{"sku": "a"}]}, c.sent
try:
    e.order_completed(c, user_id="u")
    raise SystemExit("a missing property was taken")
except TypeError:
    pass
`)
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.py"))
	if err != nil {
		t.Fatal(err)
	}
	run(t, dir, "python3", append([]string{"-m", "py_compile"}, files...)...)
	run(t, dir, "python3", "use.py")
}

// stub is as much of Segment's SDK as the wrappers use.
const stub = `package analytics

type Properties map[string]interface{}
type Message interface{}
type Context struct{ Extra map[string]interface{} }
type Track struct {
	UserId, AnonymousId, Event string
	Properties                 Properties
	Context                    *Context
}
type Client interface{ Enqueue(Message) error }
`

func TestGoCompiles(t *testing.T) {
	dir := generate(t, "go")
	put(t, filepath.Join(dir, "go.mod"), "module generated\n\ngo 1.22\n\nrequire github.com/segmentio/analytics-go/v3 v3.3.0\n\nreplace github.com/segmentio/analytics-go/v3 => ./sdk\n")
	put(t, filepath.Join(dir, "sdk", "go.mod"), "module github.com/segmentio/analytics-go/v3\n\ngo 1.22\n")
	put(t, filepath.Join(dir, "sdk", "analytics.go"), stub)
	run(t, dir, "go", "vet", "./...")
}

// TestKotlinAndSwiftAreWhole checks what can be checked without their compilers: brackets and quotes are balanced, and
// every event has its function.
func TestKotlinAndSwiftAreWhole(t *testing.T) {
	for _, language := range []string{"kotlin", "swift"} {
		for name, p := range plans(t) {
			text, err := Generate(language, p)
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for _, c := range callsOf(p) {
				if seen[c.pascal] {
					t.Errorf("%s of %s has two functions %s", language, name, c.pascal)
				}
				seen[c.pascal] = true
				if !strings.Contains(text, "track"+c.pascal+"(") {
					t.Errorf("%s of %s has no function for %s", language, name, c.name)
				}
			}
			code := text
			for _, pair := range []string{"()", "{}", "[]"} {
				if a, b := strings.Count(code, pair[:1]), strings.Count(code, pair[1:]); a != b {
					t.Errorf("%s of %s has %d %s and %d %s", language, name, a, pair[:1], b, pair[1:])
				}
			}
		}
	}
}
