package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// fakes are packages by what becomes of their tests. A test that fails once finds in a file that it did.
var fakes = map[string]string{
	"fine": "func TestFine(t *testing.T) { t.Log(\"quiet\") }\n",
	"once": `func TestFine(t *testing.T) { t.Log("quiet") }
func TestOnce(t *testing.T) {
	t.Run("of two", func(t *testing.T) {
		if f, err := os.OpenFile(os.Getenv("ONCE"), os.O_CREATE|os.O_EXCL, 0o600); err == nil { f.Close(); t.Error("not yet") }
	})
}
`,
	"always": "func TestAlways(t *testing.T) { t.Error(\"never\") }\nfunc TestFine(t *testing.T) {}\n",
	"four":   "func TestA(t *testing.T) { t.Error() }\nfunc TestB(t *testing.T) { t.Error() }\nfunc TestC(t *testing.T) { t.Error() }\nfunc TestD(t *testing.T) { t.Error() }\n",
	"build":  "func TestBuild(t *testing.T) { nonsense }\n",
	"panics": "func TestPanics(t *testing.T) { panic(\"now\") }\n",
	"aside":  "func TestAside(t *testing.T) { go panic(\"aside\"); select {} }\n",
	"exits":  "func TestMain(m *testing.M) { m.Run(); os.Exit(1) }\nfunc TestFine(t *testing.T) {}\n",
	"hangs":  "func TestHangs(t *testing.T) { select {} }\n",
}

// TestASecondChance runs fake packages of every kind: what fails once is listed and does not count, anything worse does.
func TestASecondChance(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("go.mod", "module fake\n\ngo 1.26\n")
	for name, text := range fakes {
		put(name+"/fake_test.go", "package "+name+"\n\nimport (\n\"os\"\n\"testing\"\n)\n\nvar _ = os.Args\n\n"+text)
	}
	const flaky = `FLAKY: fake/once TestOnce failed, then passed; output of the failure above`
	for _, c := range []struct {
		packages string
		passes   bool
		has      []string // regular expressions
		hasNot   string
	}{
		{"fine", true, []string{`^ok  \tfake/fine\t\S+\n$`}, "quiet"},
		{"fine once", true, []string{`not yet(?s:.*)--- FAIL: TestOnce(?s:.*)FAIL\tfake/once(?s:.*)second chance(?s:.*)` + flaky, `\nok  \tfake/(fine|once)\t\S+\nok  \tfake/(fine|once)\t\S+\n$`}, "quiet"},
		{"once always", false, []string{flaky, `FAILED TWICE: fake/always TestAlways\n`, `FAIL\tfake/always\t[\d.]+s\n`, `ok  \tfake/once\t[\d.]+s\n`}, "TestFine"},
		{"four", false, []string{`no test is repeated: 4 tests of 1 packages`, `FAIL\tfake/four\t[\d.]+s\n$`}, "chance"},
		{"once build", false, []string{`undefined: nonsense`, `no test is repeated: fake/build did not build`, `FAIL\tfake/build \[build failed\]\n`}, "FLAKY"},
		{"once panics", false, []string{`panic: now`, `no test is repeated: fake/panics did`}, "FLAKY"},
		{"once aside", false, []string{`panic: aside`, `no test is repeated: fake/aside did`}, "FLAKY"},
		{"exits", false, []string{`no test is repeated: fake/exits failed without`}, "FLAKY"},
		{"nowhere", false, []string{`fake/nowhere`}, "FLAKY"},
	} {
		t.Run(c.packages, func(t *testing.T) {
			t.Parallel()
			got, err := try(t, dir, 10*time.Minute, strings.Fields(c.packages)...)
			if passes := err == nil; passes != c.passes {
				t.Errorf("it passes: %v, %v", passes, err)
			}
			for _, pattern := range c.has {
				if !regexp.MustCompile(pattern).MatchString(got) {
					t.Errorf("%q is missing", pattern)
				}
			}
			if strings.Contains(got, c.hasNot) {
				t.Errorf("it says %q", c.hasNot)
			}
			if t.Failed() {
				t.Log("\n" + got)
			}
		})
	}
	t.Run("hangs", func(t *testing.T) {
		t.Parallel()
		if got, err := try(t, dir, 7*time.Second, "hangs"); err == nil || strings.Contains(got, "chance") {
			t.Errorf("%v\n%s", err, got)
		}
	})
}

func try(t *testing.T, dir string, within time.Duration, packages ...string) (string, error) {
	var out bytes.Buffer
	for i := range packages {
		packages[i] = "fake/" + packages[i]
	}
	r := runner{out: &out, most: 3, within: within, dir: dir, env: append(os.Environ(), "ONCE="+filepath.Join(t.TempDir(), "once"))}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	err := r.all(ctx, packages)
	return out.String(), err
}
