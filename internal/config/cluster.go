package config

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Cluster makes this process one of several that share the work on a Kafka cluster.
type Cluster struct {
	// Node names the process, the same after each start; "": its host and data folder.
	Node string `yaml:"node"`
	// Advertise is the URL under which people and the other processes reach its pages; "": the address that it listens on.
	Advertise string `yaml:"advertise"`
	// Tasks is into how many parts the views are divided, decided when the first process starts; 0: 6.
	Tasks int `yaml:"tasks"`
}

func (r *reader) cluster(at func(...string) *yaml.Node, cfg Config) {
	c := cfg.Cluster
	if c == nil {
		return
	}
	if len(cfg.Kafka.Brokers) == 0 {
		r.add(at("cluster"), "a cluster of processes needs a Kafka cluster", `name some of its brokers: kafka: {brokers: ["k1:9092", "k2:9092"]}`)
	}
	if c.Tasks < 0 || c.Tasks > 256 {
		r.add(at("cluster", "tasks"), fmt.Sprintf("cluster.tasks is %d", c.Tasks), "1 to 256 are possible; leave it out for 6")
	}
}
