package api

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"myelin/internal/serve/query"
)

// compressFrom is the size in bytes from which an answer is compressed.
const compressFrom = 1400

var gzipWriters = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // a valid level never fails
	return w
}}

// send answers with JSON.
func (s *Server) send(w http.ResponseWriter, r *http.Request, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		s.cfg.Logger.Error("encoding an answer failed", "path", r.URL.Path, "error", err)
		status, body = http.StatusInternalServerError, []byte(`{"error":{"code":"internal","message":"The answer could not be written.","hint":""}}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Accept-Encoding")
	if len(body) < compressFrom || !acceptsGzip(r) {
		h.Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(status)
		_, _ = w.Write(body) // a client that left needs no answer
		return
	}
	h.Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	zip := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(zip)
	zip.Reset(w)
	_, _ = zip.Write(body)
	_ = zip.Close()
}

// acceptsGzip reads Accept-Encoding (RFC 9110 §12.5.3); a quality of zero refuses.
func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(part, ";")
		if n := strings.TrimSpace(name); n == "gzip" || n == "*" {
			v := strings.TrimPrefix(strings.ReplaceAll(q, " ", ""), "q=")
			f, err := strconv.ParseFloat(v, 64)
			return v == "" || err != nil || f > 0
		}
	}
	return false
}

func (s *Server) fail(w http.ResponseWriter, r *http.Request, status int, body FailureBody) {
	s.send(w, r, status, Failure{Error: body})
}

// failWith answers with an error of a part. sql is the text that a position counts in.
func (s *Server) failWith(w http.ResponseWriter, r *http.Request, err error, sql string) {
	if r.Context().Err() != nil {
		return // nobody listens any more
	}
	if errors.Is(err, ErrNotFound) {
		s.fail(w, r, http.StatusNotFound, FailureBody{Code: "not_found", Message: "There is nothing of that name.", Hint: "Look at the list one level up."})
		return
	}
	e := query.AsError(err)
	body := FailureBody{Code: e.Code, Message: e.Message, Hint: e.Hint}
	if e.Position > 0 {
		body.Position = utf8.RuneCountInString(sql[:min(e.Position-1, len(sql))]) + 1
	}
	status := http.StatusBadRequest
	switch {
	case e.Code == query.CodeInternal:
		status = http.StatusInternalServerError
		s.cfg.Logger.Error("an HTTP request failed", "path", r.URL.Path, "error", err)
	case e.Code == query.CodeCanceled:
		status = http.StatusRequestTimeout
	case strings.HasPrefix(e.Code, "53"), e.Code == query.CodeStarting:
		status = http.StatusServiceUnavailable
	}
	s.fail(w, r, status, body)
}

func (s *Server) unavailable(w http.ResponseWriter, r *http.Request, what string) {
	w.Header().Set("Retry-After", "1")
	s.fail(w, r, http.StatusServiceUnavailable, FailureBody{Code: "unavailable", Message: what + " is not running here.",
		Hint: "Wait a moment if Myelin has just started; otherwise look at the roles it was started with."})
}
