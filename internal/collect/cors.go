package collect

import (
	"net/http"
	"strings"
)

// allowOrigin lets any page read the answer: write keys are public, and a browser that cannot see the answer, or its
// Retry-After, retries blindly (analytics.js then waits 0.5 s instead of what it is told).
func allowOrigin(h http.Header, r *http.Request) {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", "Retry-After")
	h.Set("Vary", "Origin")
}

// preflight answers OPTIONS for any path and without a key, since browsers send none with it. The requested headers are
// granted as asked: the SDKs add some on retries (X-Retry-Count), and one that is missing blocks every retry.
func preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	asked := strings.Join(r.Header.Values("Access-Control-Request-Headers"), ", ")
	if asked == "" {
		asked = "Authorization, Content-Type, Content-Encoding, X-Retry-Count, X-Write-Key, Myelin-Validate"
	}
	h.Set("Access-Control-Allow-Headers", asked)
	h.Set("Access-Control-Max-Age", "7200")
	if r.Header.Get("Access-Control-Request-Private-Network") == "true" {
		h.Set("Access-Control-Allow-Private-Network", "true")
	}
	w.WriteHeader(http.StatusNoContent)
}
