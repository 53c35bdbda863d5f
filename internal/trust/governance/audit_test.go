package governance_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"myelin/internal/trust/governance"
)

// lossy is a journal whose appends end with their context, and fail when they are told to: before they wrote, or after.
type lossy struct {
	journal
	fails  []string // of the next appends: "", before or after
	during func()   // called when one is on its way
}

var errAway = errors.New("the broker went away")

func (l *lossy) Append(ctx context.Context, key string, value []byte) error {
	if l.during != nil {
		l.during()
	}
	fail := ""
	if len(l.fails) > 0 {
		fail, l.fails = l.fails[0], l.fails[1:]
	}
	if fail == "before" {
		return errAway
	}
	_ = l.journal.Append(ctx, key, value)
	if fail == "after" {
		return errAway
	}
	return ctx.Err()
}

// TestWhoHangsUpDoesNotBreakTheChain records for people who leave while their entry is on its way, and over a broker that takes
// entries without saying so: nothing of it looks like tampering.
func TestWhoHangsUpDoesNotBreakTheChain(t *testing.T) {
	l := &lossy{fails: []string{"", "after", "", "before", "after", "before", "", ""}}
	a, err := governance.OpenAudit(t.Context(), l, start, "one")
	if err != nil {
		t.Fatal(err)
	}
	done := 0
	for range 8 {
		ctx, hangUp := context.WithCancel(t.Context())
		l.during = hangUp
		if a.Record(ctx, engineer, "quarantine.mute", "g", nil) == nil {
			done++
		}
		hangUp()
	}
	l.during = nil
	v, err := a.Verify(t.Context())
	if err != nil || !v.Intact || done != 4 {
		t.Errorf("%d entries were written, and the chain is %+v, %v", done, v, err)
	}
	write(t, a, 1)
	again, err := governance.OpenAudit(t.Context(), l, start, "one")
	if err != nil {
		t.Fatal(err)
	}
	write(t, again, 1)
	if v, err = again.Verify(t.Context()); err != nil || !v.Intact {
		t.Errorf("after a restart the chain is %+v, %v", v, err)
	}
}

func TestLongTextsAreCutInTheAuditLog(t *testing.T) {
	l := &lossy{}
	a, err := governance.OpenAudit(t.Context(), l, start, "one")
	if err != nil {
		t.Fatal(err)
	}
	detail := map[string]string{"reason": strings.Repeat("é", 1<<20), "odd": "a\xffb"}
	if err := a.Record(t.Context(), engineer, "quarantine.mute", strings.Repeat("g", 1<<20), detail); err != nil {
		t.Fatal(err)
	}
	if n := len(l.records[0].value); n > 64<<10 {
		t.Errorf("the entry has %d bytes", n)
	}
	if e := a.Recent(1)[0]; !strings.HasSuffix(e.Detail["reason"], "(cut: 2097152 bytes)") || e.Detail["odd"] != "a\uFFFDb" {
		t.Errorf("the entry says %.40s and %q", e.Detail["reason"], e.Detail["odd"])
	}
	if len(detail["reason"]) != 2<<20 {
		t.Error("the caller's texts were changed")
	}
	if v, err := a.Verify(t.Context()); err != nil || !v.Intact {
		t.Errorf("the chain is %+v, %v", v, err)
	}
}
