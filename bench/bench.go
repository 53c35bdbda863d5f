// Package bench holds the benchmarks that claims about speed are made with; see docs/benchmarks.md. They run on a real
// disk and real sockets. `make bench` runs them.
package bench
