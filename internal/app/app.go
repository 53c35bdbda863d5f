// Package app puts the stages together: it knows every part, the order in which they start and stop, and nothing of what
// they do.
package app
