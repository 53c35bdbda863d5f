package api

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

// assets are the files of the web interface, read once: each with its tag and, where that helps, compressed when it is first asked for.
type assets struct{ files map[string]*asset }

type asset struct {
	kind, tag string
	plain     []byte
	gzip      func() []byte // nil: it would not help
}

// contentPolicy lets the pages load nothing from elsewhere; Svelte sets style attributes.
const contentPolicy = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; frame-ancestors 'self'"

func loadAssets(ui fs.FS) (*assets, error) {
	a := &assets{files: map[string]*asset{}}
	err := fs.WalkDir(ui, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(ui, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		f := &asset{kind: contentType(name, data), tag: hex.EncodeToString(sum[:8]), plain: data}
		if compressible(f.kind) && len(data) >= compressFrom {
			f.gzip = sync.OnceValue(func() []byte { return compressed(data) })
		}
		a.files[name] = f
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the web interface: %w", err)
	}
	return a, nil
}

func compressed(data []byte) []byte {
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	_, _ = zip.Write(data) // a buffer takes everything
	_ = zip.Close()
	return b.Bytes()
}

func contentType(name string, data []byte) string {
	switch path.Ext(name) { // independent of the machine's mime tables
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".json", ".map":
		return "application/json"
	case ".woff2":
		return "font/woff2"
	case ".webmanifest":
		return "application/manifest+json"
	}
	if kind := mime.TypeByExtension(path.Ext(name)); kind != "" {
		return kind
	}
	return http.DetectContentType(data)
}

func compressible(kind string) bool {
	return strings.HasPrefix(kind, "text/") || strings.Contains(kind, "json") || strings.Contains(kind, "svg")
}

// ServeHTTP answers with a file, or with the page itself for the addresses that the page's own router knows.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD are possible here", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	f := a.files[name]
	if f == nil {
		// A missing file is missing; everything else is a page.
		// Names of topics and views have dots too; files of ours lie at the top or under assets.
		folder, _, deep := strings.Cut(name, "/")
		ext := path.Ext(name)
		if ext != "" && ext != ".html" && (!deep || folder == "assets") || a.files["index.html"] == nil {
			http.NotFound(w, r)
			return
		}
		name, f = "index.html", a.files["index.html"]
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Vary", "Accept-Encoding")
	if strings.HasPrefix(f.kind, "text/html") {
		h.Set("Content-Security-Policy", contentPolicy)
	}
	tag, body := `"`+f.tag+`"`, f.plain
	if f.gzip != nil && acceptsGzip(r) {
		tag, body = `"`+f.tag+`-gz"`, f.gzip()
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", tag)
	// The build puts a hash into the names below assets/, so that they never change.
	if strings.HasPrefix(name, "assets/") {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	if strings.Contains(r.Header.Get("If-None-Match"), tag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", fmt.Sprint(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that left needs no answer
	}
}
