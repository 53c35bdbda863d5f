// Package lint holds the house rules as a test: layers, file sizes, names, package comments and forbidden calls.
package lint
