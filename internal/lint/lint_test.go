package lint

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// layers lists the rooms from the ground up. A room imports only rooms of lower layers, or itself and its sub-rooms.
var layers = [][]string{
	{"clock", "tape", "event", "vec", "config", "telemetry", "sluice", "lint", "ui"},
	{"auth", "control"},
	{"broker", "log", "connect"},
	{"collect", "trust", "process", "activate"},
	{"serve"},
	{"app", "demo", "bench"},
	{"cmd", "test"},
}

// ground is the order among the rooms of the lowest layer that do see each other: each may import those before it.
var ground = []string{"clock", "tape", "event", "telemetry", "sluice"}

// noOS are rooms whose files must go through vfs, so that tests can crash them.
var noOS = []string{"internal/broker/store", "internal/process/state", "internal/control"}

var badNames = []string{"util", "utils", "misc", "common", "helper", "helpers", "types", "models"}

const maxLines = 800

type source struct {
	path string // from the root, with slashes
	text []byte
	file *ast.File
	fset *token.FileSet
}

func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && p != root || d.Name() == "node_modules" || d.Name() == "testdata" || d.Name() == "dist" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		ext := path.Ext(p)
		if d.IsDir() || !slices.Contains([]string{".go", ".ts", ".svelte", ".mjs", ".css"}, ext) {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		s := source{path: filepath.ToSlash(rel), text: text, fset: token.NewFileSet()}
		if ext == ".go" {
			if s.file, err = parser.ParseFile(s.fset, p, text, parser.ParseComments); err != nil {
				return err
			}
		}
		out = append(out, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		t.Fatal("no sources found")
	}
	return out
}

// room is the first name under internal/, or the top folder.
func room(p string) string {
	parts := strings.Split(p, "/")
	if parts[0] == "internal" && len(parts) > 1 {
		return parts[1]
	}
	return parts[0]
}

func layer(room string) int {
	return slices.IndexFunc(layers, func(l []string) bool { return slices.Contains(l, room) })
}

func TestImportsPointDown(t *testing.T) {
	for _, s := range sources(t) {
		from := room(s.path)
		if s.file == nil || strings.HasSuffix(s.path, "_test.go") || layer(from) < 0 {
			if s.file != nil && strings.HasPrefix(s.path, "internal/") && layer(from) < 0 {
				t.Errorf("%s: the room %q is in no layer of internal/lint", s.path, from)
			}
			continue
		}
		for _, imp := range s.file.Imports {
			target, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			inside, ok := strings.CutPrefix(target, "myelin/")
			if !ok {
				continue
			}
			to := room(inside)
			if to == from {
				continue
			}
			lower := layer(to) < layer(from)
			onGround := layer(from) == 0 && layer(to) == 0 && slices.Index(ground, to) >= 0 && slices.Index(ground, to) < slices.Index(ground, from)
			if !lower && !onGround {
				t.Errorf("%s imports %s: %s does not lie below %s (docs/ARCHITECTURE.md)", s.path, target, to, from)
			}
		}
	}
}

func TestFilesAreSmall(t *testing.T) {
	var sizes []int
	for _, s := range sources(t) {
		n := bytes.Count(s.text, []byte{'\n'})
		sizes = append(sizes, n)
		if n > maxLines && !bytes.Contains(s.text[:min(200, len(s.text))], []byte("Code generated")) {
			t.Errorf("%s has %d lines; split it by responsibility (limit %d)", s.path, n, maxLines)
		}
	}
	slices.Sort(sizes)
	if median := sizes[len(sizes)/2]; median >= 250 {
		t.Errorf("the median file has %d lines; keep it below 250", median)
	}
}

func TestEveryPackageHasOneComment(t *testing.T) {
	comments, packages := map[string][]string{}, map[string]string{}
	for _, s := range sources(t) {
		if s.file == nil || strings.HasSuffix(s.path, "_test.go") {
			continue
		}
		dir := path.Dir(s.path)
		packages[dir] = s.file.Name.Name
		if s.file.Doc != nil {
			comments[dir] = append(comments[dir], path.Base(s.path))
		}
	}
	for dir, name := range packages {
		if slices.Contains(badNames, name) {
			t.Errorf("%s: a package named %q says nothing about its idea", dir, name)
		}
		want := name + ".go"
		if name == "main" {
			want = "main.go"
		}
		if got := comments[dir]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: package comments in %v; want exactly one, in %s", dir, got, want)
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, s := range sources(t) {
		if s.file == nil || strings.HasSuffix(s.path, "_test.go") || !strings.HasPrefix(s.path, "internal/") {
			continue
		}
		for _, d := range s.file.Decls {
			for _, name := range undocumented(d) {
				t.Errorf("%s:%d: %s has no comment", s.path, s.fset.Position(d.Pos()).Line, name)
			}
		}
	}
}

// undocumented lists the exported names of a declaration that carry no comment of their own or of their group.
func undocumented(d ast.Decl) []string {
	var out []string
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			out = append(out, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
					out = append(out, spec.Name.Name)
				}
			case *ast.ValueSpec:
				for _, n := range spec.Names {
					if n.IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
						out = append(out, n.Name)
					}
				}
			}
		}
	}
	return out
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

var todo = regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)

func TestForbiddenCallsAndNotes(t *testing.T) {
	for _, s := range sources(t) {
		if s.file == nil || strings.HasPrefix(s.path, "internal/lint/") {
			continue
		}
		for _, imp := range s.file.Imports {
			name, _ := strconv.Unquote(imp.Path.Value)
			if name == "C" {
				t.Errorf("%s: cgo is not used here", s.path)
			}
			if name == "os" && slices.Contains(noOS, path.Dir(s.path)) && !strings.HasSuffix(s.path, "_test.go") {
				t.Errorf("%s imports os: this room writes through vfs only", s.path)
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := call.X.(*ast.Ident)
			if ok && pkg.Name == "time" && call.Sel.Name == "Sleep" {
				t.Errorf("%s: time.Sleep; wait for a condition instead", position(s, n))
			}
			return true
		})
		for _, group := range s.file.Comments {
			for _, c := range group.List {
				if todo.MatchString(c.Text) && !strings.Contains(c.Text, "#") {
					t.Errorf("%s: an open note without an issue number: %s", position(s, c), c.Text)
				}
			}
		}
	}
}

func position(s source, n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.fset.Position(n.Pos()).Line)
}
