// Package ui carries the built web UI inside the binary.
package ui

import (
	"embed"
	"io/fs"
)

// dist/app is what `npm run build` makes; a clean checkout has only dist/placeholder, so that Go builds without Node.
//
//go:embed all:dist
var dist embed.FS

// Files returns the files of the web UI, index.html at the root. Where the UI was not built before the binary, it holds one
// page that says so. Safe for use at the same time.
func Files() fs.FS {
	if Built() {
		return folder("dist/app")
	}
	return folder("dist/placeholder")
}

// Built reports whether the binary carries the built UI, not the page that stands in for it.
func Built() bool {
	_, err := fs.Stat(dist, "dist/app/index.html")
	return err == nil
}

func folder(name string) fs.FS {
	sub, err := fs.Sub(dist, name)
	if err != nil {
		panic("ui: " + name + " is not a valid path: " + err.Error())
	}
	return sub
}
