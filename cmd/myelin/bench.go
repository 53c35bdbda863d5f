package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"

	"myelin/internal/bench"
)

func benchmark(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	cfg := bench.Config{Out: os.Stdout}
	fs.StringVar(&cfg.Binary, "binary", "", "the myelin to measure (default this one)")
	fs.StringVar(&cfg.Dir, "dir", "", "scratch `folder` on the disk to measure (default the system's)")
	fs.IntVar(&cfg.Seconds, "seconds", 20, "how long each load lasts")
	fs.IntVar(&cfg.Rate, "rate", 1000, "events per second of the latency measurement")
	fs.IntVar(&cfg.Keys, "keys", 10_000_000, "how many keys the state has that is measured")
	fs.Int64Var(&cfg.KeysMemory, "keys-memory", 0, "how many `bytes` of it may lie in memory, the rest on the disk (default all of it)")
	fs.Func("only", "`list` of "+strings.Join(bench.Names(), ","), func(s string) error {
		cfg.Only = strings.Split(s, ",")
		return nil
	})
	if err := parse(fs, args, false); err != nil {
		return err
	}
	if cfg.Binary == "" {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("finding this binary: %w", err)
		}
		cfg.Binary = self
	}
	_, err := bench.Run(ctx, cfg)
	return err
}
