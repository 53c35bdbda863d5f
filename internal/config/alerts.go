package config

import (
	"fmt"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Alerts say who is told of incidents, and how.
type Alerts struct {
	// URL is under which people reach Myelin, for links in messages. Empty: no links.
	URL string `yaml:"url"`
	// Timezone is in which messages and digests tell the time. Empty: UTC.
	Timezone string `yaml:"timezone"`
	// Digest is when the daily summary is sent, as 08:00. Empty: none.
	Digest   string    `yaml:"digest"`
	Webhooks []Webhook `yaml:"webhooks"`
	Slack    []Slack   `yaml:"slack"`
	Email    []Email   `yaml:"email"`
}

// Route says which incidents a channel is told of.
type Route struct {
	// Severity is the least one: info, warning (the default) or critical.
	Severity string `yaml:"severity"`
	// Sources are those that it is for. Empty: all.
	Sources []string `yaml:"sources"`
	// Digest is whether it gets the daily summary; the default is yes for e-mail and Slack, no for webhooks.
	Digest *bool `yaml:"digest"`
}

// Webhook is an address that gets incidents as signed JSON.
type Webhook struct {
	Name   string `yaml:"name"`
	URL    string `yaml:"url"`
	Secret string `yaml:"secret"`
	Route  `yaml:",inline"`
}

// Slack is an incoming webhook of Slack, or of whatever takes the same messages.
type Slack struct {
	Name  string `yaml:"name"`
	URL   string `yaml:"url"`
	Route `yaml:",inline"`
}

// Email is an SMTP server and whom to write to.
type Email struct {
	Name string `yaml:"name"`
	// Server is host:port: 587 for STARTTLS, 465 for TLS from the start.
	Server string `yaml:"server"`
	// TLS is starttls (the default), tls or none.
	TLS      string   `yaml:"tls"`
	User     string   `yaml:"user"`
	Password string   `yaml:"password"`
	From     string   `yaml:"from"`
	To       []string `yaml:"to"`
	Route    `yaml:",inline"`
}

// WatchedColumn is a figure of a view that is watched like the events are.
type WatchedColumn struct {
	View   string `yaml:"view"`
	Column string `yaml:"column"`
	// Aggregate folds the rows into one figure: sum (the default), avg, min, max or count.
	Aggregate string `yaml:"aggregate"`
	// Time is the column that says when a row is from; only rows of the last Every count. Empty: all rows count.
	Time string `yaml:"time"`
	// Every is how long a piece of time is. 0: five minutes.
	Every Duration `yaml:"every"`
}

var (
	severities = []string{"info", "warning", "critical"}
	aggregates = []string{"sum", "avg", "min", "max", "count"}
	tlsModes   = []string{"starttls", "tls", "none"}
	plainName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	timeOfDay  = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)
)

func (r *reader) alerts(root *yaml.Node, cfg Config) {
	a, n := cfg.Alerts, child(root, "alerts")
	if _, err := time.LoadLocation(a.Timezone); err != nil {
		r.add(child(n, "timezone"), fmt.Sprintf("there is no time zone %q", a.Timezone), "write its name in the tz database, for example Europe/Berlin")
	}
	if a.Digest != "" && !timeOfDay.MatchString(a.Digest) {
		r.add(child(n, "digest"), fmt.Sprintf("%q is not a time of day", a.Digest), `write it as "08:00"`)
	}
	if a.URL != "" && !webAddress(a.URL) {
		r.add(child(n, "url"), fmt.Sprintf("%q is not a web address", a.URL), "write the address of Myelin's pages, for example https://myelin.shop.example")
	}
	names := map[string]bool{}
	channel := func(at *yaml.Node, what, name string, route Route) {
		if name == "" {
			r.add(at, "a channel of alerts has no name", "give it one, for example name: "+what)
		}
		if names[name] {
			r.add(at, fmt.Sprintf("two channels of alerts are called %q", name), "their names must differ")
		}
		names[name] = true
		r.oneOf(at, "severity", route.Severity, severities)
		for _, s := range route.Sources {
			r.sourceName(at, s, cfg)
		}
	}
	for i, w := range a.Webhooks {
		at := index(child(n, "webhooks"), i)
		channel(at, "ops", w.Name, w.Route)
		if !webAddress(w.URL) {
			r.add(at, fmt.Sprintf("webhook %q has the address %q", w.Name, w.URL), "write url: https://…")
		}
	}
	for i, s := range a.Slack {
		at := index(child(n, "slack"), i)
		channel(at, "marketing", s.Name, s.Route)
		if !webAddress(s.URL) {
			r.add(at, fmt.Sprintf("Slack channel %q has the address %q", s.Name, s.URL), "write the address of its incoming webhook: url: https://hooks.slack.com/services/…")
		}
	}
	for i, e := range a.Email {
		at := index(child(n, "email"), i)
		channel(at, "team", e.Name, e.Route)
		r.email(at, e)
	}
	for i, w := range cfg.Watch {
		r.watched(index(child(root, "watch"), i), w)
	}
}

func (r *reader) sourceName(at *yaml.Node, name string, cfg Config) {
	var known []string
	for _, s := range cfg.Sources {
		known = append(known, s.Name)
	}
	if slices.Contains(known, name) {
		return
	}
	hint := "sources are " + strings.Join(known, ", ")
	if s := Nearest(name, known); s != "" {
		hint = fmt.Sprintf("did you mean %q?", s)
	}
	r.add(at, fmt.Sprintf("there is no source %q", name), hint)
}

func (r *reader) oneOf(at *yaml.Node, key, value string, known []string) {
	if value == "" || slices.Contains(known, value) {
		return
	}
	hint := "write " + strings.Join(known, ", ")
	if s := Nearest(value, known); s != "" {
		hint = fmt.Sprintf("did you mean %q?", s)
	}
	if c := child(at, key); c != nil {
		at = c
	}
	r.add(at, fmt.Sprintf("%s cannot be %q", key, value), hint)
}

func (r *reader) email(at *yaml.Node, e Email) {
	if host, port, ok := cutAddr(e.Server); !ok || port == "" || host == "" {
		r.add(at, fmt.Sprintf("the mail server of %q is %q", e.Name, e.Server), "write host:port, for example server: smtp.example.com:587")
	}
	r.oneOf(at, "tls", e.TLS, tlsModes)
	if _, err := mail.ParseAddress(e.From); err != nil {
		r.add(at, fmt.Sprintf("%q is not a mail address to write from", e.From), "for example from: Myelin <myelin@shop.example>")
	}
	if len(e.To) == 0 {
		r.add(at, fmt.Sprintf("mail channel %q is for nobody", e.Name), "for example to: [ana@shop.example]")
	}
	for _, to := range e.To {
		if _, err := mail.ParseAddress(to); err != nil {
			r.add(at, fmt.Sprintf("%q is not a mail address", to), "for example ana@shop.example")
		}
	}
	if e.Password != "" && e.TLS == "none" {
		r.add(at, "a mail password would be sent unencrypted", "use tls: starttls or tls: tls, or leave out the password")
	}
}

func (r *reader) watched(at *yaml.Node, w WatchedColumn) {
	if !plainName.MatchString(w.View) || !plainName.MatchString(w.Column) {
		r.add(at, "a watched column needs a view and a column", "for example {view: revenue_per_minute, column: revenue, time: window_start}")
	}
	if w.Time != "" && !plainName.MatchString(w.Time) {
		r.add(at, fmt.Sprintf("%q is not a column", w.Time), "for example time: window_start")
	}
	r.oneOf(at, "aggregate", w.Aggregate, aggregates)
	if w.Every != 0 && w.Every < Seconds(60) {
		r.add(at, "a watched column is looked at more often than every minute", "write every: 5m")
	}
}

func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
