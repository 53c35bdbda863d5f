package tape

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// value turns node i into what encoding/json would decode with UseNumber.
func value(d *Doc, i int) any {
	switch n := d.Nodes[i]; n.Kind {
	case Null:
		return nil
	case True:
		return true
	case False:
		return false
	case Number:
		return json.Number(d.Raw(i))
	case String:
		return string(d.Bytes(i))
	case Array:
		out := []any{}
		for e := range d.Elements(i) {
			out = append(out, value(d, e))
		}
		return out
	case Object:
		out := map[string]any{}
		for k, v := range d.Members(i) {
			out[string(d.Bytes(k))] = value(d, v)
		}
		return out
	}
	panic("unknown kind")
}

// agree compares Parse with encoding/json. Intended differences: invalid UTF-8 is refused here and replaced there, and
// the depth limits differ (512 here, 10,000 there).
func agree(t *testing.T, src []byte) {
	t.Helper()
	var d Doc
	err := d.Parse(src)
	dec := json.NewDecoder(bytes.NewReader(src))
	dec.UseNumber()
	var want any
	wantErr := json.Unmarshal(src, new(any))
	if !json.Valid(src) {
		if err == nil {
			t.Fatalf("accepted %q, encoding/json says %v", src, wantErr)
		}
		var se *SyntaxError
		if !errors.As(err, &se) || se.Offset < 0 || se.Offset > len(src) || se.Line < 1 || se.Column < 1 {
			t.Fatalf("error without a sound position: %#v", err)
		}
		return
	}
	if err != nil {
		if !utf8.Valid(src) || strings.Contains(err.Error(), "nested deeper") {
			return
		}
		t.Fatalf("refused %q: %v", src, err)
	}
	if !utf8.Valid(src) {
		t.Fatalf("accepted invalid UTF-8 %q", src)
	}
	if err := dec.Decode(&want); err != nil {
		t.Fatalf("decoding %q: %v", src, err)
	}
	if got := value(&d, 0); !reflect.DeepEqual(got, want) {
		t.Fatalf("%q:\n got %#v\nwant %#v", src, got, want)
	}
	if int(d.Nodes[0].Next) != len(d.Nodes) {
		t.Fatalf("root ends at %d of %d nodes", d.Nodes[0].Next, len(d.Nodes))
	}
	if got := d.Raw(0); !bytes.Equal(got, bytes.TrimSpace(src)) {
		t.Fatalf("raw text of %q is %q", src, got)
	}
	if !Equal(&d, 0, &d, 0) {
		t.Fatalf("%q is not equal to itself", src)
	}
}

var samples = []string{
	``, ` `, `null`, ` true `, `false`, `tru`, `nul`, `falsee`, `truefalse`, `0`, `-0`, `-`, `01`, `1.`, `.5`, `1.5`, `1e5`, `1E+5`, `1e-`, `1e`, `-1.25e-7`,
	`+1`, `0x1`, `NaN`, `1 2`, `""`, `"a"`, `"a`, `"\`, `"\"`, `"\n\r\t\b\f\/\\\""`, `"\u0041\u00e9\u20ac\ud83d\ude00"`, `"\ud83d"`, `"\ude00\ud83d"`,
	`"\ud83d\u0041"`, `"\ud83dx"`, `"\u12"`, `"\x"`, "\"a\nb\"", "\"\x7f\"", "\"\x00\"", `"é€😀"`, "\"\xff\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"abcdefg\xc3\"",
	`[]`, `[ ]`, `[1,2 , 3]`, `[1,]`, `[,1]`, `[1 2]`, `[`, `]`, `[1}`, `{}`, `{ }`, `{"a":1}`, `{"a":1,}`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a" : [ {"b":{}} , null ] }`,
	`{"a":1]`, `{"a":1,"a":2}`, `{"a":1 "b":2}`, `{,}`, `{"a":1}}`, `"0123456789abcdef"`, `"01234567\n9abcdef"`, `"0123456789abcde` + "\x1f" + `"`, "\ufeff1",
	`{"\u0061":1,"a":2}`, `[[[[[[[[]]]]]]]]`, "\t[\r\n1 ]\n", "\v1", `"` + strings.Repeat("ü", 50) + `"`, `[-]`, `[1.e1]`,
}

func TestParseAgreesWithEncodingJSON(t *testing.T) {
	for _, s := range samples {
		agree(t, []byte(s))
		for pad := range 8 { // every alignment of the word-wise scan
			agree(t, []byte(`["`+strings.Repeat("x", pad)+`",`+s+`]`))
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range samples {
		f.Add([]byte(s))
	}
	f.Fuzz(agree)
}

func TestDepthIsBounded(t *testing.T) {
	var d Doc
	if err := d.Parse([]byte(strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth))); err != nil {
		t.Fatal(err)
	}
	err := d.Parse([]byte(strings.Repeat(`[`, 1<<20)))
	if err == nil || !strings.Contains(err.Error(), "nested deeper than 512 levels at line 1, column 513") {
		t.Fatal(err)
	}
}

func TestErrorsTellWhere(t *testing.T) {
	for src, want := range map[string]string{
		"{\n  \"é\": nope}": "invalid word (true, false and null are the only ones) at line 2, column 8",
		`{"a":1 "b"}`:       `unexpected '"' where a comma or the end of the object should be at line 1, column 8`,
		`{'a':1}`:           `unexpected '\'' where a key in quotes should be at line 1, column 2`,
		`[1`:                "unexpected end of JSON at line 1, column 3",
		`{"a":"x`:           "unexpected end of JSON in a string at line 1, column 8",
		"[\"a\tb\"]":        "unescaped control character in a string at line 1, column 4",
		`{} x`:              `unexpected 'x' after the value at line 1, column 4`,
	} {
		var d Doc
		if err := d.Parse([]byte(src)); err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", src, err, want)
		}
	}
}

func TestGet(t *testing.T) {
	var d Doc
	src := []byte(`{"a":1,"b":{"c":[10,20,{"d":true}]},"a":2,"k\u0065y":"v"}`)
	if err := d.Parse(src); err != nil {
		t.Fatal(err)
	}
	if got := string(d.Raw(d.Get(0, "a"))); got != "2" {
		t.Errorf("the last duplicate should win, got %s", got)
	}
	if got := string(d.Raw(d.Get(0, "key"))); got != `"v"` {
		t.Errorf("escaped key: %s", got)
	}
	c := d.Get(d.Get(0, "b"), "c")
	if got := string(d.Raw(d.Element(c, 1))); got != "20" {
		t.Errorf("element 1: %s", got)
	}
	if d.Kind(d.Get(d.Element(c, 2), "d")) != True || d.Element(c, 3) != -1 || d.Get(c, "x") != -1 || d.Get(-1, "x") != -1 {
		t.Error("walking the tree")
	}
}

func TestQuotedRoundTrip(t *testing.T) {
	for _, s := range []string{"", "plain", "q\"b\\s/\n\r\t\x00\x1f\x7f", "é€😀", "bad\xffbytes\xc3", "\u2028", "<&>"} {
		got := AppendQuoted(nil, s)
		var back string
		if err := json.Unmarshal(got, &back); err != nil || back != strings.ToValidUTF8(s, "\uFFFD") {
			t.Errorf("%q became %s", s, got)
		}
		if again := AppendQuoted(nil, []byte(s)); !bytes.Equal(again, got) {
			t.Errorf("bytes and string differ: %s, %s", again, got)
		}
	}
}

var numbers = []string{
	"0", "-0", "0.0", "-0.00e5", "1", "-1", "10", "100", "1e2", "1E+2", "1000e-1", "0.1", "0.10", "1e-1", "1.5", "-1.5", "12.50", "12.5", "125e-1", "0.0012", "1.2e-3",
	"9007199254740993", "9007199254740992", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
	"123456789012345678901234567890", "123456789012345678901234567890.5", "1e30", "1e300", "1.000000000000000000001", "1.0", "99.9e1", "999", "0.999", "100.01", "1.0e1",
}

func TestNumbersAreExact(t *testing.T) {
	for _, a := range numbers {
		x, _ := new(big.Rat).SetString(a)
		if got := IsInteger([]byte(a)); got != x.IsInt() {
			t.Errorf("IsInteger(%s) = %v", a, got)
		}
		var d Doc
		if err := d.Parse([]byte(a)); err != nil {
			t.Fatal(err)
		}
		v, ok := d.Int64(0)
		if wantOK := x.IsInt() && x.Num().IsInt64(); ok != wantOK || ok && v != x.Num().Int64() {
			t.Errorf("Int64(%s) = %d, %v", a, v, ok)
		}
		for _, b := range numbers {
			y, _ := new(big.Rat).SetString(b)
			if got, want := CompareNumbers([]byte(a), []byte(b)), x.Cmp(y); got != want {
				t.Errorf("compare %s with %s: %d, want %d", a, b, got, want)
			}
		}
	}
	if CompareNumbers([]byte("1e999999999999999999999"), []byte("1e5")) != 1 || CompareNumbers([]byte("1e-999999999999999999999"), []byte("1e-5")) != -1 {
		t.Error("absurd exponents")
	}
}

func TestEqual(t *testing.T) {
	many := func(n int, tail string) string {
		var b strings.Builder
		b.WriteByte('{')
		for i := range n {
			fmt.Fprintf(&b, `"k%d":%d,`, i, i)
		}
		return b.String() + tail + "}"
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{`1`, `1.0`, true}, {`"a"`, `"\u0061"`, true}, {`"a"`, `"b"`, false}, {`[1,2]`, `[1,2.0]`, true}, {`[1,2]`, `[2,1]`, false},
		{`{"a":1,"b":2}`, `{"b":2,"a":1}`, true}, {`{"a":1}`, `{"a":1,"b":2}`, false}, {`{"a":0,"a":1}`, `{"a":1}`, true}, {`{"a":1,"b":2}`, `{"a":1}`, false},
		{`true`, `false`, false}, {`null`, `null`, true}, {`0`, `"0"`, false}, {many(20, `"x":1`), many(20, `"x":1.0`), true}, {many(20, `"x":1`), many(20, `"y":1`), false},
	} {
		var x, y Doc
		if err := errors.Join(x.Parse([]byte(c.a)), y.Parse([]byte(c.b))); err != nil {
			t.Fatal(err)
		}
		if Equal(&x, 0, &y, 0) != c.want || Equal(&y, 0, &x, 0) != c.want {
			t.Errorf("%s and %s: want %v", c.a, c.b, c.want)
		}
	}
}

const order600 = `{"timestamp":"2026-11-20T10:00:00.000Z","integrations":{},"event":"Order Completed","type":"track","properties":{"order_id":"o-100234","revenue":129.5,"tax":12.25,"shipping":4.9,"currency":"EUR","coupon":"AUTUMN","products":[{"product_id":"p-77123","name":"Trail shoe \"Ridge\"","price":89.5,"quantity":1},{"product_id":"p-88341","name":"Wool sock","price":20,"quantity":2}]},"context":{"ip":"203.0.113.7","campaign":{"source":"google","medium":"cpc","name":"autumn"},"library":{"name":"@segment/analytics-node","version":"3.1.0"}},"userId":"user-4711","messageId":"node-next-1795348287175-e429ce04-1abf-444c-8c14-3fd9b8b9d6c2"}`

func TestParseDoesNotAllocate(t *testing.T) {
	src := []byte(order600)
	var d Doc
	if n := testing.AllocsPerRun(100, func() {
		if d.Parse(src) != nil || d.Get(d.Get(0, "properties"), "revenue") < 0 {
			t.Fatal("parse")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParse(b *testing.B) {
	src := []byte(order600)
	var d Doc
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Parse(src); err != nil {
			b.Fatal(err)
		}
	}
}
