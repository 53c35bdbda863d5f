package event

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/tape"
)

var received = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func base() Base {
	return Base{Source: "web", ReceivedAt: received.UnixMicro(), BatchContext: -1, BatchIntegrations: -1}
}

// read reads src as one call and returns the canonical JSON.
func read(t testing.TB, src string, b Base) (string, *Event, *Verdict) {
	t.Helper()
	var d tape.Doc
	if err := d.Parse([]byte(src)); err != nil {
		t.Fatal(err)
	}
	e, v := new(Event), new(Verdict)
	Read(e, &d, 0, &b, v)
	out := AppendCanonical(nil, e, v, Meta{Source: "web", Protocol: "segment"})
	if !json.Valid(out) {
		t.Fatalf("canonical text is not JSON: %s", out)
	}
	return string(out), e, v
}

func codes(v *Verdict) string {
	var out []string
	for _, x := range v.Violations {
		out = append(out, fmt.Sprintf("%s%s/%s", x.Code, strings.ReplaceAll(x.Path, "/", ":"), x.Severity))
	}
	return strings.Join(out, " ")
}

func TestCanonicalShape(t *testing.T) {
	const ok = `,"myelin":{"source":"web","protocol":"segment","status":"valid","violations":[]}}`
	for _, c := range []struct{ name, in, want string }{
		{"node track", `{"timestamp":"2026-11-22T11:51:27.175Z","integrations":{},"event":"Order Completed","type":"track","properties":{"a": [1, 2.50]},"context":{"ip":"1.2.3.4"},"userId":"u1","messageId":"m1","_metadata":{"x":1}}`,
			`{"messageId":"m1","type":"track","event":"Order Completed","userId":"u1","timestamp":"2026-11-22T11:51:27.175Z","originalTimestamp":"2026-11-22T11:51:27.175Z","receivedAt":"2026-11-22T12:00:00.000Z","context":{"ip":"1.2.3.4"},"properties":{"a": [1, 2.50]},"integrations":{},"_metadata":{"x":1}` + ok},
		{"null ids are absent", `{"type":"page","name":"Home","category":"Docs","userId":null,"anonymousId":"a1","messageId":"m","properties":null}`,
			`{"messageId":"m","type":"page","name":"Home","anonymousId":"a1","timestamp":"2026-11-22T12:00:00.000Z","receivedAt":"2026-11-22T12:00:00.000Z","category":"Docs"` + ok},
		{"numbers become text", `{"type":"group","userId":42,"groupId":7.50,"messageId":1,"traits":{"n":1}}`,
			`{"messageId":"1","type":"group","userId":"42","groupId":"7.50","timestamp":"2026-11-22T12:00:00.000Z","receivedAt":"2026-11-22T12:00:00.000Z","traits":{"n":1}` + ok},
		{"alias", `{"type":"alias","userId":"u","previousId":"\u00fc\"","messageId":"m"}`,
			`{"messageId":"m","type":"alias","userId":"u","previousId":"ü\"","timestamp":"2026-11-22T12:00:00.000Z","receivedAt":"2026-11-22T12:00:00.000Z"` + ok},
		{"secret and forged verdict are dropped", `{"type":"identify","userId":"u","messageId":"m","writeKey":"k","myelin":{"status":"valid"},"receivedAt":"2020-01-01T00:00:00Z","channel":"web"}`,
			`{"messageId":"m","type":"identify","userId":"u","timestamp":"2026-11-22T12:00:00.000Z","receivedAt":"2026-11-22T12:00:00.000Z","channel":"web"` + ok},
		{"name of a track is an extra", `{"type":"track","event":"E","name":"n","userId":"u","messageId":"m"}`,
			`{"messageId":"m","type":"track","event":"E","userId":"u","timestamp":"2026-11-22T12:00:00.000Z","receivedAt":"2026-11-22T12:00:00.000Z","name":"n"` + ok},
		{"last duplicate counts", `{"type":"track","event":"A","event":"B","userId":"u","userId":"w","messageId":"m","properties":{"a":1},"properties":{"b":2}}`,
			`{"messageId":"m","type":"track","event":"B","userId":"w","timestamp":"2026-11-22T12:00:00.000Z","receivedAt":"2026-11-22T12:00:00.000Z","properties":{"b":2}` + ok},
		{"type from event alone", `{"event":"E","userId":"u","messageId":"m"}`,
			`{"messageId":"m","type":"track","event":"E","userId":"u","timestamp":"2026-11-22T12:00:00.000Z","receivedAt":"2026-11-22T12:00:00.000Z"` + ok},
	} {
		got, _, _ := read(t, c.in, base())
		if got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestWhatIsWrongIsSaidAndKept(t *testing.T) {
	for _, c := range []struct{ in, codes, keeps string }{
		{`{"type":"track","event":"E","messageId":"m"}`, "no_id:userId/error", `"status":"quarantined"`},
		{`{"type":"track","event":"E","messageId":"m","userId":"","anonymousId":null}`, "no_id:userId/error", ``},
		{`{"type":"track","userId":"u","messageId":"m","properties":{"a":1}}`, "required_missing:event/error", `"properties":{"a":1}`},
		{`{"type":"track","event":"","userId":"u","messageId":"m"}`, "required_missing:event/error", ``},
		{`{"type":"track","event":{"x":1},"userId":"u","messageId":"m"}`, "type_mismatch:event/error", `"event":{"x":1}`},
		{`{"type":"audience","userId":"u","messageId":"m","properties":{"a":1}}`, "unknown_type:type/error", `"type":"audience","myelin"`},
		{`{"type":7,"userId":"u","messageId":"m"}`, "unknown_type:type/error", `"type":7`},
		{`{"userId":"u","messageId":"m"}`, "unknown_type:type/error", ``},
		{`5`, "not_an_object/error", `"raw":5`},
		{`["a"]`, "not_an_object/error", `"raw":["a"]`},
		{`{"type":"track","event":"E","userId":{"id":1},"anonymousId":"a","messageId":"m"}`, "type_mismatch:userId/error", `"userId":{"id":1}`},
		{`{"type":"track","event":"E","userId":"u","properties":"x","context":[1],"messageId":"m"}`, "type_mismatch:properties/error type_mismatch:context/error", `"properties":"x","context":[1]`},
		{`{"type":"track","event":"E","userId":"u","timestamp":"yesterday","messageId":"m"}`, "bad_timestamp:timestamp/error", `"timestamp":"2026-11-22T12:00:00.000Z","originalTimestamp":"yesterday","receivedAt":"2026-11-22T12:00:00.000Z","myelin"`},
		{`{"type":"track","event":"E","userId":"u","messageId":{"a":1},"properties":"x","properties":{}}`, "type_mismatch:messageId/error type_mismatch:properties/error", `,"properties":{},"myelin"`},
		{`{"type":"track","event":"E","userId":"u","messageId":"m","properties":{"a":"` + strings.Repeat("x", 901<<10) + `"}}`, "too_large/error", `"raw":"{\"type\":\"track\"`},
		{`{"type":"track","event":"E","userId":"u","originalTimestamp":true,"messageId":"m"}`, "bad_timestamp:originalTimestamp/error", `"originalTimestamp":true`},
		{`{"type":"track","event":"E","userId":"u","sentAt":"soon","timestamp":"2026-11-22T11:00:00Z","messageId":"m"}`, "bad_timestamp:sentAt/warn", `"timestamp":"2026-11-22T11:00:00.000Z"`},
		{`{"type":"track","event":"E","userId":"u","timestamp":"2027-11-22T11:00:00Z","messageId":"m"}`, "future_timestamp:timestamp/warn", `"timestamp":"2026-11-23T12:00:00.000Z","originalTimestamp":"2027-11-22T11:00:00.000Z"`},
		{`{"type":"track","event":"E","userId":"u","messageId":"` + strings.Repeat("é", 100) + `"}`, "", ``},
		{`{"type":"track","event":"E","userId":"u","messageId":"` + strings.Repeat("é", 101) + `"}`, "id_too_long:messageId/warn", ``},
		{`{"type":"track","event":"E","userId":"` + strings.Repeat("x", 513) + `","messageId":"m"}`, "id_too_long:userId/error", ``},
		{`{"type":"track","event":"E","userId":"u","messageId":"m","properties":{"a":"` + strings.Repeat("x", 33<<10) + `"}}`, "too_large/warn", ``},
		{`{"type":"track","event":"E","userId":"u","messageId":"m","properties":{"a":"` + strings.Repeat("x", 257<<10) + `"}}`, "too_large/error", ``},
	} {
		got, _, v := read(t, c.in, base())
		if codes(v) != c.codes || !strings.Contains(got, c.keeps) {
			t.Errorf("%.200s\n got %s\nwant %s\n in %.400s should be %s", c.in, codes(v), c.codes, got, c.keeps)
		}
		var back any
		if err := json.Unmarshal([]byte(got), &back); err != nil || reservedTwice(got) {
			t.Errorf("%.400s: %v", got, err)
		}
		if want := strings.Contains(c.codes, "/error"); want != (v.Status == Quarantined) {
			t.Errorf("%.200s: %s", c.in, v.Status)
		}
	}
}

// reservedTwice reports whether the top level of an event has a key twice.
func reservedTwice(text string) bool {
	var d tape.Doc
	if d.Parse([]byte(text)) != nil {
		return true
	}
	seen := map[string]bool{}
	for k := range d.Members(0) {
		key := string(d.Bytes(k))
		if seen[key] {
			return true
		}
		seen[key] = true
	}
	return false
}

func TestClockSkewIsPutRight(t *testing.T) {
	for _, c := range []struct{ name, original, sent, want string }{
		{"sender an hour behind", "10:59:50.000Z", "11:00:00.000Z", "2026-11-22T11:59:50.000Z"},
		{"sender an hour ahead", "12:59:50.000Z", "13:00:00.000Z", "2026-11-22T11:59:50.000Z"},
		{"a second is the network", "11:59:50.000Z", "11:59:59.000Z", "2026-11-22T11:59:50.000Z"},
		{"two seconds are not", "11:59:50.000Z", "11:59:58.000Z", "2026-11-22T11:59:52.000Z"},
		{"python's microseconds", "10:59:50.131042+00:00", "11:00:00+00:00", "2026-11-22T11:59:50.131042Z"},
		{"no sentAt", "10:59:50.000Z", "", "2026-11-22T10:59:50.000Z"},
	} {
		sent := ""
		if c.sent != "" {
			sent = `"sentAt":"2026-11-22T` + c.sent + `",`
		}
		for _, field := range []string{"timestamp", "originalTimestamp"} {
			_, e, v := read(t, `{"type":"track","event":"E","userId":"u",`+sent+`"`+field+`":"2026-11-22T`+c.original+`"}`, base())
			if got := string(AppendTime(nil, e.Timestamp)); got != c.want || v.Status != Accepted {
				t.Errorf("%s: %s, want %s", c.name, got, c.want)
			}
		}
	}
}

func TestBatchMembersCountForItsEvents(t *testing.T) {
	src := `{"writeKey":"k","sentAt":"2026-11-22T11:00:00Z","context":{"library":{"name":"go"},"ip":"1.1.1.1"},"integrations":{"All":false},"userId":9,"batch":[
		{"type":"track","event":"A","messageId":"1"},
		{"type":"track","event":"B","messageId":"2","userId":"own","context":{"ip":"2.2.2.2"},"integrations":{"X":true},"timestamp":"2026-11-22T10:00:00Z"},
		{"type":"track","event":"C","messageId":"3","anonymousId":"anon","context":{},"sentAt":"2026-11-22T11:30:00Z","timestamp":"2026-11-22T11:00:00Z"}]}`
	var d tape.Doc
	if err := d.Parse([]byte(src)); err != nil {
		t.Fatal(err)
	}
	b := base()
	batch := b.ReadBatch(&d, 0)
	var got []string
	for i := range d.Elements(batch) {
		var e Event
		var v Verdict
		Read(&e, &d, i, &b, &v)
		if v.Status != Accepted {
			t.Error(codes(&v))
		}
		out := string(AppendCanonical(nil, &e, &v, Meta{}))
		got = append(got, out[:strings.Index(out, `,"myelin"`)])
		if x := e.ContextField("library"); x < 0 {
			t.Error("the batch's library should count")
		}
	}
	want := []string{
		`{"messageId":"1","type":"track","event":"A","userId":"9","timestamp":"2026-11-22T12:00:00.000Z","sentAt":"2026-11-22T11:00:00.000Z","receivedAt":"2026-11-22T12:00:00.000Z","context":{"library":{"name":"go"},"ip":"1.1.1.1"},"integrations":{"All":false}`,
		`{"messageId":"2","type":"track","event":"B","userId":"own","timestamp":"2026-11-22T11:00:00.000Z","originalTimestamp":"2026-11-22T10:00:00.000Z","sentAt":"2026-11-22T11:00:00.000Z","receivedAt":"2026-11-22T12:00:00.000Z","context":{"library":{"name":"go"},"ip":"2.2.2.2"},"integrations":{"All":false,"X":true}`,
		`{"messageId":"3","type":"track","event":"C","anonymousId":"anon","timestamp":"2026-11-22T11:30:00.000Z","originalTimestamp":"2026-11-22T11:00:00.000Z","sentAt":"2026-11-22T11:30:00.000Z","receivedAt":"2026-11-22T12:00:00.000Z","context":{"library":{"name":"go"},"ip":"1.1.1.1"},"integrations":{"All":false}`,
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("event %d\n got %s\nwant %s", i, got[i], want[i])
		}
	}
}

func TestMissingMessageID(t *testing.T) {
	const src = `{"type":"track","event":"E","userId":"u","sentAt":"2026-11-22T11:00:00Z"}`
	const later = `{"type":"track","event":"E","userId":"u","sentAt":"2026-11-22T11:00:09Z"}`
	id := func(src string, retry bool, position int) string {
		b := base()
		b.Retry, b.Position = retry, position
		_, e, _ := read(t, src, b)
		return string(e.MessageID)
	}
	if a, b := id(src, false, 0), id(src, false, 0); a == b || len(a) != 36 || a[14] != '7' {
		t.Errorf("two first tries should differ: %s, %s", a, b)
	}
	if a, b := id(src, true, 0), id(later, true, 0); a != b || a[14] != '8' {
		t.Errorf("two retries should agree: %s, %s", a, b)
	}
	if a, b := id(src, true, 0), id(src, true, 1); a == b {
		t.Error("two equal events of one batch are two events")
	}
	if a := id(`{"type":"track","event":"E","userId":"u","messageId":""}`, false, 0); len(a) != 36 {
		t.Errorf("an empty id is no id: %q", a)
	}
}

func TestReadRecord(t *testing.T) {
	now := received.Add(time.Minute)
	rec := func(value string, ts time.Time) *kgo.Record {
		return &kgo.Record{Topic: "events.in", Partition: 2, Offset: 77, Value: []byte(value), Timestamp: ts}
	}
	for _, c := range []struct {
		name, value string
		ts          time.Time
		codes, want string
	}{
		{"bare", `{"event":"E","userId":"u"}`, received, "", `"timestamp":"2026-11-22T12:00:00.000Z","receivedAt":"2026-11-22T12:00:00.000Z"`},
		{"own receivedAt", `{"event":"E","userId":"u","messageId":"m","receivedAt":"2026-11-22T11:00:00Z"}`, received, "", `"timestamp":"2026-11-22T11:00:00.000Z","receivedAt":"2026-11-22T11:00:00.000Z"`},
		{"canonical again", `{"type":"track","event":"E","userId":"u","messageId":"m","timestamp":"2026-11-22T10:30:00Z","originalTimestamp":"2026-11-22T09:30:00Z","sentAt":"2026-11-22T10:00:00Z","receivedAt":"2026-11-22T11:00:00Z","myelin":{"status":"quarantined"}}`, received, "",
			`"timestamp":"2026-11-22T10:30:00.000Z","originalTimestamp":"2026-11-22T09:30:00.000Z","sentAt":"2026-11-22T10:00:00.000Z","receivedAt":"2026-11-22T11:00:00.000Z","myelin"`},
		{"record from the future", `{"event":"E","userId":"u","receivedAt":"2099-01-01T00:00:00Z"}`, now.AddDate(50, 0, 0), "", `"timestamp":"2026-11-22T12:01:00.000Z","receivedAt":"2026-11-22T12:01:00.000Z"`},
		{"no record time", `{"event":"E","userId":"u"}`, time.UnixMilli(-1), "", `"timestamp":"2026-11-22T12:01:00.000Z"`},
		{"event from the future", `{"event":"E","userId":"u","receivedAt":"2026-11-22T11:00:00Z","timestamp":"2099-01-01T00:00:00Z","originalTimestamp":"2099-01-01T00:00:00Z"}`, received, "future_timestamp:originalTimestamp/warn", `"timestamp":"2026-11-23T11:00:00.000Z"`},
		{"not JSON", "hello \"x\"", received, "bad_json/error", `"raw":"hello \"x\""`},
		{"not text", "\xff\x00", received, "bad_json/error", `"rawBase64":"/wA="`},
		{"empty", "", received, "bad_json/error", `"raw":""`},
		{"not an object", "[1]", received, "not_an_object/error", `"raw":[1]`},
	} {
		var d tape.Doc
		var e Event
		var v Verdict
		ReadRecord(&e, &d, rec(c.value, c.ts), now, &v)
		out := AppendCanonical(nil, &e, &v, Meta{Source: "s", Protocol: "kafka"})
		if !json.Valid(out) || !strings.Contains(string(out), c.want) || codes(&v) != c.codes {
			t.Errorf("%s: %s\n got %s\nwant %s", c.name, codes(&v), out, c.want)
		}
		first := string(e.MessageID)
		ReadRecord(&e, &d, rec(c.value, c.ts), now, &v)
		if first == "" || string(e.MessageID) != first {
			t.Errorf("%s: the id should be the same when read again: %s, %s", c.name, first, e.MessageID)
		}
	}
}

func TestClaim(t *testing.T) {
	var d tape.Doc
	r := &kgo.Record{Value: []byte(`{"writeKey":"wk"}`)}
	if err := d.Parse(r.Value); err != nil {
		t.Fatal(err)
	}
	if s, k := Claim(&d, r); s != nil || string(k) != "wk" {
		t.Errorf("%s, %s", s, k)
	}
	r.Headers = []kgo.RecordHeader{{Key: "source", Value: []byte("backend")}}
	if s, k := Claim(&d, r); string(s) != "backend" || k != nil {
		t.Errorf("%s, %s", s, k)
	}
}

const order600 = `{"timestamp":"2026-11-20T10:00:00.000Z","integrations":{},"event":"Order Completed","type":"track","properties":{"order_id":"o-100234","revenue":129.5,"tax":12.25,"shipping":4.9,"currency":"EUR","coupon":"AUTUMN","products":[{"product_id":"p-77123","name":"Trail shoe \"Ridge\"","price":89.5,"quantity":1},{"product_id":"p-88341","name":"Wool sock","price":20,"quantity":2}]},"context":{"ip":"203.0.113.7","campaign":{"source":"google","medium":"cpc","name":"autumn"},"library":{"name":"@segment/analytics-node","version":"3.1.0"}},"userId":"user-4711","messageId":"node-next-1795348287175-e429ce04-1abf-444c-8c14-3fd9b8b9d6c2"}`

func BenchmarkReadAndWrite(b *testing.B) {
	var d tape.Doc
	if err := d.Parse([]byte(order600)); err != nil {
		b.Fatal(err)
	}
	bs := base()
	var e Event
	var v Verdict
	var out []byte
	b.SetBytes(int64(len(order600)))
	b.ReportAllocs()
	for b.Loop() {
		v.Reset()
		Read(&e, &d, 0, &bs, &v)
		out = AppendCanonical(out[:0], &e, &v, Meta{Source: "web", Protocol: "segment"})
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(order600), false)
	f.Add([]byte(`{"batch":[{"type":"page","name":"x"},5,null],"context":{"a":1},"sentAt":"1"}`), true)
	f.Add([]byte(`{"type":"\u0074rack","event":"","userId":1e5,"properties":[],"timestamp":"2026-02-30"}`), true)
	f.Fuzz(func(t *testing.T, src []byte, retry bool) {
		var d tape.Doc
		var e Event
		var v Verdict
		m := Meta{Source: "s", Protocol: "p"}
		ReadRecord(&e, &d, &kgo.Record{Value: src}, received, &v)
		if out := AppendCanonical(nil, &e, &v, m); !json.Valid(out) {
			t.Fatalf("%q became %q", src, out)
		}
		if d.Parse(src) != nil {
			return
		}
		b := base()
		b.Retry = retry
		batch := b.ReadBatch(&d, 0)
		for i := range d.Elements(batch) {
			v.Reset()
			Read(&e, &d, i, &b, &v)
			out := AppendCanonical(nil, &e, &v, m)
			var back map[string]json.RawMessage
			if err := json.Unmarshal(out, &back); err != nil {
				t.Fatalf("%q became %q: %v", d.Raw(i), out, err)
			}
			if len(back["messageId"]) < 3 || len(back["timestamp"]) < 3 || len(back["receivedAt"]) < 3 || len(back["myelin"]) < 3 {
				t.Fatalf("incomplete: %q", out)
			}
		}
	})
}
