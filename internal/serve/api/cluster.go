package api

import "context"

// Nodes shows the processes that share the work.
type Nodes interface {
	Cluster(ctx context.Context) (Cluster, error)
}

// Cluster is who does what.
type Cluster struct {
	// Node is the process that answers.
	Node  string        `json:"node"`
	Nodes []ClusterNode `json:"nodes"`
	Tasks []ClusterTask `json:"tasks"`
}

// ClusterNode is a process that takes part now.
type ClusterNode struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	// Keeper is the process that watches events and tells of incidents.
	Keeper bool  `json:"keeper"`
	Tasks  []int `json:"tasks"`
}

// ClusterTask is a part of the views.
type ClusterTask struct {
	Task int `json:"task"`
	// Node runs it; "" while nobody does.
	Node string `json:"node"`
	// Views are also tables, and sinks with queries of their own, as "sink NAME".
	Views []string `json:"views"`
}
