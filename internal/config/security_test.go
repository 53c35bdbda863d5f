package config

import (
	"strings"
	"testing"
)

func TestSecurityOfConnections(t *testing.T) {
	for _, tc := range []struct{ text, problem string }{
		{`http: {tls: {cert: a.pem, key: a.key}}`, ""},
		{`http: {tls: {cert: a.pem}}`, "http.tls needs a certificate and its key"},
		{`postgres: {tls: {key: a.key}}`, "postgres.tls needs a certificate"},
		{`kafka: {tls: {}}`, "kafka.tls needs a certificate"},
		{`kafka: {tls: {cert: a.pem, key: a.key, client_ca: ca.pem}, session_lifetime: 1h}`, ""},
		{`kafka: {tls: {cert: a.pem, key: a.key, ca: ca.pem}}`, "are for a cluster"},
		{`{kafka: {brokers: ["k:9092"]}, cluster: {node: a, tasks: 12}}`, ""},
		{`cluster: {}`, "a cluster of processes needs a Kafka cluster"},
		{`{kafka: {brokers: ["k:9092"]}, cluster: {tasks: 1000}}`, "cluster.tasks is 1000"},
		{`kafka: {brokers: ["k:9092"], tls: {}}`, ""},
		{`kafka: {brokers: ["k:9092"], tls: {ca: ca.pem, server_name: k}, sasl: {mechanism: PLAIN, username: u, password: p}}`, ""},
		{`kafka: {brokers: ["k:9092"], tls: {client_ca: ca.pem}}`, "client_ca is for the embedded broker"},
		{`kafka: {brokers: ["k:9092"], tls: {cert: a.pem}}`, "needs a certificate and its key"},
		{`kafka: {brokers: ["k:9092"], sasl: {mechanism: GSSAPI, username: u, password: p}}`, `mechanism is "GSSAPI"`},
		{`kafka: {brokers: ["k:9092"], sasl: {mechanism: PLAIN, username: u}}`, "needs a username and a password"},
		{`kafka: {sasl: {mechanism: PLAIN, username: u, password: p}}`, "log in to a cluster"},
		{`kafka: {tls: {certt: a.pem}}`, `unknown key "kafka.tls.certt"`},
		{`kafka: {advertised: here}`, "is not an address"},
		{`limits: {kafka_connections: 0}`, "limits.kafka_connections is 0"},
		{`limits: {backlog: -2s}`, "not a length of time"},
		{`limits: {backlog: forever}`, ""},
		{`process: {flush: 30s}`, ""},
		{`process: {flush: 500ms}`, ""},
		{`process: {flush: 10m}`, ""},
		{`process: {}`, ""},
		{`process: {flush: 100ms}`, "process.flush is 100ms"},
		{`process: {flush: 11m}`, "process.flush is 11m0s"},
		{`process: {flush: 0s}`, "process.flush is 0s"},
		{`process: {flush: forever}`, "process.flush is 0s"},
		{`process: {flush: -5s}`, "is not a length of time"},
		{`process: {flush: often}`, "often"},
		{`process: {workers: 1}`, ""},
		{`process: {workers: 64}`, ""},
		{`process: {workers: 65}`, "process.workers is 65"},
		{`process: {workers: -1}`, "process.workers is -1"},
		{`process: {flushh: 5s}`, `unknown key "process.flushh"`},
		{`users: [{name: a, password: p, role: admin}, {name: a, password: p, role: viewer}]`, `two users are called "a"`},
	} {
		_, err := Parse("myelin.yaml", []byte(tc.text), func(string) string { return "" })
		switch {
		case err == nil && tc.problem != "":
			t.Errorf("%s: no problem", tc.text)
		case err != nil && (tc.problem == "" || !strings.Contains(err.Error(), tc.problem)):
			t.Errorf("%s: %v", tc.text, err)
		}
	}
}
