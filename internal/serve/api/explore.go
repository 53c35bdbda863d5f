package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"
	"unicode"

	"myelin/internal/process/fn"
	"myelin/internal/serve/query"
)

// What the SQL page asks beside running a query: what can be written, what a statement would do, and what a view would show.

// Explorer looks at SQL before it is run (query.Engine).
type Explorer interface {
	Outline(s *query.Session, sql string) (*query.Outline, error)
	Preview(ctx context.Context, s *query.Session, sql string, from time.Time) (*query.Outline, query.Rows, error)
}

// SQLFunctions lists what can be called in SQL.
type SQLFunctions struct {
	Functions []SQLFunction `json:"functions"`
}

// SQLFunction is one function, or one overload of it.
type SQLFunction struct {
	Name      string `json:"name"`
	Kind      string `json:"kind" doc:"scalar, aggregate or window"`
	Signature string `json:"signature"`
	Help      string `json:"help"`
	Example   string `json:"example"`
}

// SQLText is a statement to look at.
type SQLText struct {
	SQL string `json:"sql"`
	// Minutes is how far back a preview looks.
	Minutes int `json:"minutes,omitempty" doc:"how far back a preview looks (60; up to 1440)"`
}

// SQLOutline says what a statement is and how it would be run.
type SQLOutline struct {
	Kind      string        `json:"kind" doc:"select, view, sink or change"`
	Name      string        `json:"name"`
	Emit      string        `json:"emit"`
	Columns   []ViewColumn  `json:"columns"`
	Operators []SQLOperator `json:"operators" doc:"inputs before those that read them; the last one gives the result"`
}

// SQLOperator is one step of a query.
type SQLOperator struct {
	Inputs   []int        `json:"inputs" doc:"numbers of the operators that it reads"`
	Kind     string       `json:"kind"`
	Detail   string       `json:"detail"`
	Relation string       `json:"relation" doc:"what a scan reads"`
	Source   string       `json:"source" doc:"stream, table, view or system; empty where it reads operators"`
	Columns  []ViewColumn `json:"columns"`
}

// SQLPreview is what a query gives over the last while.
type SQLPreview struct {
	Columns []ViewColumn      `json:"columns"`
	Rows    []json.RawMessage `json:"rows"`
	Total   int64             `json:"total"`
	Since   time.Time         `json:"since"`
}

// previewRows is how many rows of a preview are shown; all are counted.
const previewRows = 200

func (s *Server) sqlRoutes() []route {
	return []route{
		{"GET", "/api/sql/functions", "Functions of SQL.", nil, nil, SQLFunctions{}, nil, func(w http.ResponseWriter, r *http.Request) {
			s.send(w, r, http.StatusOK, SQLFunctions{Functions: sqlFunctions()})
		}},
		{"POST", "/api/sql/explain", "What a statement is and how it would be run. Its mistakes come with their position.", nil, SQLText{}, SQLOutline{}, nil, s.explain},
		{"POST", "/api/sql/preview", "What a query, or a view to be made, gives over the last hour.", nil, SQLText{}, SQLPreview{}, nil, s.preview},
	}
}

func sqlFunctions() []SQLFunction {
	out := []SQLFunction{}
	for _, g := range fn.Groups() {
		for i := range g.Funcs {
			if f := &g.Funcs[i]; f.Help != "" && isName(f.Name) {
				out = append(out, SQLFunction{Name: f.Name, Kind: "scalar", Signature: f.Signature(), Help: f.Help, Example: f.Example})
			}
		}
	}
	seen := map[string]bool{}
	for _, a := range fn.Aggs() {
		if !seen[a.Name] && isName(a.Name) {
			seen[a.Name] = true
			out = append(out, SQLFunction{Name: a.Name, Kind: "aggregate", Signature: a.Name + "(…)", Help: a.Help})
		}
	}
	for _, f := range [][3]string{
		{"tumble", "tumble(stream, ts, interval)", "windows one after the other"},
		{"hop", "hop(stream, ts, step, size)", "overlapping windows: a new one each step"},
		{"cumulate", "cumulate(stream, ts, step, size)", "windows that grow by a step until their size is reached"},
		{"session", "session(stream PARTITION BY key, ts, gap)", "one window per key as long as events follow within the gap"},
	} {
		out = append(out, SQLFunction{Name: f[0], Kind: "window", Signature: f[1], Help: f[2]})
	}
	return out
}

// isName reports whether a function is called by a name rather than written as an operator.
func isName(s string) bool {
	for _, c := range s {
		if c != '_' && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return false
		}
	}
	return s != ""
}

// statement reads the request; ok is false where it has been answered.
func (s *Server) statement(w http.ResponseWriter, r *http.Request) (q SQLText, ok bool) {
	if s.cfg.Explorer == nil {
		s.unavailable(w, r, "SQL")
		return q, false
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && kind == "application/json" {
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxQueryBody))
		dec.DisallowUnknownFields()
		err = dec.Decode(&q)
	}
	if err != nil || kind != "application/json" {
		s.fail(w, r, http.StatusBadRequest, FailureBody{Code: "bad_json", Message: "The request cannot be read.",
			Hint: `Send {"sql": "SELECT …"} with Content-Type: application/json.`})
		return q, false
	}
	return q, true
}

func (s *Server) explain(w http.ResponseWriter, r *http.Request) {
	q, ok := s.statement(w, r)
	if !ok {
		return
	}
	o, err := s.cfg.Explorer.Outline(query.NewSession("api", "myelin"), q.SQL)
	if err != nil {
		s.failWith(w, r, err, q.SQL)
		return
	}
	out := SQLOutline{Kind: o.Kind, Name: o.Name, Emit: o.Emit, Columns: answerColumns(o.Columns), Operators: []SQLOperator{}}
	for _, op := range o.Operators {
		out.Operators = append(out.Operators, SQLOperator{Inputs: op.Inputs, Kind: op.Kind, Detail: op.Detail, Relation: op.Relation, Source: op.Source,
			Columns: answerColumns(op.Columns)})
	}
	s.send(w, r, http.StatusOK, out)
}

func answerColumns(cols []query.Column) []ViewColumn {
	out := make([]ViewColumn, len(cols))
	for i, c := range cols {
		out[i] = ViewColumn{Name: c.Name, Type: c.Type.String()}
	}
	return out
}

func (s *Server) preview(w http.ResponseWriter, r *http.Request) {
	q, ok := s.statement(w, r)
	if !ok || !s.querySlot(w, r) {
		return
	}
	defer func() { <-s.queries }()
	if q.Minutes <= 0 {
		q.Minutes = 60
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), queryTimeout, query.ErrTimeout)
	defer cancel()
	out, err := s.previewOf(ctx, q.SQL, s.cfg.Clock.Now().Add(-time.Duration(min(q.Minutes, 1440))*time.Minute))
	if err != nil {
		s.failWith(w, r, err, q.SQL)
		return
	}
	s.send(w, r, http.StatusOK, out)
}

func (s *Server) previewOf(ctx context.Context, text string, since time.Time) (*SQLPreview, error) {
	o, rows, err := s.cfg.Explorer.Preview(ctx, query.NewSession("api", "myelin"), text, since)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := &SQLPreview{Columns: answerColumns(o.Columns), Rows: []json.RawMessage{}, Since: since.UTC()}
	size := 0
	for {
		b, err := rows.Next(ctx)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return nil, err
		}
		out.Total += int64(b.Rows())
		if len(out.Rows) >= previewRows {
			continue
		}
		for _, row := range rowsOf(b, nil) {
			if size += len(row); len(out.Rows) == previewRows || size > maxAnswer {
				break
			}
			out.Rows = append(out.Rows, row)
		}
	}
}

// querySlot takes a place among the running queries, or answers that there is none. The caller gives it back.
func (s *Server) querySlot(w http.ResponseWriter, r *http.Request) bool {
	select {
	case s.queries <- struct{}{}:
		return true
	default:
		w.Header().Set("Retry-After", "1")
		s.fail(w, r, http.StatusTooManyRequests, FailureBody{Code: "too_many_queries", Message: strconv.Itoa(cap(s.queries)) + " queries are running.", Hint: "Try again in a second."})
		return false
	}
}
