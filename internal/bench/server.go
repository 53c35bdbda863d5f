package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// project is what the measured server is configured with.
type project struct {
	view  bool   // with a view over the events
	roles string // --roles; "": all
	sql   string // more objects
	more  string // more of myelin.yaml
}

const planText = `apiVersion: myelin/v1
kind: TrackingPlan
name: bench
events:
  Order Completed:
    version: 1-0-0
    properties:
      order_id: {type: string, required: true, maxLength: 64}
      total: {type: number, required: true, minimum: 0}
      currency: {type: string, enum: [EUR, USD, GBP]}
      coupon: {type: string}
      n: {type: integer}
      products:
        type: array
        items: {type: object, properties: {product_id: {type: string, required: true}, price: {type: number}, quantity: {type: integer}}}
`

const viewText = `CREATE MATERIALIZED VIEW newest AS
SELECT user_key, max((properties->>'n')::bigint) AS n FROM events GROUP BY user_key;
`

const configText = "sources: [{name: bench, write_keys: [wk_bench], plan: bench}]\n"

// server is a running myelin.
type server struct {
	cmd             *exec.Cmd
	base            string
	kafka, postgres string
	client          *http.Client
	ready           chan struct{}
	failed          chan struct{}
	output          bytes.Buffer
}

// start runs the binary on ports that are free, in a fresh folder.
func start(ctx context.Context, cfg Config, p project) (*server, error) {
	dir, err := os.MkdirTemp(cfg.Dir, "bench-")
	if err != nil {
		return nil, fmt.Errorf("making a scratch folder: %w", err)
	}
	files := map[string]string{"myelin.yaml": configText + p.more, "plan/bench.yaml": planText}
	if p.view {
		files["sql/bench.sql"] = viewText
	}
	if p.sql != "" {
		files["sql/more.sql"] = p.sql
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			return nil, fmt.Errorf("writing the project: %w", err)
		}
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	args := []string{"serve", "--project", dir, "--data", filepath.Join(dir, "data"), "--http", ports[0], "--kafka", ports[1], "--postgres", ports[2]}
	if p.roles != "" {
		args = append(args, "--roles", p.roles)
	}
	s := &server{
		base: "http://" + ports[0], kafka: ports[1], postgres: ports[2], client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 256}},
	}
	return s, s.launch(ctx, cfg.Binary, args)
}

func (s *server) launch(ctx context.Context, binary string, args []string) error {
	s.cmd, s.ready, s.failed = exec.CommandContext(ctx, binary, args...), make(chan struct{}), make(chan struct{})
	s.cmd.Stderr = &s.output
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", binary, err)
	}
	go s.watch(out, s.ready, s.failed)
	return nil
}

// crash kills the process and starts it again on the same folder; it returns how long it took to be ready.
func (s *server) crash(ctx context.Context) (time.Duration, error) {
	if err := s.cmd.Process.Kill(); err != nil {
		return 0, fmt.Errorf("killing the server: %w", err)
	}
	<-s.failed
	_ = s.cmd.Wait() // it was killed
	s.client.CloseIdleConnections()
	began := time.Now()
	if err := s.launch(ctx, s.cmd.Path, s.cmd.Args[1:]); err != nil {
		return 0, err
	}
	err := s.awaitReady(ctx)
	return time.Since(began), err
}

// watch waits for the line ready; it ends with the process.
func (s *server) watch(out io.Reader, ready, failed chan struct{}) {
	defer close(failed)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "ready") {
			close(ready)
		}
	}
}

func (s *server) awaitReady(ctx context.Context) error {
	select {
	case <-s.ready:
		return nil
	case <-s.failed:
		return fmt.Errorf("the server ended before it was ready: %s", strings.TrimSpace(s.output.String()))
	case <-time.After(2 * time.Minute):
		return errors.New("the server was not ready within 2 minutes")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop ends the server and removes its folder.
func (s *server) stop() {
	s.client.CloseIdleConnections()
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	kill := time.AfterFunc(20*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer kill.Stop()
	<-s.failed
	_ = s.cmd.Wait() // how it ended does not matter to a measurement
	_ = os.RemoveAll(s.cmd.Args[3])
}

func (s *server) post(ctx context.Context, body []byte) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+"/v1/batch", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.SetBasicAuth("wk_bench", "")
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// metrics is what the server tells Prometheus.
func (s *server) metrics(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/metrics", nil)
	if err != nil {
		return "", err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// clockTick is USER_HZ, which is 100 on Linux.
const clockTick = 10 * time.Millisecond

// cpu is the user and system time of the process so far (proc(5), fields 14 and 15).
func (s *server) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * clockTick
}

// rss is the resident memory in bytes.
func (s *server) rss() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// freePorts finds loopback addresses that nobody listens on, below those that the system gives to connections by themselves.
func freePorts(n int) ([]string, error) {
	const first, behind = 28_000, 32_000
	var out []string
	for port, tries := first+rand.IntN(behind-first), 0; tries < behind-first; tries++ {
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		if port++; port == behind {
			port = first
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		l.Close()
		if out = append(out, addr); len(out) == n {
			return out, nil
		}
	}
	return nil, fmt.Errorf("finding %d free ports", n)
}
