package governance

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"myelin/internal/auth/role"
	"myelin/internal/clock"
)

// State is where a proposal stands.
type State string

// The states. An open proposal is approved and then applied, or rejected, or withdrawn by its author.
const (
	Open      State = "open"
	Approved  State = "approved"
	Applied   State = "applied"
	Rejected  State = "rejected"
	Withdrawn State = "withdrawn"
)

// Draft is what somebody proposes: a file of the project with a new text.
type Draft struct {
	Title  string `json:"title"`
	Reason string `json:"reason"`
	// File is the name in the project folder, for example plan/shop.yaml; Text its new content, Base the content that it is
	// meant to replace.
	File string `json:"file"`
	Text string `json:"text"`
	Base string `json:"base"`
	// Summary is what the change does, as JSON for the page: classification, what would break, backtest.
	Summary json.RawMessage `json:"summary,omitempty"`
}

// Decision is what somebody said of a proposal.
type Decision struct {
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"`
	Role    string    `json:"role"`
	Verb    string    `json:"verb"` // approve, reject, withdraw, apply, comment
	Comment string    `json:"comment"`
}

// Proposal is a draft and what became of it.
type Proposal struct {
	ID string `json:"id"`
	Draft
	Author    string     `json:"author"`
	Role      string     `json:"role"`
	State     State      `json:"state"`
	CreatedAt time.Time  `json:"createdAt"`
	UpdatedAt time.Time  `json:"updatedAt"`
	Decisions []Decision `json:"decisions"`
}

// Limits of the list: the oldest decided proposals are forgotten first; a full list of open ones takes no more.
const (
	maxProposals = 500
	maxDraft     = 2 << 20
)

// Proposals is the durable list. It may be used at the same time from many goroutines.
type Proposals struct {
	table Table
	audit *Audit
	files Files
	clock clock.Clock
	// FourEyes demands that somebody else approves. Without users there is nobody else.
	fourEyes bool
	changing sync.Mutex // one change at a time, held while it becomes durable
	mu       struct {
		sync.Mutex
		all map[string]*Proposal
	}
}

// OpenProposals loads the list. fourEyes demands that a proposal is approved by somebody else than its author.
func OpenProposals(ctx context.Context, table Table, audit *Audit, files Files, c clock.Clock, fourEyes bool) (*Proposals, error) {
	p := &Proposals{table: table, audit: audit, files: files, clock: c, fourEyes: fourEyes}
	p.mu.all = map[string]*Proposal{}
	values, err := table.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("loading the proposals: %w", err)
	}
	for id, text := range values {
		x := &Proposal{}
		if err := json.Unmarshal(text, x); err != nil {
			return nil, fmt.Errorf("reading proposal %s: %w", id, err)
		}
		p.mu.all[id] = x
	}
	return p, nil
}

// Create stores a draft and returns the open proposal.
func (p *Proposals) Create(ctx context.Context, who role.Person, d Draft) (Proposal, error) {
	if err := who.Check(role.Propose); err != nil {
		return Proposal{}, err
	}
	if !strings.HasPrefix(d.File, "plan/") || strings.Contains(d.File, "..") || strings.Contains(d.File, "\\") ||
		!strings.HasSuffix(d.File, ".yaml") && !strings.HasSuffix(d.File, ".yml") {
		return Proposal{}, fmt.Errorf("proposing a change of %q: only tracking plans, plan/NAME.yaml, are changed by proposals", d.File)
	}
	if len(d.Text)+len(d.Base)+len(d.Summary) > maxDraft {
		return Proposal{}, fmt.Errorf("proposing a change of %s: it has more than %d bytes", d.File, maxDraft)
	}
	if err := p.files.Check(d.File, d.Text); err != nil {
		return Proposal{}, fmt.Errorf("proposing a change of %s: %w", d.File, err)
	}
	p.changing.Lock()
	defer p.changing.Unlock()
	if err := p.room(ctx); err != nil {
		return Proposal{}, err
	}
	now := p.clock.Now().UTC()
	x := Proposal{ID: newID(), Draft: d, Author: who.Name, Role: string(who.Role), State: Open, CreatedAt: now, UpdatedAt: now, Decisions: []Decision{}}
	err := p.audit.Record(ctx, who, "proposal.create", x.ID, map[string]string{"file": d.File, "title": d.Title, "text_sha256": digest(d.Text)})
	if err != nil {
		return Proposal{}, err
	}
	return x, p.save(ctx, x)
}

// room forgets the decided proposal that changed longest ago when the list is full.
func (p *Proposals) room(ctx context.Context) error {
	p.mu.Lock()
	var oldest *Proposal
	for _, x := range p.mu.all {
		if x.State != Open && x.State != Approved && (oldest == nil || x.UpdatedAt.Before(oldest.UpdatedAt)) {
			oldest = x
		}
	}
	full := len(p.mu.all) >= maxProposals
	p.mu.Unlock()
	if !full {
		return nil
	}
	if oldest == nil {
		return fmt.Errorf("there are %d open proposals: decide some first", maxProposals)
	}
	if err := p.table.Save(ctx, oldest.ID, nil); err != nil {
		return fmt.Errorf("forgetting proposal %s: %w", oldest.ID, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.mu.all, oldest.ID)
	return nil
}

func (p *Proposals) save(ctx context.Context, x Proposal) error {
	text, err := json.Marshal(x)
	if err != nil {
		return fmt.Errorf("encoding proposal %s: %w", x.ID, err)
	}
	if err := p.table.Save(ctx, x.ID, text); err != nil {
		return fmt.Errorf("saving proposal %s: %w", x.ID, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.all[x.ID] = &x
	return nil
}

// List is every proposal, the newest first.
func (p *Proposals) List() []Proposal {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]Proposal, 0, len(p.mu.all))
	for _, x := range p.mu.all {
		out = append(out, *x)
	}
	slices.SortFunc(out, func(a, b Proposal) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return out
}

// Find is one proposal.
func (p *Proposals) Find(id string) (Proposal, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x, ok := p.mu.all[id]
	if !ok {
		return Proposal{}, ErrNotFound
	}
	return *x, nil
}

// Approve agrees to an open proposal of somebody else.
func (p *Proposals) Approve(ctx context.Context, who role.Person, id, comment string) (Proposal, error) {
	return p.decide(ctx, who, id, "approve", comment, Approved, func(x *Proposal) error {
		if p.fourEyes && x.Author == who.Name {
			return ErrOwn
		}
		return who.Check(role.Approve)
	}, Open)
}

// Reject refuses an open or approved proposal.
func (p *Proposals) Reject(ctx context.Context, who role.Person, id, comment string) (Proposal, error) {
	return p.decide(ctx, who, id, "reject", comment, Rejected, func(*Proposal) error { return who.Check(role.Approve) }, Open, Approved)
}

// Withdraw takes back one's own proposal.
func (p *Proposals) Withdraw(ctx context.Context, who role.Person, id, comment string) (Proposal, error) {
	return p.decide(ctx, who, id, "withdraw", comment, Withdrawn, func(x *Proposal) error {
		if x.Author != who.Name {
			return who.Check(role.Approve)
		}
		return nil
	}, Open, Approved)
}

// Apply writes an approved proposal into its file. The project then has to be read again.
func (p *Proposals) Apply(ctx context.Context, who role.Person, id string) (Proposal, error) {
	return p.decide(ctx, who, id, "apply", "", Applied, func(x *Proposal) error {
		if err := who.Check(role.ApplyFiles); err != nil {
			return err
		}
		text, err := p.files.Read(x.File)
		if err != nil {
			return fmt.Errorf("reading %s: %w", x.File, err)
		}
		if text == x.Text {
			return nil // written already, by hand or before a crash
		}
		if text != x.Base {
			return fmt.Errorf("%w: %s", ErrStale, x.File)
		}
		return p.files.Check(x.File, x.Text)
	}, Approved)
}

// decide moves a proposal on: checked, recorded, done, saved. A crash after writing the file is mended by applying again.
func (p *Proposals) decide(ctx context.Context, who role.Person, id, verb, comment string, to State, check func(*Proposal) error, from ...State) (Proposal, error) {
	p.changing.Lock()
	defer p.changing.Unlock()
	x, err := p.Find(id)
	if err != nil {
		return x, err
	}
	if !slices.Contains(from, x.State) {
		return x, fmt.Errorf("%w: it is %s", ErrState, x.State)
	}
	if err := check(&x); err != nil {
		return x, err
	}
	if err := p.audit.Record(ctx, who, "proposal."+verb, x.ID, map[string]string{"file": x.File, "text_sha256": digest(x.Text), "comment": comment}); err != nil {
		return x, err
	}
	if to == Applied {
		if err := p.files.Write(x.File, x.Text); err != nil {
			return x, fmt.Errorf("writing %s: %w", x.File, err)
		}
	}
	now := p.clock.Now().UTC()
	x.State, x.UpdatedAt = to, now
	x.Decisions = append(slices.Clone(x.Decisions), Decision{At: now, Actor: who.Name, Role: string(who.Role), Verb: verb, Comment: comment})
	return x, p.save(ctx, x)
}

func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

func digest(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}
