package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"myelin/internal/auth/role"
)

// Planning says what a change of a tracking plan would do, and proposes it.
type Planning interface {
	DiffPlan(ctx context.Context, c PlanChange) (PlanDiff, error)
	BacktestPlan(ctx context.Context, c PlanChange) (Backtest, error)
	// InferPlan learns a plan called name from the traffic of the last days; source "" is all.
	InferPlan(ctx context.Context, name, source string, days int) (Inferred, error)
	ProposePlan(ctx context.Context, who role.Person, p PlanProposal) (Proposed, error)
}

// Plans lists the tracking plans.
type Plans struct {
	Plans []PlanInfo `json:"plans"`
}

// PlanInfo describes one tracking plan.
type PlanInfo struct {
	Name        string      `json:"name"`
	File        string      `json:"file"`
	Description string      `json:"description"`
	Owner       string      `json:"owner"`
	Text        string      `json:"text" doc:"the file as it is in force"`
	Sources     []string    `json:"sources" doc:"who must follow it"`
	Events      []PlanEvent `json:"events"`
}

// PlanEvent is one planned event.
type PlanEvent struct {
	Name        string         `json:"name"`
	Type        string         `json:"type" doc:"track, page, screen, identify, group or alias"`
	Stream      string         `json:"stream" doc:"name of its stream in SQL"`
	Version     string         `json:"version"`
	Versions    []PlanVersion  `json:"versions" doc:"older versions that are still accepted"`
	Owner       string         `json:"owner"`
	Description string         `json:"description"`
	Unique      *PlanUnique    `json:"unique"`
	Expect      *PlanExpect    `json:"expect"`
	Properties  []PlanProperty `json:"properties"`
	Health      PlanHealth     `json:"health"`
}

// PlanVersion is an older version of an event.
type PlanVersion struct {
	Version    string         `json:"version"`
	AppVersion string         `json:"appVersion" doc:"which app versions it is for"`
	Properties []PlanProperty `json:"properties"`
}

// PlanUnique is a rule of uniqueness.
type PlanUnique struct {
	Key    string `json:"key"`
	Within string `json:"within"`
	// Shared says that several processes release events, each of which knows what it released itself.
	Shared bool `json:"shared" doc:"several processes share the work: a value that comes again is surely found among the events of one person, and among those of others only where the same process releases both"`
}

// PlanExpect is how many of an event are expected.
type PlanExpect struct {
	Per     string  `json:"per"`
	Min     float64 `json:"min"`
	Max     float64 `json:"max"`
	RatioTo string  `json:"ratioTo"`
	Low     float64 `json:"low"`
	High    float64 `json:"high"`
}

// PlanProperty is one planned property.
type PlanProperty struct {
	Name        string     `json:"name"`
	Type        string     `json:"type"`
	Required    bool       `json:"required"`
	Rule        string     `json:"rule" doc:"what else it must be, in short"`
	Description string     `json:"description"`
	Owner       string     `json:"owner"`
	PII         string     `json:"pii"`
	Transform   string     `json:"transform"`
	Health      PlanHealth `json:"health"`
}

// PlanHealth counts what is wrong with an event or a property, over the last hour and since the groups are followed.
type PlanHealth struct {
	Quarantined int64      `json:"quarantined"`
	Warned      int64      `json:"warned"`
	Fixed       int64      `json:"fixed"`
	LastHour    int64      `json:"lastHour"`
	LastSeen    *time.Time `json:"lastSeen"`
	Groups      []string   `json:"groups" doc:"ids of groups of the quality page and of quarantine"`
}

// PlanChange is a plan as it would be.
type PlanChange struct {
	Text string `json:"text" doc:"the whole file"`
	File string `json:"file,omitempty" doc:"its name; the file of the plan with the same name if absent"`
	Days int    `json:"days,omitempty" doc:"how many days of traffic a backtest looks at (7)"`
}

// PlanDiff says how a plan would change, and what that would break.
type PlanDiff struct {
	Plan     string       `json:"plan"`
	Problems []Problem    `json:"problems" doc:"what is wrong with the text; then nothing else is said"`
	Changes  []PlanDelta  `json:"changes"`
	Breaking bool         `json:"breaking"`
	Bumps    []PlanBump   `json:"bumps" doc:"events whose version should be raised"`
	Breaks   []PlanBroken `json:"breaks" doc:"views and sinks that would not work any more"`
}

// PlanDelta is one change.
type PlanDelta struct {
	Event  string `json:"event"`
	Path   string `json:"path" doc:"JSON pointer into the event; empty: the event itself"`
	What   string `json:"what" doc:"in words"`
	Class  string `json:"class" doc:"breaking, compatible or cosmetic"`
	Level  string `json:"level" doc:"model, revision or addition: the part of the version that should be raised; empty: none"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// PlanBump is the version that an event should get.
type PlanBump struct {
	Event     string `json:"event"`
	Before    string `json:"before"`
	Written   string `json:"written" doc:"the version in the new text"`
	Suggested string `json:"suggested"`
	Enough    bool   `json:"enough"`
}

// PlanBroken is something that reads the plan's events.
type PlanBroken struct {
	Kind    string `json:"kind" doc:"view or sink"`
	Name    string `json:"name"`
	Message string `json:"message"`
}

// Backtest says what a plan would have done with the last days of traffic.
type Backtest struct {
	Plan     string         `json:"plan"`
	Problems []Problem      `json:"problems"`
	From     time.Time      `json:"from"`
	To       time.Time      `json:"to"`
	Complete bool           `json:"complete" doc:"false: there was more traffic than could be looked at in time; the counts are of what was"`
	Before   BacktestCounts `json:"before" doc:"by the plan in force"`
	After    BacktestCounts `json:"after" doc:"by the new plan"`
	Rows     []BacktestRow  `json:"rows" doc:"per event and app version, the largest change first"`
}

// BacktestCounts count verdicts.
type BacktestCounts struct {
	Total       int64 `json:"total"`
	Valid       int64 `json:"valid"`
	Warn        int64 `json:"warn"`
	Fixed       int64 `json:"fixed"`
	Quarantined int64 `json:"quarantined"`
}

// BacktestRow is one event of one app version.
type BacktestRow struct {
	Event      string           `json:"event"`
	Source     string           `json:"source"`
	AppVersion string           `json:"appVersion"`
	Before     BacktestCounts   `json:"before"`
	After      BacktestCounts   `json:"after"`
	Share      float64          `json:"share" doc:"share that would be quarantined"`
	Reasons    []BacktestReason `json:"reasons" doc:"why events would be quarantined, the commonest first"`
	Sentence   string           `json:"sentence" doc:"in words; empty where nothing changes"`
}

// BacktestReason counts a violation.
type BacktestReason struct {
	Code  string `json:"code"`
	Path  string `json:"path"`
	Count int64  `json:"count"`
}

// PlanProposal proposes a change of a plan.
type PlanProposal struct {
	Text   string `json:"text"`
	File   string `json:"file,omitempty"`
	Title  string `json:"title"`
	Reason string `json:"reason,omitempty"`
}

// Proposed says where the proposal is.
type Proposed struct {
	ID    string `json:"id"`
	State string `json:"state"`
	File  string `json:"file"`
}

// Inferred is a plan that was learned.
type Inferred struct {
	Text     string `json:"text" doc:"the plan file"`
	Events   int64  `json:"events" doc:"how many events it was learned from"`
	Complete bool   `json:"complete" doc:"false: there was more traffic than could be looked at in time"`
}

func (s *Server) planRoutes() []route {
	part := s.cfg.Planning
	return []route{
		{"GET", "/api/plan", "The tracking plans with the health of every event and property.", nil, nil, Plans{}, nil, plain(s, "The tracking plan", s.cfg.Judged, Judged.Plans)},
		{"POST", "/api/plan/diff", "How a plan would change, and which views and sinks that would break. Changes nothing.", nil, PlanChange{}, PlanDiff{}, nil,
			posted(s, part, func(r *http.Request, q PlanChange) (PlanDiff, error) { return part.DiffPlan(r.Context(), q) })},
		{"POST", "/api/plan/backtest", "What a plan would have done with the last days of traffic. Changes nothing.", nil, PlanChange{}, Backtest{}, nil,
			posted(s, part, func(r *http.Request, q PlanChange) (Backtest, error) { return part.BacktestPlan(r.Context(), q) })},
		{"GET", "/api/plan/infer", "A plan that fits the last days of traffic, for people to go over.", []param{q("name", "string", "name of the plan"), q("source", "string", "only events of this source"),
			q("days", "integer", "how many days (7)")}, nil, Inferred{}, nil, plainly(s, part, func(r *http.Request) (Inferred, error) {
			days, _ := strconv.Atoi(r.URL.Query().Get("days")) // absent or odd: 7
			return part.InferPlan(r.Context(), r.URL.Query().Get("name"), r.URL.Query().Get("source"), days)
		})},
		{"POST", "/api/plan/propose", "Propose a change of a plan; somebody approves it under /api/proposals.", nil, PlanProposal{}, Proposed{}, nil,
			posted(s, part, func(r *http.Request, q PlanProposal) (Proposed, error) {
				return part.ProposePlan(r.Context(), role.Of(r.Context()), q)
			})},
	}
}
