package api

import (
	"net"
	"net/http"
	"slices"
	"strings"
)

// open paths need no login: probes must be able to ask.
var openPaths = []string{"/healthz", "/readyz"}

// admit checks that a request may come in: from a trusted address or with a password, and not sent by another web site
// through the visitor's browser (forged writes; DNS rebinding, where a foreign name points at loopback).
func (s *Server) admit(w http.ResponseWriter, r *http.Request) bool {
	if slices.Contains(openPaths, r.URL.Path) {
		return true
	}
	if err := new(http.CrossOriginProtection).Check(r); err != nil {
		s.fail(w, r, http.StatusForbidden, FailureBody{Code: "cross_origin", Message: "This request comes from another web site.",
			Hint: "Send it from Myelin's own pages, or from a program that is not a browser."})
		return false
	}
	if s.trusted(r) {
		if s.ownHost(r.Host) {
			return true
		}
		s.fail(w, r, http.StatusForbidden, FailureBody{Code: "unknown_host", Message: "This server is not known as \"" + r.Host + "\".",
			Hint: "Use localhost or 127.0.0.1."})
		return false
	}
	if user, password, ok := r.BasicAuth(); ok && s.cfg.Access.Users != nil && s.cfg.Access.Users.Check(user, password) {
		return true
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="Myelin", charset="UTF-8"`)
	s.fail(w, r, http.StatusUnauthorized, FailureBody{Code: "unauthorized", Message: "Log in with a user of myelin.yaml.",
		Hint: "Send the name and password by HTTP Basic authentication."})
	return false
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
