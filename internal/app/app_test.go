package app

import (
	"testing"

	"myelin/internal/config"
)

func TestPortsThatOthersReachNeedUsers(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit func(*config.Config)
		safe bool
	}{
		{"defaults", func(*config.Config) {}, true},
		{"http for all", func(c *config.Config) { c.HTTP.Listen = "0.0.0.0:8080" }, false},
		{"http for all, with users", func(c *config.Config) {
			c.HTTP.Listen = "0.0.0.0:8080"
			c.Users = []config.User{{Name: "ana", Password: "long enough", Role: "admin"}}
		}, true},
		{"postgres on every address", func(c *config.Config) { c.Postgres.Listen = ":5433" }, false},
		{"kafka for all", func(c *config.Config) { c.Kafka.Listen = "10.0.0.1:9092" }, false},
		{"http for all, with a bad password", func(c *config.Config) {
			c.HTTP.Listen = "0.0.0.0:8080"
			c.Users = []config.User{{Name: "ana", Password: "changeme", Role: "admin"}}
		}, false},
		{"kafka for all with users, in the clear", func(c *config.Config) {
			c.Kafka.Listen = "0.0.0.0:9092"
			c.Users = []config.User{{Name: "ana", Password: "long enough", Role: "admin"}}
		}, false},
		{"kafka for all with TLS, without users", func(c *config.Config) {
			c.Kafka = config.Kafka{Listen: "0.0.0.0:9092", TLS: &config.KafkaTLS{Cert: "c", Key: "k"}}
		}, false},
		{"kafka for all with TLS and users", func(c *config.Config) {
			c.Kafka = config.Kafka{Listen: "0.0.0.0:9092", TLS: &config.KafkaTLS{Cert: "c", Key: "k"}}
			c.Users = []config.User{{Name: "ana", Password: "long enough", Role: "admin"}}
		}, true},
		{"kafka for all with client certificates", func(c *config.Config) {
			c.Kafka = config.Kafka{Listen: "0.0.0.0:9092", TLS: &config.KafkaTLS{Cert: "c", Key: "k", ClientCA: "ca"}}
		}, true},
		{"kafka on a cluster", func(c *config.Config) { c.Kafka = config.Kafka{Brokers: []string{"k1:9092"}} }, true},
		{"localhost by name", func(c *config.Config) { c.HTTP.Listen = "localhost:8080" }, true},
	} {
		cfg := config.Default()
		tc.edit(&cfg)
		if err := safeAddresses(cfg); (err == nil) != tc.safe {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}
