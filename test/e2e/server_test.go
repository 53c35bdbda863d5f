package e2e

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is the myelin under test: MYELIN_BIN, or one built for this run.
var binary = sync.OnceValues(func() (string, error) {
	if b := os.Getenv("MYELIN_BIN"); b != "" {
		return b, nil
	}
	out := filepath.Join(os.TempDir(), fmt.Sprintf("myelin-e2e-%d", os.Getpid()))
	cmd := exec.Command("go", "build", "-o", out, "myelin/cmd/myelin")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building myelin: %w\n%s", err, text)
	}
	return out, nil
})

// project is the files of a project folder, by path.
type project map[string]string

// with returns a copy with more files, or others in their place.
func (p project) with(files project) project {
	out := project{}
	for _, from := range []project{p, files} {
		for name, text := range from {
			out[name] = text
		}
	}
	return out
}

// server is a running myelin. It can be ended and started again on the same folders and ports.
type server struct {
	t                     *testing.T
	dir                   string
	http, kafka, postgres string // host:port
	args                  []string
	verb, projectDir      string // "": serve, dir
	cmd                   *exec.Cmd
	log                   lockedBuffer
	ended                 chan error
}

// run starts myelin on a project and waits until it is ready.
func run(t *testing.T, p project, args ...string) *server {
	t.Helper()
	s := prepare(t, p, args...)
	s.start()
	return s
}

// prepare writes the project and picks ports, without starting anything.
func prepare(t *testing.T, p project, args ...string) *server {
	t.Helper()
	ports := freePorts(t, 3)
	s := &server{t: t, dir: t.TempDir(), http: ports[0], kafka: ports[1], postgres: ports[2], args: args}
	s.write(p)
	return s
}

func (s *server) write(p project) {
	s.t.Helper()
	for name, text := range p {
		path := filepath.Join(s.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			s.t.Fatal(err)
		}
	}
}

// start runs the binary and waits for the line ready. It returns how long that took.
func (s *server) start() time.Duration {
	s.t.Helper()
	if _, err := binary(); err != nil { // building it does not count
		s.t.Fatal(err)
	}
	began := time.Now()
	if err := s.launch(); err != nil {
		s.t.Fatal(err)
	}
	return time.Since(began)
}

// startSoon starts the binary after a kill. Where the machine is there for nothing else (MYELIN_SOAK_ROUNDS) it has to be ready soon.
func (s *server) startSoon(round int) {
	s.t.Helper()
	if took := s.start(); took > 5*time.Second && os.Getenv("MYELIN_SOAK_ROUNDS") != "" {
		s.t.Errorf("round %d: ready after %s; want at most 5 s", round, took)
	}
}

// launch starts the binary; the error says that it ended instead of becoming ready.
func (s *server) launch() error {
	bin, err := binary()
	if err != nil {
		return err
	}
	verb, projectDir := cmp.Or(s.verb, "serve"), cmp.Or(s.projectDir, s.dir)
	args := append([]string{verb, "--project", projectDir, "--data", filepath.Join(s.dir, "data"),
		"--http", s.http, "--kafka", s.kafka, "--postgres", s.postgres}, s.args...)
	s.cmd = exec.Command(bin, args...)
	s.cmd.Stderr = &s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	s.ended = ended
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "ready") {
				close(ready)
			}
		}
		ended <- s.cmd.Wait()
	}()
	s.t.Cleanup(func() { s.kill() })
	select {
	case <-ready:
		return nil
	case err := <-ended:
		ended <- err
		return fmt.Errorf("myelin ended before it was ready: %v\n%s", err, s.log.String())
	case <-time.After(2 * time.Minute):
		return fmt.Errorf("myelin was not ready within two minutes\n%s", s.log.String())
	}
}

// stop sends SIGTERM and demands exit code 0.
func (s *server) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	select {
	case err := <-s.ended:
		s.ended <- err
		if err != nil {
			s.t.Fatalf("after SIGTERM: %v\n%s", err, s.log.String())
		}
	case <-time.After(2 * time.Minute):
		s.kill()
		s.t.Fatalf("SIGTERM did not end myelin within two minutes\n%s", s.log.String())
	}
}

// kill ends the process at once, as a crash does.
func (s *server) kill() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may have ended already
	err := <-s.ended
	s.ended <- err
}

func (s *server) url(path string) string { return "http://" + s.http + path }

// post sends one call and returns the status.
func (s *server) post(path, writeKey string, body any) (int, error) {
	text, ok := body.([]byte)
	if !ok {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return 0, err
		}
	}
	req, err := http.NewRequest(http.MethodPost, s.url(path), bytes.NewReader(text))
	if err != nil {
		return 0, err
	}
	req.SetBasicAuth(writeKey, "")
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// send posts a batch and demands 200.
func (s *server) send(writeKey string, calls ...map[string]any) {
	s.t.Helper()
	status, err := s.post("/v1/batch", writeKey, map[string]any{"batch": calls})
	if err != nil || status != http.StatusOK {
		s.t.Fatalf("sending %d calls: %d, %v\n%s", len(calls), status, err, s.log.String())
	}
}

var client = &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// get reads a JSON answer of the API.
func (s *server) get(path string, into any) error {
	resp, err := client.Get(s.url(path))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s: %s", path, resp.Status, text)
	}
	return json.Unmarshal(text, into)
}

// query asks over the Postgres port with psql and returns the rows, columns separated by |.
func (s *server) query(sql string) ([]string, error) {
	host, port, _ := strings.Cut(s.postgres, ":")
	out, err := command("psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", host, "-p", port, "-U", "myelin", "-d", "myelin", "-c", sql)
	if err != nil {
		return nil, err
	}
	out = strings.TrimSpace(out)
	if out == "" {
		return nil, nil
	}
	return strings.Split(out, "\n"), nil
}

// command runs a client, which should not take long, and returns what it printed.
func command(name string, args ...string) (string, error) {
	return longCommand(2*time.Minute, name, args...)
}

func longCommand(atMost time.Duration, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), atMost)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// patience is how long a test waits for what comes as soon as the machine gets to it.
const patience = 2 * time.Minute

// eventually polls until check returns nil.
func eventually(t *testing.T, atMost time.Duration, check func() error) {
	t.Helper()
	deadline := time.After(atMost)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %s: %v", atMost, err)
		}
	}
}

// ports are handed out below those that the system gives to connections by themselves, and each once: a server that was killed has to
// get its own again.
var ports struct {
	sync.Mutex
	next int
}

func freePorts(t *testing.T, n int) []string {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	const first, behind = 24_000, 28_000
	if ports.next == 0 {
		ports.next = first + rand.IntN(behind-first)
	}
	var out []string
	for range behind - first {
		addr := fmt.Sprintf("127.0.0.1:%d", ports.next)
		if ports.next++; ports.next == behind {
			ports.next = first
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		l.Close()
		if out = append(out, addr); len(out) == n {
			return out
		}
	}
	t.Fatalf("no %d free ports", n)
	return nil
}

// lockedBuffer is a buffer that a process writes while a test reads.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
