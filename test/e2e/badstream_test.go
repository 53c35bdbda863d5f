package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestBadRecordsOfAPlainTopicStopNoView writes all sorts of bad records to a topic of others, from a Kafka client into the running
// program: what can be read is in the view, the rest in its ledger, and the view goes on.
func TestBadRecordsOfAPlainTopicStopNoView(t *testing.T) {
	s := run(t, shop.with(project{"sql/wild.sql": `
CREATE SOURCE wild (id BIGINT, n BIGINT, x NUMERIC, f DOUBLE PRECISION, s TEXT, j JSONB, at TIMESTAMPTZ, WATERMARK FOR at AS at - INTERVAL '1 second')
	WITH (topic = 'wild');
CREATE MATERIALIZED VIEW wild_rows AS SELECT id, 10 / n AS share, x, f, length(s) AS s FROM wild;
CREATE MATERIALIZED VIEW wild_sums AS SELECT count(*) AS rows, sum(n) AS s, max(n + 1) AS m FROM wild WHERE n > 100;
CREATE MATERIALIZED VIEW wild_minutes AS SELECT window_start, count(*) AS n FROM tumble(wild, at, INTERVAL '1 minute') GROUP BY window_start, window_end EMIT ON WINDOW CLOSE;
`}))
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.kafka), kgo.AllowAutoTopicCreation(), kgo.ProducerBatchMaxBytes(20<<20), kgo.BrokerMaxWriteBytes(64<<20))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	sent := 0
	put := func(key []byte, value string) {
		t.Helper()
		r := &kgo.Record{Topic: "wild", Key: key, Value: []byte(value)}
		if value == "tombstone" {
			r.Value = nil
		}
		if err := cl.ProduceSync(ctx, r).FirstErr(); err != nil {
			t.Fatalf("%.60q: %v", value, err)
		}
		sent++
	}
	now := time.Now().UTC().Add(-10 * time.Minute).Truncate(time.Minute)
	at := func(id, n int, at time.Time) string {
		return fmt.Sprintf(`{"id":%d,"n":%d,"at":%q}`, id, n, at.Format(time.RFC3339))
	}
	// bad are records that are no JSON objects, misfits values that fit no column.
	for _, bad := range []string{"not json", `{"id":`, "[1,2]", "7", "", strings.Repeat("[", 10_000), strings.Repeat(`{"j":`, 10_000)} {
		put([]byte("k"), bad)
	}
	put([]byte("k"), "tombstone")
	// Ten megabytes in one value: taken whole, or refused clearly. See message.max.bytes.
	big := fmt.Sprintf(`{"id":12,"n":1,"s":%q}`, strings.Repeat("x", 10<<20))
	err = cl.ProduceSync(ctx, &kgo.Record{Topic: "wild", Value: []byte(big)}).FirstErr()
	taken := err == nil
	if !taken && !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("ten megabytes: %v", err)
	}
	t.Logf("ten megabytes are taken: %v", taken)
	// Times do not go back further than a second from here on: what is late depends on nothing but them.
	put(nil, at(6, 3, time.Date(1970, 1, 1, 0, 0, 1, 0, time.UTC)))
	put([]byte{}, at(1, 5, now))
	put(nil, at(2, 0, now)) // divides by zero
	put([]byte("\xff\x00"), `{"id":3,"n":2,"x":1e400,"f":1e400,"s":{"deep":1}}`)
	put(nil, `{"id":4,"n":`+strings.Repeat("9", 40)+`,"x":"nine","f":-0}`)
	put(nil, `{"id":5,"n":1,"j":`+strings.Repeat("[", 10_001)+strings.Repeat("]", 10_001)+`,"s":"`+"\xff"+`"}`)
	put(nil, at(7, 3, time.Date(2070, 1, 1, 0, 0, 1, 0, time.UTC)))
	put(nil, `{"id":8,"n":9223372036854775807}`)
	put(nil, `{"id":9,"n":9223372036854775806}`)
	put(nil, at(10, 4, now.Add(time.Second))) // would be late, had the watermark followed the year 2070
	put(nil, at(13, 2, now))
	put(nil, at(11, 4, now.Add(2*time.Minute))) // closes the window of all others

	eventually(t, patience, func() error {
		rows, err := s.query("SELECT id, share FROM wild_rows WHERE id <> 12 ORDER BY id")
		if err == nil && strings.Join(rows, " ") != "1|2 3|5 4| 5|10 6|3 7|3 8|0 9|0 10|2 11|2 13|5" {
			err = fmt.Errorf("wild_rows has %q", rows)
		}
		return err
	})
	if rows, err := s.query("SELECT * FROM wild_sums"); err != nil || strings.Join(rows, " ") != "1|9223372036854775806|9223372036854775807" {
		t.Errorf("wild_sums has %q, %v", rows, err)
	}
	if taken {
		if rows, err := s.query("SELECT s FROM wild_rows WHERE id = 12"); err != nil || strings.Join(rows, " ") != fmt.Sprint(10<<20) {
			t.Errorf("the large value: %q, %v", rows, err)
		}
	}
	eventually(t, patience, func() error {
		rows, err := s.query("SELECT to_char(window_start, 'YYYY-MM-DD HH24:MI'), n FROM wild_minutes ORDER BY 1")
		if got := strings.Join(rows, " "); err == nil && got != "1970-01-01 00:00|1 "+now.Format("2006-01-02 15:04")+"|4" {
			err = fmt.Errorf("wild_minutes has %q", rows)
		}
		return err
	})
	type ledger struct {
		Errors, Late, Ahead int64
		Misfits             []struct {
			Column string
			Count  int64
		}
		ErrorRows, LateRows []struct{ Reason, Event string }
	}
	read := func(view string) (l ledger) {
		t.Helper()
		if err := s.get("/api/views/"+view+"/ledger", &l); err != nil {
			t.Fatal(err)
		}
		return l
	}
	l := read("wild_rows")
	if got := fmt.Sprint(l.Misfits); l.Errors != 8 || got != "[{f 1} {n 1} {s 1} {x 2}]" {
		t.Errorf("the ledger counts %d errors and misfits %s", l.Errors, got)
	}
	found := false
	for _, r := range l.ErrorRows {
		found = found || r.Reason == "division by zero" && strings.Contains(r.Event, `"id":2,`)
	}
	if !found {
		t.Errorf("the ledger does not name the division by zero: %.2000v", l.ErrorRows)
	}
	if l := read("wild_sums"); l.Errors < 8 {
		t.Errorf("the number out of range is not told: %+v", l.Errors)
	}
	if l := read("wild_minutes"); l.Ahead != 1 || !strings.Contains(fmt.Sprint(l.LateRows), "2070") {
		t.Errorf("the event of 2070 is not told: %.2000v", l)
	}
	s.alive("after-bad-records")
}
