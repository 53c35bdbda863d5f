package schema

import (
	"bytes"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"unsafe"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// format is a named check of texts. The same functions serve the compiled validator and jsonschema.
type format struct {
	name  string
	wants string // for messages
	valid func(s []byte) bool
}

// formats are the formats that the compiled validator checks itself; the other ones of JSON Schema are rare and left to
// jsonschema.
var formats = map[string]*format{
	"date-time": {"date-time", "a date and time such as 2026-11-22T14:03:05Z", validDateTime},
	"date":      {"date", "a date such as 2026-11-22", func(s []byte) bool { return len(s) == 10 && validDate(s) }},
	"time":      {"time", "a time of day with its zone such as 14:03:05Z", validTime},
	"email":     {"email", "an e-mail address", validEmail},
	"uri":       {"uri", "a full address such as https://shop.example/page", validURI},
	"uuid":      {"uuid", "a UUID such as 7f6c1a4e-0b7d-4a53-9a35-1f2e3d4c5b6a", validUUID},
	"ipv4":      {"ipv4", "an IPv4 address such as 192.0.2.7", validIPv4},
	"ipv6":      {"ipv6", "an IPv6 address such as 2001:db8::7", validIPv6},
	"hostname":  {"hostname", "a host name such as shop.example", validHostname},
}

// rareFormats are known to jsonschema only; silentFormats say how a value is stored and check nothing.
var (
	rareFormats = []string{"json-pointer", "relative-json-pointer", "duration", "uri-reference", "iri", "iri-reference", "uri-template",
		"regex", "idn-email", "idn-hostname"}
	silentFormats = []string{"double", "float", "int32", "int64", "decimal", "byte", "binary", "password"}
)

func formatNames() []string {
	return append(append(sortedKeys(formats), rareFormats...), silentFormats...)
}

// registerFormats makes jsonschema use the functions above, or check no format at all: draft-07 would by default.
func registerFormats(c *jsonschema.Compiler, assert bool) {
	if !assert {
		for _, name := range formatNames() {
			c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(any) error { return nil }})
		}
		return
	}
	for name, f := range formats {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(v any) error {
			if s, ok := v.(string); ok && !f.valid([]byte(s)) {
				return fmt.Errorf("not %s", f.wants)
			}
			return nil
		}})
	}
}

func digitsAt(s []byte, at, n int) (int, bool) {
	v := 0
	for _, c := range s[at : at+n] {
		if c -= '0'; c > 9 {
			return 0, false
		}
		v = v*10 + int(c)
	}
	return v, true
}

var daysIn = [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

// validDate checks that s starts with a full date of RFC 3339.
func validDate(s []byte) bool {
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return false
	}
	y, ok1 := digitsAt(s, 0, 4)
	m, ok2 := digitsAt(s, 5, 2)
	d, ok3 := digitsAt(s, 8, 2)
	if !ok1 || !ok2 || !ok3 || m < 1 || m > 12 || d < 1 {
		return false
	}
	days := daysIn[m-1]
	if m == 2 && y%4 == 0 && (y%100 != 0 || y%400 == 0) {
		days = 29
	}
	return d <= days
}

func validDateTime(s []byte) bool {
	return len(s) >= 20 && validDate(s) && (s[10] == 'T' || s[10] == 't') && validTime(s[11:])
}

// validTime checks a full-time of RFC 3339, leap seconds included: they happen at 23:59:60 UTC.
func validTime(s []byte) bool {
	if len(s) < 9 || s[2] != ':' || s[5] != ':' {
		return false
	}
	h, ok1 := digitsAt(s, 0, 2)
	m, ok2 := digitsAt(s, 3, 2)
	sec, ok3 := digitsAt(s, 6, 2)
	if !ok1 || !ok2 || !ok3 || h > 23 || m > 59 || sec > 60 {
		return false
	}
	s = s[8:]
	if s[0] == '.' {
		n := 1
		for n < len(s) && s[n]-'0' <= 9 {
			n++
		}
		if n == 1 || n == len(s) {
			return false
		}
		s = s[n:]
	}
	offset := 0
	switch {
	case len(s) == 1 && s[0]|0x20 == 'z':
	case len(s) == 6 && (s[0] == '+' || s[0] == '-') && s[3] == ':':
		oh, ok1 := digitsAt(s, 1, 2)
		om, ok2 := digitsAt(s, 4, 2)
		if !ok1 || !ok2 || oh > 23 || om > 59 {
			return false
		}
		offset = oh*60 + om
		if s[0] == '+' {
			offset = -offset
		}
	default:
		return false
	}
	if sec < 60 {
		return true
	}
	utc := ((h*60+m+offset)%1440 + 1440) % 1440
	return utc == 23*60+59
}

// validEmail checks what a mail server could deliver to: RFC 5321 with dot-atoms or a quoted local part.
func validEmail(s []byte) bool {
	at := bytes.LastIndexByte(s, '@')
	if at < 1 || at > 64 || len(s) > 254 {
		return false
	}
	local, domain := s[:at], s[at+1:]
	if len(local) >= 2 && local[0] == '"' && local[len(local)-1] == '"' {
		if bytes.ContainsAny(local[1:len(local)-1], "\"\\") {
			return false
		}
	} else if !dotAtom(local) {
		return false
	}
	if len(domain) > 2 && domain[0] == '[' && domain[len(domain)-1] == ']' {
		ip := domain[1 : len(domain)-1]
		if v6, ok := bytes.CutPrefix(ip, []byte("IPv6:")); ok {
			return validIPv6(v6)
		}
		return validIPv4(ip)
	}
	return validHostname(domain)
}

func dotAtom(s []byte) bool {
	dot := true // a dot may not come first, last or twice
	for _, c := range s {
		switch {
		case c == '.':
			if dot {
				return false
			}
			dot = true
			continue
		case c >= 0x80, c|0x20 >= 'a' && c|0x20 <= 'z', c >= '0' && c <= '9', strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0:
		default:
			return false
		}
		dot = false
	}
	return !dot
}

// validHostname checks RFC 1123 labels.
func validHostname(s []byte) bool {
	s = bytes.TrimSuffix(s, []byte("."))
	if len(s) == 0 || len(s) > 253 {
		return false
	}
	start := 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] != '.' {
			c := s[i]
			if !(c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '-') {
				return false
			}
			continue
		}
		if i == start || i-start > 63 || s[start] == '-' || s[i-1] == '-' {
			return false
		}
		start = i + 1
	}
	return true
}

// validURI checks for an absolute URI; characters that RFC 3986 wants escaped are refused.
func validURI(s []byte) bool {
	colon := bytes.IndexByte(s, ':')
	if colon < 1 || s[0]|0x20 < 'a' || s[0]|0x20 > 'z' {
		return false
	}
	for i, c := range s {
		switch {
		case c <= ' ', c >= 0x7f, strings.IndexByte("\"<>\\^`{|}", c) >= 0:
			return false
		case c == '%' && (i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2])):
			return false
		}
	}
	if plainWeb(s) {
		return true
	}
	u, err := url.Parse(string(s))
	return err == nil && u.IsAbs()
}

// plainWeb reports whether s is http(s)://host/path… without a port, user or brackets, which is nearly all there is.
func plainWeb(s []byte) bool {
	rest, ok := bytes.CutPrefix(s, []byte("https://"))
	if !ok {
		if rest, ok = bytes.CutPrefix(s, []byte("http://")); !ok {
			return false
		}
	}
	host := rest
	if end := bytes.IndexAny(rest, "/?#"); end >= 0 {
		host, rest = rest[:end], rest[end:]
	} else {
		rest = nil
	}
	return validHostname(host) && bytes.IndexByte(rest, '[') < 0 && bytes.IndexByte(rest, ']') < 0
}

func isHex(c byte) bool { return c-'0' <= 9 || c|0x20-'a' <= 5 }

func validUUID(s []byte) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range s {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if !isHex(c) {
			return false
		}
	}
	return true
}

func validIPv4(s []byte) bool {
	part, digits, dots := 0, 0, 0
	for _, c := range s {
		if c == '.' {
			if digits == 0 || dots == 3 {
				return false
			}
			dots++
			part, digits = 0, 0
			continue
		}
		if c -= '0'; c > 9 || digits > 0 && part == 0 {
			return false
		}
		part = part*10 + int(c)
		if digits++; part > 255 {
			return false
		}
	}
	return dots == 3 && digits > 0
}

func validIPv6(s []byte) bool {
	if len(s) > 45 || bytes.IndexByte(s, '%') >= 0 || len(s) == 0 {
		return false
	}
	// ParseAddr keeps the text only for a zone, which is ruled out above, so it may look at our bytes.
	a, err := netip.ParseAddr(unsafe.String(&s[0], len(s)))
	return err == nil && a.Is6()
}
