package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/tape"
)

func TestTimes(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"2026-11-22T11:51:50.131Z", "2026-11-22T11:51:50.131Z"},
		{"2026-11-22T11:51:50.131+00:00", "2026-11-22T11:51:50.131Z"},
		{"2026-11-22T11:51:50.131042+00:00", "2026-11-22T11:51:50.131042Z"},
		{"2026-11-22T11:51:50.0735877Z", "2026-11-22T11:51:50.073587Z"},
		{"2026-11-22T13:51:50+02:00", "2026-11-22T11:51:50.000Z"},
		{"2026-11-22T06:21:50-0530", "2026-11-22T11:51:50.000Z"},
		{"2026-11-22T13:51:50+02", "2026-11-22T11:51:50.000Z"},
		{"2026-11-22 11:51:50", "2026-11-22T11:51:50.000Z"},
		{"2026-11-22 11:51:50 +0000", "2026-11-22T11:51:50.000Z"},
		{"2026-11-22t11:51z", "2026-11-22T11:51:00.000Z"},
		{"2026-11-22", "2026-11-22T00:00:00.000Z"},
		{"2024-02-29T00:00:00,5Z", "2024-02-29T00:00:00.500Z"},
		{"2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"},
		{"1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"},
		{"0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"},
		{"9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"},
		{"1795348310", "2026-11-22T11:51:50.000Z"},
		{"1795348310.131", "2026-11-22T11:51:50.131Z"},
		{"1795348310131", "2026-11-22T11:51:50.131Z"},
		{"1795348310131.5", "2026-11-22T11:51:50.131500Z"},
		{"1795348310131042", "2026-11-22T11:51:50.131042Z"},
		{"1795348310131042999", "2026-11-22T11:51:50.131042Z"},
		{"2023-02-29T00:00:00Z", ""}, {"2026-13-01", ""}, {"2026-00-01", ""}, {"2026-11-31", ""}, {"0000-01-01", ""}, {"2026-11-22T24:00:00Z", ""},
		{"2026-11-22T11:60:00Z", ""}, {"2026-11-22T11:51:61Z", ""}, {"2026-11-22T11:51:50.Z", ""}, {"2026-11-22T11:51:50+2", ""}, {"2026-11-22T11", ""},
		{"2026-11-22T11:51:50+25:00", ""}, {"2026-11-22T11:51:50Zx", ""}, {"9999-12-31T23:59:59-01:00", ""}, {"yesterday", ""}, {"", ""}, {"12.", ""}, {"-5000", ""},
		{"99999999999999999999", ""}, {"1e9", ""}, {"2026-1-2", ""}, {"2026/11/22", ""}, {"12345678901234567890123", ""},
	} {
		us, ok := ParseTime([]byte(c.in))
		got := ""
		if ok {
			got = string(AppendTime(nil, us))
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.in, got, c.want)
		}
	}
}

func TestTimesAgreeWithPackageTime(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		us := minTime + rnd.Int64N(maxTime-minTime)
		tm := time.UnixMicro(us).UTC()
		want := tm.Format("2006-01-02T15:04:05.000000Z")
		if us%1000 == 0 {
			want = tm.Format("2006-01-02T15:04:05.000Z")
		}
		if got := string(AppendTime(nil, us)); got != want {
			t.Fatalf("%d: %s, want %s", us, got, want)
		}
		zoned := tm.In(time.FixedZone("", int(rnd.IntN(86400)/60-720)*60))
		if zoned.Year() < 1 || zoned.Year() > 9999 {
			continue
		}
		if back, ok := ParseTime([]byte(zoned.Format(time.RFC3339Nano))); !ok || back != us {
			t.Fatalf("%s: %d, want %d", zoned.Format(time.RFC3339Nano), back, us)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	f.Add([]byte("2026-11-22T11:51:50.131+00:00"))
	f.Add([]byte("1795348310.131"))
	f.Fuzz(func(t *testing.T, s []byte) {
		us, ok := ParseTime(s)
		if !ok {
			return
		}
		text := AppendTime(nil, us)
		if back, ok := ParseTime(text); !ok || back != us {
			t.Fatalf("%q became %s", s, text)
		}
	})
}

func TestPatches(t *testing.T) {
	const src = `{"type":"track","event":"E","userId":"u","messageId":"m","properties":{"a":"1", "b" : {"c":[1,2,3],"d":null},"a":"2","e":{}},"traits":{"x":1},"channel":"web"}`
	var d tape.Doc
	if err := d.Parse([]byte(src)); err != nil {
		t.Fatal(err)
	}
	node := func(path ...string) int {
		i := 0
		for _, p := range path {
			if i = d.Get(i, p); i < 0 {
				t.Fatal(path)
			}
		}
		return i
	}
	a, c := node("properties", "a"), node("properties", "b", "c")
	for _, x := range []struct {
		name    string
		patches []Patch
		status  Status
		want    string
	}{
		{"none", nil, Accepted, `"properties":{"a":"1", "b" : {"c":[1,2,3],"d":null},"a":"2","e":{}},"traits":{"x":1},"channel":"web"`},
		{"replace also hides the duplicate", []Patch{{Node: a, Op: Replace, Value: []byte("2")}}, Fixed, `"properties":{"b":{"c":[1,2,3],"d":null},"a":2,"e":{}},"traits":{"x":1},"channel":"web"`},
		{"remove", []Patch{{Node: a, Op: Remove}}, Fixed, `"properties":{"b":{"c":[1,2,3],"d":null},"e":{}},"traits":{"x":1},"channel":"web"`},
		{"rename and replace", []Patch{{Node: c, Op: Replace, Value: []byte(`"s"`)}, {Node: c, Op: Rename, Key: []byte("C")}}, Fixed, `"properties":{"a":"1","b":{"C":"s","d":null},"a":"2","e":{}},"traits":{"x":1},"channel":"web"`},
		{"element", []Patch{{Node: d.Element(c, 0), Op: Remove}, {Node: d.Element(c, 2), Op: Replace, Value: []byte("9")}}, Fixed, `"properties":{"a":"1","b":{"c":[2,9],"d":null},"a":"2","e":{}},"traits":{"x":1},"channel":"web"`},
		{"insert", []Patch{{Node: node("properties", "e"), Op: Insert, Key: []byte("n"), Value: []byte("1")}, {Node: node("traits"), Op: Insert, Key: []byte("y"), Value: []byte("2")}}, Fixed, `"properties":{"a":"1","b":{"c":[1,2,3],"d":null},"a":"2","e":{"n":1}},"traits":{"x":1,"y":2},"channel":"web"`},
		{"whole part", []Patch{{Node: node("traits"), Op: Remove}, {Node: node("channel"), Op: Remove}}, Fixed, `"properties":{"a":"1", "b" : {"c":[1,2,3],"d":null},"a":"2","e":{}}`},
		{"quarantined keeps what privacy does not touch", []Patch{{Node: c, Op: Remove}, {Node: a, Op: Remove, Privacy: true}}, Quarantined, `"properties":{"b":{"c":[1,2,3],"d":null},"e":{}},"traits":{"x":1},"channel":"web"`},
	} {
		var e Event
		v := Verdict{}
		b := base()
		Read(&e, &d, 0, &b, &v)
		v.Status, v.Patches = x.status, x.patches
		out, was, _ := strings.Cut(string(AppendCanonical(nil, &e, &v, Meta{})), `,"original":{`)
		if was != "" { // beside the verdict stands what a repaired event came with
			out += "}}"
			if was = strings.TrimSuffix(was, "}}}"); x.status != Fixed || !strings.Contains(src, was) && was != `"properties":{"a":"1", "b" : {"c":[1,2,3],"d":null},"a":"2","e":{}},"traits":{"x":1}` {
				t.Errorf("%s\n the original is %s", x.name, was)
			}
		}
		const head = `{"messageId":"m","type":"track","event":"E","userId":"u","timestamp":"2026-11-22T12:00:00.000Z","receivedAt":"2026-11-22T12:00:00.000Z",`
		want := head + x.want + `,"myelin":{"source":"","protocol":"","status":"` + x.status.String() + `","violations":[]}}`
		if out != want {
			t.Errorf("%s\n got %s\nwant %s", x.name, out, want)
		}
	}
}

func TestPatchesReachBatchContext(t *testing.T) {
	var d tape.Doc
	if err := d.Parse([]byte(`{"context":{"ip":"1","os":"x"},"batch":[{"type":"track","event":"E","userId":"u","context":{"a":1}}]}`)); err != nil {
		t.Fatal(err)
	}
	b := base()
	batch := b.ReadBatch(&d, 0)
	var e Event
	var v Verdict
	Read(&e, &d, d.Element(batch, 0), &b, &v)
	v.Patches = []Patch{{Node: e.ContextField("ip"), Op: Remove}, {Node: e.ContextField("a"), Op: Replace, Value: []byte("2")}}
	var got struct{ Context json.RawMessage }
	if err := json.Unmarshal(AppendCanonical(nil, &e, &v, Meta{}), &got); err != nil || string(got.Context) != `{"os":"x","a":2}` {
		t.Errorf("%s %v", got.Context, err)
	}
}

// TestManyMembersAndPatchesTakeTimeByTheirSum has sizes at which anything that goes by the product takes minutes.
func TestManyMembersAndPatchesTakeTimeByTheirSum(t *testing.T) {
	const n = 100_000
	object := func(prefix string) []byte {
		b := []byte{'{'}
		for i := range n {
			if i > 0 {
				b = append(b, ',')
			}
			b = fmt.Appendf(b, `"%s%d":1`, prefix, i)
		}
		return append(b, '}')
	}
	src := fmt.Appendf(nil, `{"context":%s,"batch":[{"type":"track","event":"E","userId":"u","context":%s}]}`, object("a"), object("b"))
	var d tape.Doc
	if err := d.Parse(src); err != nil {
		t.Fatal(err)
	}
	b := base()
	list := b.ReadBatch(&d, 0)
	var e Event
	var v Verdict
	Read(&e, &d, d.Element(list, 0), &b, &v)
	v.Status = Fixed
	for _, x := range d.Members(e.Context) {
		v.Patches = append(v.Patches, Patch{Node: x, Value: []byte("22")})
	}
	out := AppendCanonical(nil, &e, &v, Meta{})
	if !e.cut || len(out) > MaxEventBytes {
		t.Errorf("an event beyond MaxKeptBytes should be cut: %d bytes", len(out))
	}
	e.cut = false
	start := time.Now()
	out = AppendCanonical(nil, &e, &v, Meta{})
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
	var got struct{ Context map[string]int }
	if err := json.Unmarshal(out, &got); err != nil || len(got.Context) != 2*n || got.Context["a7"] != 1 || got.Context["b7"] != 22 {
		t.Errorf("%v, %d members", err, len(got.Context))
	}
}

func TestVerdictInTheEvent(t *testing.T) {
	var d tape.Doc
	if err := d.Parse([]byte(order600)); err != nil {
		t.Fatal(err)
	}
	var e Event
	v := Verdict{Plan: "shop", Schema: "order_completed@1-0-0"}
	b := base()
	Read(&e, &d, 0, &b, &v)
	v.Add(Violation{Code: TypeMismatch, Path: "/properties/total", Expected: "number", Got: `"12,5"`, Severity: Warn})
	var got struct {
		Myelin json.RawMessage
	}
	if err := json.Unmarshal(AppendCanonical(nil, &e, &v, Meta{Source: "shop-web", Protocol: "segment"}), &got); err != nil {
		t.Fatal(err)
	}
	const want = `{"source":"shop-web","protocol":"segment","plan":"shop","schema":"order_completed@1-0-0","status":"warn","violations":[{"code":"type_mismatch","path":"/properties/total","expected":"number","got":"\"12,5\"","severity":"warn"}]}`
	if string(got.Myelin) != want {
		t.Errorf("%s\n%s", got.Myelin, want)
	}
}

func sealed(t testing.TB, s *Sealer) *kgo.Record {
	t.Helper()
	var d tape.Doc
	if err := d.Parse([]byte(order600)); err != nil {
		t.Fatal(err)
	}
	var e Event
	var v Verdict
	b := base()
	Read(&e, &d, 0, &b, &v)
	r := new(kgo.Record)
	AppendRecord(nil, r, &e, &v, Meta{Source: "web", Protocol: "segment"}, s)
	return r
}

func TestSealTellsForgeries(t *testing.T) {
	s, err := NewSealer([32]byte{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	again, err := NewSealer([32]byte{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewSealer([32]byte{9})
	if err != nil {
		t.Fatal(err)
	}
	if r := sealed(t, s); !s.Check(r) || !again.Check(r) || other.Check(r) {
		t.Error("a seal holds under its key, after a restart too, and under no other")
	}
	for name, forge := range map[string]func(*kgo.Record){
		"value":    func(r *kgo.Record) { r.Value[5] ^= 1 },
		"key":      func(r *kgo.Record) { r.Key = []byte("other") },
		"status":   func(r *kgo.Record) { r.Headers[4].Value = []byte("fixed") },
		"header":   func(r *kgo.Record) { r.Headers = append(r.Headers[:5:5], kgo.RecordHeader{Key: "x"}, r.Headers[5]) },
		"no seal":  func(r *kgo.Record) { r.Headers = r.Headers[:5] },
		"cut seal": func(r *kgo.Record) { r.Headers[5].Value = r.Headers[5].Value[:20] },
		"tag":      func(r *kgo.Record) { r.Headers[5].Value[27] ^= 1 },
		"moved border": func(r *kgo.Record) {
			r.Key, r.Value = append(r.Key, r.Value[0]), r.Value[1:]
		},
	} {
		r := sealed(t, s)
		if forge(r); s.Check(r) {
			t.Errorf("%s: a forged record passed", name)
		}
	}
}

func TestRecordHeaders(t *testing.T) {
	s, err := NewSealer([32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	r := sealed(t, s)
	for k, want := range map[string]string{"mid": "node-next-1795348287175-e429ce04-1abf-444c-8c14-3fd9b8b9d6c2", "type": "track", "event": "Order Completed", "source": "web", "status": "valid"} {
		if got := string(Header(r, k)); got != want {
			t.Errorf("%s: %s", k, got)
		}
	}
	if string(r.Key) != "user-4711" || !r.Timestamp.Equal(received) || len(Header(r, HeaderSeal)) != SealSize {
		t.Errorf("key %s, timestamp %s", r.Key, r.Timestamp)
	}
}

func TestRecordsStayWithinWhatTheLogTakes(t *testing.T) {
	long := strings.Repeat("x", 600<<10)
	for name, src := range map[string]string{
		"context of the batch": `{"context":{"a":"` + long + long + `"},"batch":[{"type":"track","event":"E","userId":"u"}]}`,
		"ids":                  `{"batch":[{"type":"track","event":"E","userId":"` + long + `"}]}`,
		"name":                 `{"batch":[{"type":"track","event":"` + long + `","userId":"u"}]}`,
		"bad time":             `{"batch":[{"type":"track","event":"E","userId":"u","timestamp":"` + long + long + `"}]}`,
	} {
		var d tape.Doc
		if err := d.Parse([]byte(src)); err != nil {
			t.Fatal(err)
		}
		b := base()
		list := b.ReadBatch(&d, 0)
		var e Event
		var v Verdict
		Read(&e, &d, d.Element(list, 0), &b, &v)
		for range 1000 {
			v.Add(Violation{Code: ArrayItem, Path: "/" + long, Got: long, Severity: Error})
		}
		var r kgo.Record
		slab := AppendRecord(nil, &r, &e, &v, Meta{Source: "s"}, nil)
		if len(slab) > maxRecordBytes || !json.Valid(r.Value) || v.Status != Quarantined {
			t.Errorf("%s: %d bytes, %s", name, len(slab), v.Status)
		}
	}
}

func TestRecordsOfOtherTextsStayWithinWhatTheLogTakes(t *testing.T) {
	for name, raw := range map[string][]byte{
		"control characters": bytes.Repeat([]byte{1}, 900<<10),
		"bytes":              bytes.Repeat([]byte{0xff}, 900<<10),
		"list":               []byte("[" + strings.Repeat("1,", 500<<10) + "1]"),
	} {
		var d tape.Doc
		var e Event
		var v Verdict
		ReadRecord(&e, &d, &kgo.Record{Topic: "events.in", Value: raw}, received, &v)
		var r kgo.Record
		if slab := AppendRecord(nil, &r, &e, &v, Meta{Source: "s"}, nil); len(slab) > maxRecordBytes || !json.Valid(r.Value) || v.Status != Quarantined {
			t.Errorf("%s: %d bytes, %s", name, len(slab), v.Status)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	s, err := NewSealer([32]byte{1})
	if err != nil {
		b.Fatal(err)
	}
	r := sealed(b, s)
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out = s.AppendSeal(out[:0], r)
	}
}

func BenchmarkCheck(b *testing.B) {
	s, err := NewSealer([32]byte{1})
	if err != nil {
		b.Fatal(err)
	}
	r := sealed(b, s)
	b.ReportAllocs()
	for b.Loop() {
		if !s.Check(r) {
			b.Fatal("check")
		}
	}
}
