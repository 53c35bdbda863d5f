package cluster

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// binary is the myelin under test: MYELIN_BIN, or one built for this run.
var binary = sync.OnceValues(func() (string, error) {
	if b := os.Getenv("MYELIN_BIN"); b != "" {
		return b, nil
	}
	out := filepath.Join(os.TempDir(), fmt.Sprintf("myelin-cluster-%d", os.Getpid()))
	if text, err := exec.Command("go", "build", "-o", out, "myelin/cmd/myelin").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building myelin: %w\n%s", err, text)
	}
	return out, nil
})

// node is one process of Myelin. It can be ended and started again.
type node struct {
	t              *testing.T
	name           string
	project, data  string
	http, postgres string
	cmd            *exec.Cmd
	log            lockedBuffer
	ended          chan error
}

func newNode(t *testing.T, name string, ports []int, files map[string]string) *node {
	t.Helper()
	n := &node{t: t, name: name, project: t.TempDir(), data: t.TempDir(), http: fmt.Sprintf("127.0.0.1:%d", ports[0]), postgres: fmt.Sprintf("127.0.0.1:%d", ports[0]+1)}
	for file, text := range files {
		path := filepath.Join(n.project, file)
		text = strings.ReplaceAll(text, "NODE", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	key := bytes.Repeat([]byte{7}, 64) // the processes of a cluster have the same
	if err := os.WriteFile(filepath.Join(n.data, "secret.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *node) start() error {
	bin, err := binary()
	if err != nil {
		return err
	}
	n.cmd = exec.Command(bin, "serve", "--verbose", "--project", n.project, "--data", n.data, "--http", n.http, "--postgres", n.postgres)
	n.cmd.Stderr = &n.log
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := n.cmd.Start(); err != nil {
		return err
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	n.ended = ended
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "ready") {
				close(ready)
			}
		}
		ended <- n.cmd.Wait()
	}()
	select {
	case <-ready:
		return nil
	case err := <-ended:
		ended <- err
		return fmt.Errorf("%s ended before it was ready: %v\n%s", n.name, err, n.log.String())
	case <-time.After(3 * time.Minute):
		return fmt.Errorf("%s was not ready within three minutes\n%s", n.name, n.log.String())
	}
}

// end sends a signal and waits for the process to end.
func (n *node) end(s syscall.Signal) error {
	if n.cmd == nil || n.cmd.Process == nil {
		return nil
	}
	_ = n.cmd.Process.Signal(s) // it may have ended already
	select {
	case err := <-n.ended:
		n.ended <- err
		return err
	case <-time.After(2 * time.Minute):
		_ = n.cmd.Process.Kill()
		return fmt.Errorf("%s did not end\n%s", n.name, n.log.String())
	}
}

var client = &http.Client{Timeout: 20 * time.Second}

// query asks over HTTP.
func (n *node) query(ctx context.Context, sql string) ([][]any, error) {
	body, err := json.Marshal(map[string]string{"sql": sql})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+n.http+"/api/query", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	var rows struct{ Rows [][]any }
	return rows.Rows, n.answer(req, &rows)
}

func (n *node) answer(req *http.Request, into any) error {
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", resp.Status, text)
	}
	return json.Unmarshal(text, into)
}

// ask asks over PostgreSQL's protocol and returns the rows as text, sorted.
func (n *node) ask(sql string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, "postgres://myelin@"+n.postgres+"/myelin?sslmode=disable")
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	var out []string
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return nil, err
		}
		out = append(out, strings.TrimSpace(fmt.Sprintln(values...)))
	}
	slices.Sort(out)
	return out, rows.Err()
}

// clusterState is what GET /api/cluster tells of a process.
type clusterState struct {
	Nodes []struct {
		Name   string
		Keeper bool
		Silent bool
		Tasks  []int
	}
	Tasks []struct {
		Task      int
		Node      string
		Restoring bool
		Views     []string
	}
}

func (n *node) state() (s clusterState, err error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+n.http+"/api/cluster", nil)
	if err != nil {
		return s, err
	}
	return s, n.answer(req, &s)
}

// eventually polls until check returns nil.
func eventually(t *testing.T, atMost time.Duration, check func() error) {
	t.Helper()
	deadline := time.After(atMost)
	tick := time.NewTicker(100 * time.Millisecond)
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
