package topic

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// InvalidError is a request about a topic that cannot be fulfilled, with the reason in words for the user.
type InvalidError struct {
	Code   *kerr.Error
	Reason string
}

// Error implements error.
func (e *InvalidError) Error() string { return e.Reason }

// Unwrap gives Kafka's error.
func (e *InvalidError) Unwrap() error { return e.Code }

const maxNameBytes = 249

// CheckName applies Kafka's rules for topic names, which are also safe as folder names.
func CheckName(name string) error {
	invalid := func(format string, args ...any) error {
		return &InvalidError{Code: kerr.InvalidTopicException, Reason: "Topic name is invalid: " + fmt.Sprintf(format, args...)}
	}
	switch {
	case name == "":
		return invalid("the empty string is not allowed")
	case name == "." || name == "..":
		return invalid("'.' or '..' is not allowed")
	case len(name) > maxNameBytes:
		return invalid("the length of '%s' is longer than the max allowed length %d", name, maxNameBytes)
	}
	for _, c := range name {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
			return invalid("'%s' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name)
		}
	}
	return nil
}

// clash reports names that differ only in '.' and '_', which metrics cannot tell apart.
func clash(a, b string) bool {
	return a != b && len(a) == len(b) && strings.ReplaceAll(a, ".", "_") == strings.ReplaceAll(b, ".", "_")
}
