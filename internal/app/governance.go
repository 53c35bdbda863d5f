package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"myelin/internal/auth/role"
	"myelin/internal/log"
	"myelin/internal/process/sql"
	"myelin/internal/serve/api"
	"myelin/internal/trust/governance"
	"myelin/internal/trust/schema"
)

// The topics of governance.
const (
	auditTopic     = "myelin.audit"
	proposalsTopic = "myelin.proposals"
)

// governing is who did what, and what is proposed.
type governing struct {
	audit     *governance.Audit
	proposals *governance.Proposals

	journal *log.Journal
	drafts  *log.Table
}

func (n *node) openGovernance(ctx context.Context) error {
	if n.governing != nil {
		return nil
	}
	n.governing = &governing{}
	var err error
	if n.journal, err = n.cluster.OpenJournal(ctx, auditTopic); err != nil {
		return err
	}
	if n.audit, err = governance.OpenAudit(ctx, n.journal, n.Clock, n.nodeName()); err != nil {
		return err
	}
	if n.drafts, err = n.cluster.OpenTable(ctx, proposalsTopic); err != nil {
		return err
	}
	n.proposals, err = governance.OpenProposals(ctx, n.drafts, n.audit, planFiles{n}, n.Clock, len(n.cfg.Users) > 1)
	if err == nil && len(n.proposals.Damaged()) > 0 {
		n.Log.Error("some proposals are damaged and are not shown", "topic", proposalsTopic, "keys", n.proposals.Damaged())
	}
	return err
}

// refreshProposals reads what other processes of a cluster proposed and decided.
func (n *node) refreshProposals(ctx context.Context) error {
	if n.nodes == nil {
		return nil
	}
	return n.proposals.Refresh(ctx)
}

func (n *node) closeGovernance(ctx context.Context) error {
	if n.governing == nil {
		return nil
	}
	var errs []error
	if n.journal != nil {
		errs = append(errs, n.journal.Close(ctx))
	}
	if n.drafts != nil {
		errs = append(errs, n.drafts.Close(ctx))
	}
	return errors.Join(errs...)
}

// changed names what a statement does for the audit log, without its text, which may hold secrets.
func changed(stmt sql.Statement) (action, object string) {
	switch s := stmt.(type) {
	case *sql.Drop:
		var names []string
		for _, name := range s.Names {
			names = append(names, name.Name)
		}
		return "sql.drop", strings.Join(names, ", ")
	case *sql.AlterView:
		return "sql.alter", s.Name.Name
	}
	o, _ := declared(stmt)
	return "sql.create", strings.ToLower(string(o.Kind)) + " " + o.Name
}

// planFiles is the project folder, for proposals (governance.Files).
type planFiles struct{ n *node }

// Read implements governance.Files.
func (f planFiles) Read(name string) (string, error) {
	text, err := fs.ReadFile(f.n.files, name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(text), err
}

// Check implements governance.Files. A plan of another file would not come into force beside it, or push it out.
func (f planFiles) Check(name, text string) error {
	p, err := schema.Parse(name, []byte(text))
	if err != nil {
		return err
	}
	for _, old := range f.n.judge.Plans() {
		if old.Name == p.Name && old.File != name {
			return fmt.Errorf("the plan %q is in %s: change that file, or give the new plan another name", p.Name, old.File)
		}
	}
	return nil
}

// Write implements governance.Files: a new file takes the old one's place, so that nobody reads half of it.
func (f planFiles) Write(name, text string) error {
	if !fs.ValidPath(name) {
		return fmt.Errorf("%q is no file of the project", name)
	}
	path := filepath.Join(f.n.Project, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".proposal-*")
	if err != nil {
		return err
	}
	_, err = temp.WriteString(text)
	if err == nil {
		err = temp.Chmod(0o644)
	}
	if err == nil {
		err = temp.Sync()
	}
	err = errors.Join(err, temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}

// Proposals implements api.Governance.
func (n *node) Proposals(ctx context.Context) (api.ProposalList, error) {
	if err := n.refreshProposals(ctx); err != nil {
		return api.ProposalList{}, err
	}
	return api.ProposalList{Proposals: append([]governance.Proposal{}, n.proposals.List()...)}, nil
}

// Proposal implements api.Governance.
func (n *node) Proposal(ctx context.Context, id string) (governance.Proposal, error) {
	if err := n.refreshProposals(ctx); err != nil {
		return governance.Proposal{}, err
	}
	p, err := n.proposals.Find(id)
	return p, unknown(err)
}

// DecideProposal implements api.Governance. A proposal that was applied is followed at once.
func (n *node) DecideProposal(ctx context.Context, who role.Person, id, verb, comment string) (governance.Proposal, error) {
	if err := n.refreshProposals(ctx); err != nil {
		return governance.Proposal{}, err
	}
	var p governance.Proposal
	var err error
	switch verb {
	case "approve":
		p, err = n.proposals.Approve(ctx, who, id, comment)
	case "reject":
		p, err = n.proposals.Reject(ctx, who, id, comment)
	case "withdraw":
		p, err = n.proposals.Withdraw(ctx, who, id, comment)
	default:
		if p, err = n.proposals.Apply(ctx, who, id); err == nil {
			_, err = n.Apply(ctx, false)
		}
	}
	return p, unknown(err)
}

func unknown(err error) error {
	if errors.Is(err, governance.ErrNotFound) {
		return api.ErrNotFound
	}
	return err
}

// AuditLog implements api.Governance.
func (n *node) AuditLog(_ context.Context, limit int) (api.AuditLog, error) {
	seq, hash := n.audit.Head()
	return api.AuditLog{Entries: append([]governance.Entry{}, n.audit.Recent(limit)...), Head: api.AuditHead{Seq: seq, Hash: hash}}, nil
}

// VerifyAudit implements api.Governance.
func (n *node) VerifyAudit(ctx context.Context) (governance.Verification, error) {
	return n.audit.Verify(ctx)
}
