package api

import (
	"encoding/json"
	"time"
)

// Overview is the whole river at a glance.
type Overview struct {
	At        time.Time `json:"at"`
	Stages    []Stage   `json:"stages"`
	Balance   Balance   `json:"balance"`
	StartedAt time.Time `json:"startedAt"`
	Version   string    `json:"version"`
	Endpoints Endpoints `json:"endpoints"`
}

// Endpoints are the addresses under which programs reach this process; empty where it does not listen.
type Endpoints struct {
	HTTP     string `json:"http"`
	Kafka    string `json:"kafka"`
	Postgres string `json:"postgres"`
}

// Stage is one stretch of the river.
type Stage struct {
	ID          string    `json:"id" doc:"collect, trust, log, process, serve or activate"`
	Title       string    `json:"title"`
	In          int64     `json:"in"`
	Out         int64     `json:"out"`
	RatePerSec  float64   `json:"ratePerSec"`
	Lag         int64     `json:"lag"`
	DeadLetters int64     `json:"deadLetters"`
	Errors      int64     `json:"errors"`
	Note        string    `json:"note"`
	Series      []float64 `json:"series" doc:"events per second over the last 60 seconds, oldest first"`
}

// Balance shows that nothing is lost: in = accepted + quarantined + duplicates + pending.
type Balance struct {
	In          int64 `json:"in"`
	Accepted    int64 `json:"accepted"`
	Quarantined int64 `json:"quarantined"`
	Duplicates  int64 `json:"duplicates"`
	Pending     int64 `json:"pending"`
	Counting    bool  `json:"counting" doc:"right after a start: what is in and pending is not all known yet"`
	Replayed    int64 `json:"replayed" doc:"of those that came in: come again from quarantine"`
	Discarded   int64 `json:"discarded" doc:"of those quarantined: given up by a person"`
	Waiting     int64 `json:"waiting" doc:"of those quarantined: still there and neither replayed nor discarded"`
}

// Quality says how well events follow the tracking plan.
type Quality struct {
	Totals QualityTotals  `json:"totals"`
	Groups []QualityGroup `json:"groups"`
	// Forgotten counts causes that were dropped to bound the memory: those that were quiet for longest.
	Forgotten int64 `json:"forgotten" doc:"causes that are not listed any more, because there were too many; those that were quiet for longest go first"`
}

// QualityTotals count verdicts.
type QualityTotals struct {
	Checked     int64 `json:"checked"`
	Valid       int64 `json:"valid"`
	Warn        int64 `json:"warn"`
	Fixed       int64 `json:"fixed"`
	Quarantined int64 `json:"quarantined"`
}

// QualityGroup is one kind of violation of one event.
type QualityGroup struct {
	ID          string          `json:"id"`
	Event       string          `json:"event"`
	Code        string          `json:"code"`
	Path        string          `json:"path"`
	Severity    string          `json:"severity"`
	Source      string          `json:"source"`
	Count       int64           `json:"count"`
	FirstSeen   time.Time       `json:"firstSeen"`
	LastSeen    time.Time       `json:"lastSeen"`
	Expected    string          `json:"expected"`
	Got         string          `json:"got"`
	Status      string          `json:"status"`
	Sample      json.RawMessage `json:"sample"`
	PerMinute   []int64         `json:"perMinute" doc:"count in each of the last 60 minutes, oldest first"`
	Explanation string          `json:"explanation"`
	NextStep    string          `json:"nextStep"`
}

// Views lists what can be read.
type Views struct {
	Views []ViewInfo `json:"views"`
}

// ViewInfo describes one view or table.
type ViewInfo struct {
	Name        string       `json:"name"`
	Kind        string       `json:"kind" doc:"view, table or stream"`
	SQL         string       `json:"sql"`
	Columns     []ViewColumn `json:"columns"`
	Key         []string     `json:"key"`
	Rows        int64        `json:"rows"`
	Emit        string       `json:"emit" doc:"changes or window close"`
	TTL         string       `json:"ttl" doc:"how long it remembers what nothing comes for, such as 30 days; empty: for ever"`
	Description string       `json:"description"`
	ViewStatus
}

// ViewStatus is how a view is doing.
type ViewStatus struct {
	RowsPerSec float64    `json:"rowsPerSec"`
	LagMs      int64      `json:"lagMs"`
	Watermark  *time.Time `json:"watermark"`
	Errors     int64      `json:"errors"`
	Late       int64      `json:"late"`
	UpdatedAt  *time.Time `json:"updatedAt"`
	Paused     bool       `json:"paused" doc:"it stands still until it is resumed"`
}

// ViewColumn is a column of a view or an answer.
type ViewColumn struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Rows are rows of a view or the answer to a query. A row is an array of values in the order of the columns.
type Rows struct {
	Name    string            `json:"name,omitempty"`
	Columns []ViewColumn      `json:"columns"`
	Rows    []json.RawMessage `json:"rows"`
	Step    uint64            `json:"step"`
	Total   int64             `json:"total" doc:"how many rows there are; rows may hold fewer"`
}

// Change is what one step changed in a view. Deletes come first: a row that changed may be in both.
type Change struct {
	Step    uint64            `json:"step"`
	Upserts []json.RawMessage `json:"upserts"`
	Deletes []json.RawMessage `json:"deletes" doc:"keys, or whole rows where the view has no key"`
}

// Sinks lists where results go.
type Sinks struct {
	Sinks []SinkInfo `json:"sinks"`
}

// SinkInfo describes one sink: in = delivered + duplicates + suppressed + deadLettered + pending.
type SinkInfo struct {
	Name           string     `json:"name"`
	From           string     `json:"from"`
	Connector      string     `json:"connector"`
	Target         string     `json:"target"`
	State          string     `json:"state" doc:"ok, retrying, paused or failing"`
	In             int64      `json:"in"`
	Delivered      int64      `json:"delivered"`
	Duplicates     int64      `json:"duplicates"`
	Suppressed     int64      `json:"suppressed"`
	DeadLettered   int64      `json:"deadLettered"`
	Pending        int64      `json:"pending"`
	LastError      string     `json:"lastError"`
	LastDeliveryAt *time.Time `json:"lastDeliveryAt"`
}

// Deliveries are the latest of a sink.
type Deliveries struct {
	Deliveries []Delivery `json:"deliveries"`
}

// Delivery is one record that was sent to a sink, or not.
type Delivery struct {
	At         time.Time       `json:"at"`
	Key        string          `json:"key"`
	Status     string          `json:"status" doc:"delivered, dead_lettered, suppressed or duplicate"`
	Attempts   int             `json:"attempts"`
	HTTPStatus int             `json:"httpStatus"`
	Error      string          `json:"error"`
	Payload    json.RawMessage `json:"payload"`
}

// Replayed says how many dead letters will be sent again.
type Replayed struct {
	Replayed int64 `json:"replayed"`
}

// Sources lists who sends events.
type Sources struct {
	Sources []SourceInfo `json:"sources"`
}

// SourceInfo describes one source.
type SourceInfo struct {
	Name       string     `json:"name"`
	Plan       string     `json:"plan"`
	WriteKeys  []string   `json:"writeKeys"`
	RatePerSec float64    `json:"ratePerSec"`
	Total      int64      `json:"total"`
	LastSeen   *time.Time `json:"lastSeen"`
}

// Problems lists what is wrong with the project's files.
type Problems struct {
	Problems []Problem `json:"problems"`
}

// Problem is one mistake in a file.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// Applied says what following the files changed. Objects with problems are left as they were.
type Applied struct {
	Created  []string  `json:"created"`
	Updated  []string  `json:"updated"`
	Removed  []string  `json:"removed"`
	Kept     []string  `json:"kept" doc:"not declared any more, and kept because prune was not asked for"`
	Problems []Problem `json:"problems"`
}

// QueryRequest is a SELECT to run once. Params are the values of $1, $2, …
type QueryRequest struct {
	SQL    string            `json:"sql"`
	Params []json.RawMessage `json:"params,omitempty"`
	Limit  int               `json:"limit,omitempty" doc:"most rows to return (1000)"`
}

// Failure is the shape of every error.
type Failure struct {
	Error FailureBody `json:"error"`
}

// FailureBody says what happened, where, and what to do next.
type FailureBody struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
	// Position is the 1-based character of a query that the error points at; 0: none.
	Position int `json:"position,omitempty"`
}
