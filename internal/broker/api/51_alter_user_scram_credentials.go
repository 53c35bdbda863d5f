package api

import (
	"context"
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"myelin/internal/broker/access"
	"myelin/internal/broker/wire"
)

// AlterUserScramCredentials: v0 (KIP-554). As in Kafka, what is wrong with one credential of a user leaves all of that user's as
// they are. The users of myelin.yaml can only be changed there.

func (s *Server) alterScram(_ context.Context, r *wire.Request) wire.Response {
	req := r.Msg.(*kmsg.AlterUserSCRAMCredentialsRequest)
	resp := req.ResponseKind().(*kmsg.AlterUserSCRAMCredentialsResponse)
	name := map[int8]string{}
	for m, n := range scramNumbers {
		name[n] = m
	}
	var changes []access.Change
	for _, d := range req.Deletions {
		changes = append(changes, access.Change{User: d.Name, Mechanism: name[d.Mechanism]})
	}
	for _, u := range req.Upsertions {
		salted := u.SaltedPassword
		if salted == nil {
			salted = []byte{}
		}
		changes = append(changes, access.Change{
			User: u.Name, Mechanism: name[u.Mechanism], Iterations: int(u.Iterations), Salt: slices.Clone(u.Salt), SaltedPassword: slices.Clone(salted),
		})
	}
	wrong := map[string]error{}
	seen := map[[2]string]bool{}
	var users []string
	for _, c := range changes {
		if !slices.Contains(users, c.User) {
			users = append(users, c.User)
		}
		err := s.Access.Check(c)
		if key := [2]string{c.User, c.Mechanism}; seen[key] {
			err = errTwice
		} else {
			seen[key] = true
		}
		if err != nil && wrong[c.User] == nil {
			wrong[c.User] = err
		}
	}
	changes = slices.DeleteFunc(changes, func(c access.Change) bool { return wrong[c.User] != nil })
	failed := s.Access.Apply(changes)
	for _, u := range users {
		result := kmsg.AlterUserSCRAMCredentialsResponseResult{User: u}
		err := wrong[u]
		if err == nil {
			err = failed
		}
		if err != nil {
			result.ErrorCode, result.ErrorMessage = scramCode(err), kmsg.StringPtr(err.Error())
		}
		resp.Results = append(resp.Results, result)
	}
	return resp
}

var errTwice = errors.New("A user credential cannot be altered twice in the same request")

func scramCode(err error) int16 {
	switch {
	case errors.Is(err, errTwice):
		return kerr.DuplicateResource.Code
	case errors.Is(err, access.ErrMechanism):
		return kerr.UnsupportedSaslMechanism.Code
	case errors.Is(err, access.ErrNoCredential):
		return kerr.ResourceNotFound.Code
	case errors.Is(err, access.ErrUnacceptable), errors.Is(err, access.ErrConfigured):
		return kerr.UnacceptableCredential.Code
	}
	return fromStore(err).Code
}
