package api

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"myelin/internal/auth"
	"myelin/internal/auth/role"
)

// open paths need no login: probes must be able to ask, and the login itself.
var openPaths = []string{"/healthz", "/readyz", "/api/login", "/api/logout"}

// sessionCookie holds the token of a login.
const sessionCookie = "myelin_session"

// admit finds out who sends a request and whether it may come in: from a trusted address, with a login's cookie or a password,
// and not sent by another web site through the visitor's browser (forged writes; DNS rebinding, where a foreign name points at
// loopback). The files of the web interface are for everybody, since they hold nothing and ask for the login.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) (*http.Request, bool) {
	if err := new(http.CrossOriginProtection).Check(r); err != nil {
		s.fail(w, r, http.StatusForbidden, FailureBody{Code: "cross_origin", Message: "This request comes from another web site.",
			Hint: "Send it from Myelin's own pages, or from a program that is not a browser."})
		return nil, false
	}
	trusted := s.trusted(r)
	if trusted && !s.ownHost(r.Host) {
		s.fail(w, r, http.StatusForbidden, FailureBody{Code: "unknown_host", Message: "This server is not known as \"" + r.Host + "\".",
			Hint: "Use localhost or 127.0.0.1, or add the name to http.hosts in myelin.yaml."})
		return nil, false
	}
	person, known, err := s.credentials(r)
	switch {
	case known:
		return r.WithContext(role.With(r.Context(), person)), true
	case slices.Contains(openPaths, r.URL.Path), s.assets != nil && !guarded(r.URL.Path):
		return r, true
	case err == nil && trusted:
		return r.WithContext(role.With(r.Context(), role.Local)), true
	}
	s.refuse(w, r, err)
	return nil, false
}

// guarded paths are those that tell something.
func guarded(path string) bool { return strings.HasPrefix(path, "/api/") || path == "/metrics" }

// credentials finds the person whose cookie or password a request carries. The error is that of a wrong password; there is none
// where there is no password.
func (s *Server) credentials(r *http.Request) (p role.Person, known bool, err error) {
	if c, err := r.Cookie(sessionCookie); err == nil && s.cfg.Access.Sessions != nil {
		if p, ok := s.cfg.Access.Sessions.Find(c.Value); ok {
			return p, true, nil
		}
	}
	name, password, ok := r.BasicAuth()
	if !ok {
		return role.Person{}, false, nil
	}
	if s.cfg.Access.Users == nil {
		return role.Person{}, false, auth.ErrWrong
	}
	p, err = s.cfg.Access.Users.Login(name, password, r.RemoteAddr)
	return p, err == nil, err
}

// refuse answers a request of somebody unknown.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var many *auth.TooManyError
	if errors.As(err, &many) {
		w.Header().Set("Retry-After", strconv.Itoa(int(many.After.Seconds())+1))
		s.fail(w, r, http.StatusTooManyRequests, FailureBody{Code: "too_many_logins", Message: "Too many wrong passwords came from this address.",
			Hint: "Wait for the seconds in Retry-After."})
		return
	}
	// A page with a form of its own does without the browser's, which would also hold the answer back until somebody fills it in.
	// What a page asks for by itself, live streams too, is told by Fetch Metadata (W3C, §2.1).
	if r.Header.Get("X-Login") != "form" && r.Header.Get("Sec-Fetch-Dest") != "empty" {
		w.Header().Set("WWW-Authenticate", `Basic realm="Myelin", charset="UTF-8"`)
	}
	message := "Log in with a user of myelin.yaml."
	if err != nil {
		message = "The name or the password is wrong."
	}
	s.fail(w, r, http.StatusUnauthorized, FailureBody{Code: "unauthorized", Message: message,
		Hint: "Send the name and password to POST /api/login, or by HTTP Basic authentication."})
}

// need is what a request of a route takes. What is not named here reads with GET, and otherwise changes the installation.
func need(method, path string) role.Action {
	within := func(prefixes ...string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return path == p || strings.HasPrefix(path, p+"/") })
	}
	switch {
	case within("/api/query", "/api/sql/explain", "/api/sql/preview"):
		return role.Query
	case within("/api/events") || strings.HasSuffix(path, "/deliveries") || strings.HasPrefix(path, "/api/topics/") && strings.HasSuffix(path, "/messages"):
		return role.ReadEvents
	case within("/api/quarantine/samples", "/api/quarantine/preview", "/api/plan/infer"): // the last lists values that came
		return role.ReadEvents
	case within("/api/audit"):
		return role.ReadAudit
	case method == http.MethodGet, within("/api/plan/diff", "/api/plan/backtest"):
		return role.Read
	case within("/api/incidents"):
		return role.Handle
	case within("/api/proposals", "/api/plan/propose"):
		return role.Propose // whoever decides on one is asked for more
	case within("/api/quarantine"):
		return role.Repair
	case within("/api/sinks"):
		return role.ChangeSinks
	case within("/api/views"):
		return role.ChangeViews
	}
	return role.ApplyFiles
}

// record notes a request that changes something in the audit log, before it is done. Incidents, proposals and quarantine note their
// own, with what was decided; so does SQL.
func (s *Server) record(r *http.Request, a role.Action) error {
	if s.cfg.Record == nil || r.Method == http.MethodGet || slices.Contains([]role.Action{role.Read, role.ReadEvents, role.Query, role.Handle, role.Propose, role.Repair}, a) {
		return nil
	}
	return s.cfg.Record(r.Context(), role.Of(r.Context()), "api."+strings.ToLower(r.Method), r.URL.RequestURI(), nil)
}

// permit lets only those through whose role allows it.
func (s *Server) permit(a role.Action, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := role.Of(r.Context()).Check(a); err != nil {
			s.fail(w, r, http.StatusForbidden, FailureBody{Code: "forbidden", Message: err.Error() + ".", Hint: "Ask somebody with such a role."})
			return
		}
		if err := s.record(r, a); err != nil {
			s.failWith(w, r, err, "")
			return
		}
		next(w, r)
	}
}

func (s *Server) trusted(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	ip := net.ParseIP(host)
	if s.cfg.Access.Trust != nil {
		return s.cfg.Access.Trust(&net.TCPAddr{IP: ip})
	}
	// A proxy on this machine speaks for somebody who may not be on it.
	return ip != nil && ip.IsLoopback() && r.Header.Get("X-Forwarded-For") == "" && r.Header.Get("Forwarded") == ""
}

func (s *Server) ownHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(strings.ToLower(host), "[]")
	if ip := net.ParseIP(host); ip != nil {
		return true // an address cannot be rebound
	}
	return host == "localhost" || host == "" || strings.HasSuffix(host, ".localhost") || slices.Contains(s.cfg.Access.Hosts, host)
}
