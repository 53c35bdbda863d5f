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
			c.Users = []config.User{{Name: "ana", Password: "p", Role: "admin"}}
		}, true},
		{"postgres on every address", func(c *config.Config) { c.Postgres.Listen = ":5433" }, false},
		{"kafka for all", func(c *config.Config) { c.Kafka.Listen = "10.0.0.1:9092" }, false},
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
