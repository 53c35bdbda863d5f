package access

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/xdg-go/scram"

	"myelin/internal/auth"
	"myelin/internal/auth/role"
)

// The mechanisms, as SaslHandshake lists them.
const (
	plain       = "PLAIN"
	scramSHA256 = "SCRAM-SHA-256"
	scramSHA512 = "SCRAM-SHA-512"
)

// Mechanisms are the ways to log in.
var Mechanisms = []string{plain, scramSHA256, scramSHA512}

var hashes = map[string]scram.HashGeneratorFcn{scramSHA256: scram.SHA256, scramSHA512: scram.SHA512}

// Errors of logins. Their text is sent to the client.
var (
	ErrMechanism = errors.New("this mechanism is not supported")
	ErrOrder     = errors.New("a SaslHandshake must come first")
	ErrFailed    = errors.New("Authentication failed: the name or the password is wrong")
	errOther     = errors.New("Authentication failed: a login can be repeated only as the same user")
)

// exchange is a login that is under way.
type exchange interface {
	// step takes a message of the client. Once the last was taken it returns the user.
	step(token []byte) (answer []byte, user *role.Person, err error)
}

// Begin starts a login.
func (a *Access) Begin(c *Client, mechanism string) error {
	switch {
	case !slices.Contains(Mechanisms, mechanism):
		return ErrMechanism
	case mechanism == plain:
		c.exchange = &plainExchange{a: a, from: c.remote}
	default:
		c.exchange = &scramExchange{a: a, mechanism: mechanism}
	}
	c.relogin = c.User != "" && !c.trusted
	return nil
}

// Step takes one message of a login; after the last the client is known. Lifetime is how long the login lasts, 0 for no end. An
// error is meant for the client, whose connection then ends.
func (a *Access) Step(c *Client, token []byte) (answer []byte, lifetime time.Duration, err error) {
	if c.exchange == nil {
		return nil, 0, ErrOrder
	}
	if wait := a.guard.Wait(c.remote); wait > 0 {
		return nil, 0, fmt.Errorf("Authentication failed: %w", &auth.TooManyError{After: wait})
	}
	answer, user, err := c.exchange.step(token)
	if err != nil {
		c.exchange = nil
		a.guard.Fail(c.remote)
		return nil, 0, ErrFailed
	}
	if user == nil {
		return answer, 0, nil
	}
	c.exchange = nil
	if c.relogin && user.Name != c.User {
		return nil, 0, errOther
	}
	c.User, c.Role, c.expires = user.Name, user.Role, time.Time{}
	if a.cfg.SessionLifetime > 0 {
		c.expires = a.clock.Now().Add(a.cfg.SessionLifetime)
	}
	return answer, a.cfg.SessionLifetime, nil
}

// plainExchange is RFC 4616: authzid NUL authcid NUL password.
type plainExchange struct {
	a    *Access
	from string
}

func (x *plainExchange) step(token []byte) ([]byte, *role.Person, error) {
	parts := bytes.Split(token, []byte{0})
	if len(parts) != 3 || len(parts[1]) == 0 || len(parts[0]) > 0 && !bytes.Equal(parts[0], parts[1]) {
		return nil, nil, ErrFailed
	}
	name, password := string(parts[1]), string(parts[2])
	// Whatever there is to the name, one derivation is done: the time says nothing about who exists.
	mechanism := scramSHA256
	stored, as, known := x.a.lookup(mechanism, name)
	if made, ok := x.a.made(scramSHA512, name); ok && !known {
		mechanism, stored, as, known = scramSHA512, made, MadeRole, true
	}
	derived, err := derive(mechanism, name, password, stored.KeyFactors)
	if err != nil {
		return nil, nil, err
	}
	if subtle.ConstantTimeCompare(derived.StoredKey, stored.StoredKey) != 1 || !known {
		return nil, nil, ErrFailed
	}
	return []byte{}, &role.Person{Name: name, Role: as}, nil
}

// iterations is Kafka's default.
const iterations = 4096

type derivedKey struct{ mechanism, name string }

// lookup finds the credential of a user. One who does not exist gets one that nobody can meet, the same each time.
func (a *Access) lookup(mechanism, name string) (scram.StoredCredentials, role.Role, bool) {
	if a.cfg.Users != nil {
		if u, ok := a.cfg.Users.Find(name); ok {
			stored, err := a.configured(mechanism, name)
			return stored, u.Role, err == nil
		}
	}
	if made, ok := a.made(mechanism, name); ok {
		return made, MadeRole, true
	}
	stored := scram.StoredCredentials{KeyFactors: a.factors(mechanism, name)}
	fake := a.keyed("nobody " + mechanism + " " + name)
	stored.StoredKey, stored.ServerKey = fake, fake
	if mechanism == scramSHA512 {
		stored.StoredKey = append(fake, fake...)
		stored.ServerKey = stored.StoredKey
	}
	return stored, "", false
}

// configured derives the credential of a user of myelin.yaml, once.
func (a *Access) configured(mechanism, name string) (scram.StoredCredentials, error) {
	key := derivedKey{mechanism, name}
	if v, ok := a.derived.Load(key); ok {
		return v.(scram.StoredCredentials), nil
	}
	password, _ := a.cfg.Users.Password(name)
	stored, err := derive(mechanism, name, password, a.factors(mechanism, name))
	if err == nil {
		a.derived.Store(key, stored)
	}
	return stored, err
}

func (a *Access) factors(mechanism, name string) scram.KeyFactors {
	return scram.KeyFactors{Salt: string(a.keyed("salt " + mechanism + " " + name)[:16]), Iters: iterations}
}

func derive(mechanism, name, password string, f scram.KeyFactors) (scram.StoredCredentials, error) {
	client, err := hashes[mechanism].NewClientUnprepped(name, password, "") // as Kafka, which does not prepare strings
	if err != nil {
		return scram.StoredCredentials{}, fmt.Errorf("deriving a credential: %w", err)
	}
	return client.GetStoredCredentialsWithError(f)
}

func (a *Access) keyed(text string) []byte {
	mac := hmac.New(sha256.New, a.secret[:])
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
