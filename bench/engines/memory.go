package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// kept is a result in the file of earlier runs.
type kept struct {
	Engine, Query string
	Events        int64
	CPU, Wall     float64
	Start         float64 `json:",omitempty"`
	Peak, State   int64
	Rows          int64
	Long          bool   `json:",omitempty"`
	Problem       string `json:",omitempty"`
}

// recall adds what earlier runs measured and this one did not, and keeps all.
func (b *bench) recall() error {
	if b.memory == "" {
		return nil
	}
	var before []kept
	text, err := os.ReadFile(b.memory)
	if err == nil {
		err = json.Unmarshal(text, &before)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the figures of earlier runs: %w", err)
	}
	for _, k := range before {
		if !slices.ContainsFunc(b.results, func(r result) bool { return r.engine == k.Engine && r.query == k.Query && r.long == k.Long }) {
			b.results = append(b.results, result{k.Engine, k.Query, k.Events, k.CPU, k.Wall, k.Start, k.Peak, k.State, k.Rows, k.Long, k.Problem})
		}
	}
	var all []kept
	for _, r := range b.results {
		all = append(all, kept{r.engine, r.query, r.events, r.cpu, r.wall, r.start, r.peak, r.state, r.rows, r.long, r.problem})
	}
	text, err = json.MarshalIndent(all, "", " ")
	if err == nil {
		err = os.WriteFile(b.memory, append(text, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("keeping the figures: %w", err)
	}
	return nil
}
