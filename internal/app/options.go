package app

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"myelin/internal/clock"
	"myelin/internal/config"
)

// Role is a part of the river that a process can play.
type Role string

// The roles.
const (
	RoleLog      Role = "log"
	RoleCollect  Role = "collect"
	RoleTrust    Role = "trust"
	RoleProcess  Role = "process"
	RoleServe    Role = "serve"
	RoleActivate Role = "activate"
)

var allRoles = []Role{RoleLog, RoleCollect, RoleTrust, RoleProcess, RoleServe, RoleActivate}

// ParseRoles reads a comma-separated list of roles.
func ParseRoles(s string) ([]Role, error) {
	var out []Role
	for name := range strings.SplitSeq(s, ",") {
		role := Role(strings.TrimSpace(name))
		if !slices.Contains(allRoles, role) {
			return nil, fmt.Errorf("there is no role %q; roles are log, collect, trust, process, serve, activate", role)
		}
		out = append(out, role)
	}
	return out, nil
}

// Options are what the command line says.
type Options struct {
	Project, Data string
	// HTTP, Kafka and Postgres override the addresses of myelin.yaml.
	HTTP, Kafka, Postgres string
	Roles                 []Role // nil: all
	Log                   *slog.Logger
	Clock                 clock.Clock
	Version               string
}

func (o Options) has(r Role) bool { return o.Roles == nil || slices.Contains(o.Roles, r) }

// Addresses are the URLs of what is open; "" is closed.
type Addresses struct{ UI, Kafka, Postgres string }

// configure loads myelin.yaml and lays the command line over it.
func (o Options) configure(path string) (config.Config, error) {
	cfg, err := config.Load(path)
	if err != nil {
		return config.Config{}, err
	}
	for _, over := range []struct {
		value string
		to    *string
	}{{o.HTTP, &cfg.HTTP.Listen}, {o.Kafka, &cfg.Kafka.Listen}, {o.Postgres, &cfg.Postgres.Listen}} {
		if over.value != "" {
			*over.to = over.value
		}
	}
	return cfg, nil
}
