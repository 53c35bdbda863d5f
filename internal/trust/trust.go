// Package trust judges events against tracking plans and releases them from the doorstep into the governed topic or into
// quarantine, exactly once and without duplicates.
//
// An event passes two places. The Judge is asked by collect, at our own doors, before the event is stored. The Release
// owns partitions of the doorstep topics (<topic>.in): it judges what no door judged, drops duplicates and moves each
// record on, outputs and consumed offsets in one transaction.
package trust

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"myelin/internal/event"
	"myelin/internal/trust/schema"
)

// Source is a configured sender of events.
type Source struct {
	Name      string
	WriteKeys []string
	// Plan is the name of its tracking plan; "" for none.
	Plan string
	// PlanMissing says that the plan is not to be had. All events of the source then go to quarantine: nothing unjudged flows on.
	PlanMissing bool
}

// KafkaSource is the source of records on a doorstep that do not say where they come from.
const KafkaSource = "kafka"

// Judge holds the plans in force. Its methods may be called from many goroutines; SetPlans takes effect for every event
// judged after it returns.
type Judge struct {
	key   []byte
	rules atomic.Pointer[rules]
	pool  sync.Pool // *schema.Checker
}

// rules are the plans and sources in force at one time. They are never changed.
type rules struct {
	plans   []*schema.Plan
	sources map[string]*schema.Plan // nil values: sources without a plan
	keys    map[string]string       // write key to source
	missing map[string]string       // source to the name of its plan, which is missing
	only    *schema.Plan            // the one plan there is, else nil
	unique  bool
	longest time.Duration // of the uniqueness rules
	stamp   string
	given   []Source
}

// NewJudge returns a Judge without plans, which accepts all that can be read. The key is the installation's secret for
// hashing private values.
func NewJudge(key []byte) *Judge {
	j := &Judge{key: key}
	j.pool.New = func() any { return &schema.Checker{Key: j.key} }
	j.rules.Store(&rules{})
	return j
}

// SetPlans replaces all plans and sources at once. It fails, and changes nothing, when a source names a plan that is not
// there or two plans share a name.
func (j *Judge) SetPlans(plans []*schema.Plan, sources []Source) error {
	r := &rules{plans: plans, sources: map[string]*schema.Plan{}, keys: map[string]string{}, missing: map[string]string{}, given: sources}
	named := map[string]*schema.Plan{}
	for _, p := range plans {
		if other := named[p.Name]; other != nil {
			return fmt.Errorf("setting the tracking plans: %s and %s are both named %s; rename one of them", other.File, p.File, p.Name)
		}
		named[p.Name] = p
		r.unique = r.unique || p.HasUnique()
		for _, e := range p.Events {
			if e.Unique != nil {
				r.longest = max(r.longest, e.Unique.Within)
			}
		}
	}
	for _, s := range sources {
		p := named[s.Plan]
		switch {
		case s.PlanMissing:
			r.missing[s.Name], p = s.Plan, nil
		case s.Plan != "" && p == nil:
			return fmt.Errorf("setting the tracking plans: source %s names the plan %s, which is not there; add plan/%s.yaml or change the source", s.Name, s.Plan, s.Plan)
		}
		r.sources[s.Name] = p
		for _, k := range s.WriteKeys {
			r.keys[k] = s.Name
		}
	}
	if len(plans) == 1 {
		r.only = plans[0]
	}
	names := make([]string, 0, len(plans))
	for _, p := range plans {
		names = append(names, p.Name+" "+p.Stamp)
	}
	slices.Sort(names)
	r.stamp = strings.Join(names, ", ")
	j.rules.Store(r)
	return nil
}

// Plans are the plans in force.
func (j *Judge) Plans() []*schema.Plan { return j.rules.Load().plans }

// InForce names the plans in force, with the stamp of each one's text. It changes whenever one of them does.
func (j *Judge) InForce() string { return j.rules.Load().stamp }

// Judge checks e, which came from the named source, and adds to v what it finds. A source without a plan accepts all
// that can be read.
func (j *Judge) Judge(source string, e *event.Event, v *event.Verdict) {
	j.JudgeAgain(source, e, v, nil)
}

// JudgeAgain judges an event that was stored; was are the violations found when it came in, which stand where a private value was
// hashed since.
func (j *Judge) JudgeAgain(source string, e *event.Event, v *event.Verdict, was []event.Violation) {
	r := j.rules.Load()
	if name, ok := r.missing[source]; ok {
		v.Add(event.Violation{Code: event.PlanMissing, Expected: "the tracking plan " + name, Got: "no plan that can be read", Severity: event.Error})
		return
	}
	p, _ := r.plan(source)
	if p == nil {
		return
	}
	c := j.pool.Get().(*schema.Checker)
	if was == nil {
		p.Check(c, e, v)
	} else {
		p.CheckAgain(c, e, v, was)
	}
	j.pool.Put(c)
}

// plan is the plan for a source (nil: none needed); ok is false when the source is not known. Records without a source
// are judged by the only plan, if there is but one.
func (r *rules) plan(source string) (p *schema.Plan, ok bool) {
	if p, ok := r.sources[source]; ok {
		return p, true
	}
	if source == KafkaSource && (r.only != nil || len(r.plans) == 0 && len(r.missing) == 0) {
		return r.only, true
	}
	return nil, false
}

// source is the configured source that a record claims to be from; ok is false when there is none such, or when the
// claim is empty and more than one plan could be meant.
func (r *rules) source(name, writeKey []byte) (source string, ok bool) {
	if len(writeKey) > 0 {
		source, ok = r.keys[string(writeKey)]
		return source, ok
	}
	if len(name) == 0 {
		_, ok = r.plan(KafkaSource)
		return KafkaSource, ok
	}
	_, ok = r.plan(string(name))
	return string(name), ok
}

// Knows reports whether a source is configured.
func (j *Judge) Knows(source string) bool {
	_, ok := j.rules.Load().source([]byte(source), nil)
	return ok && source != ""
}

// Unique is the rule of uniqueness for an event of a source, and its plan's name; nil when there is none.
func (j *Judge) Unique(source string, t event.Type, name []byte) (*schema.Unique, string) {
	r := j.rules.Load()
	if !r.unique {
		return nil, ""
	}
	p, _ := r.plan(source)
	if p == nil || !p.HasUnique() {
		return nil, ""
	}
	e := p.Event(t, name)
	if e == nil {
		return nil, ""
	}
	return e.Unique, p.Name
}

// Sources are the sources that were set with the plans. They must not be changed.
func (j *Judge) Sources() []Source { return j.rules.Load().given }
