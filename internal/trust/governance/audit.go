package governance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"myelin/internal/auth/role"
	"myelin/internal/clock"
)

// Entry is one thing that somebody did. Its hash covers all its other fields, Prev among them, which is the hash of the
// entry before: changing, removing or inserting an entry breaks every later link. The format is docs/formats/audit.md.
type Entry struct {
	Version int       `json:"v"`
	Chain   string    `json:"chain"` // the node that wrote it: every node has a chain of its own
	Seq     int64     `json:"seq"`   // from 1
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"`
	Role    string    `json:"role"`
	// Action is what was done, as area.verb: proposal.approve. Object is what it was done to.
	Action string            `json:"action"`
	Object string            `json:"object"`
	Detail map[string]string `json:"detail,omitempty"`
	Prev   string            `json:"prev"`
	Hash   string            `json:"hash"`
}

const entryVersion = 1

// sum is the hash that the entry should have: SHA-256 over its JSON with an empty hash. Go writes the keys of Detail in
// their order, so the same entry has one text.
func (e Entry) sum() string {
	e.Hash = ""
	text, err := json.Marshal(e)
	if err != nil {
		panic(fmt.Sprintf("governance: an entry has no JSON: %v", err)) // it holds strings and numbers
	}
	h := sha256.Sum256(text)
	return hex.EncodeToString(h[:])
}

// recentEntries are kept in memory for the Audit page.
const recentEntries = 2000

// Audit is the log of who did what. It may be used at the same time from many goroutines.
type Audit struct {
	journal Journal
	clock   clock.Clock
	chain   string
	// writing is held while an entry becomes durable: the next one needs its hash.
	writing sync.Mutex
	// unsure is an entry that may or may not be in the log, because its append failed; nil: none. It is held by writing.
	unsure *Entry
	mu     struct {
		sync.Mutex
		seq    int64
		head   string
		recent []Entry // of all chains, oldest first
	}
}

// OpenAudit reads the log and goes on with this node's chain.
func OpenAudit(ctx context.Context, journal Journal, c clock.Clock, node string) (*Audit, error) {
	a := &Audit{journal: journal, clock: c, chain: node}
	err := journal.Read(ctx, func(_ string, value []byte) {
		var e Entry
		if json.Unmarshal(value, &e) != nil {
			return // Verify reports it
		}
		if e.Chain == node {
			a.mu.seq, a.mu.head = e.Seq, e.Hash
		}
		a.keep(e)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the audit log: %w", err)
	}
	return a, nil
}

func (a *Audit) keep(e Entry) {
	if len(a.mu.recent) >= recentEntries+recentEntries/4 {
		a.mu.recent = slices.Clone(a.mu.recent[len(a.mu.recent)-recentEntries:])
	}
	a.mu.recent = append(a.mu.recent, e)
}

// Limits of an entry, in bytes: with them every entry fits into a record.
const (
	maxObject = 1 << 10
	maxDetail = 16 << 10
)

// recordTime is how long an entry may take to become durable.
const recordTime = 30 * time.Second

// Record appends what somebody did. It returns when the entry is durable; what is to be recorded should not be done
// before, so that nothing happens that nobody can see. The end of ctx does not stop it: who hangs up while an entry is on
// its way would leave a chain of which nobody knows the end. For the same reason an entry whose append failed is appended
// again before the next one: it counts once.
func (a *Audit) Record(ctx context.Context, who role.Person, action, object string, detail map[string]string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("writing the audit log: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	a.writing.Lock()
	defer a.writing.Unlock()
	if a.unsure != nil {
		if err := a.append(ctx, *a.unsure); err != nil {
			return err
		}
	}
	a.mu.Lock()
	e := Entry{Version: entryVersion, Chain: a.chain, Seq: a.mu.seq + 1, At: a.clock.Now().UTC().Truncate(time.Millisecond), Actor: cut(who.Name, maxObject),
		Role: string(who.Role), Action: action, Object: cut(object, maxObject), Detail: maps.Clone(detail), Prev: a.mu.head}
	a.mu.Unlock()
	for k, v := range e.Detail {
		e.Detail[k] = cut(v, maxDetail)
	}
	e.Hash = e.sum()
	return a.append(ctx, e)
}

// append makes an entry durable. It is called with writing held.
func (a *Audit) append(ctx context.Context, e Entry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding an audit entry: %w", err)
	}
	if err := a.journal.Append(ctx, e.Chain, text); err != nil {
		a.unsure = &e
		return fmt.Errorf("writing the audit log: %w", err)
	}
	a.unsure = nil
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.seq, a.mu.head = e.Seq, e.Hash
	a.keep(e)
	return nil
}

// cut shortens a text, says so, and keeps it valid UTF-8: JSON would otherwise change what was hashed.
func cut(s string, most int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= most {
		return s
	}
	end := most
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return fmt.Sprintf("%s… (cut: %d bytes)", s[:end], len(s))
}

// Recent are the latest entries, newest first.
func (a *Audit) Recent(limit int) []Entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := min(limit, len(a.mu.recent))
	out := slices.Clone(a.mu.recent[len(a.mu.recent)-n:])
	slices.Reverse(out)
	return out
}

// Head is the number and hash of this node's last entry. Who notes it elsewhere can later show that the end of the log was
// not cut off.
func (a *Audit) Head() (seq int64, hash string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mu.seq, a.mu.head
}

// Break is a place where the chain does not hold.
type Break struct {
	Chain  string `json:"chain"`
	Seq    int64  `json:"seq"`
	Reason string `json:"reason"`
}

// Verification is what Verify found.
type Verification struct {
	Entries int64   `json:"entries"`
	Intact  bool    `json:"intact"`
	Breaks  []Break `json:"breaks"`
	// Heads are the hashes of the last entry of each chain.
	Heads map[string]string `json:"heads"`
}

const maxBreaks = 100

// maxChains is how many chains are followed; no installation has so many nodes. An entry of yet another one is a break.
const maxChains = 10_000

// Verify reads the whole log again and follows every chain.
func (a *Audit) Verify(ctx context.Context) (Verification, error) {
	v := Verification{Breaks: []Break{}, Heads: map[string]string{}}
	seqs := map[string]int64{}
	report := func(chain string, seq int64, format string, args ...any) {
		if len(v.Breaks) < maxBreaks {
			v.Breaks = append(v.Breaks, Break{Chain: chain, Seq: seq, Reason: fmt.Sprintf(format, args...)})
		}
	}
	a.mu.Lock()
	wantSeq, wantHead := a.mu.seq, a.mu.head
	a.mu.Unlock()
	met := wantSeq == 0
	err := a.journal.Read(ctx, func(key string, value []byte) {
		v.Entries++
		if _, known := seqs[key]; !known && len(seqs) >= maxChains {
			report(key, 1, "there are more than %d chains", maxChains)
			return
		}
		var e Entry
		if err := json.Unmarshal(value, &e); err != nil {
			report(key, seqs[key]+1, "the entry cannot be read")
			return
		}
		switch {
		case e.Chain != key:
			report(key, e.Seq, "the entry belongs to the chain %s", e.Chain)
		case e.Seq == seqs[key] && e.Hash == v.Heads[key]:
			return // written twice by a retry: the same entry
		case e.Seq != seqs[key]+1:
			report(key, e.Seq, "entry %d follows entry %d", e.Seq, seqs[key])
		case e.Prev != v.Heads[key]:
			report(key, e.Seq, "it does not name the entry before it")
		}
		if e.Hash != e.sum() {
			report(key, e.Seq, "its text is not what was written")
		}
		seqs[key], v.Heads[key] = e.Seq, e.Hash
		if key == a.chain && e.Seq == wantSeq {
			met = e.Hash == wantHead
		}
	})
	if err != nil {
		return v, fmt.Errorf("verifying the audit log: %w", err)
	}
	if !met {
		report(a.chain, wantSeq, "the newest entry that was written is missing or another")
	}
	v.Intact = len(v.Breaks) == 0
	return v, nil
}
