package schema

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"myelin/internal/event"
)

// TestDocumentedPlansCompile reads the plans that the reference shows.
func TestDocumentedPlansCompile(t *testing.T) {
	text, err := os.ReadFile("../../../docs/reference/tracking-plan.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		n++
		if _, err := Parse("tracking-plan.md", []byte(m[1])); err != nil {
			t.Error(err)
		}
	}
	if n == 0 {
		t.Error("the reference shows no plan")
	}
}

// TestEveryCodeIsDocumented holds the reference to the codes that there are.
func TestEveryCodeIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../docs/reference/violation-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	codes := []event.Code{event.NoID, event.IDTooLong, event.BadTimestamp, event.FutureTimestamp, event.TooLarge, event.BadJSON, event.NotAnObject,
		event.UnknownType, event.UnknownSource, event.UnplannedEvent, event.MisspelledEvent, event.SchemaViolation, event.VersionUnknown, "duplicate_unique"}
	for _, c := range ruleCodes {
		codes = append(codes, event.Code(c))
	}
	for _, c := range codes {
		if !strings.Contains(string(text), "`"+string(c)+"`") {
			t.Errorf("docs/reference/violation-codes.md does not explain %s", c)
		}
	}
}
