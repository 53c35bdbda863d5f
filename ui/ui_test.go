package ui

import (
	"io/fs"
	"strings"
	"testing"
)

func TestFilesAlwaysHoldAnIndexPage(t *testing.T) {
	page, err := fs.ReadFile(Files(), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "<title>Myelin") {
		t.Fatalf("index.html is not ours: %.200s", page)
	}
}

func TestPlaceholderSaysHowToBuildTheUI(t *testing.T) {
	page, err := fs.ReadFile(folder("dist/placeholder"), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "make build") {
		t.Error("the placeholder does not name the make target")
	}
}
