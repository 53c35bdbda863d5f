package governance

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

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
	maxHeld      = 64 << 20 // bytes of all of them
	maxDraft     = 900_000  // bytes of one as it is stored: with what people say of it, it fits into a record
	maxTitle     = 200      // characters
	maxSaid      = 4000     // characters of a reason or a comment
)

// planFile are the files that a project's plans are read from, hidden ones left out.
var planFile = regexp.MustCompile(`^plan/[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*\.ya?ml$`)

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
		all     map[string]*Proposal
		damaged []string
	}
}

// OpenProposals loads the list. fourEyes demands that a proposal is approved by somebody else than its author.
func OpenProposals(ctx context.Context, table Table, audit *Audit, files Files, c clock.Clock, fourEyes bool) (*Proposals, error) {
	p := &Proposals{table: table, audit: audit, files: files, clock: c, fourEyes: fourEyes}
	return p, p.Refresh(ctx)
}

// Refresh reads the list again, for what other processes wrote.
func (p *Proposals) Refresh(ctx context.Context) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	values, err := p.table.Load(ctx)
	if err != nil {
		return fmt.Errorf("loading the proposals: %w", err)
	}
	all, damaged := map[string]*Proposal{}, []string{}
	for id, text := range values {
		x := &Proposal{}
		if err := json.Unmarshal(text, x); err != nil || x.ID != id {
			damaged = append(damaged, id)
			continue
		}
		all[id] = x
	}
	slices.Sort(damaged)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.all, p.mu.damaged = all, damaged
	return nil
}

// Damaged are the keys of what is stored and cannot be read; it is left as it is.
func (p *Proposals) Damaged() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.damaged
}

// Create stores a draft and returns the open proposal.
func (p *Proposals) Create(ctx context.Context, who role.Person, d Draft) (Proposal, error) {
	if err := who.Check(role.Propose); err != nil {
		return Proposal{}, err
	}
	if !planFile.MatchString(d.File) {
		return Proposal{}, fmt.Errorf("proposing a change of %q: only tracking plans, plan/NAME.yaml, are changed by proposals", d.File)
	}
	if err := tooLong("title", d.Title, maxTitle); err != nil {
		return Proposal{}, err
	}
	if err := tooLong("reason", d.Reason, maxSaid); err != nil {
		return Proposal{}, err
	}
	if err := p.files.Check(d.File, d.Text); err != nil {
		return Proposal{}, fmt.Errorf("proposing a change of %s: %w", d.File, err)
	}
	p.changing.Lock()
	defer p.changing.Unlock()
	ctx = context.WithoutCancel(ctx) // who hangs up leaves nothing half done
	now := p.clock.Now().UTC()
	x := Proposal{ID: newID(), Draft: d, Author: who.Name, Role: string(who.Role), State: Open, CreatedAt: now, UpdatedAt: now, Decisions: []Decision{}}
	text, err := json.Marshal(x)
	if err != nil {
		return Proposal{}, fmt.Errorf("encoding proposal %s: %w", x.ID, err)
	}
	if len(text) > maxDraft {
		return Proposal{}, fmt.Errorf("proposing a change of %s: with the old text and what the change would do it has %d bytes, and a proposal holds %d: change the file itself", d.File, len(text), maxDraft)
	}
	if err := p.room(ctx, x.size()); err != nil {
		return Proposal{}, err
	}
	err = p.audit.Record(ctx, who, "proposal.create", x.ID, map[string]string{"file": d.File, "title": d.Title, "text_sha256": digest(d.Text)})
	if err != nil {
		return Proposal{}, err
	}
	return x, p.save(ctx, x)
}

var errFull = errors.New("there are too many open proposals, or too large ones: decide some first")

// tooLong refuses a text of more than most characters.
func tooLong(what, text string, most int) error {
	if n := utf8.RuneCountInString(text); n > most {
		return fmt.Errorf("the %s has %d characters, and may have %d", what, n, most)
	}
	return nil
}

// size is about how many bytes a proposal holds in memory.
func (x *Proposal) size() int {
	return len(x.Text) + len(x.Base) + len(x.Summary) + len(x.Title) + len(x.Reason)
}

// room forgets decided proposals, those that changed longest ago first, until there is room for one more of size bytes.
func (p *Proposals) room(ctx context.Context, size int) error {
	for {
		oldest, full := p.oldest(size)
		if !full {
			return nil
		}
		if oldest == "" {
			return errFull
		}
		if err := p.table.Save(ctx, oldest, nil); err != nil {
			return fmt.Errorf("forgetting proposal %s: %w", oldest, err)
		}
		p.mu.Lock()
		delete(p.mu.all, oldest)
		p.mu.Unlock()
	}
}

// oldest is the decided proposal that changed longest ago, if there is one, and whether the list is full for size more bytes.
func (p *Proposals) oldest(size int) (id string, full bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var oldest *Proposal
	for _, x := range p.mu.all {
		size += x.size()
		if x.State != Open && x.State != Approved && (oldest == nil || x.UpdatedAt.Before(oldest.UpdatedAt)) {
			oldest = x
		}
	}
	if oldest != nil {
		id = oldest.ID
	}
	return id, len(p.mu.all) >= maxProposals || size > maxHeld
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
		return x, fmt.Errorf("%w: to %s it, it must be %s, and it is %s", ErrState, verb, words(from), x.State)
	}
	if err := tooLong("comment", comment, maxSaid); err != nil {
		return x, err
	}
	ctx = context.WithoutCancel(ctx) // who hangs up leaves nothing half done
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

// words lists states: open or approved.
func words(states []State) string {
	var out []string
	for _, s := range states {
		out = append(out, string(s))
	}
	return strings.Join(out, " or ")
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
