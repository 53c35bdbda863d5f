package api

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"myelin/internal/auth/role"
)

// Login is a name and a password.
type Login struct {
	Name     string `json:"name"`
	Password string `json:"password"`
}

// Me is who asks, and what they may do.
type Me struct {
	Name string `json:"name"`
	Role string `json:"role"`
	// LoggedIn is false for somebody at this machine, who need not log in.
	LoggedIn bool `json:"loggedIn"`
	// May lists the actions that the role allows.
	May []string `json:"may"`
}

func meOf(p role.Person) Me {
	me := Me{Name: p.Name, Role: string(p.Role), LoggedIn: p != role.Local, May: []string{}}
	for _, g := range role.Table {
		if p.Role.May(g.Action) {
			me.May = append(me.May, string(g.Action))
		}
	}
	return me
}

func (s *Server) me(w http.ResponseWriter, r *http.Request) {
	s.send(w, r, http.StatusOK, meOf(role.Of(r.Context())))
}

// login gives the browser a cookie that its scripts cannot read and that other sites cannot make it send (SameSite). Requests
// that change something are checked against forgery besides.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Access.Users == nil || s.cfg.Access.Sessions == nil {
		s.unavailable(w, r, "The login")
		return
	}
	var l Login
	dec := json.NewDecoder(io.LimitReader(r.Body, 16<<10))
	if err := dec.Decode(&l); err != nil {
		s.fail(w, r, http.StatusBadRequest, FailureBody{Code: "bad_json", Message: "The request cannot be read: " + err.Error() + ".", Hint: `Send {"name": "…", "password": "…"}.`})
		return
	}
	p, err := s.cfg.Access.Users.Login(l.Name, l.Password, r.RemoteAddr)
	if err != nil {
		r.Header.Set("X-Login", "form")
		s.refuse(w, r, err)
		return
	}
	token, ends, err := s.cfg.Access.Sessions.Start(p)
	if err != nil {
		s.failWith(w, r, err, "")
		return
	}
	http.SetCookie(w, s.cookie(r, token, ends))
	s.send(w, r, http.StatusOK, meOf(p))
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(sessionCookie); err == nil && s.cfg.Access.Sessions != nil {
		s.cfg.Access.Sessions.End(c.Value)
	}
	http.SetCookie(w, s.cookie(r, "", time.Unix(1, 0)))
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) cookie(r *http.Request, token string, ends time.Time) *http.Cookie {
	c := &http.Cookie{
		Name: sessionCookie, Value: token, Path: "/", Expires: ends, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https"),
	}
	if token == "" {
		c.MaxAge = -1
	}
	return c
}
