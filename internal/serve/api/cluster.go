package api

import (
	"context"
	"time"
)

// Nodes shows the processes that share the work.
type Nodes interface {
	Cluster(ctx context.Context) (Cluster, error)
}

// Cluster is who does what. A process that works alone is one with no tasks.
type Cluster struct {
	// Node is the process that answers.
	Node  string        `json:"node"`
	Nodes []ClusterNode `json:"nodes"`
	Tasks []ClusterTask `json:"tasks"`
}

// ClusterNode is a process that takes part, or was lost less than ten minutes ago.
type ClusterNode struct {
	Name    string   `json:"name"`
	Address string   `json:"address"`
	Version string   `json:"version"`
	Roles   []string `json:"roles"`
	// StartedAt is when it was started, HeardAt when it was heard of last by the process that answers.
	StartedAt time.Time `json:"startedAt"`
	HeardAt   time.Time `json:"heardAt"`
	// Silent says that it was not heard of for so long that others take over its work.
	Silent bool `json:"silent"`
	// Keeper is the process that watches events and tells of incidents.
	Keeper bool  `json:"keeper"`
	Tasks  []int `json:"tasks"`
}

// ClusterTask is a part of the views.
type ClusterTask struct {
	Task int `json:"task"`
	// Node runs it; "" while nobody does.
	Node string `json:"node"`
	// Since is when Node took it over; null while nobody runs it.
	Since *time.Time `json:"since"`
	// Restoring says that Node is still taking it over: its views stand still.
	Restoring bool `json:"restoring"`
	// Views are also tables, and sinks with queries of their own, as "sink NAME".
	Views []string `json:"views"`
	// LagMs is how late its views show what was sent; of a task that nobody runs, for how long they have stood still.
	LagMs int64 `json:"lagMs"`
	// Behind is how many records they have not read yet.
	Behind int64 `json:"behind"`
}
