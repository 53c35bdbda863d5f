package main

import (
	"fmt"
	"io"
)

// Figures; the keys of bench.samples.
const (
	idleRSS       = "memory, idle (RSS)"
	loadedRSS     = "memory, most under load (RSS)"
	startTime     = "start to the first ack"
	ackP50        = "ack at 1,000/s, p50"
	ackP99        = "ack at 1,000/s, p99"
	ackCPU        = "CPU at 1,000 requests/s"
	sustainedRate = "produce 1 KB, sustained"
	singleRate    = "64 producers, a record at a time"
	singleP99     = "64 producers, a record at a time, p99"
	singleCPU     = "CPU of 64 producers, a record at a time"
)

func produceRate(partitions int) string { return per("produce 100 B", partitions) }
func produceCPU(partitions int) string  { return per("CPU to produce 100 B", partitions) }
func clientCPU(partitions int) string   { return per("the client's CPU to produce 100 B", partitions) }
func consumeRate(partitions int) string { return per("consume 100 B", partitions) }
func consumeCPU(partitions int) string  { return per("CPU to consume 100 B", partitions) }

func per(what string, partitions int) string {
	if partitions == 1 {
		return what + ", 1 partition"
	}
	return fmt.Sprintf("%s, %d partitions", what, partitions)
}

// goal is a line of the table: a ratio of Myelin's figure to Kafka's and what it should be.
type goal struct {
	figure, against, unit string
	format                string
	ratio                 float64 // 0: none
	atLeast               bool    // else at most
	absolute              float64 // at most, in the figure's unit; 0: none
}

const plain, synced = "Kafka", "Kafka, flush.messages=1"

func goals() []goal {
	var out []goal
	for _, n := range []int{1, 6} {
		out = append(out, goal{produceRate(n), plain, "records/s", "%.0f", 1, true, 0})
	}
	out = append(out, goal{sustainedRate, plain, "MB/s", "%.0f", 0.9, true, 0})
	for _, n := range []int{1, 6} {
		out = append(out, goal{consumeRate(n), plain, "records/s", "%.0f", 1, true, 0})
	}
	out = append(out,
		goal{ackP50, plain, "ms", "%.2f", 1, false, 0},
		goal{ackP99, plain, "ms", "%.2f", 1.5, false, 0},
		goal{ackCPU, plain, "% of a core", "%.1f", 0.4, false, 0},
		goal{idleRSS, plain, "MB", "%.0f", 0.2, false, 0},
		goal{loadedRSS, plain, "MB", "%.0f", 0.3, false, 0},
		goal{startTime, plain, "s", "%.2f", 0, false, 0.3},
	)
	for _, n := range []int{1, 6} {
		out = append(out, goal{produceRate(n), synced, "records/s", "%.0f", 3, true, 0})
	}
	out = append(out,
		goal{ackP99, synced, "ms", "%.2f", 0.1, false, 0},
		goal{singleRate, plain, "records/s", "%.0f", 0, true, 0},
		goal{singleP99, plain, "ms", "%.2f", 0, false, 0},
		goal{singleCPU, plain, "µs a record", "%.1f", 0, false, 0},
		goal{singleRate, synced, "records/s", "%.0f", 0, true, 0},
		goal{singleP99, synced, "ms", "%.2f", 0, false, 0},
	)
	for _, n := range []int{1, 6} {
		out = append(out, goal{produceCPU(n), plain, "µs a record", "%.2f", 0, false, 0}, goal{clientCPU(n), plain, "µs a record", "%.2f", 0, false, 0},
			goal{consumeCPU(n), plain, "µs a record", "%.2f", 0, false, 0})
	}
	return out
}

// table prints what was measured beside the goals.
func (b *bench) table(w io.Writer) {
	if b.against != "" {
		b.tableOfBuilds(w)
		return
	}
	fmt.Fprintln(w, "| figure | Myelin, fsync before ack | Kafka 4.3.1 | ratio | goal | met |\n| --- | ---: | ---: | ---: | --- | --- |")
	for _, g := range goals() {
		ours, ok := b.median(g.figure, b.myelin.label)
		theirs, both := b.median(g.figure, g.against)
		if !ok || !both {
			continue
		}
		name, ratio := g.figure, ours/theirs
		if g.against != plain {
			name += " (Kafka with flush.messages=1)"
		}
		wanted, met := "—", ""
		switch {
		case g.absolute > 0:
			wanted, met = fmt.Sprintf("≤ %.1f %s", g.absolute, g.unit), answer(ours <= g.absolute)
		case g.ratio > 0 && g.atLeast:
			wanted, met = fmt.Sprintf("≥ %.1f×", g.ratio), answer(ratio >= g.ratio)
		case g.ratio > 0:
			wanted, met = fmt.Sprintf("≤ %.1f×", g.ratio), answer(ratio <= g.ratio)
		}
		fmt.Fprintf(w, "| %s | "+g.format+" %s | "+g.format+" %s | %.2f× | %s | %s |\n", name, ours, g.unit, theirs, g.unit, ratio, wanted, met)
	}
}

// tableOfBuilds prints what was measured of one build beside another.
func (b *bench) tableOfBuilds(w io.Writer) {
	fmt.Fprintln(w, "| figure | -binary | -against | ratio |\n| --- | ---: | ---: | ---: |")
	for _, g := range goals() {
		ours, ok := b.median(g.figure, b.myelin.label)
		theirs, both := b.median(g.figure, b.rival.label)
		if ok && both && g.against == plain {
			fmt.Fprintf(w, "| %s | "+g.format+" %s | "+g.format+" %s | %.2f× |\n", g.figure, ours, g.unit, theirs, g.unit, ours/theirs)
		}
	}
}

func answer(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
