// Package quota holds clients to the rates they were given (KIP-13, KIP-124, KIP-546): bytes produced, bytes consumed and the
// share of a processor that their requests take. Who goes over is answered, told how long to wait, and not read meanwhile.
package quota

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"myelin/internal/broker/journal"
	"myelin/internal/clock"
)

// The rates, as Kafka names them.
const (
	ProducerBytes  = "producer_byte_rate"
	ConsumerBytes  = "consumer_byte_rate"
	RequestPercent = "request_percentage"
	Mutations      = "controller_mutation_rate"
)

// Names are the rates that can be set. Mutations is kept, and not enforced.
var Names = []string{ProducerBytes, ConsumerBytes, RequestPercent, Mutations}

const (
	maxEntries  = 10_000
	maxBuckets  = 50_000
	longestMute = 30 * time.Second // of one answer; what is still owed then counts for the next
	burst       = 1.0              // seconds of a rate that may come at once
)

// Anonymous is the user of clients that did not log in.
const Anonymous = "ANONYMOUS"

// Part is one half of an entity: not there, the default, or a name.
type Part struct {
	Set     bool   `json:"set,omitempty"`
	Default bool   `json:"default,omitempty"`
	Name    string `json:"name,omitempty"`
}

// Entity is whom a quota is for.
type Entity struct {
	User   Part `json:"user"`
	Client Part `json:"client"`
}

// Entry is an entity with its rates.
type Entry struct {
	Entity Entity
	Rates  map[string]float64
}

// ErrInvalid is a change that cannot be made. Its text is sent to the client.
var ErrInvalid = errors.New("invalid quota")

// Quotas knows all rates and how much each client has used. It may be used from many goroutines.
type Quotas struct {
	journal *journal.Journal
	clock   clock.Clock
	active  atomic.Bool
	muted   atomic.Int64 // answers that told a client to wait
	waits   atomic.Int64 // nanoseconds that they were told to wait
	turn    sync.Mutex   // one change at a time: it builds on what the last one left
	mu      struct {
		sync.Mutex
		rates   map[Entity]map[string]float64
		buckets map[bucketKey]*bucket
	}
}

type bucketKey struct{ rate, user, client string }

// bucket counts seconds of its rate: what may still be used; negative when too much was.
type bucket struct {
	left float64
	at   time.Time
}

const journalPrefix = "quota/"

// record is the value of a journal record.
type record struct {
	Version int                `json:"version"`
	Entity  Entity             `json:"entity"`
	Rates   map[string]float64 `json:"rates"`
}

func (e Entity) key() string {
	b, _ := json.Marshal(e) // plain strings and flags
	return journalPrefix + string(b)
}

// Open reads the quotas that are kept in j.
func Open(j *journal.Journal, c clock.Clock) (*Quotas, error) {
	q := &Quotas{journal: j, clock: c}
	q.mu.rates, q.mu.buckets = map[Entity]map[string]float64{}, map[bucketKey]*bucket{}
	var failed error
	j.Each(journalPrefix, func(key string, value []byte) {
		var r record
		if err := json.Unmarshal(value, &r); err != nil {
			failed = fmt.Errorf("reading quota %s: %w", key, err)
			return
		}
		q.mu.rates[r.Entity] = r.Rates
	})
	q.active.Store(len(q.mu.rates) > 0)
	return q, failed
}

// Active reports whether there are any quotas.
func (q *Quotas) Active() bool { return q.active.Load() }

// Muted counts the answers that told a client to wait, and how long in all.
func (q *Quotas) Muted() (answers int64, waits time.Duration) {
	return q.muted.Load(), time.Duration(q.waits.Load())
}

// List returns all quotas.
func (q *Quotas) List() []Entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []Entry
	for e, rates := range q.mu.rates {
		out = append(out, Entry{Entity: e, Rates: maps.Clone(rates)})
	}
	return out
}

// Check says what is wrong with a change of an entity's rates; nil takes a rate away.
func (q *Quotas) Check(e Entity, changes map[string]*float64) error {
	if !e.User.Set && !e.Client.Set {
		return fmt.Errorf("%w: it must name a user or a client-id", ErrInvalid)
	}
	if len(e.User.Name) > 1024 || len(e.Client.Name) > 1024 {
		return fmt.Errorf("%w: the name is too long", ErrInvalid)
	}
	for name, v := range changes {
		switch {
		case name != ProducerBytes && name != ConsumerBytes && name != RequestPercent && name != Mutations:
			return fmt.Errorf("%w: unknown rate %s; rates are %s", ErrInvalid, name, strings.Join(Names, ", "))
		case v != nil && (!(*v > 0) || math.IsInf(*v, 0)):
			return fmt.Errorf("%w: %s must be above 0", ErrInvalid, name)
		}
	}
	return nil
}

// Change makes changes durable that Check found nothing wrong with.
func (q *Quotas) Change(e Entity, changes map[string]*float64) error {
	q.turn.Lock()
	defer q.turn.Unlock()
	q.mu.Lock()
	rates := maps.Clone(q.mu.rates[e])
	full := rates == nil && len(q.mu.rates) >= maxEntries
	q.mu.Unlock()
	if full {
		return journal.ErrFull
	}
	if rates == nil {
		rates = map[string]float64{}
	}
	for name, v := range changes {
		if v == nil {
			delete(rates, name)
		} else {
			rates[name] = *v
		}
	}
	var value []byte
	if len(rates) > 0 {
		var err error
		if value, err = json.Marshal(record{Version: 1, Entity: e, Rates: rates}); err != nil {
			return fmt.Errorf("encoding a quota: %w", err)
		}
	}
	if err := q.journal.Write(map[string][]byte{e.key(): value}); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(rates) == 0 {
		delete(q.mu.rates, e)
	} else {
		q.mu.rates[e] = rates
	}
	clear(q.mu.buckets) // everybody starts anew under the new rates
	q.active.Store(len(q.mu.rates) > 0)
	return nil
}

// Use notes that a client used so much of a rate, and returns how long it has to wait.
func (q *Quotas) Use(rate, user, client string, amount float64) time.Duration {
	if !q.active.Load() {
		return 0
	}
	if user == "" {
		user = Anonymous
	}
	now := q.clock.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	perSecond, key, ok := q.find(rate, user, client)
	if !ok {
		return 0
	}
	b := q.mu.buckets[key]
	if b == nil {
		if len(q.mu.buckets) >= maxBuckets {
			q.forget(now)
		}
		b = &bucket{left: burst, at: now}
		q.mu.buckets[key] = b
	}
	b.left = min(burst, b.left+now.Sub(b.at).Seconds()) - amount/perSecond
	b.at = now
	if b.left >= 0 {
		return 0
	}
	wait := longestMute
	if b.left > -longestMute.Seconds() {
		wait = time.Duration(-b.left * float64(time.Second))
	}
	if wait < time.Millisecond {
		return 0 // no answer could say so
	}
	q.muted.Add(1)
	q.waits.Add(int64(wait))
	return wait
}

// find returns the rate that counts for a client: the most specific one, in Kafka's order, and whose use it is counted with.
func (q *Quotas) find(rate, user, client string) (perSecond float64, key bucketKey, ok bool) {
	u, anyUser := Part{Set: true, Name: user}, Part{Set: true, Default: true}
	c, anyClient := Part{Set: true, Name: client}, Part{Set: true, Default: true}
	for _, e := range [...]Entity{
		{u, c}, {u, anyClient}, {u, Part{}}, {anyUser, c}, {anyUser, anyClient}, {anyUser, Part{}}, {Part{}, c}, {Part{}, anyClient},
	} {
		perSecond, ok = q.mu.rates[e][rate]
		if !ok {
			continue
		}
		key.rate = rate
		if e.User.Set {
			key.user = user
		}
		if e.Client.Set {
			key.client = client
		}
		if rate == RequestPercent {
			perSecond /= 100 // seconds of a processor per second
		}
		return perSecond, key, true
	}
	return 0, key, false
}

// forget makes room: buckets that are full again say nothing.
func (q *Quotas) forget(now time.Time) {
	for k, b := range q.mu.buckets {
		if b.left+now.Sub(b.at).Seconds() >= burst {
			delete(q.mu.buckets, k)
		}
	}
	for k := range q.mu.buckets {
		if len(q.mu.buckets) < maxBuckets {
			return
		}
		delete(q.mu.buckets, k)
	}
}
