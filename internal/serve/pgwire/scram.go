package pgwire

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/xdg-go/scram"
	"github.com/xdg-go/stringprep"

	"myelin/internal/serve/query"
)

// scramIterations is PostgreSQL's default (RFC 7677 asks for at least 4096).
const scramIterations = 4096

const scramMechanism = "SCRAM-SHA-256"

// scram checks a password without learning it (RFC 5802, PostgreSQL §55.3). A user who does not exist gets the same
// questions as one who does, so that names cannot be guessed.
func (s *Server) scram(in *pgproto3.Backend, o *out, user string) error {
	refused := query.Errorf(query.CodeInvalidPassword, "password authentication failed for user \"%s\"", user)
	password, known := "", false
	if s.cfg.Users != nil {
		password, known = s.cfg.Users.Password(user)
	}
	if !known || password == "" {
		password, known = string(s.keyed("no such user "+user)), false
	}
	server, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) {
		// The name inside SCRAM is ignored, as PostgreSQL does: libpq sends none.
		client, err := scram.SHA256.NewClientUnprepped(user, normalized(password), "")
		if err != nil {
			return scram.StoredCredentials{}, fmt.Errorf("deriving credentials: %w", err)
		}
		return client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: string(s.keyed(user)[:16]), Iters: scramIterations})
	})
	if err != nil {
		return fmt.Errorf("starting SCRAM: %w", err)
	}
	talk := server.NewConversation()
	o.send(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{scramMechanism}})
	o.flush()
	if err := in.SetAuthType(pgproto3.AuthTypeSASL); err != nil {
		return fmt.Errorf("starting SCRAM: %w", err)
	}
	msg, err := in.Receive()
	if err != nil {
		return startupError(err)
	}
	first, ok := msg.(*pgproto3.SASLInitialResponse)
	if !ok || first.AuthMechanism != scramMechanism {
		return query.Errorf(query.CodeProtocolViolation, "client selected an invalid SASL authentication mechanism")
	}
	challenge, err := talk.Step(string(first.Data))
	if err != nil {
		return errors.Join(refused, err)
	}
	o.send(&pgproto3.AuthenticationSASLContinue{Data: []byte(challenge)})
	o.flush()
	if err := in.SetAuthType(pgproto3.AuthTypeSASLContinue); err != nil {
		return fmt.Errorf("continuing SCRAM: %w", err)
	}
	if msg, err = in.Receive(); err != nil {
		return startupError(err)
	}
	second, ok := msg.(*pgproto3.SASLResponse)
	if !ok {
		return query.Errorf(query.CodeProtocolViolation, "expected SASL response")
	}
	final, err := talk.Step(string(second.Data))
	if err != nil || !talk.Valid() || !known {
		return refused
	}
	o.send(&pgproto3.AuthenticationSASLFinal{Data: []byte(final)})
	return nil
}

// keyed hashes text with this process's secret.
func (s *Server) keyed(text string) []byte {
	mac := hmac.New(sha256.New, s.salt[:])
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// normalized is SASLprep where it applies; like PostgreSQL, a password that it refuses is taken as it is.
func normalized(password string) string {
	if p, err := stringprep.SASLprep.Prepare(password); err == nil {
		return p
	}
	return password
}
