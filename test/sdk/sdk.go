// Package sdk drives real collecting SDKs (Node, Python, a browser) against a server under test.
package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

// Result is what a driver reports.
type Result struct {
	SDK string
	// Delivered are the messageIds whose delivery the SDK saw confirmed, Closing those sent by a page while it closed.
	Delivered, Closing []string
	Failed             []struct{ MessageID, Reason string }
	// Blocked are requests that the browser did not let through, Preflights counts its OPTIONS requests.
	Blocked    []string
	Preflights int
}

// Driver is one SDK in one mode.
type Driver struct {
	Name string
	// Script in this folder, and the modes it is given.
	Script string
	Modes  []string
	// Until is closed when nothing more is to come of a page that closes, whose requests it does not see the answers of.
	Until <-chan struct{}
}

// Drivers are all SDKs in all modes that wait for confirmation.
var Drivers = []Driver{
	{Name: "analytics-node", Script: "node.mjs"},
	{Name: "analytics-node, singles", Script: "node.mjs", Modes: []string{"single"}},
	{Name: "analytics-python", Script: "send.py"},
	{Name: "analytics-python, gzip", Script: "send.py", Modes: []string{"gzip"}},
	{Name: "analytics-python, singles", Script: "send.py", Modes: []string{"single"}},
	{Name: "analytics-next in Chromium", Script: "browser.mjs"},
	{Name: "analytics-next in Chromium, singles", Script: "browser.mjs", Modes: []string{"standard"}},
}

// Run has d send count events to base under key.
func (d Driver) Run(ctx context.Context, base, key string, count int) (*Result, error) {
	_, file, _, _ := runtime.Caller(0)
	args := append([]string{filepath.Join(filepath.Dir(file), d.Script), base, key, strconv.Itoa(count)}, d.Modes...)
	program := "node"
	if strings.HasSuffix(d.Script, ".py") {
		program = Python()
	}
	cmd := exec.CommandContext(ctx, program, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if d.Until != nil {
		stdin, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		go func() {
			select {
			case <-d.Until:
			case <-ctx.Done():
			}
			_ = stdin.Close() // the script ends with it, or has ended
		}()
	}
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("running %s: %w\n%s", d.Name, err, stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	r := new(Result)
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), r); err != nil {
		return nil, fmt.Errorf("reading what %s printed (%q): %w", d.Name, out, err)
	}
	return r, nil
}

// Installed reports whether make test has set up what the drivers need.
func Installed() bool {
	_, file, _, _ := runtime.Caller(0)
	return exists(filepath.Join(filepath.Dir(file), "node_modules")) && Python() != "python3"
}

// Python is the interpreter that has the Python clients: the one that make test sets up, unless MYELIN_PYTHON names one.
func Python() string {
	if p := os.Getenv("MYELIN_PYTHON"); p != "" {
		return p
	}
	cache := os.Getenv("MYELIN_CACHE")
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return "python3"
		}
		cache = filepath.Join(dir, "myelin")
	}
	if p := filepath.Join(cache, "python", "bin", "python"); exists(p) {
		return p
	}
	return "python3"
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Weather is a handler that gives its first POST requests bad answers, as overload and faults would, and then lets all
// through to Next.
type Weather struct {
	Next http.Handler
	// Storm has a letter for each request: r refuses with 429 and Retry-After, f fails with 500, l passes the request on and
	// then hides the answer behind a 500, so that the sender repeats what was stored; any other letter is good weather.
	Storm string

	mu struct {
		sync.Mutex
		n int
	}
}

// Over reports whether the storm has passed.
func (w *Weather) Over() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.n >= len(w.Storm)
}

// ServeHTTP implements http.Handler.
func (w *Weather) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	what := byte('.')
	if r.Method == http.MethodPost {
		w.mu.Lock()
		if w.mu.n < len(w.Storm) {
			what = w.Storm[w.mu.n]
		}
		w.mu.n++
		w.mu.Unlock()
	}
	status := http.StatusInternalServerError
	switch what {
	case 'r':
		status = http.StatusTooManyRequests
		rw.Header().Set("Retry-After", "1")
	case 'f':
	case 'l':
		w.Next.ServeHTTP(&deaf{header: http.Header{}}, r)
	default:
		w.Next.ServeHTTP(rw, r)
		return
	}
	if origin := r.Header.Get("Origin"); origin != "" { // as the doors do
		rw.Header().Set("Access-Control-Allow-Origin", origin)
		rw.Header().Set("Access-Control-Allow-Credentials", "true")
		rw.Header().Set("Access-Control-Expose-Headers", "Retry-After")
	}
	rw.WriteHeader(status)
}

// deaf is a ResponseWriter whose answer nobody gets.
type deaf struct{ header http.Header }

func (d *deaf) Header() http.Header         { return d.header }
func (d *deaf) Write(b []byte) (int, error) { return len(b), nil }
func (d *deaf) WriteHeader(int)             {}
