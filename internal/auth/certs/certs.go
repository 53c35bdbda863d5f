// Package certs serves TLS certificates from files and follows the files: a new certificate counts from the next handshake on,
// and connections that are open stay as they are.
//
// The files are looked at in handshakes, at most once a second, so that nothing runs while nobody connects. Files that cannot
// be used leave the last good certificate in force.
package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// lookEvery is how often the files are looked at, at most.
const lookEvery = time.Second

// Files name a server's certificate.
type Files struct {
	// Cert holds the certificate and those between it and its authority, Key its private key; both in PEM.
	Cert, Key string
	// ClientCA holds the authorities whose clients may connect; "" asks clients for no certificate.
	ClientCA string
	// Protocols are offered in the handshake (ALPN).
	Protocols []string
	// Log hears of files that cannot be used after the start; nil: nobody does.
	Log *slog.Logger
}

// Source is the certificate in force. It may be used from many goroutines.
type Source struct {
	files Files
	mu    struct {
		sync.Mutex
		config  *tls.Config
		expires time.Time
		looked  time.Time
		seen    [3]stamp
		broken  string // what was wrong at the last look
	}
}

// stamp tells whether a file was changed.
type stamp struct {
	at   time.Time
	size int64
	file os.FileInfo // tells a file that was put in another's place
}

func (s stamp) same(o stamp) bool {
	return s.at.Equal(o.at) && s.size == o.size && (s.file == nil) == (o.file == nil) && (s.file == nil || os.SameFile(s.file, o.file))
}

// Open reads the files.
func Open(f Files) (*Source, error) {
	s := &Source{files: f}
	s.mu.seen = s.stamps()
	config, expires, err := s.load()
	if err != nil {
		return nil, err
	}
	s.mu.config, s.mu.expires, s.mu.looked = config, expires, time.Now()
	return s, nil
}

// Config is for a listener: each handshake gets the certificate that is in force by then.
func (s *Source) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: s.files.Protocols, // http.Server looks for its own here
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return s.current(), nil
		},
	}
}

// Expires is when the certificate in force ends.
func (s *Source) Expires() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.expires
}

func (s *Source) current() *tls.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.mu.looked) < lookEvery {
		return s.mu.config
	}
	s.mu.looked = time.Now()
	// The stamps are taken before the files are read: a file that changes in between has another stamp at the next look.
	seen := s.stamps()
	changed := s.mu.broken != "" // certificate and key are seldom written at one moment: look again
	for i := range seen {
		changed = changed || !seen[i].same(s.mu.seen[i])
	}
	if !changed {
		return s.mu.config
	}
	s.mu.seen = seen
	config, expires, err := s.load()
	if err != nil {
		if s.files.Log != nil && err.Error() != s.mu.broken {
			s.files.Log.Error("a changed certificate cannot be used; the former one stays in force", "error", err)
		}
		s.mu.broken = err.Error()
		return s.mu.config
	}
	s.mu.config, s.mu.expires, s.mu.broken = config, expires, ""
	if s.files.Log != nil {
		s.files.Log.Info("a changed certificate is in force", "file", s.files.Cert, "expires", expires)
	}
	return config
}

func (s *Source) stamps() (out [3]stamp) {
	for i, name := range []string{s.files.Cert, s.files.Key, s.files.ClientCA} {
		if name == "" {
			continue
		}
		if info, err := os.Stat(name); err == nil {
			out[i] = stamp{at: info.ModTime(), size: info.Size(), file: info}
		}
	}
	return out
}

func (s *Source) load() (*tls.Config, time.Time, error) {
	pair, err := pairOf(s.files.Cert, s.files.Key)
	if err != nil {
		return nil, time.Time{}, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: s.files.Protocols}
	if s.files.ClientCA != "" {
		if c.ClientCAs, err = pool(s.files.ClientCA); err != nil {
			return nil, time.Time{}, err
		}
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return c, pair.Leaf.NotAfter, nil
}

func pairOf(cert, key string) (tls.Certificate, error) {
	certText, err := os.ReadFile(cert)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading the certificate: %w", err)
	}
	keyText, err := os.ReadFile(key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading the certificate's key: %w", err)
	}
	pair, err := tls.X509KeyPair(certText, keyText)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("using certificate %s with key %s: %w", cert, key, err)
	}
	return pair, nil
}

func pool(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the authority's certificates: %w", err)
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("reading the authority's certificates: %s holds none in PEM", file)
	}
	return p, nil
}

// Client is what a client trusts and shows.
type Client struct {
	// CA holds the authorities that are trusted; "": those of the system.
	CA string
	// Cert and Key are shown to servers that ask; "": none are.
	Cert, Key string
	// ServerName replaces the host that was dialled when the server's certificate is checked.
	ServerName string
	// Insecure takes any certificate.
	Insecure bool
}

// Config reads the files of a client.
func (c Client) Config() (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName, InsecureSkipVerify: c.Insecure}
	if c.CA != "" {
		p, err := pool(c.CA)
		if err != nil {
			return nil, err
		}
		out.RootCAs = p
	}
	if (c.Cert == "") != (c.Key == "") {
		return nil, errors.New("a certificate and its key belong together: name both or none")
	}
	if c.Cert != "" {
		pair, err := pairOf(c.Cert, c.Key)
		if err != nil {
			return nil, err
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}
