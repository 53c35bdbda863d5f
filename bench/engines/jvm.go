package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// install gives the class path of an engine, which is downloaded the first time.
func (b *bench) install(ctx context.Context, engine string) (classpath string, err error) {
	script := filepath.Join("bench", "engines", "install.sh")
	cmd := exec.CommandContext(ctx, script, engine, b.cache)
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(problem.String()), "\n")
		return "", fmt.Errorf("%w: %s", errNotInstalled, lines[len(lines)-1])
	}
	return strings.TrimSpace(out.String()), nil
}

// openFlags are the parts of the JDK that the engines reach into.
func openFlags() []string {
	var out []string
	for _, x := range []string{"java.rmi/sun.rmi.registry", "java.security.jgss/sun.security.krb5", "java.management/sun.management"} {
		out = append(out, "--add-exports="+x+"=ALL-UNNAMED")
	}
	for _, x := range []string{
		"java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.text", "java.time", "java.util",
		"java.util.concurrent", "java.util.concurrent.atomic", "java.util.concurrent.locks", "sun.nio.ch", "sun.nio.cs", "sun.security.action", "sun.util.calendar",
	} {
		out = append(out, "--add-opens=java.base/"+x+"=ALL-UNNAMED")
	}
	return out
}

// jvm runs a driver and reads the line with its result.
func (b *bench) jvm(ctx context.Context, heap, classpath, class string, args ...string) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	flags := append([]string{"-Xmx" + heap, "-XX:+UseG1GC", "-Dlog4j2.level=ERROR", "-cp", classpath}, openFlags()...)
	cmd := exec.CommandContext(ctx, "java", append(append(flags, class), args...)...)
	cmd.Dir = b.dir
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	err := cmd.Run()
	for line := range strings.Lines(out.String()) {
		text, ok := strings.CutPrefix(line, "RESULT ")
		if !ok {
			continue
		}
		var r struct {
			Events      int64
			CPU, Wall   float64
			Start       float64 // CPU seconds that were taken off
			Peak, State int64
		}
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			return result{}, fmt.Errorf("reading %q: %w", text, err)
		}
		return result{events: r.Events, cpu: r.CPU, wall: r.Wall, start: r.Start, peak: r.Peak, state: r.State, rows: -1}, nil
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return result{}, errors.New("not done within ten minutes")
	}
	return result{}, fmt.Errorf("no result: %v: %s", err, causeOf(problem.String()))
}

// causeOf is the innermost cause in a Java stack trace, or its last lines.
func causeOf(trace string) string {
	cause := ""
	for line := range strings.Lines(trace) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "Caused by: "); ok {
			cause = text
		}
	}
	if cause == "" {
		lines := strings.Split(strings.TrimSpace(trace), "\n")
		cause = strings.Join(lines[max(len(lines)-3, 0):], " / ")
	}
	return cause
}

const flinkName = "Flink"

func runFlink(ctx context.Context, b *bench) error {
	classpath, err := b.install(ctx, "flink")
	if err != nil {
		return err
	}
	tables := filepath.Join(b.dir, "tables.sql")
	if err := os.WriteFile(tables, []byte(flinkTables), 0o644); err != nil {
		return err
	}
	for _, q := range queries() {
		if !b.asked(q.name) || q.flink == "" || b.quick && !quickFlink[q.name] && b.queries == nil {
			continue
		}
		r, err := b.flinkQuery(ctx, classpath, tables, q)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			r.problem = err.Error()
		}
		r.engine, r.query = flinkName, q.name
		b.note(r)
	}
	return nil
}

// quickFlink are the queries that a quick run asks Flink: one of each kind.
var quickFlink = map[string]bool{"q1": true, "q4": true, "q5": true, "q7": true, "q8": true, "q17": true, "q18": true, "count": true}

func (b *bench) flinkQuery(ctx context.Context, classpath, tables string, q query) (result, error) {
	dir, err := os.MkdirTemp(b.dir, "flink-")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(dir)
	text := filepath.Join(dir, "query.sql")
	if err := os.WriteFile(text, []byte(q.flink), 0o644); err != nil {
		return result{}, err
	}
	return b.jvm(ctx, "6g", classpath, "FlinkQuery", tables, text, b.brokers, topic, fmt.Sprint(partitions),
		fmt.Sprint(b.events), fmt.Sprint(b.warm), filepath.Join(dir, "checkpoints"))
}
