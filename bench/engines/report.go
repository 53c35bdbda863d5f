package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// The goals: events per core-second, as a multiple of the other engine's.
const (
	goalFlinkMean = 10.0
	goalFlinkEach = 5.0
	goalStreams   = 15.0
	goalSpark     = 10.0
)

// Marks around the section of the page that is written anew.
const (
	sectionBegins = "<!-- engines: begin -->"
	sectionEnds   = "<!-- engines: end -->"
)

func (b *bench) of(engine, query string) (result, bool) {
	for _, r := range b.results {
		if r.engine == engine && r.query == query && !r.long {
			return r, true
		}
	}
	return result{}, false
}

// report prints the tables, and writes them into the page.
func (b *bench) report(w io.Writer) error {
	var text strings.Builder
	b.tables(&text)
	if _, err := io.WriteString(w, text.String()); err != nil {
		return err
	}
	if b.doc == "" {
		return nil
	}
	page, err := os.ReadFile(b.doc)
	if err != nil {
		return fmt.Errorf("reading the page: %w", err)
	}
	before, rest, ok1 := strings.Cut(string(page), sectionBegins)
	_, after, ok2 := strings.Cut(rest, sectionEnds)
	if !ok1 || !ok2 {
		before, after = strings.TrimRight(string(page), "\n")+"\n\n", "\n"
	}
	out := before + sectionBegins + "\n" + text.String() + sectionEnds + after
	if err := os.WriteFile(b.doc, []byte(out), 0o644); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}

func (b *bench) tables(w io.Writer) {
	fmt.Fprintf(w, "\n## Continuous SQL beside other engines\n\n%s\n", about)
	fmt.Fprintf(w, "\nMeasured on %s: %d cores, %s of about 310 bytes, %d a second of event time.\n\n",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), b.counts(), b.rate)
	fmt.Fprintln(w, "| query | Myelin, events per core-second | CPU | start | wall | peak memory | state | Flink 2.3.0, events per core-second | CPU | start | wall | peak memory | state | ratio |")
	fmt.Fprintln(w, "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
	var ratios []float64
	var short []string
	for _, q := range queries() {
		m, ok := b.of(myelinName, q.name)
		f, also := b.of(flinkName, q.name)
		if !ok && !also {
			continue
		}
		ratio := ""
		if ok && also && m.problem == "" && f.problem == "" {
			x := m.rate() / f.rate()
			ratio = fmt.Sprintf("%.1f×", x)
			if q.name != "count" {
				ratios = append(ratios, x)
			}
			if x < goalFlinkEach {
				short = append(short, fmt.Sprintf("%s (%.1f×)", q.name, x))
			}
		}
		fmt.Fprintf(w, "| %s %s | %s | %s | %s |\n", q.name, q.about, cells(m, ok), cells(f, also), ratio)
	}
	if len(ratios) > 0 {
		sum := 0.0
		for _, x := range ratios {
			sum += math.Log(x)
		}
		mean := math.Exp(sum / float64(len(ratios)))
		fmt.Fprintf(w, "\nGeometric mean over the %d queries of Nexmark that ran on both: **%.1f×** Flink per core (goal ≥ %.0f×: %s). Least: %.1f× (goal ≥ %.0f× on each: %s).\n",
			len(ratios), mean, goalFlinkMean, met(mean >= goalFlinkMean), slices.Min(ratios), goalFlinkEach, met(len(short) == 0))
		if len(short) > 0 {
			fmt.Fprintf(w, "Below %.0f×: %s.\n", goalFlinkEach, strings.Join(short, ", "))
		}
	}
	b.pairs(w)
	b.longTable(w)
	b.delayTable(w)
	for _, name := range engineNames {
		if why, ok := b.missing[name]; ok {
			fmt.Fprintf(w, "\n%s is missing: %s.\n", name, why)
		}
	}
}

// counts is how many events the queries read.
func (b *bench) counts() string {
	least, most := int64(math.MaxInt64), int64(0)
	for _, r := range b.results {
		if r.problem == "" && !r.long {
			least, most = min(least, r.events), max(most, r.events)
		}
	}
	if least < most {
		return fmt.Sprintf("%d to %d events", least, most)
	}
	return fmt.Sprintf("%d events", most)
}

func cells(r result, ok bool) string {
	switch {
	case !ok:
		return "not run | | | | |"
	case r.problem != "":
		return strings.ReplaceAll(r.problem, "|", "/") + " | | | | |"
	}
	state, start := "—", "—"
	if r.state > 0 {
		state = megabytes(r.state)
	}
	if r.start > 0 {
		start = fmt.Sprintf("%.2f s", r.start)
	}
	return fmt.Sprintf("%.0f | %.2f s | %s | %.1f s | %s | %s", r.rate(), r.cpu, start, r.wall, megabytes(r.peak), state)
}

func megabytes(n int64) string {
	if n < 1e6 {
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.0f MB", float64(n)/1e6)
}

func met(ok bool) string {
	if ok {
		return "met"
	}
	return "not met"
}

// pairs compares with the engines that are asked two queries only.
func (b *bench) pairs(w io.Writer) {
	var rows []string
	for _, r := range b.results {
		if r.engine == myelinName || r.engine == flinkName || r.long {
			continue
		}
		m, ok := b.of(myelinName, r.query)
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s |", r.engine, r.query, cells(r, true), against(m, ok, r)))
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintln(w, "\n| engine | query | events per core-second | CPU | start | wall | peak memory | state | Myelin is | goal | |")
	fmt.Fprintln(w, "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- |")
	fmt.Fprintln(w, strings.Join(rows, "\n"))
}

// against is by how much Myelin, if it was run, is quicker than another engine, and whether that is what it should be.
func against(m result, ok bool, other result) string {
	if !ok || m.problem != "" || other.problem != "" {
		return " | |"
	}
	goal := goalSpark
	switch {
	case strings.HasPrefix(other.engine, streamsName):
		goal = goalStreams
	case other.engine == flinkName:
		goal = goalFlinkEach
	}
	x := m.rate() / other.rate()
	return fmt.Sprintf("%.1f× | ≥ %.0f× | %s", x, goal, met(x >= goal))
}

// longTable has the runs over more events.
func (b *bench) longTable(w io.Writer) {
	var rows []string
	for _, q := range queries() {
		i := slices.IndexFunc(b.results, func(r result) bool { return r.long && r.engine == myelinName && r.query == q.name })
		for _, r := range b.results {
			if !r.long || r.query != q.name {
				continue
			}
			than := " | |"
			if i >= 0 && r.engine != myelinName {
				than = against(b.results[i], true, r)
			}
			rows = append(rows, fmt.Sprintf("| %s | %s | %d | %s | %s |", q.name, r.engine, r.events, cells(r, true), than))
		}
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintln(w, "\nOver more events:")
	fmt.Fprintln(w, "\n| query | engine | events | events per core-second | CPU | start | wall | peak memory | state | Myelin is | goal | |")
	fmt.Fprintln(w, "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- |")
	fmt.Fprintln(w, strings.Join(rows, "\n"))
}

func (b *bench) delayTable(w io.Writer) {
	if len(b.delays) == 0 {
		return
	}
	fmt.Fprintf(w, "\nLatency at %d events/s, topic → q1 → topic, read by a consumer that sees only what is committed; timed from when an event was due.\n\n", liveRate)
	fmt.Fprintln(w, "| way | p50 | p99 | most | goal | |\n| --- | ---: | ---: | ---: | --- | --- |")
	for _, d := range b.delays {
		if d.problem != "" && d.answered == 0 {
			fmt.Fprintf(w, "| %s | %s | | | | |\n", d.name, strings.ReplaceAll(d.problem, "|", "/"))
			continue
		}
		var goals []string
		ok := d.answered == d.measured
		if d.goal50 > 0 {
			goals = append(goals, fmt.Sprintf("p50 ≤ %.0f ms", d.goal50))
			ok = ok && d.p50 <= d.goal50
		}
		if d.goal99 > 0 {
			goals = append(goals, fmt.Sprintf("p99 ≤ %.0f ms", d.goal99))
			ok = ok && d.p99 <= d.goal99
		}
		verdict := ""
		if len(goals) > 0 {
			verdict = met(ok)
		}
		if d.problem != "" {
			verdict += " (" + d.problem + ")"
		}
		fmt.Fprintf(w, "| %s | %.1f ms | %.1f ms | %.0f ms | %s | %s |\n", d.name, d.p50, d.p99, d.most, strings.Join(goals, ", "), verdict)
	}
}

// about says what is compared, and where the comparison is not even.
const about = `Made by ` + "`go run ./bench/engines`" + `: one Apache Kafka 4.3.1 on this machine, one topic of two partitions with Nexmark's events as JSON (1 person : 3 auctions :
46 bids, lz4), one engine after the other. CPU is the engine's own process, as the kernel counts it; Kafka's is left out for all. Results are
thrown away by all (` + "`connector = 'blackhole'`" + ` in Myelin and Flink).

- No engine's figures have the cost of starting it in them: events per core-second, CPU and wall are without it. Where it was taken off, *start* says how many
  seconds of CPU it was; CPU and start together are what the run took.
- *Myelin* runs each query in a process of its own, until every event is through; what starting one costs (a process of its own from its first instruction
  to the end of 1,000 events) is taken off; state is made durable every 5 seconds. *State* is its size in memory.
- *Flink* 2.3.0 runs in one JVM with two slots and 6 GB of heap: heap state, exactly-once checkpoints every 10 s to disk, mini-batches (2 s, 50,000 rows), split
  distinct aggregation, objects not reused. Each query gets a JVM of its own that has warmed up on a part of the topic; what starting a job costs (a run over
  1,000 events) is taken off, as well. *State* is its largest checkpoint; — where none was due.
- *Kafka Streams* 4.3.1 (two threads, RocksDB) and *Spark* 4.2.0 (local[2], RocksDB, micro-batches of up to a million events) are measured warm, too: what
  they do before they have warmed up is not counted.
- Nexmark's q6 is left out (Flink cannot plan it), q10 and q13, too (they write and read files). q14's own function is written in SQL for both. q12 counts
  by processing time in Flink; in Myelin by the time of Kafka's record, as answers there do not depend on when they are computed.
- A run that is over before a checkpoint is due has none: those of Myelin that took less than five seconds, those of Flink with — for the state.
- Windows in Flink end at the end of the topic; Myelin waits for stragglers, so that the last one or two windows of each query are not let out.`
