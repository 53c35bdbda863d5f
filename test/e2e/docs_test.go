package e2e

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"myelin/test/sdk"
)

// block is one fenced block of a page: its first line behind the fence, split, and its text.
type block struct {
	line int
	lang string
	args []string
	text string
}

func (b block) has(arg string) bool {
	for _, a := range b.args {
		if a == arg {
			return true
		}
	}
	return false
}

func (b block) file() string {
	for _, a := range b.args {
		if name, ok := strings.CutPrefix(a, "file="); ok {
			return name
		}
	}
	return ""
}

func readBlocks(t *testing.T, path string) []block {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []block
	var at *block
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		fence, ok := strings.CutPrefix(lines.Text(), "```")
		switch {
		case at != nil && ok:
			out = append(out, *at)
			at = nil
		case at != nil:
			at.text += lines.Text() + "\n"
		case ok:
			words := append(strings.Fields(fence), "")
			at = &block{line: n, lang: words[0], args: words[1:]}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if at != nil {
		t.Fatalf("%s:%d: the block has no end", path, at.line)
	}
	return out
}

// TestTheGuidesWork does what the pages of docs/guide say, in a folder of its own:
//
//   - a block with file=NAME is written to that file;
//   - an sh block is run: it must end well. "again" repeats it until it gives what the text block right behind it shows,
//     "background" leaves it running until the guide is through;
//   - a text block behind an sh block is what its output must have: these lines, in this order; … stands for anything, and the
//     number of spaces does not matter.
//
// The guides' ports are replaced by free ones, bin/myelin by the binary under test, and npm by what make test has installed.
func TestTheGuidesWork(t *testing.T) {
	pages, err := filepath.Glob("../../docs/guide/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no guides found: %v", err)
	}
	for _, page := range pages {
		blocks := readBlocks(t, page)
		runs := false
		for _, b := range blocks {
			runs = runs || b.lang == "sh"
		}
		if !runs {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(page), ".md"), func(t *testing.T) {
			if strings.Contains(page, "sdks") && !sdk.Installed() {
				t.Skip("the SDKs are not installed; make test installs them")
			}
			g := newGuide(t, page)
			for i, b := range blocks {
				var want string
				if i+1 < len(blocks) && blocks[i+1].lang == "text" {
					want = blocks[i+1].text
				}
				g.do(b, want)
			}
		})
	}
}

// guide is one page at work.
type guide struct {
	t         *testing.T
	page, dir string
	places    *strings.Replacer // the page's addresses by ours
	env       []string
}

func newGuide(t *testing.T, page string) *guide {
	t.Helper()
	g := &guide{t: t, page: page, dir: t.TempDir()}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 4)
	var swap []string
	if strings.Contains(string(text), "k1:9092") {
		brokers := startKafka(t)
		swap = append(swap, "k1:9092", brokers, "k2:9092", brokers, "k1", "127.0.0.1")
	}
	for i, port := range []string{"8080", "9092", "5433", "9999"} {
		_, mine, err := net.SplitHostPort(ports[i])
		if err != nil {
			t.Fatal(err)
		}
		swap = append(swap, port, mine)
	}
	g.places = strings.NewReplacer(swap...)
	g.tools(ports)
	return g
}

// tools puts what the guides call into bin, which comes first in PATH.
func (g *guide) tools(ports []string) {
	g.t.Helper()
	bin, err := binary()
	if err != nil {
		g.t.Fatal(err)
	}
	modules, err := filepath.Abs("../sdk/node_modules")
	if err != nil {
		g.t.Fatal(err)
	}
	for name, script := range map[string]string{
		"myelin": fmt.Sprintf(`verb=$1; shift
case $verb in
serve) exec %[1]s serve --http %[2]s --kafka %[3]s --postgres %[4]s "$@";;
sql) exec %[1]s sql --postgres %[4]s "$@";;
apply|tail|replay) exec %[1]s $verb --url http://%[2]s "$@";;
plan) sub=$1; shift
case $sub in
diff|infer) exec %[1]s plan $sub --url http://%[2]s "$@";;
*) exec %[1]s plan $sub "$@";;
esac;;
*) exec %[1]s $verb "$@";;
esac`, bin, ports[0], ports[1], ports[2]),
		"npm": fmt.Sprintf(`for last; do :; done
test -d %[1]s/$last || { echo "npm: $last is not installed; make test installs it" >&2; exit 1; }
ln -sfn %[1]s node_modules`, modules),
	} {
		path := filepath.Join(g.dir, "bin", name)
		err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755))
		if err != nil {
			g.t.Fatal(err)
		}
	}
	path := filepath.Join(g.dir, "bin") + ":" + filepath.Dir(sdk.Python()) + ":" + os.Getenv("PATH")
	g.env = append(os.Environ(), "PATH="+path, "PIP_DISABLE_PIP_VERSION_CHECK=1", "LC_ALL=C.UTF-8")
}

func (g *guide) do(b block, want string) {
	g.t.Helper()
	text := g.places.Replace(b.text)
	if name := b.file(); name != "" {
		path := filepath.Join(g.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			g.t.Fatal(err)
		}
		return
	}
	if b.lang != "sh" {
		return
	}
	check := g.expect(want)
	at := fmt.Sprintf("%s:%d", g.page, b.line)
	switch {
	case b.has("background"):
		out := g.start(text)
		eventually(g.t, patience, func() error { return where(at, check(out.String())) })
	case b.has("again"):
		eventually(g.t, patience, func() error {
			out, err := g.run(text)
			return where(at, cmp.Or(err, check(out)))
		})
	default:
		out, err := g.run(text)
		if err = cmp.Or(err, check(out)); err != nil {
			g.t.Fatal(where(at, err))
		}
	}
}

func where(at string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", at, err)
}

// run runs a script to its end.
func (g *guide) run(script string) (string, error) {
	cmd := g.command(g.t.Context(), script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return string(out), nil
}

// start runs a script until the test ends.
func (g *guide) start(script string) *lockedBuffer {
	g.t.Helper()
	cmd := g.command(context.Background(), "exec "+strings.TrimSpace(script))
	out := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
		dead := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // a client that was stopped says so
		dead.Stop()
	})
	return out
}

func (g *guide) command(ctx context.Context, script string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = g.dir, g.env
	return cmd
}

var spaces = regexp.MustCompile(`[ \t]+`)

// expect returns a check whether an output has the wanted lines in order.
func (g *guide) expect(want string) func(out string) error {
	var patterns []*regexp.Regexp
	for line := range strings.Lines(g.places.Replace(want)) {
		line = strings.TrimSpace(spaces.ReplaceAllString(line, " "))
		if line == "" {
			continue
		}
		patterns = append(patterns, regexp.MustCompile("^"+strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*")+"$"))
	}
	return func(out string) error {
		left := patterns
		for line := range strings.Lines(out) {
			line = strings.TrimSpace(spaces.ReplaceAllString(line, " "))
			if len(left) > 0 && left[0].MatchString(line) {
				left = left[1:]
			}
		}
		if len(left) > 0 {
			return fmt.Errorf("no line %s in\n%s", left[0], out)
		}
		return nil
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinksOfThePagesLeadSomewhere follows every relative link of the README and of docs/.
func TestLinksOfThePagesLeadSomewhere(t *testing.T) {
	pages := []string{"../../README.md", "../../CHANGELOG.md"}
	err := filepath.WalkDir("../../docs", func(path string, d os.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".md" {
			pages = append(pages, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), target)); err != nil {
				t.Errorf("%s links to %s, which is not there", page, target)
			}
		}
	}
}

var named = regexp.MustCompile("\\[`([A-Za-z0-9_.]+)`\\]\\(([^)]+\\.go)\\)")

// TestArchitectureNamesWhatIsThere finds every function, method and type that ARCHITECTURE.md names in the file that it links to.
func TestArchitectureNamesWhatIsThere(t *testing.T) {
	text, err := os.ReadFile("../../docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	found := named.FindAllStringSubmatch(string(text), -1)
	if len(found) < 50 {
		t.Fatalf("only %d names found; the pattern does not fit the page any more", len(found))
	}
	for _, m := range found {
		name, file := m[1], m[2]
		if strings.HasSuffix(name, ".go") {
			continue // the link itself is checked with all others
		}
		code, err := os.ReadFile(filepath.Join("../../docs", file))
		if err != nil {
			t.Error(err)
			continue
		}
		kind, method, isMethod := strings.Cut(name, ".")
		declared := `(?m)^(func|type|var|const) ` + name + `\b|^\t` + name + ` .*=`
		if isMethod {
			declared = `(?m)^func \(\w* ?\*?` + kind + `\) ` + method + `\(`
		}
		if !regexp.MustCompile(declared).Match(code) {
			t.Errorf("ARCHITECTURE.md: %s is not in %s", name, file)
		}
	}
}
