package api

import (
	"context"
	"net/http"

	"myelin/internal/auth/role"
	"myelin/internal/trust/governance"
)

// Governance keeps proposals and who did what. Unknown proposals give ErrNotFound.
type Governance interface {
	Proposals(ctx context.Context) (ProposalList, error)
	Proposal(ctx context.Context, id string) (governance.Proposal, error)
	// DecideProposal does what verb says: approve, reject, withdraw or apply.
	DecideProposal(ctx context.Context, who role.Person, id, verb, comment string) (governance.Proposal, error)
	AuditLog(ctx context.Context, limit int) (AuditLog, error)
	VerifyAudit(ctx context.Context) (governance.Verification, error)
}

// ProposalList are proposals, the newest first.
type ProposalList struct {
	Proposals []governance.Proposal `json:"proposals"`
}

// AuditLog are the latest entries, the newest first.
type AuditLog struct {
	Entries []governance.Entry `json:"entries"`
	Head    AuditHead          `json:"head" doc:"of this node's chain: who notes it elsewhere can show later that nothing was cut off"`
}

// AuditHead is the newest entry of a chain.
type AuditHead struct {
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"`
}

// Remark is what somebody says with a decision.
type Remark struct {
	Comment string `json:"comment"`
}

// RoleTable is who may do what.
type RoleTable struct {
	Me    Me          `json:"me"`
	Roles []role.Role `json:"roles"`
	Table []RoleGrant `json:"table"`
}

// RoleGrant says which roles may do something.
type RoleGrant struct {
	Action role.Action `json:"action"`
	Help   string      `json:"help"`
	Roles  []role.Role `json:"roles"`
}

func (s *Server) governanceRoutes() []route {
	act := func(verb, summary string) route {
		return route{"POST", "/api/proposals/{id}/" + verb, summary, []param{idParam}, Remark{}, governance.Proposal{}, nil, s.decide(verb)}
	}
	return []route{
		{"GET", "/api/proposals", "Proposed changes of the tracking plans.", nil, nil, ProposalList{}, nil, plain(s, "The list of proposals", s.cfg.Governance, Governance.Proposals)},
		{"GET", "/api/proposals/{id}", "One proposal.", []param{idParam}, nil, governance.Proposal{}, nil, s.proposal},
		act("approve", "Agree to somebody else's proposal."), act("reject", "Refuse a proposal."), act("withdraw", "Take back one's own proposal."),
		act("apply", "Write an approved proposal into its file, and follow it."),
		{"GET", "/api/audit", "Who did what, the newest first.", []param{q("limit", "integer", "most entries (100; up to 2000)")}, nil, AuditLog{}, nil, s.audit},
		{"GET", "/api/audit/verify", "Follow the chain of hashes through the whole audit log.", nil, nil, governance.Verification{}, nil, plain(s, "The audit log", s.cfg.Governance, Governance.VerifyAudit)},
		{"GET", "/api/roles", "Who may do what.", nil, nil, RoleTable{}, nil, s.roles},
	}
}

func (s *Server) proposal(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Governance == nil {
		s.unavailable(w, r, "The list of proposals")
		return
	}
	p, err := s.cfg.Governance.Proposal(r.Context(), r.PathValue("id"))
	if err != nil {
		s.failWith(w, r, err, "")
		return
	}
	s.send(w, r, http.StatusOK, p)
}

func (s *Server) decide(verb string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.cfg.Governance == nil {
			s.unavailable(w, r, "The list of proposals")
			return
		}
		var m Remark
		if !s.small(w, r, &m) {
			return
		}
		p, err := s.cfg.Governance.DecideProposal(r.Context(), role.Of(r.Context()), r.PathValue("id"), verb, m.Comment)
		if err != nil {
			s.refused(w, r, err)
			return
		}
		s.send(w, r, http.StatusOK, p)
	}
}

func (s *Server) audit(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Governance == nil {
		s.unavailable(w, r, "The audit log")
		return
	}
	n, ok := s.limit(w, r, 100, 2000)
	if !ok {
		return
	}
	log, err := s.cfg.Governance.AuditLog(r.Context(), n)
	if err != nil {
		s.failWith(w, r, err, "")
		return
	}
	s.send(w, r, http.StatusOK, log)
}

func (s *Server) roles(w http.ResponseWriter, r *http.Request) {
	out := RoleTable{Me: meOf(role.Of(r.Context())), Roles: role.All, Table: []RoleGrant{}}
	for _, g := range role.Table {
		out.Table = append(out.Table, RoleGrant(g))
	}
	s.send(w, r, http.StatusOK, out)
}
