package api

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/access"
	"myelin/internal/broker/wire"
)

// SaslAuthenticate: v0–2.
//
//   - A login that failed is answered after a moment, and then the connection is closed, as Kafka does
//     (connection.failed.authentication.delay.ms).
//   - v1+ tells how long the login lasts; it can be repeated on the same connection, as the same user (KIP-368).

// failedLoginDelay slows down who guesses on one connection after the other.
const failedLoginDelay = 100 * time.Millisecond

// errLogin closes the connection of a client that could not log in.
var errLogin = errors.New("the login failed")

func (s *Server) saslAuthenticate(ctx context.Context, r *wire.Request) (wire.Response, error) {
	req := r.Msg.(*kmsg.SASLAuthenticateRequest)
	resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
	resp.SASLAuthBytes = []byte{}
	if s.Access == nil {
		resp.ErrorCode = kerr.IllegalSaslState.Code
		return resp, nil
	}
	c := client(r)
	answer, lifetime, err := s.Access.Step(c, req.SASLAuthBytes)
	if err != nil {
		resp.ErrorCode = kerr.SaslAuthenticationFailed.Code
		if errors.Is(err, access.ErrOrder) {
			resp.ErrorCode = kerr.IllegalSaslState.Code
		}
		resp.ErrorMessage = kmsg.StringPtr(err.Error())
		select {
		case <-time.After(failedLoginDelay):
		case <-ctx.Done():
		}
		return resp, errLogin
	}
	resp.SASLAuthBytes = answer
	resp.SessionLifetimeMillis = lifetime.Milliseconds()
	if c.Known() {
		r.Client.Welcome()
	}
	return resp, nil
}
