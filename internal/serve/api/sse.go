package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// stream is one live connection: server-sent events (WHATWG HTML §9.2). Its handler's goroutine does all the writing, so
// that a client that does not read slows down only itself, and is dropped after writeTimeout.
type stream struct {
	w   http.ResponseWriter
	rc  *http.ResponseController
	buf []byte
	err error
}

// live opens a live connection and calls run, which writes until the request or the server ends.
func (s *Server) live(w http.ResponseWriter, r *http.Request, run func(st *stream, r *http.Request)) {
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		w.Header().Set("Retry-After", "5")
		s.fail(w, r, http.StatusServiceUnavailable, FailureBody{Code: "too_many_streams", Message: "Too many live connections are open.",
			Hint: "Close some of the tabs that show Myelin."})
		return
	}
	ctx, cancel := contextWith(r.Context(), s.stop)
	defer cancel()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	st := &stream{w: w, rc: http.NewResponseController(w)}
	st.buf = append(st.buf, "retry: 1000\n\n"...)
	st.flush()
	run(st, r.WithContext(ctx))
}

// send queues one event; id "" gives it none.
func (st *stream) send(event, id string, v any) {
	if st.err != nil {
		return
	}
	data, err := json.Marshal(v)
	if err != nil {
		st.err = fmt.Errorf("encoding a live event: %w", err)
		return
	}
	st.raw(event, id, data)
}

// raw is send for data that is JSON already, and therefore has no line breaks in it.
func (st *stream) raw(event, id string, data []byte) {
	st.buf = append(append(append(st.buf, "event: "...), event...), '\n')
	if id != "" {
		st.buf = append(append(append(st.buf, "id: "...), id...), '\n')
	}
	st.buf = append(append(append(st.buf, "data: "...), data...), "\n\n"...)
	if len(st.buf) > 64<<10 {
		st.flush()
	}
}

// beat tells proxies and the client that the connection lives.
func (st *stream) beat() {
	st.buf = append(st.buf, ": \n\n"...)
	st.flush()
}

func (st *stream) flush() {
	if st.err != nil || len(st.buf) == 0 {
		return
	}
	// Not every ResponseWriter has deadlines (tests); the write then has none.
	_ = st.rc.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, st.err = st.w.Write(st.buf); st.err == nil {
		st.err = st.rc.Flush()
	}
	if st.buf = st.buf[:0]; cap(st.buf) > 1<<20 {
		st.buf = nil
	}
}
