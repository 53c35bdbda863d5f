// Package access decides who a Kafka client is and what it may do. A client is known by where it comes from, by its
// certificate, or by a SASL login (PLAIN, SCRAM); its role says which requests it may make.
package access

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"myelin/internal/auth"
	"myelin/internal/auth/role"
	"myelin/internal/broker/journal"
	"myelin/internal/clock"
)

// Config says who gets in.
type Config struct {
	// Users may log in; nil: only those made over the Kafka protocol.
	Users *auth.Users
	// Trust reports whether clients at an address may do everything without a login; nil: all are trusted.
	Trust func(remote net.Addr) bool
	// CertificateRole is the role of a client whose certificate was checked but bears no user's name. "": it has to log in.
	CertificateRole role.Role
	// SessionLifetime is how long a login lasts (KIP-368); 0: as long as the connection.
	SessionLifetime time.Duration
}

// MadeRole is the role of users made over the Kafka protocol: they produce and consume, but do not say who may.
const MadeRole = role.Engineer

// Access knows the clients. It may be used from many goroutines.
type Access struct {
	cfg     Config
	clock   clock.Clock
	journal *journal.Journal
	guard   *auth.Guard
	derived sync.Map // derivedKey → scram.StoredCredentials of configured users
	secret  [32]byte // makes salts
}

// Client is what is known of one connection. It is used by one goroutine at a time.
type Client struct {
	// User is the name that the client proved; "" for none.
	User string
	Role role.Role

	remote   string
	trusted  bool // needs no login
	expires  time.Time
	exchange exchange
	relogin  bool // a login is being repeated: User may not change
}

// New returns an access whose users made over the Kafka protocol are kept in j.
func New(cfg Config, j *journal.Journal, c clock.Clock, secret [32]byte) *Access {
	a := &Access{cfg: cfg, clock: c, journal: j, secret: secret}
	if cfg.Users != nil {
		a.guard = cfg.Users.Guard()
	} else {
		a.guard = auth.NewGuard(c)
	}
	return a
}

// Guard counts what was wrong.
func (a *Access) Guard() *auth.Guard { return a.guard }

// Meet returns what is known of a connection that has just been made.
func (a *Access) Meet(remote net.Addr, inProcess bool, state *tls.ConnectionState) *Client {
	c := &Client{remote: remote.String()}
	if inProcess || a.cfg.Trust == nil || a.cfg.Trust(remote) {
		c.Role, c.trusted = role.Admin, true
	}
	if state != nil && len(state.VerifiedChains) > 0 {
		name := state.PeerCertificates[0].Subject.CommonName
		as := a.cfg.CertificateRole
		if a.cfg.Users != nil {
			if u, ok := a.cfg.Users.Find(name); ok {
				as = u.Role
			}
		}
		if as != "" {
			c.User, c.Role, c.trusted = name, as, true
		}
	}
	return c
}

// Known reports whether the client may do anything but log in.
func (c *Client) Known() bool { return c.Role != "" }

// ErrExpired says that a login has lasted too long.
var ErrExpired = errors.New("the login has expired and was not repeated")

// Right is what a request takes.
type Right uint8

// The rights. Every role may Read, privacy officers Erase, engineers and admins Write, admins Administer.
const (
	None       Right = iota
	Read             // consume, look at topics and groups
	Erase            // take records away, of protected topics as well
	Write            // produce, change topics and groups
	Administer       // say who may do what, and how much
)

// May reports whether the client's role has a right; the error is ErrExpired where it had until now.
func (a *Access) May(c *Client, need Right) (bool, error) {
	if need == None {
		return true, nil
	}
	if !c.expires.IsZero() && a.clock.Now().After(c.expires) {
		return false, ErrExpired
	}
	switch c.Role {
	case role.Admin:
		return true, nil
	case role.Engineer:
		return need <= Write, nil
	case role.Privacy:
		return need <= Erase, nil
	case "":
		return false, nil
	}
	return need <= Read, nil
}

// Need is the right that requests of a key take. Keys that only read are named; whatever else there is changes something.
func Need(key int16) Right {
	switch key {
	case 17, 18, 36: // SaslHandshake, ApiVersions, SaslAuthenticate
		return None
	case 1, 2, 3, // Fetch, ListOffsets, Metadata
		8, 9, 10, 11, 12, 13, 14, 15, 16, 68, 69, // offsets and groups
		23, 32, 35, 60, 61, 65, 66, 74, 75: // OffsetForLeaderEpoch, descriptions
		return Read
	case 21: // DeleteRecords
		return Erase
	case 29, 30, 31, 49, 50, 51: // ACLs, quotas, credentials
		return Administer
	}
	return Write
}
