package main

import (
	"context"
	"fmt"
	"os"
)

const (
	streamsName = "Kafka Streams"
	sparkName   = "Spark"
)

// pair are the queries that Kafka Streams and Spark are asked.
var pair = []string{"q1", "count"}

// mode is how Kafka Streams keeps its promises.
type mode struct{ label, guarantee, commit string }

// modes of Kafka Streams: as exact as the others, and at its fastest.
var modes = []mode{{"exactly once, 100 ms", "exactly-once", "100"}, {"at least once, 30 s", "at-least-once", "30000"}}

func runStreams(ctx context.Context, b *bench) error {
	classpath, err := b.install(ctx, "streams")
	if err != nil {
		return err
	}
	for _, m := range modes {
		err := b.pairOf(ctx, streamsName+", "+m.label, func(query, dir string) (result, error) {
			if err := b.forget(ctx); err != nil {
				return result{}, err
			}
			return b.jvm(ctx, "2g", classpath, "StreamsQuery", b.brokers, topic, "", query, m.guarantee, m.commit,
				fmt.Sprint(b.events), fmt.Sprint(b.warm), dir)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func runSpark(ctx context.Context, b *bench) error {
	classpath, err := b.install(ctx, "spark")
	if err != nil {
		return err
	}
	return b.pairOf(ctx, sparkName, func(query, dir string) (result, error) {
		return b.jvm(ctx, "4g", classpath, "SparkQuery", b.brokers, topic, query, fmt.Sprint(b.events), fmt.Sprint(b.warm), dir)
	})
}

// pairOf measures the pair of queries.
func (b *bench) pairOf(ctx context.Context, name string, run func(query, dir string) (result, error)) error {
	for _, q := range pair {
		if !b.asked(q) {
			continue
		}
		dir, err := os.MkdirTemp(b.dir, "state-")
		if err != nil {
			return err
		}
		r, err := run(q, dir)
		_ = os.RemoveAll(dir) // the scratch folder goes at the end in any case
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			r.problem = err.Error()
		}
		r.engine, r.query = name, q
		b.note(r)
	}
	return nil
}
