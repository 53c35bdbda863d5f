// Package exec runs continuous queries: it reads topics, takes recorded steps through all views at once, publishes them, keeps
// their state durable, and brings them back after a crash with the same answers.
package exec
