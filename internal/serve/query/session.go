package query

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Session is who asks and how they want their answers. It may be used from several goroutines.
type Session struct {
	User, Database string
	// PID identifies the session in pg_backend_pid() and cancel requests.
	PID uint32

	mu struct {
		sync.Mutex
		settings map[string]string // overrides of defaults, by lower-case name
		startup  map[string]string // what the client asked for when it connected: RESET goes back to it
		zone     *time.Location
		notices  []Notice
	}
}

// Notice is something to tell a client beside the answer.
type Notice struct{ Severity, Code, Message string }

// Notify leaves a notice for the client; the face of the session sends it before the answer. Beyond maxNotices they are dropped.
func (s *Session) Notify(severity, code, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.notices) < maxNotices {
		s.mu.notices = append(s.mu.notices, Notice{severity, code, message})
	}
}

const maxNotices = 100

// Notices takes the notices that wait for the client.
func (s *Session) Notices() []Notice {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.mu.notices
	s.mu.notices = nil
	return out
}

// NewSession returns a session with default settings.
func NewSession(user, database string) *Session {
	s := &Session{User: user, Database: database}
	s.mu.settings, s.mu.startup, s.mu.zone = map[string]string{}, map[string]string{}, time.UTC
	return s
}

// Show returns the value of a run-time parameter.
func (s *Session) Show(name string) (string, error) {
	key := strings.ToLower(name)
	def, known := Settings[key]
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.mu.settings[key]; ok {
		return v, nil
	}
	if key == "session_authorization" {
		return s.User, nil
	}
	if !known {
		return "", Errorf(CodeUndefinedObject, "unrecognized configuration parameter \"%s\"", name)
	}
	return def.Default, nil
}

// Set changes a run-time parameter and returns its canonical name. Names with a dot are free for applications.
func (s *Session) Set(name, value string) (string, error) {
	key := strings.ToLower(name)
	def, known := Settings[key]
	if !known {
		if !strings.Contains(key, ".") {
			return "", Errorf(CodeUndefinedObject, "unrecognized configuration parameter \"%s\"", name)
		}
		def.Name = key
	}
	if def.Fixed {
		return "", Errorf("55P02", "parameter \"%s\" cannot be changed", def.Name)
	}
	var zone *time.Location
	switch key {
	case "timezone":
		var err error
		if zone, value, err = ParseZone(value); err != nil {
			return "", err
		}
	case "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout":
		d, err := parseMillis(value)
		if err != nil {
			return "", Errorf(CodeInvalidParameter, "invalid value for parameter \"%s\": \"%s\"", def.Name, value)
		}
		value = showMillis(d)
	case "myelin.rewrites":
		if value = strings.ToLower(value); value != "on" && value != "off" {
			return "", &Error{Code: CodeInvalidParameter, Message: "invalid value for parameter \"myelin.rewrites\": \"" + value + "\"", Hint: "It can be on or off."}
		}
	case "client_encoding":
		switch plainName(value) {
		case "utf8", "unicode", "sqlascii":
			value = "UTF8"
		default:
			return "", &Error{Code: CodeFeatureNotSupported, Message: "conversion between " + value + " and UTF8 is not supported",
				Hint: "Set the client's encoding to UTF8."}
		}
	case "datestyle":
		if !strings.HasPrefix(strings.ToUpper(value), "ISO") {
			if order := strings.ToUpper(value); order != "MDY" && order != "DMY" && order != "YMD" {
				return "", Errorf(CodeFeatureNotSupported, "only DateStyle ISO is supported")
			}
		}
		value = "ISO, MDY"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.settings) >= maxSettings {
		if _, ok := s.mu.settings[key]; !ok {
			return "", Errorf(CodeTooManyRows, "a session can hold at most %d settings", maxSettings)
		}
	}
	s.mu.settings[key] = value
	if zone != nil {
		s.mu.zone = zone
	}
	return def.Name, nil
}

const maxSettings = 200

// Keep makes the present settings the ones that Reset goes back to.
func (s *Session) Keep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.startup = maps.Clone(s.mu.settings)
}

// Snapshot returns the settings, for Restore at the end of a transaction that is rolled back.
func (s *Session) Snapshot() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.mu.settings)
}

// Restore takes settings back to a snapshot and returns the canonical names of those that changed.
func (s *Session) Restore(old map[string]string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var changed []string
	for key := range Settings {
		was, had := old[key]
		is, has := s.mu.settings[key]
		if was != is || had != has {
			changed = append(changed, Settings[key].Name)
		}
	}
	s.mu.settings = maps.Clone(old)
	s.rezone()
	slices.Sort(changed)
	return changed
}

// Reset takes one parameter, or all of them where name is empty, back to its value at connection time.
func (s *Session) Reset(name string) ([]string, error) {
	if name == "" {
		s.mu.Lock()
		startup := s.mu.startup
		s.mu.Unlock()
		return s.Restore(startup), nil
	}
	key := strings.ToLower(name)
	def, known := Settings[key]
	if !known && !strings.Contains(key, ".") {
		return nil, Errorf(CodeUndefinedObject, "unrecognized configuration parameter \"%s\"", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.settings, key)
	if v, ok := s.mu.startup[key]; ok {
		s.mu.settings[key] = v
	}
	s.rezone()
	return []string{def.Name}, nil
}

// rezone reads the zone again after settings changed; mu is held.
func (s *Session) rezone() {
	s.mu.zone = time.UTC
	if name, ok := s.mu.settings["timezone"]; ok {
		if zone, _, err := ParseZone(name); err == nil {
			s.mu.zone = zone
		}
	}
}

// Zone is the session's time zone.
func (s *Session) Zone() *time.Location {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.zone
}

// Timeout is how long a statement may run; 0: no limit.
func (s *Session) Timeout() time.Duration {
	v, err := s.Show("statement_timeout")
	if err != nil {
		return 0
	}
	d, err := parseMillis(v)
	if err != nil {
		return 0
	}
	return d
}

// plainName is a name of an encoding without everything but letters and digits, as PostgreSQL compares them.
func plainName(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return -1
	}, strings.ToLower(s))
}
