package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// contextWith ends when either parent does.
func contextWith(a, b context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(a)
	stop := context.AfterFunc(b, cancel)
	return ctx, func() { stop(); cancel() }
}

func (s *Server) overviewLive(w http.ResponseWriter, r *http.Request) {
	if s.cfg.River == nil {
		s.unavailable(w, r, "The overview")
		return
	}
	s.live(w, r, func(st *stream, r *http.Request) {
		for st.err == nil {
			v, err := s.cfg.River.Overview(r.Context())
			if err != nil {
				s.cfg.Logger.Warn("making the overview failed", "error", err)
				return
			}
			st.send("overview", "", v)
			st.flush()
			select {
			case <-r.Context().Done():
				return
			case <-s.cfg.Clock.After(time.Second):
			}
		}
	})
}

func (s *Server) eventsLive(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Events == nil {
		s.unavailable(w, r, "The list of events")
		return
	}
	f, ok := s.filter(w, r)
	if !ok {
		return
	}
	s.live(w, r, func(st *stream, r *http.Request) {
		feed := s.cfg.Events.Follow(f)
		defer feed.Close()
		idle := time.Duration(0)
		for st.err == nil {
			const tick = time.Second
			wait, cancel := context.WithTimeout(r.Context(), tick)
			row, err := feed.Next(wait)
			cancel()
			switch {
			case r.Context().Err() != nil || errors.Is(err, io.EOF):
				return
			case err != nil:
				if idle += tick; idle >= heartbeat {
					st.beat()
					idle = 0
				}
			default:
				idle = 0
				st.send("event", "", row)
				for more, ok := feed.Poll(); ok; more, ok = feed.Poll() {
					st.send("event", "", more)
				}
			}
			if n := feed.Dropped(); n > 0 {
				st.send("dropped", "", dropped{n})
			}
			st.flush()
		}
	})
}
