// Package config reads myelin.yaml: every key has a default, ${ENV} is expanded, and an unknown key is an error that
// names the key that was probably meant.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Config is the whole of myelin.yaml.
type Config struct {
	HTTP  HTTP  `yaml:"http"`
	Kafka Kafka `yaml:"kafka"`
	// Cluster is set where several processes share the work; nil: this one does all.
	Cluster  *Cluster         `yaml:"cluster"`
	Postgres Postgres         `yaml:"postgres"`
	Sources  []Source         `yaml:"sources"`
	Users    []User           `yaml:"users"`
	Outbound Outbound         `yaml:"outbound"`
	Topics   map[string]Topic `yaml:"topics"`
	Limits   Limits           `yaml:"limits"`
	Process  Process          `yaml:"process"`
	// Alerts say who is told of incidents; Watch lists the figures of views that are watched, besides all events.
	Alerts Alerts          `yaml:"alerts"`
	Watch  []WatchedColumn `yaml:"watch"`
	// TrustLoopback lets clients on this machine in without a password.
	TrustLoopback bool `yaml:"trust_loopback"`
}

// HTTP is the listener of the UI, the API and the collectors.
type HTTP struct {
	Listen string `yaml:"listen"`
	TLS    *TLS   `yaml:"tls"`
	// Hosts are names, besides localhost and addresses, under which the pages are reached.
	Hosts []string `yaml:"hosts"`
}

// Kafka is either the embedded broker's listener or the addresses of a cluster to run on.
type Kafka struct {
	Listen  string   `yaml:"listen"`
	Brokers []string `yaml:"brokers"`
	// Advertised is where clients are sent; "": where they came to.
	Advertised string    `yaml:"advertised"`
	TLS        *KafkaTLS `yaml:"tls"`
	SASL       *SASL     `yaml:"sasl"`
	// SessionLifetime is how long a login lasts before the client has to repeat it; 0: as long as the connection.
	SessionLifetime Duration `yaml:"session_lifetime"`
	// OffsetsRetention is how long the embedded broker keeps the offsets of a group without members; 0: for ever.
	OffsetsRetention Duration `yaml:"offsets_retention"`
	// ProducerRetention is how long it remembers the sequence numbers of a producer that sends nothing; 0: for ever.
	ProducerRetention Duration `yaml:"producer_retention"`
}

// Postgres is the listener for SQL clients.
type Postgres struct {
	Listen string `yaml:"listen"`
	TLS    *TLS   `yaml:"tls"`
}

// Source is one sender of events, known by its write keys.
type Source struct {
	Name      string   `yaml:"name"`
	WriteKeys []string `yaml:"write_keys"`
	Plan      string   `yaml:"plan"`
}

// User may use the UI, the API and Postgres.
type User struct {
	Name     string `yaml:"name"`
	Password string `yaml:"password"`
	Role     string `yaml:"role"`
}

// Roles are the roles that a user can have, from least to most.
var Roles = []string{"viewer", "marketer", "analyst", "engineer", "privacy", "admin"}

// Outbound lists the private networks that sinks may reach.
type Outbound struct {
	Allow []string `yaml:"allow"`
}

// Topic configures a topic that Myelin keeps.
type Topic struct {
	Governed   bool     `yaml:"governed"`
	Partitions int32    `yaml:"partitions"`
	Retention  Duration `yaml:"retention"`
	Watermark  Duration `yaml:"watermark"`
}

// Limits bounds what the doors take.
type Limits struct {
	// RequestBytes is the size of one HTTP request, decoded.
	RequestBytes int64 `yaml:"request_bytes"`
	// FreeDiskBytes is kept free on the data folder's disk.
	FreeDiskBytes int64 `yaml:"free_disk_bytes"`
	// KafkaConnections at a time, and from one address beyond this machine.
	KafkaConnections           int `yaml:"kafka_connections"`
	KafkaConnectionsPerAddress int `yaml:"kafka_connections_per_address"`
	// KafkaMemoryBytes are held for Kafka requests that are being read or worked on.
	KafkaMemoryBytes int64 `yaml:"kafka_memory_bytes"`
	// StateBytes is what the state of views may take in memory. 0: half of the machine's memory, or of what the process may use.
	StateBytes int64 `yaml:"state_bytes"`
	// StateDiskBytes is how large the files may be that state lies in beyond that; views that need more stand still. 0: there are none.
	StateDiskBytes int64 `yaml:"state_disk_bytes"`
	// Backlog is for how long what waits on the doorsteps may keep the release busy before senders are slowed. 0: any time.
	Backlog Duration `yaml:"backlog"`
}

// Process is how continuous queries run.
type Process struct {
	// Flush is how often what views remember is made durable.
	Flush Duration `yaml:"flush"`
	// Workers is on how many processors the views of a task are computed at a time; 0: on all, a single view
	// on one.
	Workers int `yaml:"workers"`
}

// Bounds of Process.Flush. Less often than the most, a restart would have too much to read again.
const (
	leastFlush = Duration(500 * time.Millisecond)
	mostFlush  = Duration(10 * time.Minute)
)

// mostWorkers bounds Process.Workers.
const mostWorkers = 64

// Default is the configuration of an empty myelin.yaml.
func Default() Config {
	return Config{
		HTTP:     HTTP{Listen: "127.0.0.1:8080"},
		Kafka:    Kafka{Listen: "127.0.0.1:9092", OffsetsRetention: Days(7), ProducerRetention: Days(1)},
		Postgres: Postgres{Listen: "127.0.0.1:5433"},
		Topics:   map[string]Topic{"events": defaultTopic()},
		Limits: Limits{
			RequestBytes: 4 << 20, FreeDiskBytes: 512 << 20,
			KafkaConnections: 10_000, KafkaConnectionsPerAddress: 2_000, KafkaMemoryBytes: 256 << 20,
			Backlog: Seconds(2),
		},
		Process:       Process{Flush: Seconds(5)},
		TrustLoopback: true,
	}
}

func defaultTopic() Topic {
	return Topic{Governed: true, Partitions: 4, Retention: Days(30), Watermark: Seconds(5)}
}

// Load reads the file; an absent one gives the defaults. Errors are Problems.
func Load(path string) (Config, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Default(), nil
	}
	if err != nil {
		return Config{}, fmt.Errorf("reading the configuration: %w", err)
	}
	return Parse(path, text, os.Getenv)
}

// Parse reads the text of a myelin.yaml; file is only named in errors. Errors are Problems.
func Parse(file string, text []byte, getenv func(string) string) (Config, error) {
	cfg := Default()
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return Config{}, yamlProblem(file, err)
	}
	if len(doc.Content) == 0 {
		return cfg, nil
	}
	r := reader{file: file, getenv: getenv}
	root := doc.Content[0]
	r.expand(root)
	r.check(root, cfg, "")
	if len(r.problems) > 0 {
		return Config{}, r.problems
	}
	if err := root.Decode(&cfg); err != nil {
		return Config{}, yamlProblem(file, err)
	}
	r.topics(root, &cfg)
	r.validate(root, cfg)
	r.alerts(root, cfg)
	if len(r.problems) > 0 {
		return Config{}, r.problems
	}
	return cfg, nil
}

// topics gives the keys that a topic leaves out their defaults, and keeps `events`.
func (r *reader) topics(root *yaml.Node, cfg *Config) {
	for name := range cfg.Topics {
		merged := defaultTopic()
		merged.Governed = name == "events"
		if node := child(child(root, "topics"), name); node != nil {
			if err := node.Decode(&merged); err != nil {
				r.add(node, err.Error(), "")
				continue
			}
		}
		cfg.Topics[name] = merged
	}
	if _, ok := cfg.Topics["events"]; !ok {
		if cfg.Topics == nil {
			cfg.Topics = map[string]Topic{}
		}
		cfg.Topics["events"] = defaultTopic()
	}
}

func (r *reader) validate(root *yaml.Node, cfg Config) {
	at := func(path ...string) *yaml.Node {
		n := root
		for _, p := range path {
			if c := child(n, p); c != nil {
				n = c
			}
		}
		return n
	}
	for key, addr := range map[string]string{"http": cfg.HTTP.Listen, "kafka": cfg.Kafka.Listen, "postgres": cfg.Postgres.Listen} {
		if addr == "" {
			continue
		}
		if _, port, ok := cutAddr(addr); !ok || port == "" {
			r.add(at(key, "listen"), fmt.Sprintf("%s.listen: %q is not an address", key, addr), `write host:port, for example "127.0.0.1:8080"`)
		}
	}
	r.security(at, cfg)
	r.cluster(at, cfg)
	if d := cfg.Process.Flush; d < leastFlush || d > mostFlush {
		r.add(at("process", "flush"), fmt.Sprintf("process.flush is %v", d.Std()), fmt.Sprintf("%v to %v are possible; leave it out for 5s", leastFlush.Std(), mostFlush.Std()))
	}
	if n := cfg.Process.Workers; n < 0 || n > mostWorkers {
		r.add(at("process", "workers"), fmt.Sprintf("process.workers is %d", n), fmt.Sprintf("1 to %d are possible; leave it out for as many as there are processors", mostWorkers))
	}
	names, keys := map[string]bool{}, map[string]string{}
	for i, s := range cfg.Sources {
		n := index(at("sources"), i)
		if s.Name == "" {
			r.add(n, "a source has no name", "give it one: name: shop-web")
		}
		if names[s.Name] {
			r.add(n, fmt.Sprintf("two sources are called %q", s.Name), "source names must differ")
		}
		names[s.Name] = true
		if len(s.WriteKeys) == 0 {
			r.add(n, fmt.Sprintf("source %q has no write key", s.Name), "give it one: write_keys: [wk_shop_web]")
		}
		for _, k := range s.WriteKeys {
			if other, ok := keys[k]; ok {
				r.add(n, fmt.Sprintf("write key %q belongs to both %s and %s", k, other, s.Name), "a write key tells sources apart: use each once")
			}
			keys[k] = s.Name
		}
	}
	logins := map[string]bool{}
	for i, u := range cfg.Users {
		if logins[u.Name] {
			r.add(index(at("users"), i), fmt.Sprintf("two users are called %q", u.Name), "user names must differ")
		}
		logins[u.Name] = true
		if u.Name == "" || u.Password == "" {
			r.add(index(at("users"), i), "a user needs a name and a password", `for example {name: ana, password: "${ANA_PASSWORD}", role: analyst}`)
		}
		if !slices.Contains(Roles, u.Role) {
			r.add(index(at("users"), i), fmt.Sprintf("user %q has role %q", u.Name, u.Role), "roles are "+strings.Join(Roles, ", "))
		}
	}
	for _, cidr := range cfg.Outbound.Allow {
		if _, err := netip.ParsePrefix(cidr); err != nil {
			r.add(at("outbound", "allow"), fmt.Sprintf("%q is not a network", cidr), `write it as "10.0.0.0/8"`)
		}
	}
	for name, t := range cfg.Topics {
		if t.Partitions < 1 || t.Partitions > 1024 {
			r.add(at("topics", name, "partitions"), fmt.Sprintf("topic %s has %d partitions", name, t.Partitions), "1 to 1024 are possible")
		}
	}
}

func cutAddr(addr string) (host, port string, ok bool) {
	i := strings.LastIndexByte(addr, ':')
	if i < 0 {
		return "", "", false
	}
	return addr[:i], addr[i+1:], true
}
