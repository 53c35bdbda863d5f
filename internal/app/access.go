package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"myelin/internal/auth"
	"myelin/internal/auth/certs"
	"myelin/internal/auth/role"
	"myelin/internal/broker/access"
	"myelin/internal/config"
	"myelin/internal/log"
)

// loginLifetime is how long a login of the web interface lasts.
const loginLifetime = 12 * time.Hour

// keys is who gets in, and the certificates of the ports.
type keys struct {
	users    *auth.Users
	sessions *auth.Sessions
	// Of the ports; nil: plain TCP.
	httpCert, kafkaCert, postgresCert *certs.Source
}

// openKeys reads the users and the certificates.
func (n *node) openKeys(context.Context) error {
	n.keys = &keys{sessions: auth.NewSessions(n.Clock, loginLifetime)}
	var all []auth.Credential
	for _, u := range n.cfg.Users {
		r, err := role.Parse(u.Role)
		if err != nil {
			return err
		}
		all = append(all, auth.Credential{Person: role.Person{Name: u.Name, Role: r}, Password: u.Password})
	}
	var err error
	if n.keys.users, err = auth.NewUsers(all, n.Clock); err != nil {
		return err
	}
	n.metrics.CounterFunc("myelin_auth_failures_total", "Wrong passwords so far, over HTTP, Kafka and PostgreSQL.", func() float64 { return float64(n.keys.users.Guard().Failures()) })
	n.metrics.CounterFunc("myelin_auth_refused_total", "Logins that were not looked at, because too many from their address were wrong.", func() float64 { return float64(n.keys.users.Guard().Refused()) })
	if t := n.cfg.HTTP.TLS; t != nil {
		if n.httpCert, err = n.certificate("http", certs.Files{Cert: t.Cert, Key: t.Key, Protocols: []string{"h2", "http/1.1"}}); err != nil {
			return err
		}
	}
	if t := n.cfg.Postgres.TLS; t != nil {
		if n.postgresCert, err = n.certificate("postgres", certs.Files{Cert: t.Cert, Key: t.Key, Protocols: []string{"postgresql"}}); err != nil {
			return err
		}
	}
	if t := n.cfg.Kafka.TLS; t != nil && len(n.cfg.Kafka.Brokers) == 0 {
		n.kafkaCert, err = n.certificate("kafka", certs.Files{Cert: t.Cert, Key: t.Key, ClientCA: t.ClientCA})
	}
	return err
}

// certificate opens the files of a port's certificate, whose names are relative to the project folder.
func (n *node) certificate(port string, f certs.Files) (*certs.Source, error) {
	for _, name := range []*string{&f.Cert, &f.Key, &f.ClientCA} {
		*name = n.inProject(*name)
	}
	f.Log = n.Log
	s, err := certs.Open(f)
	if err != nil {
		return nil, fmt.Errorf("%s.tls in myelin.yaml: %w", port, err)
	}
	n.metrics.GaugeFunc("myelin_tls_expiry_seconds", "Time until the certificate of a port ends.", func() float64 { return s.Expires().Sub(n.Clock.Now()).Seconds() }, "port", port)
	return s, nil
}

func (n *node) inProject(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(n.Project, name)
}

// config is the TLS configuration of a port; nil: plain TCP.
func tlsConfig(s *certs.Source) *tls.Config {
	if s == nil {
		return nil
	}
	return s.Config()
}

// trusted reports whether a client at an address needs no password.
func (n *node) trusted(remote net.Addr) bool {
	if !n.cfg.TrustLoopback {
		return false
	}
	tcp, ok := remote.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback() || remote.Network() == "unix" || remote.Network() == "pipe"
}

// kafkaAccess is who may use the embedded broker.
func (n *node) kafkaAccess() access.Config {
	c := access.Config{Users: n.keys.users, Trust: n.trusted, SessionLifetime: n.cfg.Kafka.SessionLifetime.Std()}
	if len(n.cfg.Users) == 0 {
		c.CertificateRole = role.Engineer // without users, a certificate of the authority is the login
	}
	return c
}

// clusterLogin is how to reach a cluster.
func (n *node) clusterLogin(lc *log.Config) error {
	if t := n.cfg.Kafka.TLS; t != nil {
		c, err := certs.Client{
			CA: n.inProject(t.CA), Cert: n.inProject(t.Cert), Key: n.inProject(t.Key), ServerName: t.ServerName, Insecure: t.Insecure,
		}.Config()
		if err != nil {
			return fmt.Errorf("kafka.tls in myelin.yaml: %w", err)
		}
		lc.TLS = c
	}
	if s := n.cfg.Kafka.SASL; s != nil {
		lc.SASL = &log.SASL{Mechanism: s.Mechanism, Username: s.Username, Password: s.Password}
	}
	return nil
}

// commonPasswords are no passwords at all.
var commonPasswords = []string{"password", "changeme", "change-me", "admin", "myelin", "secret", "default", "guest", "root", "test", "12345678", "123456789", "qwertyui"}

// safeAddresses refuses to open a port beyond this machine for everybody.
func safeAddresses(cfg config.Config) error {
	ports := map[string]string{"http": cfg.HTTP.Listen, "postgres": cfg.Postgres.Listen}
	if len(cfg.Kafka.Brokers) == 0 {
		ports["kafka"] = cfg.Kafka.Listen
	}
	for _, name := range []string{"http", "postgres", "kafka"} {
		addr := ports[name]
		if addr == "" || loopback(addr) {
			continue
		}
		if err := safeAddress(cfg, name, addr); err != nil {
			return err
		}
	}
	return nil
}

func safeAddress(cfg config.Config, name, addr string) error {
	open := fmt.Sprintf("%s.listen is %s, which others can reach", name, addr)
	if name == "kafka" {
		t := cfg.Kafka.TLS
		if t == nil {
			return fmt.Errorf("%s, and passwords would cross the network in the clear: add kafka.tls with a certificate, listen on 127.0.0.1, or run on a cluster with kafka.brokers", open)
		}
		if t.ClientCA != "" && len(cfg.Users) == 0 {
			return nil
		}
	}
	if len(cfg.Users) == 0 {
		return fmt.Errorf("%s, and there are no users: add users with passwords to myelin.yaml, or listen on 127.0.0.1", open)
	}
	for _, u := range cfg.Users {
		if len(u.Password) < 8 || strings.EqualFold(u.Password, u.Name) || slices.Contains(commonPasswords, strings.ToLower(u.Password)) {
			return fmt.Errorf("%s, and the password of user %q is easily guessed: choose one of at least 8 characters, or listen on 127.0.0.1", open, u.Name)
		}
	}
	return nil
}
