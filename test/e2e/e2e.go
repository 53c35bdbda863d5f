// Package e2e drives the real binary with real clients, from outside.
package e2e
