// Package auth knows who may do what: users, their passwords, and how many wrong passwords are too many.
package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"myelin/internal/auth/role"
	"myelin/internal/clock"
)

// Credential is a user with a password.
type Credential struct {
	role.Person
	Password string
}

// ErrWrong says that a name and password do not belong together. It does not say whether there is such a user.
var ErrWrong = errors.New("the name or the password is wrong")

// TooManyError refuses an attempt because too many before it were wrong.
type TooManyError struct {
	// After is when the next attempt may be made.
	After time.Duration
}

// Error implements error.
func (e *TooManyError) Error() string {
	return fmt.Sprintf("too many wrong passwords came from this address; the next may be tried in %s", e.After.Round(time.Second))
}

// Users are those that may log in. It may be used from many goroutines.
type Users struct {
	byName map[string]Credential
	guard  *Guard
	key    [32]byte // compares passwords without telling by the time how alike they are
}

// NewUsers returns the users of a configuration.
func NewUsers(all []Credential, c clock.Clock) (*Users, error) {
	u := &Users{byName: map[string]Credential{}, guard: NewGuard(c)}
	for _, one := range all {
		u.byName[one.Name] = one
	}
	if _, err := rand.Read(u.key[:]); err != nil {
		return nil, fmt.Errorf("reading random bytes: %w", err)
	}
	return u, nil
}

// Len is how many users there are.
func (u *Users) Len() int { return len(u.byName) }

// Find returns a user by name.
func (u *Users) Find(name string) (role.Person, bool) {
	c, ok := u.byName[name]
	return c.Person, ok
}

// Names lists the users.
func (u *Users) Names() []string { return slices.Sorted(maps.Keys(u.byName)) }

// Password implements pgwire.Users: it returns the password of a user.
func (u *Users) Password(name string) (string, bool) {
	c, ok := u.byName[name]
	return c.Password, ok
}

// Guard counts wrong passwords by address, over all ways to log in.
func (u *Users) Guard() *Guard { return u.guard }

// Login checks a password that came from an address. The error is ErrWrong or a *TooManyError.
func (u *Users) Login(name, password, from string) (role.Person, error) {
	if wait := u.guard.Wait(from); wait > 0 {
		return role.Person{}, &TooManyError{After: wait}
	}
	c, known := u.byName[name]
	if !u.same(c.Password, password) || !known {
		u.guard.Fail(from)
		return role.Person{}, ErrWrong
	}
	return c.Person, nil
}

func (u *Users) same(a, b string) bool {
	return subtle.ConstantTimeCompare(u.Keyed(a), u.Keyed(b)) == 1
}

// Keyed hashes text with a secret of this process, for what must look random and be the same each time.
func (u *Users) Keyed(text string) []byte {
	mac := hmac.New(sha256.New, u.key[:])
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
