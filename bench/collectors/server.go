package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// server is a collector that runs.
type server struct {
	url     string
	command *exec.Cmd
	log     *os.File
}

func start(ctx context.Context, dir, url, addr string, args ...string) (*server, error) {
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	s := &server{url: url, command: exec.CommandContext(ctx, args[0], args[1:]...), log: log}
	s.command.Stdout, s.command.Stderr = log, log
	if err := s.command.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", args[0], err), log.Close())
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-tick.C {
		resp, err := http.Get("http://" + addr + "/readyz") // the peer knows no such page, but then it listens
		if err != nil {
			continue
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusServiceUnavailable {
			return s, err
		}
	}
	text, err := os.ReadFile(log.Name())
	s.stop()
	return nil, errors.Join(fmt.Errorf("%s does not listen on %s: %.2000s", args[0], addr, text), err)
}

func (s *server) stop() {
	_ = s.command.Process.Kill() // it is measured, not kept
	_ = s.command.Wait()
	_ = s.log.Close()
}

// cpu is the user and system time of the process so far, as the kernel counts it (proc(5), fields 14 and 15, in ticks of 10 ms).
func (s *server) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.command.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	var ticks int
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(f)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

func startMyelin(ctx context.Context, binary, dir string, port int) (*server, error) {
	plan, err := os.ReadFile("examples/shop/plan/shop.yaml")
	if err != nil {
		return nil, err
	}
	project := filepath.Join(dir, "project")
	if err := os.MkdirAll(filepath.Join(project, "plan"), 0o755); err != nil {
		return nil, err
	}
	for name, text := range map[string]string{"plan/shop.yaml": string(plan), "myelin.yaml": "sources:\n  - {name: web, write_keys: [wk], plan: shop}\n"} {
		if err := os.WriteFile(filepath.Join(project, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	addr := func(i int) string { return "127.0.0.1:" + strconv.Itoa(port+i) }
	return start(ctx, dir, "http://"+addr(0)+"/v1/batch", addr(0), binary, "serve", "--project", project, "--data", filepath.Join(dir, "data"),
		"--roles", "log,collect", "--http", addr(0), "--kafka", addr(1), "--postgres", addr(2))
}

const flumeVersion = "1.11.0"

// flumeHome is where its jars are kept.
func flumeHome() (string, error) {
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "myelin-peers", "flume-"+flumeVersion), err
}

// fetchFlume gets the jars from Maven Central, once.
func fetchFlume(ctx context.Context) error {
	home, err := flumeHome()
	if err != nil {
		return err
	}
	done := filepath.Join(home, ".complete")
	if _, err := os.Stat(done); err == nil {
		return nil
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return err
	}
	pom := `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>myelin</groupId><artifactId>flume-to-measure</artifactId><version>1</version><packaging>pom</packaging><dependencies>
<dependency><groupId>org.apache.flume</groupId><artifactId>flume-ng-node</artifactId><version>` + flumeVersion + `</version></dependency>
<dependency><groupId>org.apache.flume.flume-ng-channels</groupId><artifactId>flume-file-channel</artifactId><version>` + flumeVersion + `</version></dependency>
</dependencies></project>`
	if err := os.WriteFile(filepath.Join(home, "pom.xml"), []byte(pom), 0o644); err != nil {
		return err
	}
	c := exec.CommandContext(ctx, "mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory="+filepath.Join(home, "libs"), "-DincludeScope=runtime")
	c.Dir = home
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("getting Apache Flume: %w\n%s", err, out)
	}
	return os.WriteFile(done, nil, 0o644)
}

// startFlume runs an agent that takes JSON over HTTP into a file channel, which syncs at the end of each transaction, and throws
// away what comes out of it.
func startFlume(ctx context.Context, dir string, port int) (*server, error) {
	home, err := flumeHome()
	if err != nil {
		return nil, err
	}
	addr := "127.0.0.1:" + strconv.Itoa(port+3)
	conf := filepath.Join(dir, "flume.properties")
	text := fmt.Sprintf(`a.sources = http
a.channels = file
a.sinks = none
a.sources.http.type = http
a.sources.http.bind = 127.0.0.1
a.sources.http.port = %d
a.sources.http.channels = file
a.channels.file.type = file
a.channels.file.checkpointDir = %s/checkpoint
a.channels.file.dataDirs = %s/data
a.channels.file.capacity = 2000000
a.channels.file.transactionCapacity = 10000
a.channels.file.fsyncPerTransaction = true
a.sinks.none.type = null
a.sinks.none.batchSize = 1000
a.sinks.none.channel = file
`, port+3, dir, dir)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return nil, err
	}
	return start(ctx, dir, "http://"+addr+"/", addr, "java", "-Xms1g", "-Xmx1g", "-XX:+UseParallelGC", "-cp", filepath.Join(home, "libs")+"/*",
		"org.apache.flume.node.Application", "-n", "a", "-f", conf)
}
