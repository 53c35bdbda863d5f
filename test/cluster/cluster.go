// Package cluster runs several processes of Myelin on a cluster of three Kafka nodes, and kills them.
package cluster
