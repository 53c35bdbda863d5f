package config

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func env(vars map[string]string) func(string) string {
	return func(k string) string { return vars[k] }
}

func TestEveryKeyHasADefault(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "http: {}\n"} {
		cfg, err := Parse("myelin.yaml", []byte(text), env(nil))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if cfg.HTTP.Listen != "127.0.0.1:8080" || cfg.Kafka.Listen != "127.0.0.1:9092" || cfg.Postgres.Listen != "127.0.0.1:5433" {
			t.Errorf("%q: listeners %v %v %v", text, cfg.HTTP, cfg.Kafka, cfg.Postgres)
		}
		events := cfg.Topics["events"]
		if !events.Governed || events.Partitions != 4 || events.Retention.Std() != 30*24*time.Hour || events.Watermark.Std() != 5*time.Second {
			t.Errorf("%q: events topic %+v", text, events)
		}
	}
}

func TestAPartlyWrittenTopicKeepsTheOtherDefaults(t *testing.T) {
	cfg, err := Parse("myelin.yaml", []byte("topics:\n  events: {partitions: 2}\n"), env(nil))
	if err != nil {
		t.Fatal(err)
	}
	if e := cfg.Topics["events"]; e.Partitions != 2 || !e.Governed || e.Retention != Days(30) {
		t.Errorf("events %+v; want 2 partitions and the defaults", e)
	}
}

func TestEnvironmentIsExpanded(t *testing.T) {
	text := `users: [{name: ana, password: "${ANA}", role: analyst}, {name: bo, password: "${BO:-x}", role: viewer}]`
	cfg, err := Parse("myelin.yaml", []byte(text), env(map[string]string{"ANA": "secret"}))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Users[0].Password != "secret" || cfg.Users[1].Password != "x" {
		t.Errorf("users %+v", cfg.Users)
	}
}

func TestMistakesNameThePlaceAndTheCure(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"unknown key", "htp: {listen: x}\n", `f:1:1: unknown key "htp" (did you mean "http"?)`},
		{"nested unknown key", "http:\n  listne: \"127.0.0.1:1\"\n", `f:2:3: unknown key "http.listne" (did you mean "listen"?)`},
		{"in a list", "sources:\n  - {name: a, write_key: [k]}\n", `f:2:15: unknown key "sources.write_key" (did you mean "write_keys"?)`},
		{"unset variable", "users: [{name: a, password: \"${NOPE}\", role: admin}]\n", `the environment variable NOPE is not set`},
		{"role", "users: [{name: a, password: p, role: boss}]\n", `roles are viewer, marketer`},
		{"address", "http: {listen: \"8080\"}\n", `"8080" is not an address`},
		{"shared key", "sources: [{name: a, write_keys: [k]}, {name: b, write_keys: [k]}]\n", `write key "k" belongs to both a and b`},
		{"duration", "topics: {events: {retention: soon}}\n", `"soon" is not a length of time`},
		{"partitions", "topics: {events: {partitions: 0}}\n", `topic events has 0 partitions`},
		{"network", "outbound: {allow: [\"here\"]}\n", `"here" is not a network`},
		{"shape", "http: [1]\n", `http has the wrong shape`},
		{"not yaml", "http: {listen\n  - x", `f:`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse("f", []byte(tc.text), env(nil))
			var ps Problems
			if !errors.As(err, &ps) || len(ps) == 0 {
				t.Fatalf("error %v; want Problems", err)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error\n%v\nlacks\n%s", err, tc.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("http: {listen: \"127.0.0.1:8080\"}\ntopics: {events: {retention: 30d}}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := Parse("f", text, env(nil)); err != nil && err.Error() == "" {
			t.Error("an error says nothing")
		}
	})
}
