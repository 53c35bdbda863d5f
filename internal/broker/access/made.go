package access

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"

	"github.com/xdg-go/scram"
)

// Users made over the Kafka protocol (KIP-554) are kept in the journal, never their passwords: docs/formats/settings.md.

const journalPrefix = "scram/"

// made is the value of a journal record.
type madeCredential struct {
	Version    int    `json:"version"`
	Salt       []byte `json:"salt"`
	StoredKey  []byte `json:"storedKey"`
	ServerKey  []byte `json:"serverKey"`
	Iterations int    `json:"iterations"`
}

func journalKey(mechanism, name string) string { return journalPrefix + mechanism + "/" + name }

// made finds a user made over the Kafka protocol.
func (a *Access) made(mechanism, name string) (scram.StoredCredentials, bool) {
	if a.journal == nil {
		return scram.StoredCredentials{}, false
	}
	value, ok := a.journal.Find(journalKey(mechanism, name))
	var m madeCredential
	if !ok || json.Unmarshal(value, &m) != nil {
		return scram.StoredCredentials{}, false
	}
	return scram.StoredCredentials{
		KeyFactors: scram.KeyFactors{Salt: string(m.Salt), Iters: m.Iterations}, StoredKey: m.StoredKey, ServerKey: m.ServerKey,
	}, true
}

// Listed is one credential of a user.
type Listed struct {
	User, Mechanism string
	Iterations      int
}

// List lists the credentials of all users, configured ones too.
func (a *Access) List() []Listed {
	var out []Listed
	if a.cfg.Users != nil {
		for _, name := range a.cfg.Users.Names() {
			for _, m := range []string{scramSHA256, scramSHA512} {
				out = append(out, Listed{User: name, Mechanism: m, Iterations: iterations})
			}
		}
	}
	a.journal.Each(journalPrefix, func(key string, value []byte) {
		mechanism, name, _ := strings.Cut(key, "/")
		var m madeCredential
		if json.Unmarshal(value, &m) != nil || a.isConfigured(name) {
			return
		}
		out = append(out, Listed{User: name, Mechanism: mechanism, Iterations: m.Iterations})
	})
	slices.SortFunc(out, func(x, y Listed) int {
		return cmp.Or(strings.Compare(x.User, y.User), strings.Compare(x.Mechanism, y.Mechanism))
	})
	return out
}

func (a *Access) isConfigured(name string) bool {
	if a.cfg.Users == nil {
		return false
	}
	_, ok := a.cfg.Users.Find(name)
	return ok
}

// Change makes, changes or (with no SaltedPassword) removes a credential.
type Change struct {
	User, Mechanism      string
	Iterations           int
	Salt, SaltedPassword []byte
}

// Errors of changes. Their text is sent to the client.
var (
	ErrConfigured    = errors.New("This user is set in myelin.yaml: change the password there.")
	ErrNoCredential  = errors.New("Attempt to delete a user credential that does not exist")
	ErrUnacceptable  = errors.New("The credential cannot be used")
	errTooFewRounds  = fmt.Errorf("%w: Too few iterations", ErrUnacceptable)
	errTooManyRounds = fmt.Errorf("%w: Too many iterations", ErrUnacceptable)
)

// Check says what is wrong with a change; ErrMechanism, ErrConfigured, ErrNoCredential or an ErrUnacceptable.
func (a *Access) Check(c Change) error {
	if c.Mechanism != scramSHA256 && c.Mechanism != scramSHA512 {
		return ErrMechanism
	}
	if c.User == "" || len(c.User) > 1024 {
		return fmt.Errorf("%w: Username must not be empty", ErrUnacceptable)
	}
	if a.isConfigured(c.User) {
		return ErrConfigured
	}
	if c.SaltedPassword == nil {
		if _, ok := a.made(c.Mechanism, c.User); !ok {
			return ErrNoCredential
		}
		return nil
	}
	switch size := newHash(c.Mechanism)().Size(); {
	case c.Iterations < 4096:
		return errTooFewRounds
	case c.Iterations > 16384:
		return errTooManyRounds
	case len(c.SaltedPassword) != size || len(c.Salt) == 0 || len(c.Salt) > 1024:
		return fmt.Errorf("%w: salt or salted password has the wrong size", ErrUnacceptable)
	}
	return nil
}

// Apply makes changes durable that Check found nothing wrong with.
func (a *Access) Apply(changes []Change) error {
	out := map[string][]byte{}
	for _, c := range changes {
		if c.SaltedPassword == nil {
			out[journalKey(c.Mechanism, c.User)] = nil
			continue
		}
		h := newHash(c.Mechanism)
		clientKey := sum(h, c.SaltedPassword, "Client Key")
		stored := h()
		stored.Write(clientKey)
		value, err := json.Marshal(madeCredential{
			Version: 1, Salt: c.Salt, StoredKey: stored.Sum(nil), ServerKey: sum(h, c.SaltedPassword, "Server Key"), Iterations: c.Iterations,
		})
		if err != nil {
			return fmt.Errorf("encoding a credential: %w", err)
		}
		out[journalKey(c.Mechanism, c.User)] = value
	}
	return a.journal.Write(out)
}

func newHash(mechanism string) func() hash.Hash {
	if mechanism == scramSHA512 {
		return sha512.New
	}
	return sha256.New
}

func sum(h func() hash.Hash, key []byte, text string) []byte {
	mac := hmac.New(h, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
