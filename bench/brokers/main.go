// Command brokers measures Myelin's broker beside Apache Kafka, in one run on one machine: the same client (franz-go), the
// same load, rounds that alternate, and medians. Myelin fsyncs before every acknowledgement; Kafka does not by default, and
// is measured with flush.messages=1 as well. It prints a table in Markdown. With -against it measures two builds of Myelin.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

type config struct {
	binary, kafka, dir string
	against            string // another build of Myelin, instead of Kafka
	rounds             int
	records            int // per produce round of 100 B records
	sustained          time.Duration
	latency            time.Duration
	only               []string
}

func main() {
	var cfg config
	flag.StringVar(&cfg.binary, "binary", "bin/myelin", "the myelin to measure")
	flag.StringVar(&cfg.kafka, "kafka", "test/kafka/kafka.sh", "the script that runs Apache Kafka")
	flag.StringVar(&cfg.against, "against", "", "compare with this build of myelin instead of with Kafka")
	flag.StringVar(&cfg.dir, "dir", "", "scratch `folder` on the disk to measure (default the system's)")
	flag.IntVar(&cfg.rounds, "rounds", 5, "alternating rounds of each step")
	flag.IntVar(&cfg.records, "records", 3_000_000, "records of 100 B a round")
	flag.DurationVar(&cfg.sustained, "sustained", time.Minute, "how long records of 1 KB are produced, at least 4 GB of them")
	flag.DurationVar(&cfg.latency, "latency", 10*time.Second, "how long single records are sent at 1,000/s, each round")
	flag.Func("only", "`list` of "+strings.Join(stepNames(), ","), func(s string) error {
		cfg.only = strings.Split(s, ",")
		return nil
	})
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, cfg); err != nil {
		fmt.Fprintln(os.Stderr, "brokers:", err)
		os.Exit(1)
	}
}

// bench is a run: the two brokers and what was measured so far.
type bench struct {
	config
	myelin, rival *peer
	samples       map[string][]float64 // figure and peer → a number a round
}

// note keeps one sample of a figure.
func (b *bench) note(figure string, p *peer, value float64) {
	key := figure + "/" + p.label
	b.samples[key] = append(b.samples[key], value)
	fmt.Fprintf(os.Stderr, "%-28s %-16s %12.3f\n", figure, p.label, value)
}

// median of a figure of the peer of that name; ok is false when it was not measured.
func (b *bench) median(figure, label string) (value float64, ok bool) {
	s := slices.Sorted(slices.Values(b.samples[figure+"/"+label]))
	if len(s) == 0 {
		return 0, false
	}
	return s[len(s)/2], true
}

// step is one kind of load.
type step struct {
	name string
	run  func(context.Context, *bench) error
}

func steps() []step {
	return []step{
		{"start", starts},
		{"produce", produceRounds},
		{"latency", latencyRounds},
		{"single", singleRounds},
		{"sustained", sustainedRounds},
	}
}

func stepNames() (names []string) {
	for _, s := range steps() {
		names = append(names, s.name)
	}
	return names
}

func run(ctx context.Context, cfg config) error {
	dir, err := os.MkdirTemp(cfg.dir, "brokers-")
	if err != nil {
		return fmt.Errorf("making a scratch folder: %w", err)
	}
	defer os.RemoveAll(dir)
	cfg.dir = dir
	b := &bench{config: cfg, samples: map[string][]float64{}}
	b.myelin, b.rival = newMyelin("Myelin", cfg.binary, dir), newKafka(cfg.kafka, dir)
	if cfg.against != "" {
		b.rival = newMyelin("Myelin before", cfg.against, dir)
	}
	for _, p := range b.peers() {
		if err := p.start(ctx); err != nil {
			return fmt.Errorf("starting %s: %w", p.label, err)
		}
		defer p.stop()
	}
	for _, p := range b.peers() {
		if err := firstAck(ctx, p); err != nil {
			return err
		}
		b.note(idleRSS, p, float64(p.rss())/1e6)
	}
	disk, err := measureDisk(dir)
	if err != nil {
		return err
	}
	var failed error
	for _, s := range steps() {
		if failed != nil || cfg.only != nil && !slices.Contains(cfg.only, s.name) {
			continue
		}
		if err := s.run(ctx, b); err != nil {
			failed = fmt.Errorf("measuring %s: %w", s.name, err) // what was measured before is told all the same
		}
	}
	for _, p := range b.peers() {
		b.note(loadedRSS, p, float64(p.peakRSS())/1e6)
	}
	b.table(os.Stdout)
	fmt.Println("\n" + disk)
	return failed
}

func (b *bench) peers() []*peer { return []*peer{b.myelin, b.rival} }

// peersAndSynced are the peers, and Kafka once more as it is with an fsync for each write.
func (b *bench) peersAndSynced() []*peer {
	if b.against != "" {
		return b.peers()
	}
	return append(b.peers(), b.rival.synced())
}

// inTurns calls f for the peers, the first one first in even rounds and last in odd ones.
func inTurns(round int, peers []*peer, f func(*peer) error) error {
	for i := range peers {
		if round%2 == 1 {
			i = len(peers) - 1 - i
		}
		if err := f(peers[i]); err != nil {
			return fmt.Errorf("round %d, %s: %w", round+1, peers[i].label, err)
		}
	}
	return nil
}
