package query

import (
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // time zones must work on machines without a zone database
)

// Setting describes one run-time parameter.
type Setting struct {
	Name, Default, Help string
	// Report: the client is told of changes (PostgreSQL §55.2.7).
	Report bool
	// Fixed parameters cannot be set.
	Fixed bool
	// Unit is shown in pg_settings ("ms").
	Unit string
}

// Settings are the run-time parameters that clients ask for, by lower-case name. Only TimeZone, statement_timeout and
// myelin.rewrites change what this server does; the others are kept and shown, so that client start-up works.
var Settings = settingsTable(
	Setting{Name: "application_name", Report: true, Help: "Name of the client program."},
	Setting{Name: "bytea_output", Default: "hex", Help: "Output format of bytea."},
	Setting{Name: "client_encoding", Default: "UTF8", Report: true, Help: "Encoding of the client."},
	Setting{Name: "client_min_messages", Default: "notice", Help: "Lowest level of messages sent to the client."},
	Setting{Name: "DateStyle", Default: "ISO, MDY", Report: true, Help: "Output format of dates."},
	Setting{Name: "default_table_access_method", Default: "heap", Help: "Access method of new tables."},
	Setting{Name: "default_tablespace", Help: "Tablespace of new tables."},
	Setting{Name: "default_transaction_isolation", Default: "read committed", Help: "Isolation of new transactions."},
	Setting{Name: "default_transaction_read_only", Default: "off", Report: true, Help: "Read-only status of new transactions."},
	Setting{Name: "extra_float_digits", Default: "1", Help: "Digits of floating-point output."},
	Setting{Name: "idle_in_transaction_session_timeout", Default: "0", Unit: "ms", Help: "Idle time allowed in a transaction."},
	Setting{Name: "in_hot_standby", Default: "off", Report: true, Fixed: true, Help: "Whether this is a standby."},
	Setting{Name: "integer_datetimes", Default: "on", Report: true, Fixed: true, Help: "Times are whole microseconds."},
	Setting{Name: "IntervalStyle", Default: "postgres", Report: true, Help: "Output format of intervals."},
	Setting{Name: "is_superuser", Default: "off", Report: true, Fixed: true, Help: "Whether the user is a superuser."},
	Setting{Name: "jit", Default: "off", Help: "Just-in-time compilation."},
	Setting{Name: "lc_collate", Default: "C", Fixed: true, Help: "Collation of text."},
	Setting{Name: "lc_ctype", Default: "C.UTF-8", Fixed: true, Help: "Character classes."},
	Setting{Name: "lc_messages", Default: "C", Help: "Language of messages."},
	Setting{Name: "lc_monetary", Default: "C", Help: "Format of money."},
	Setting{Name: "lock_timeout", Default: "0", Unit: "ms", Help: "Time allowed to wait for a lock."},
	Setting{Name: "max_identifier_length", Default: "63", Fixed: true, Help: "Longest identifier."},
	Setting{Name: "max_index_keys", Default: "32", Fixed: true, Help: "Most columns of a key."},
	Setting{Name: "myelin.rewrites", Default: "on", Help: "Whether queries are rewritten into ones that give the same rows with less work."},
	Setting{Name: "row_security", Default: "on", Help: "Row security."},
	Setting{Name: "search_path", Default: `"$user", public`, Help: "Schemas that are searched for names."},
	Setting{Name: "server_encoding", Default: "UTF8", Report: true, Fixed: true, Help: "Encoding of the database."},
	Setting{Name: "server_version", Default: ServerVersion, Report: true, Fixed: true, Help: "PostgreSQL version that is spoken."},
	Setting{Name: "server_version_num", Default: "150000", Fixed: true, Help: "PostgreSQL version as a number."},
	Setting{Name: "session_authorization", Report: true, Fixed: true, Help: "User of the session."},
	Setting{Name: "ssl", Default: "off", Fixed: true, Help: "Whether connections are encrypted."},
	Setting{Name: "standard_conforming_strings", Default: "on", Report: true, Help: "Backslashes are ordinary in strings."},
	Setting{Name: "statement_timeout", Default: "30000", Unit: "ms", Help: "Time allowed for a statement; 0: no limit."},
	Setting{Name: "synchronous_commit", Default: "on", Help: "When a commit is acknowledged."},
	Setting{Name: "TimeZone", Default: "UTC", Report: true, Help: "Zone in which times are shown and read."},
	Setting{Name: "transaction_deferrable", Default: "off", Help: "Whether the transaction may be deferred."},
	Setting{Name: "transaction_isolation", Default: "read committed", Help: "Isolation of the transaction."},
	Setting{Name: "transaction_read_only", Default: "off", Help: "Whether the transaction is read-only."},
	Setting{Name: "work_mem", Default: "65536", Unit: "kB", Help: "Memory for one operation."},
	Setting{Name: "xmloption", Default: "content", Help: "How XML is read."},
)

// ServerVersion is what clients are told. The catalog has the columns of PostgreSQL 15.
const ServerVersion = "15.0 (Myelin)"

const platform = runtime.GOARCH + "-" + runtime.GOOS

func settingsTable(list ...Setting) map[string]Setting {
	m := make(map[string]Setting, len(list))
	for _, s := range list {
		m[strings.ToLower(s.Name)] = s
	}
	return m
}

// SettingNames are the canonical names, sorted without regard to case.
func SettingNames() []string {
	var names []string
	for _, key := range slices.Sorted(maps.Keys(Settings)) {
		names = append(names, Settings[key].Name)
	}
	return names
}

// parseMillis reads "5000", "5s" or "2 min".
func parseMillis(v string) (time.Duration, error) {
	v = strings.TrimSpace(v)
	i := 0
	for i < len(v) && (v[i] >= '0' && v[i] <= '9') {
		i++
	}
	n, err := strconv.ParseInt(v[:i], 10, 32)
	if err != nil {
		return 0, err
	}
	units := map[string]time.Duration{"": time.Millisecond, "ms": time.Millisecond, "s": time.Second, "min": time.Minute,
		"h": time.Hour, "d": 24 * time.Hour, "us": time.Microsecond}
	unit, ok := units[strings.TrimSpace(v[i:])]
	if !ok {
		return 0, strconv.ErrSyntax
	}
	return time.Duration(n) * unit, nil
}

func showMillis(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d%time.Minute == 0:
		return strconv.FormatInt(int64(d/time.Minute), 10) + "min"
	case d%time.Second == 0:
		return strconv.FormatInt(int64(d/time.Second), 10) + "s"
	}
	return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
}

// ParseZone reads a time zone: a name ("Europe/Berlin", "UTC"), or an offset in hours ("+2", "-03:30", "<+02>-02").
func ParseZone(name string) (*time.Location, string, error) {
	name = strings.TrimSpace(name)
	bad := Errorf(CodeInvalidParameter, "invalid value for parameter \"TimeZone\": \"%s\"", name)
	switch strings.ToUpper(name) {
	case "", "LOCAL":
		return nil, "", bad
	case "UTC", "GMT", "Z", "DEFAULT", "ETC/UTC", "UCT":
		return time.UTC, strings.TrimPrefix(strings.ToUpper(name), "ETC/"), nil
	}
	if c := name[0]; c == '+' || c == '-' || c >= '0' && c <= '9' {
		hours, minutes, _ := strings.Cut(strings.TrimLeft(name, "+-"), ":")
		h, err := strconv.Atoi(hours)
		m := 0
		if err == nil && minutes != "" {
			m, err = strconv.Atoi(minutes)
		}
		if err != nil || h > 15 || m > 59 || m < 0 {
			return nil, "", bad
		}
		offset := h*3600 + m*60
		if c == '-' {
			offset = -offset
		}
		return time.FixedZone(name, offset), name, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, "", bad
	}
	return zone, name, nil
}
