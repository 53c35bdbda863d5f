package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"myelin/internal/clock"
)

const myelinName = "Myelin"

func runMyelin(ctx context.Context, b *bench) error {
	for _, q := range queries() {
		if !b.asked(q.name) || q.myelin == "" {
			continue
		}
		var ours, others []result
		for range max(b.rounds, 1) {
			if b.against != "" {
				r, err := b.myelinRun(ctx, b.against, againstName, q)
				if err != nil {
					return err
				}
				others = append(others, r)
			}
			r, err := b.myelinRun(ctx, b.binary, myelinName, q)
			if err != nil {
				return err
			}
			ours = append(ours, r)
		}
		if others != nil {
			b.note(middle(others))
		}
		b.note(middle(ours))
	}
	return nil
}

// againstName is the build that Myelin is compared with.
const againstName = "Myelin before"

// middle is the run with the median of CPU seconds; one that failed counts as the longest.
func middle(runs []result) result {
	slices.SortFunc(runs, func(a, b result) int {
		return cmp.Or(cmp.Compare(len(a.problem), len(b.problem)), cmp.Compare(a.cpu, b.cpu))
	})
	return runs[(len(runs)-1)/2]
}

// myelinRun runs a query over the whole topic, and takes off what a run over a few events costs, as with Flink. Each run is on a Kafka that
// knows nothing of earlier ones; only the end of ctx, or Kafka's, is an error.
func (b *bench) myelinRun(ctx context.Context, binary, name string, q query) (result, error) {
	var r, start result
	for _, run := range []struct {
		to     *result
		topic  string
		events int
	}{{&start, startTopic, startEvents}, {&r, topic, b.events}} {
		err := b.forget(ctx)
		if err != nil {
			return r, err
		}
		*run.to, err = b.myelinQuery(ctx, binary, q, run.topic, run.events)
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		if err != nil {
			r = result{problem: err.Error()}
			break
		}
	}
	r.engine, r.query = name, q.name
	if r.problem == "" {
		r.start, r.cpu, r.wall = start.cpu, r.cpu-start.cpu, r.wall-start.wall
	}
	return r, nil
}

// myelinQuery runs a query over a topic, from an empty folder, in a process of its own.
func (b *bench) myelinQuery(ctx context.Context, binary string, q query, topic string, events int) (result, error) {
	r := result{events: int64(events)}
	began := time.Now()
	tables := strings.ReplaceAll(myelinTables, "'nexmark'", "'"+topic+"'")
	s, err := b.serveMyelin(ctx, binary, "kafka: {brokers: [\""+b.brokers+"\"]}\n", tables+q.myelin, "process,serve")
	if err != nil {
		return r, err
	}
	defer s.stop()
	profiled := b.profile(s, q.name, events)
	for {
		m, err := s.metrics(ctx)
		if err != nil {
			return r, err
		}
		if n := m["myelin_process_rows_total"]; n >= float64(events) {
			r.cpu, r.wall = s.cpu(), time.Since(began).Seconds()
			break
		}
		if time.Since(began) > 3*time.Minute {
			return r, errors.New("it did not finish within three minutes")
		}
		if err := clock.Pause(ctx, askEvery); err != nil {
			return r, err
		}
	}
	if events == startEvents {
		return r, nil
	}
	// The size of the state is told once a second.
	if err := clock.Pause(ctx, 1200*time.Millisecond); err != nil {
		return r, err
	}
	m, err := s.metrics(ctx)
	if err != nil {
		return r, err
	}
	<-profiled
	r.peak, r.state, r.rows = peakOf(s.cmd.Process.Pid), int64(m["myelin_process_state_bytes"]), int64(m["myelin_process_results_total"])
	if n := m["myelin_process_row_errors_total"]; n > 0 {
		return r, fmt.Errorf("%.0f rows could not be computed", n)
	}
	return r, nil
}

// askEvery is how often Myelin is asked how far it is, which costs it up to a millisecond: wall times are longer by as much.
const askEvery = 200 * time.Millisecond

// server is a running myelin.
type server struct {
	cmd                     *exec.Cmd
	dir                     string
	http, kafka, sql, pprof string
	ended                   chan struct{}
	output                  bytes.Buffer
	client                  http.Client
}

// serveMyelin starts myelin on a new folder.
func (b *bench) serveMyelin(ctx context.Context, binary, yaml, statements, roles string) (*server, error) {
	dir, err := os.MkdirTemp(b.dir, "myelin-")
	if err != nil {
		return nil, fmt.Errorf("making a scratch folder: %w", err)
	}
	for name, text := range map[string]string{"myelin.yaml": yaml, "sql/bench.sql": statements} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			return nil, fmt.Errorf("writing the project: %w", err)
		}
	}
	s := &server{dir: dir, ended: make(chan struct{})}
	s.client.Transport = &http.Transport{DisableCompression: true} // packing its answers would be counted as Myelin's work
	for _, to := range []*string{&s.http, &s.kafka, &s.sql, &s.pprof} {
		if *to, err = freePorts(); err != nil {
			return nil, err
		}
	}
	s.cmd = exec.CommandContext(ctx, binary, "serve", "--project", dir, "--data", filepath.Join(dir, "data"),
		"--http", s.http, "--kafka", s.kafka, "--postgres", s.sql, "--roles", roles, "--profile", s.pprof)
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	s.cmd.Stderr = &s.output
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", binary, err)
	}
	ready := make(chan struct{})
	go func() {
		defer close(s.ended)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "ready") {
				close(ready)
			}
		}
		_ = s.cmd.Wait() // how it ended does not matter to a measurement
	}()
	select {
	case <-ready:
		return s, s.problems(ctx)
	case <-s.ended:
		return nil, fmt.Errorf("myelin ended before it was ready: %s", strings.TrimSpace(s.output.String()))
	}
}

// problems reports what is wrong with the files.
func (s *server) problems(ctx context.Context) error {
	text, err := s.get(ctx, "/api/problems")
	if err != nil {
		return err
	}
	if bytes.Contains(text, []byte(`"message"`)) {
		s.stop()
		return fmt.Errorf("%s", text)
	}
	return nil
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	kill := time.AfterFunc(30*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer kill.Stop()
	<-s.ended
	_ = os.RemoveAll(s.dir)
}

func (s *server) cpu() float64 { return cpuOf(s.cmd.Process.Pid) }

func (s *server) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+s.http+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking myelin: %w; it said: %s", err, strings.TrimSpace(s.output.String()))
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// metrics are those without labels.
func (s *server) metrics(ctx context.Context) (map[string]float64, error) {
	text, err := s.get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			out[name] = n
		}
	}
	return out, nil
}

// profile takes a CPU profile of the next seconds, if profiles are asked for.
func (b *bench) profile(s *server, name string, events int) (done <-chan struct{}) {
	closed := make(chan struct{})
	if b.profiles == "" || events == startEvents {
		close(closed)
		return closed
	}
	go func() {
		defer close(closed)
		resp, err := http.Get("http://" + s.pprof + "/debug/pprof/profile?seconds=" + strconv.Itoa(max(2, events/1_000_000)))
		if err != nil {
			fmt.Fprintln(os.Stderr, "taking a profile:", err)
			return
		}
		defer resp.Body.Close()
		f, err := os.Create(filepath.Join(b.profiles, name+".pprof"))
		if err != nil {
			fmt.Fprintln(os.Stderr, "taking a profile:", err)
			return
		}
		_, err = io.Copy(f, resp.Body)
		if err = errors.Join(err, f.Close()); err != nil {
			fmt.Fprintln(os.Stderr, "taking a profile:", err)
		}
	}()
	return closed
}
