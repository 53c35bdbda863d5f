// Package telemetry counts what crosses each boundary, for /metrics and for the balance that the Overview page shows.
package telemetry

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Registry holds the metrics of one process. Its methods may be called at the same time. A nil Registry is not valid:
// stages that are given none make their own with New.
type Registry struct{ prom *prometheus.Registry }

// New returns an empty registry.
func New() *Registry { return &Registry{prom: prometheus.NewRegistry()} }

// WithRuntime adds Go runtime and process metrics and returns r.
func (r *Registry) WithRuntime() *Registry {
	r.prom.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Handler serves the metrics in the Prometheus text format.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.prom, promhttp.HandlerOpts{})
}

// Counter is a number that only grows. The zero value counts without being exported.
type Counter struct{ n atomic.Int64 }

// Add adds n, which must not be negative.
func (c *Counter) Add(n int64) { c.n.Add(n) }

// Inc adds one.
func (c *Counter) Inc() { c.n.Add(1) }

// Value is the count so far.
func (c *Counter) Value() int64 { return c.n.Load() }

// Gauge is a number that moves both ways. The zero value is not exported.
type Gauge struct{ n atomic.Int64 }

// Set replaces the value.
func (g *Gauge) Set(n int64) { g.n.Store(n) }

// Add adds n, which may be negative.
func (g *Gauge) Add(n int64) { g.n.Add(n) }

// Value is the current value.
func (g *Gauge) Value() int64 { return g.n.Load() }

// Counter registers a counter, named as Prometheus wants it (myelin_<stage>_<what>_total), with fixed label pairs
// (name, value, name, value, …). It panics if the very same counter exists.
func (r *Registry) Counter(name, help string, labels ...string) *Counter {
	c := &Counter{}
	r.prom.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: pairs(labels)},
		func() float64 { return float64(c.Value()) }))
	return c
}

// Gauge registers a gauge with fixed label pairs.
func (r *Registry) Gauge(name, help string, labels ...string) *Gauge {
	g := &Gauge{}
	r.GaugeFunc(name, help, func() float64 { return float64(g.Value()) }, labels...)
	return g
}

// GaugeFunc registers a gauge whose value is asked for when it is scraped.
func (r *Registry) GaugeFunc(name, help string, value func() float64, labels ...string) {
	r.prom.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: pairs(labels)}, value))
}

// CounterFunc registers a number that only grows and is asked for when it is scraped.
func (r *Registry) CounterFunc(name, help string, value func() float64, labels ...string) {
	r.prom.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: pairs(labels)}, value))
}

// GaugesFunc registers gauges whose label values come and go: each scrape asks for all of them. emit is called with a value and
// the values of the labels, each combination once.
func (r *Registry) GaugesFunc(name, help string, labels []string, each func(emit func(value float64, labels ...string))) {
	r.prom.MustRegister(&gauges{desc: prometheus.NewDesc(name, help, labels, nil), each: each})
}

type gauges struct {
	desc *prometheus.Desc
	each func(emit func(value float64, labels ...string))
}

func (g *gauges) Describe(ch chan<- *prometheus.Desc) { ch <- g.desc }

func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	g.each(func(value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, value, labels...)
	})
}

// Described is one metric of a registry.
type Described struct{ Name, Kind, Help string }

// Describe lists the metrics that have values now, by name.
func (r *Registry) Describe() ([]Described, error) {
	families, err := r.prom.Gather()
	if err != nil {
		return nil, fmt.Errorf("gathering metrics: %w", err)
	}
	out := make([]Described, len(families))
	for i, f := range families {
		out[i] = Described{Name: f.GetName(), Kind: strings.ToLower(f.GetType().String()), Help: f.GetHelp()}
	}
	return out, nil
}

// Histogram is a distribution of durations in seconds.
type Histogram struct{ h prometheus.Histogram }

// Observe records one duration.
func (h *Histogram) Observe(d time.Duration) { h.h.Observe(d.Seconds()) }

// Histogram registers a histogram of durations from 100 µs to about 13 s, in powers of two.
func (r *Registry) Histogram(name, help string, labels ...string) *Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: name, Help: help, ConstLabels: pairs(labels), Buckets: prometheus.ExponentialBuckets(0.0001, 2, 18),
	})
	r.prom.MustRegister(h)
	return &Histogram{h: h}
}

func pairs(labels []string) prometheus.Labels {
	if len(labels)%2 != 0 {
		panic("telemetry: labels come in pairs of name and value")
	}
	m := prometheus.Labels{}
	for i := 0; i < len(labels); i += 2 {
		m[labels[i]] = labels[i+1]
	}
	return m
}
