// Command engines measures Myelin's continuous SQL beside Apache Flink, Kafka Streams and Spark Structured Streaming: the same
// events in the same topic of the same Kafka, one engine after the other, results thrown away, and the CPU seconds of the engine's
// own process. It prints tables in Markdown.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

type config struct {
	binary, against       string
	kafka, cache, dir     string
	events, rounds        int
	rate                  int64
	warm                  int
	latency               time.Duration
	queries, engines      []string
	quick, long           bool
	profiles, doc, memory string
}

func main() {
	var cfg config
	list := func(to *[]string) func(string) error {
		return func(s string) error {
			*to = strings.Split(s, ",")
			return nil
		}
	}
	flag.StringVar(&cfg.binary, "binary", "bin/myelin", "the myelin to measure")
	flag.StringVar(&cfg.against, "against", "", "another myelin to measure in turns with it, query by query")
	flag.IntVar(&cfg.rounds, "rounds", 1, "how often Myelin runs each query: of all rounds the one with the median of CPU seconds counts")
	flag.StringVar(&cfg.kafka, "kafka", "test/kafka/kafka.sh", "the script that runs Apache Kafka")
	flag.StringVar(&cfg.cache, "cache", cacheFolder(), "`folder` that the other engines are installed in")
	flag.StringVar(&cfg.dir, "dir", "", "scratch `folder` (default the system's)")
	flag.IntVar(&cfg.events, "events", 3_000_000, "events in the topic")
	flag.Int64Var(&cfg.rate, "rate", 100_000, "events a second of event time")
	flag.IntVar(&cfg.warm, "warm", 500_000, "events that the JVMs warm up with before what is measured")
	flag.DurationVar(&cfg.latency, "latency", 15*time.Second, "how long each latency is measured")
	flag.Func("only", "`list` of queries, such as q1,q5, and of latency; nothing prints what -memory has", list(&cfg.queries))
	flag.Func("engines", "`list` of "+strings.Join(engineNames, ","), list(&cfg.engines))
	flag.BoolVar(&cfg.quick, "quick", false, "fewer events, and of the other engines fewer queries")
	flag.BoolVar(&cfg.long, "long", false, "what is measured goes into a table of its own, of runs over more events than the others")
	flag.StringVar(&cfg.profiles, "profiles", "", "`folder` for CPU profiles of Myelin, one a query")
	flag.StringVar(&cfg.doc, "doc", "", "Markdown `file` whose marked section is written anew with the tables")
	flag.StringVar(&cfg.memory, "memory", "", "JSON `file` of figures of earlier runs: those that are not measured now are taken from there, all are kept there")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, cfg); err != nil {
		fmt.Fprintln(os.Stderr, "engines:", err)
		os.Exit(1)
	}
}

// cacheFolder is where the engines are installed: beside what the tests are driven with.
func cacheFolder() string {
	if dir := os.Getenv("MYELIN_CACHE"); dir != "" {
		return filepath.Join(dir, "engines")
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "myelin", "engines")
}

const topic = "nexmark"

// startTopic has the first events of topic: enough to see an engine at work, so few that starting it is nearly all that it costs.
const (
	startTopic  = "nexmark_start"
	startEvents = 1000
)

// bench is a run.
type bench struct {
	config
	dir     string // scratch
	brokers string // of Kafka
	results []result
	delays  []delay
	missing map[string]string // engines that could not be installed, and why
}

// result is one engine's run of one query.
type result struct {
	engine, query string
	events        int64
	cpu, wall     float64 // seconds, without start
	start         float64 // CPU seconds that starting takes; 0: it began before what was measured
	peak, state   int64   // bytes; state 0: the engine does not tell
	rows          int64   // let out; -1: the engine does not tell
	long          bool    // over more events than others, for a table of its own
	problem       string  // why there are no figures
}

// rate is events per second of CPU.
func (r *result) rate() float64 { return float64(r.events) / r.cpu }

func (b *bench) wants(engine string) bool {
	return b.engines == nil || slices.Contains(b.engines, engine)
}

func (b *bench) asked(query string) bool {
	return b.queries == nil || slices.Contains(b.queries, query)
}

func (b *bench) note(r result) {
	r.long = b.long
	b.results = append(b.results, r)
	if r.problem != "" {
		fmt.Fprintf(os.Stderr, "%-14s %-8s %s\n", r.engine, r.query, r.problem)
		return
	}
	fmt.Fprintf(os.Stderr, "%-14s %-8s %9.0f events/core-s  cpu %6.2f s  start %5.2f s  wall %6.2f s  peak %5d MB  state %5d MB  rows %d\n",
		r.engine, r.query, r.rate(), r.cpu, r.start, r.wall, r.peak>>20, r.state>>20, r.rows)
}

func run(ctx context.Context, cfg config) error {
	if cfg.quick {
		cfg.events, cfg.latency = min(cfg.events, 1_000_000), min(cfg.latency, 8*time.Second)
		cfg.warm = min(cfg.warm, 200_000)
	}
	dir, err := os.MkdirTemp(cfg.dir, "engines-")
	if err != nil {
		return fmt.Errorf("making a scratch folder: %w", err)
	}
	defer os.RemoveAll(dir)
	b := &bench{config: cfg, dir: dir, missing: map[string]string{}}
	if err := b.all(ctx); err != nil {
		return err
	}
	if err := b.recall(); err != nil {
		return err
	}
	return b.report(os.Stdout)
}

// all measures what is asked for.
func (b *bench) all(ctx context.Context) error {
	if len(b.queries) == 1 && b.queries[0] == "nothing" {
		return nil // only the tables of earlier runs
	}
	stop, err := b.startKafka(ctx)
	if err != nil {
		return err
	}
	defer stop()
	if slices.ContainsFunc(queries(), func(q query) bool { return b.asked(q.name) }) {
		if err := b.load(ctx); err != nil {
			return err
		}
	}
	for _, e := range engines() {
		if !b.wants(e.name) {
			continue
		}
		if err := e.run(ctx, b); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			b.missing[e.name] = err.Error()
			fmt.Fprintf(os.Stderr, "%s: %v\n", e.name, err)
		}
	}
	if b.asked("latency") {
		if err := b.latencies(ctx); err != nil {
			return fmt.Errorf("measuring latencies: %w", err)
		}
	}
	return nil
}

// startKafka starts the Kafka that all engines read from.
func (b *bench) startKafka(ctx context.Context) (stop func(), err error) {
	addr, err := freePorts()
	if err != nil {
		return nil, err
	}
	b.brokers = addr
	dir := filepath.Join(b.dir, "kafka")
	port := addr[strings.LastIndexByte(addr, ':')+1:]
	cmd := exec.CommandContext(ctx, b.kafka, "start", dir, port)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("starting Kafka: %w", err)
	}
	return func() {
		if out, err := exec.Command(b.kafka, "stop", dir).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "stopping Kafka: %v\n%s", err, out)
		}
	}, nil
}

// engine is one of those that are compared.
type engine struct {
	name string
	run  func(context.Context, *bench) error
}

var engineNames = []string{myelinName, flinkName, streamsName, sparkName}

func engines() []engine {
	return []engine{
		{myelinName, runMyelin},
		{flinkName, runFlink},
		{streamsName, runStreams},
		{sparkName, runSpark},
	}
}

var errNotInstalled = errors.New("it could not be installed")
