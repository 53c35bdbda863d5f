package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"myelin/internal/serve/query"
	"myelin/internal/serve/value"
	"myelin/internal/vec"
)

// Limits of POST /api/query.
const (
	maxQueryBody  = 1 << 20
	maxAnswer     = 32 << 20
	queryTimeout  = 30 * time.Second
	defaultAnswer = 1000
)

// query runs one SELECT.
func (s *Server) query(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Engine == nil {
		s.unavailable(w, r, "SQL")
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		s.fail(w, r, http.StatusUnsupportedMediaType, FailureBody{Code: "not_json", Message: "The request is not JSON.",
			Hint: `Send {"sql": "SELECT …"} with Content-Type: application/json.`})
		return
	}
	var q QueryRequest
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxQueryBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&q); err != nil {
		s.fail(w, r, http.StatusBadRequest, FailureBody{Code: "bad_json", Message: "The request cannot be read: " + err.Error() + ".",
			Hint: `Send {"sql": "SELECT …", "params": []}.`})
		return
	}
	if !s.querySlot(w, r) {
		return
	}
	defer func() { <-s.queries }()
	ctx, cancel := context.WithTimeoutCause(r.Context(), queryTimeout, query.ErrTimeout)
	defer cancel()
	rows, err := s.answer(ctx, &q)
	if err != nil {
		s.failWith(w, r, err, q.SQL)
		return
	}
	s.send(w, r, http.StatusOK, rows)
}

func (s *Server) answer(ctx context.Context, q *QueryRequest) (*Rows, error) {
	st, err := s.cfg.Engine.Prepare(ctx, query.NewSession("api", "myelin"), q.SQL, make([]vec.Type, len(q.Params)))
	if err != nil {
		return nil, err
	}
	if len(q.Params) != len(st.Params) {
		return nil, query.Errorf(query.CodeUndefinedParameter, "the query has %d parameters, but %d values were sent", len(st.Params), len(q.Params))
	}
	args := make([]*vec.Vector, len(q.Params))
	for i, raw := range q.Params {
		if args[i], err = jsonParam(raw, st.Params[i]); err != nil {
			return nil, query.Errorf(query.CodeInvalidText, "the value of $%d is no %s", i+1, st.Params[i])
		}
	}
	out := &Rows{Columns: make([]ViewColumn, len(st.Columns)), Rows: []json.RawMessage{}}
	for i, c := range st.Columns {
		out.Columns[i] = ViewColumn{Name: c.Name, Type: c.Type.String()}
	}
	rows, err := st.Run(ctx, args)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	limit := defaultAnswer
	if q.Limit > 0 {
		limit = min(q.Limit, maxRows)
	}
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
		for _, row := range rowsOf(b, nil) {
			if len(out.Rows) == limit {
				return out, nil
			}
			out.Total++
			if size += len(row); size > maxAnswer {
				return nil, &query.Error{Code: query.CodeTooManyRows, Message: "the answer is larger than " + strconv.Itoa(maxAnswer>>20) + " MB",
					Hint: "Select fewer columns or rows."}
			}
			out.Rows = append(out.Rows, row)
		}
	}
}

// jsonParam reads a parameter: a string, number, boolean or null; an object or array where JSONB is wanted.
func jsonParam(raw json.RawMessage, t vec.Type) (*vec.Vector, error) {
	raw = bytes.TrimSpace(raw)
	if string(raw) == "null" {
		return vec.NullOf(t), nil
	}
	text := []byte(raw)
	if t.Kind != vec.JSONB && len(raw) > 0 && raw[0] == '"' {
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, err
		}
		text = []byte(s)
	}
	return value.Style{}.ReadText(text, t)
}
