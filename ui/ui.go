// Package ui carries the built web UI inside the binary.
package ui

import (
	"embed"
	"io/fs"
)

// dist/app is what `npm run build` makes; a clean checkout has only dist/placeholder.html, so that Go builds without Node.
//
//go:embed all:dist
var dist embed.FS

// Files returns the files of the web UI, index.html at the root. Where the UI was not built before the binary, it holds one
// page that says so. Safe for use at the same time.
func Files() fs.FS {
	if Built() {
		app, err := fs.Sub(dist, "dist/app")
		if err != nil {
			panic("ui: dist/app is not a valid path: " + err.Error())
		}
		return app
	}
	return placeholder{}
}

// Built reports whether the binary carries the built UI, not the page that stands in for it.
func Built() bool {
	_, err := fs.Stat(dist, "dist/app/index.html")
	return err == nil
}

// placeholder serves dist/placeholder.html under the name index.html and nothing else.
type placeholder struct{}

// Open implements fs.FS.
func (placeholder) Open(name string) (fs.File, error) {
	if name != "index.html" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return dist.Open("dist/placeholder.html")
}
