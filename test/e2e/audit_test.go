package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestTamperingWithTheAuditLogShows does things that are noted, and then tries to have them forgotten over Kafka: writing the log and
// deleting it is refused, and the entries that an administrator takes out of it are missed by everybody who checks.
func TestTamperingWithTheAuditLogShows(t *testing.T) {
	s := run(t, shop)
	type found struct {
		Entries int64
		Intact  bool
		Breaks  []struct{ Reason string }
	}
	verify := func() (v found) {
		if err := s.get("/api/audit/verify", &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	var done struct{ Success bool }
	for i := range 4 {
		s.ask("/api/quarantine/mute", fmt.Sprintf(`{"group":"g%d","reason":"known since the %d."}`, i, i+1), &done)
	}
	if v := verify(); !v.Intact || v.Entries != 4 {
		t.Fatalf("before: %+v", v)
	}
	var log struct {
		Entries []struct {
			Action, Object string
			Detail         map[string]string
		}
	}
	if err := s.get("/api/audit", &log); err != nil || len(log.Entries) != 4 || log.Entries[0].Action != "quarantine.mute" || log.Entries[0].Object != "g3" || log.Entries[0].Detail["reason"] != "known since the 4." {
		t.Errorf("the log is %+v, %v", log, err)
	}

	client, err := kgo.NewClient(kgo.SeedBrokers(s.kafka))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "myelin.audit", Value: []byte(`{}`)}).FirstErr(); err == nil {
		t.Error("a forged entry was taken")
	}
	if got, err := admin.DeleteTopics(t.Context(), "myelin.audit"); err != nil || got["myelin.audit"].Err != kerr.PolicyViolation {
		t.Errorf("deleting it: %+v, %v", got, err)
	}
	var cut kadm.Offsets
	cut.AddOffset("myelin.audit", 0, 2, -1)
	if got, err := admin.DeleteRecords(t.Context(), cut); err != nil || got.Error() != nil {
		t.Fatalf("taking entries out: %v, %v", got, err)
	}
	eventually(t, patience, func() error {
		v := verify()
		if v.Intact || !slices.ContainsFunc(v.Breaks, func(b struct{ Reason string }) bool { return strings.Contains(b.Reason, "follows entry 0") }) {
			return fmt.Errorf("afterwards: %+v", v)
		}
		return nil
	})
	s.kill()
	s.start()
	if v := verify(); v.Intact {
		t.Errorf("after a restart: %+v", v)
	}
}
