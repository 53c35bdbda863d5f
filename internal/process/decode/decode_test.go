package decode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// col is a column over a dotted path; "->>" in front asks for text.
func col(path string, k vec.Kind) plan.ScanColumn {
	asText := strings.HasPrefix(path, "->>")
	path = strings.TrimPrefix(path, "->>")
	return plan.ScanColumn{Column: plan.Column{Name: path, Type: vec.Of(k)}, Path: strings.Split(path, "."), AsText: asText}
}

func decodeAll(d *Decoder, values ...string) *vec.Batch {
	var buf []byte
	var recs []Record
	for i, v := range values {
		buf = append(buf, "pad"...)
		recs = append(recs, Record{
			Key: vec.Span{Off: NoBytes}, Value: vec.Span{Off: uint32(len(buf)), Len: uint32(len(v))}, Offset: int64(i), Timestamp: 5,
		})
		buf = append(buf, v...)
	}
	d.Begin(buf, len(recs))
	for _, r := range recs {
		d.Add(r)
	}
	return d.Batch()
}

func text(b *vec.Batch) string {
	var rows []string
	for i := range b.N {
		var cells []string
		for _, v := range b.Cols {
			if v.IsNull(i) {
				cells = append(cells, "∅")
				continue
			}
			cells = append(cells, string(vec.AppendText(nil, v, i)))
		}
		rows = append(rows, strings.Join(cells, "|"))
	}
	return strings.Join(rows, "\n")
}

func TestDecodeFillsColumnsByPath(t *testing.T) {
	cols := []plan.ScanColumn{
		col("a", vec.Int64), col("p.price", vec.Numeric), col("p.tags.1", vec.Text), col("p", vec.JSONB), col("->>p.price", vec.Text),
		col("f", vec.Float64), col("ok", vec.Bool), col("ts", vec.Timestamptz), col("s", vec.Text), col("day", vec.Date),
	}
	for _, c := range []struct{ name, in, want string }{
		{"all", `{"a":1,"p":{"price":12.50,"tags":["x","y"]},"f":1.5e3,"ok":true,"ts":"2026-11-22T10:00:00.123Z","s":"hi","day":"2026-01-02"}`,
			`1|12.50|y|{"tags": ["x", "y"], "price": 12.50}|12.50|1500|t|2026-11-22 10:00:00.123+00|hi|2026-01-02`},
		{"another order, spaces and unknown keys", ` { "s" : "hi" , "x":{"a":[1,{"b":"}"}]}, "p" : { "z":"\"", "price" : -3 } , "a":-7 } `,
			`-7|-3|∅|{"z": "\"", "price": -3}|-3|∅|∅|∅|hi|∅`},
		{"nothing", `{}`, `∅|∅|∅|∅|∅|∅|∅|∅|∅|∅`},
		{"null", `{"a":null,"p":null,"s":null,"ok":null}`, `∅|∅|∅|∅|∅|∅|∅|∅|∅|∅`},
		{"of duplicates the last counts", `{"a":1,"p":{"price":1,"tags":[1,"y"]},"a":2,"p":{"price":3}}`,
			`2|3|∅|{"price": 3}|3|∅|∅|∅|∅|∅`},
		{"a later scalar hides an earlier object", `{"p":{"price":1},"p":7}`, `∅|∅|∅|7|∅|∅|∅|∅|∅|∅`},
		{"escapes in keys and strings", `{"\u0061":4,"s":"a\n\u00e9\ud83d\ude00\\\""}`, "4|∅|∅|∅|∅|∅|∅|∅|a\né😀\\\"|∅"},
		{"what does not fit is NULL", `{"a":"1","p":{"price":"2"},"f":"x","ok":1,"ts":"soon","s":5,"day":true}`,
			`∅|∅|∅|{"price": "2"}|2|∅|∅|∅|∅|∅`},
		{"whole numbers in other clothes", `{"a":1e3,"f":7,"ts":1700000000123}`, `1000|∅|∅|∅|∅|7|∅|2023-11-14 22:13:20.123+00|∅|∅`},
		{"too large", `{"a":9223372036854775808,"f":1e999}`, `∅|∅|∅|∅|∅|∅|∅|∅|∅|∅`},
		{"the edges", `{"a":-9223372036854775808,"f":-0.0}`, `-9223372036854775808|∅|∅|∅|∅|-0|∅|∅|∅|∅`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := text(decodeAll(New(cols, nil), c.in)); got != c.want {
				t.Errorf("%s\n got %s\nwant %s", c.in, got, c.want)
			}
		})
	}
}

func TestDecodeSkipsMalformedRecordsAndOtherEvents(t *testing.T) {
	d := New([]plan.ScanColumn{col("n", vec.Int64)}, []string{"A", "Bé"})
	b := decodeAll(d,
		`{"event":"A","n":1}`, `{"event":"C","n":2}`, `{"n":3,"event":"B\u00e9"}`, `{"n":4}`, `[]`, ``, `{"event":"A","n":5`, `{"event":"A" "n":6}`,
		`{"event":"A","n":7}}`, `{"event":"A","n":8}`)
	if got := text(b); got != "1\n3\n8" {
		t.Errorf("rows %q", got)
	}
	if d.Malformed != 5 {
		t.Errorf("%d malformed; want 5", d.Malformed)
	}
}

// TestDecodeByALearnedShape feeds records whose members begin like those before, and do not.
func TestDecodeByALearnedShape(t *testing.T) {
	cols := []plan.ScanColumn{col("a", vec.Int64), col("p.x", vec.Int64), col("p.y", vec.Text), col("z", vec.Bool)}
	b := decodeAll(New(cols, nil), `{"a":1,"p":{"x":2,"y":"s"},"z":true}`, `{"a":3,"p":{"x":4,"y":"t"},"z":false}`, `{"a": 5 ,"p": {"x":  6, "y" :"u"},"z":  true}`,
		`{"ab":7,"a":8,"p":{"y":"v","x":9},"q":{"a":0},"z":true}`, `{"p":{"x":1,"x":2},"a":10,"a":11}`, `{"a":`, `{"a":12,"p":{"x"`, `{"a":13}`)
	if got, want := text(b), "1|2|s|t\n3|4|t|f\n5|6|u|t\n8|9|v|t\n11|2|∅|∅\n13|∅|∅|∅"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestDecodeTakesPartsOfTheRecord(t *testing.T) {
	part := func(p plan.Part, k vec.Kind) plan.ScanColumn {
		return plan.ScanColumn{Column: plan.Column{Type: vec.Of(k)}, From: p}
	}
	d := New([]plan.ScanColumn{
		part(plan.FromKey, vec.Text), part(plan.FromTime, vec.Timestamptz), part(plan.FromOffset, vec.Int64), part(plan.FromPartition, vec.Int32),
		part(plan.FromUserKey, vec.Text),
	}, nil)
	buf := []byte(`key{"anonymousId":"anon","userId":"u"}{"anonymousId":"anon","userId":""}`)
	d.Begin(buf, 2)
	d.Add(Record{Key: vec.Span{Off: 0, Len: 3}, Value: vec.Span{Off: 3, Len: 35}, Partition: 2, Offset: 9, Timestamp: 1000})
	d.Add(Record{Key: vec.Span{Off: NoBytes}, Value: vec.Span{Off: 38, Len: 34}, Partition: 2, Offset: 10, Timestamp: 2000})
	if got, want := text(d.Batch()), "key|1970-01-01 00:00:01+00|9|2|u\n∅|1970-01-01 00:00:02+00|10|2|anon"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// FuzzDecodeAgreesWithEncodingJSON compares the decoder with encoding/json on whatever encoding/json takes for an object.
func FuzzDecodeAgreesWithEncodingJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":{"b":1,"c":["x",2.50,null,{"d":true}]},"s":"\u00e9\ud800","n":1e300}`, `{"a":{"b":1},"a":{"c":[]}}`, `{"a":[0,{"b":"\\"}],"s":"\/\b"}`,
		`{"\u0061":{"\u0062":12345678901234567890}}`, ` {"s":"` + "\xff" + `", "n":-0.000001}`, `{"s":"` + "\xe5\xe5" + `"}`, `{"n":123456789012345678,"a":{"b":0.1e1}}`,
	} {
		f.Add([]byte(s))
	}
	cols := []plan.ScanColumn{
		col("a", vec.JSONB), col("a.b", vec.Int64), col("a.b", vec.Float64), col("->>a.b", vec.Text), col("a.c.1", vec.JSONB), col("s", vec.Text), col("n", vec.Float64),
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		d := New(cols, nil)
		d.Foreign = true
		// Once by a shape that another record taught, and once by its own.
		records := []string{`{"a":{"b":1,"c":["x","y"]},"s":"t","n":1}`, string(in)}
		for range maxMisses + 1 {
			records = append(records, string(in))
		}
		b := decodeAll(d, records...)
		dec := json.NewDecoder(bytes.NewReader(in))
		dec.UseNumber()
		var doc map[string]any
		if !json.Valid(in) || dec.Decode(&doc) != nil || doc == nil {
			return // garbage in: it is enough that nothing breaks
		}
		if b.N != len(records) {
			t.Fatalf("%d rows for %q", b.N, in)
		}
		for _, row := range []int{1, b.N - 1} {
			agrees(t, in, doc, b, row)
		}
	})
}

// agrees compares a row of the columns that the fuzz test decodes with a document.
func agrees(t *testing.T, in []byte, doc map[string]any, b *vec.Batch, row int) {
	at := func(path ...string) any {
		var v any = doc
		for _, p := range path {
			switch x := v.(type) {
			case map[string]any:
				v = x[p]
			case []any:
				if p != "1" || len(x) < 2 {
					return nil
				}
				v = x[1]
			default:
				return nil
			}
		}
		return v
	}
	check := func(c int, want string) {
		t.Helper()
		got := "∅"
		if !b.Cols[c].IsNull(row) {
			got = string(vec.AppendText(nil, b.Cols[c], row))
		}
		if got != want {
			t.Errorf("%q column %d: got %q; want %q", in, c, got, want)
		}
	}
	if s, ok := at("s").(string); ok {
		check(5, s)
	} else {
		check(5, "∅")
	}
	if n, ok := at("n").(json.Number); ok {
		if f, err := n.Float64(); err == nil && !math.IsInf(f, 0) {
			check(6, string(vec.AppendFloat(nil, f)))
		}
	}
	switch x := at("a", "b").(type) {
	case json.Number:
		if n, err := x.Int64(); err == nil {
			check(1, fmt.Sprint(n))
		}
	case string:
		check(3, x)
	case bool:
		check(3, fmt.Sprint(x))
	case nil:
		check(1, "∅")
		check(3, "∅")
	}
	for c, v := range map[int]any{0: at("a"), 4: at("a", "c", "1")} {
		var back any
		if v == nil {
			continue
		}
		if b.Cols[c].IsNull(row) {
			if bytes.Equal(in, bytes.ToValidUTF8(in, nil)) {
				t.Errorf("%q column %d is NULL; want %v", in, c, v)
			}
			continue
		}
		dec := json.NewDecoder(bytes.NewReader(b.Cols[c].Bytes(row)))
		dec.UseNumber()
		if err := dec.Decode(&back); err != nil || fmt.Sprint(back) != fmt.Sprint(v) {
			t.Errorf("%q column %d: got %v (%v); want %v", in, c, back, err, v)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	rec := `{"messageId":"0f6f1e7e-1c1c-4a3f-b7b8-1f2f3c4d5e6f","type":"track","event":"Order Completed","userId":"user-1234567","timestamp":"2026-11-22T10:00:00.123Z",` +
		`"receivedAt":"2026-11-22T10:00:00.200Z","context":{"campaign":{"name":"autumn","source":"mail"},"ip":"10.0.0.1"},"properties":{"order_id":"o-991","total":129.90,"currency":"EUR"}}`
	cols := []plan.ScanColumn{
		col("event", vec.Text), col("timestamp", vec.Timestamptz), col("->>context.campaign.name", vec.Text), col("properties.total", vec.Numeric),
	}
	d := New(cols, nil)
	buf := []byte(rec)
	r := Record{Key: vec.Span{Off: NoBytes}, Value: vec.Span{Off: 0, Len: uint32(len(buf))}}
	b.ReportAllocs()
	b.SetBytes(int64(len(rec)))
	for b.Loop() {
		d.Begin(buf, 1024)
		for range 1024 {
			d.Add(r)
		}
		d.Batch()
	}
	b.ReportMetric(float64(b.N)*1024/b.Elapsed().Seconds()/1e6, "Mev/s")
}
