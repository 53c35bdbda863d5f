package config

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// TLS names the files of a server's certificate, relative to the project folder.
type TLS struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// KafkaTLS is, with kafka.listen, the embedded broker's certificate; with kafka.brokers, what is trusted and shown there.
type KafkaTLS struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
	// ClientCA demands certificates of the embedded broker's clients.
	ClientCA string `yaml:"client_ca"`
	// CA holds the authorities of the cluster's certificates; "": those of the system.
	CA string `yaml:"ca"`
	// ServerName is the name in the cluster's certificates where it is not the host that is dialled.
	ServerName string `yaml:"server_name"`
	// Insecure takes any certificate.
	Insecure bool `yaml:"insecure"`
}

// SASL is how to log in to the cluster.
type SASL struct {
	Mechanism string `yaml:"mechanism"`
	Username  string `yaml:"username"`
	Password  string `yaml:"password"`
}

// Mechanisms are the ways to log in to a Kafka cluster.
var Mechanisms = []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}

// security checks certificates and logins.
func (r *reader) security(at func(...string) *yaml.Node, cfg Config) {
	pair := func(where, cert, key string) {
		if cert == "" || key == "" {
			r.add(at(where, "tls"), where+".tls needs a certificate and its key", where+`: {tls: {cert: certs/server.pem, key: certs/server.key}}`)
		}
	}
	if t := cfg.HTTP.TLS; t != nil {
		pair("http", t.Cert, t.Key)
	}
	if t := cfg.Postgres.TLS; t != nil {
		pair("postgres", t.Cert, t.Key)
	}
	cluster := len(cfg.Kafka.Brokers) > 0
	if t := cfg.Kafka.TLS; t != nil {
		switch {
		case cluster && t.ClientCA != "":
			r.add(at("kafka", "tls", "client_ca"), "kafka.tls.client_ca is for the embedded broker's own clients", "with kafka.brokers, the cluster's authority is kafka.tls.ca")
		case cluster && (t.Cert == "") != (t.Key == ""):
			pair("kafka", t.Cert, t.Key)
		case !cluster && (t.CA != "" || t.ServerName != "" || t.Insecure):
			r.add(at("kafka", "tls"), "kafka.tls.ca, server_name and insecure are for a cluster (kafka.brokers)", "the embedded broker's clients are checked with kafka.tls.client_ca")
		case !cluster:
			pair("kafka", t.Cert, t.Key)
		}
	}
	if s := cfg.Kafka.SASL; s != nil {
		switch {
		case !cluster:
			r.add(at("kafka", "sasl"), "kafka.sasl is how to log in to a cluster (kafka.brokers)", "clients of the embedded broker log in as one of users")
		case !slices.Contains(Mechanisms, s.Mechanism):
			r.add(at("kafka", "sasl", "mechanism"), fmt.Sprintf("kafka.sasl.mechanism is %q", s.Mechanism), "mechanisms are "+strings.Join(Mechanisms, ", "))
		case s.Username == "" || s.Password == "":
			r.add(at("kafka", "sasl"), "kafka.sasl needs a username and a password", `for example {mechanism: SCRAM-SHA-512, username: myelin, password: "${KAFKA_PASSWORD}"}`)
		}
	}
	if a := cfg.Kafka.Advertised; a != "" {
		if _, _, err := net.SplitHostPort(a); err != nil {
			r.add(at("kafka", "advertised"), fmt.Sprintf("kafka.advertised: %q is not an address", a), `write host:port, for example "events.example.com:9092"`)
		}
	}
	for key, n := range map[string]int64{
		"kafka_connections": int64(cfg.Limits.KafkaConnections), "kafka_connections_per_address": int64(cfg.Limits.KafkaConnectionsPerAddress),
		"kafka_memory_bytes": cfg.Limits.KafkaMemoryBytes,
	} {
		if n < 1 {
			r.add(at("limits", key), fmt.Sprintf("limits.%s is %d", key, n), "it must be above 0; leave it out for the default")
		}
	}
	if n := cfg.Limits.StateBytes; n < 0 {
		r.add(at("limits", "state_bytes"), fmt.Sprintf("limits.state_bytes is %d", n), "it must be above 0; leave it out for the default")
	}
	if n := cfg.Limits.StateDiskBytes; n < 0 {
		r.add(at("limits", "state_disk_bytes"), fmt.Sprintf("limits.state_disk_bytes is %d", n), "0 keeps all state in memory")
	}
}
