package value_test

import (
	"bytes"
	"testing"
	"time"

	"myelin/internal/serve/value"
	"myelin/internal/vec"
)

// texts are values in the form in which PostgreSQL prints them.
var texts = []struct {
	t    vec.Type
	text string
}{
	{vec.Of(vec.Bool), "t"}, {vec.Of(vec.Int32), "-2147483648"}, {vec.Of(vec.Int64), "9223372036854775807"},
	{vec.Of(vec.Float64), "1e+15"}, {vec.Of(vec.Float64), "100000000000000"}, {vec.Of(vec.Float64), "0.0001"}, {vec.Of(vec.Float64), "1e-05"},
	{vec.Of(vec.Float64), "1.7976931348623157e+308"}, {vec.Of(vec.Float64), "-Infinity"}, {vec.Of(vec.Float64), "NaN"},
	{vec.Of(vec.Numeric), "0.000000000000000000000000000000000001"}, {vec.Of(vec.Numeric), "-99999999999999999999999999999999999999"},
	{vec.Of(vec.Numeric), "10000.0001"}, {vec.Of(vec.Numeric), "1000000000000"}, {vec.Of(vec.Numeric), "0.10"},
	{vec.Of(vec.Text), ""}, {vec.Of(vec.Bytea), `\x00ff`}, {vec.Of(vec.Date), "0001-01-01 BC"}, {vec.Of(vec.Date), "9999-12-31"},
	{vec.Of(vec.Time), "00:00:00.000001"}, {vec.Of(vec.Time), "24:00:00"}, {vec.Of(vec.Timestamp), "1969-12-31 23:59:59.999999"},
	{vec.Of(vec.Timestamp), "-infinity"}, {vec.Of(vec.Timestamptz), "2026-11-22 11:51:39.16+00"},
	{vec.Of(vec.Interval), "-1 years -2 mons +3 days -04:05:06.000007"}, {vec.Of(vec.Interval), "1 year 1 day"}, {vec.Of(vec.Interval), "-00:00:00.5"},
	{vec.Of(vec.UUID), "0e37df36-f698-11e6-8dd4-cb9ced3df976"}, {vec.Of(vec.JSONB), `{"a": [1, null, "x"]}`},
	{vec.ArrayOf(vec.Int32), "{1,NULL,-3}"}, {vec.ArrayOf(vec.Text), `{"",a,"b c",NULL,"null","q\"\\"}`}, {vec.ArrayOf(vec.Timestamptz), `{"2026-11-22 00:00:00+00"}`},
}

func TestTextAndBinaryRoundTrip(t *testing.T) {
	for _, tc := range texts {
		v, err := value.Style{}.ReadText([]byte(tc.text), tc.t)
		if err != nil {
			t.Errorf("%s %q: %v", tc.t, tc.text, err)
			continue
		}
		if got := string((value.Style{}).AppendText(nil, v, 0)); got != tc.text {
			t.Errorf("%s %q reads as %q", tc.t, tc.text, got)
		}
		b := value.AppendBinary(nil, v, 0)
		back, err := value.ReadBinary(value.OID(tc.t), b)
		if err != nil {
			t.Errorf("%s %q in binary (%x): %v", tc.t, tc.text, b, err)
			continue
		}
		if got := string((value.Style{}).AppendText(nil, back, 0)); got != tc.text {
			t.Errorf("%s %q through binary is %q", tc.t, tc.text, got)
		}
	}
}

func TestZonesAreThoseOfTheSession(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	s := value.Style{Zone: berlin}
	for in, want := range map[string]string{
		"2026-07-01 12:00:00":                  "2026-07-01 12:00:00+02",
		"2026-01-01 12:00:00":                  "2026-01-01 12:00:00+01",
		"2026-01-01T12:00:00Z":                 "2026-01-01 13:00:00+01",
		"2026-01-01 12:00:00 America/New_York": "2026-01-01 18:00:00+01",
		"1890-01-01 00:00:00+00":               "1890-01-01 00:53:28+00:53:28",
	} {
		v, err := s.ReadText([]byte(in), vec.Of(vec.Timestamptz))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := string(s.AppendText(nil, v, 0)); got != want {
			t.Errorf("%s is shown as %s, want %s", in, got, want)
		}
	}
}

func TestWhatIsNoValueIsRefused(t *testing.T) {
	for _, tc := range []struct {
		k    vec.Kind
		text string
	}{
		{vec.Int32, "2147483648"}, {vec.Int64, "1.0"}, {vec.Float64, "0x1p-2"}, {vec.Bool, "maybe"}, {vec.Date, "2026-02-29"}, {vec.Date, "2026-13-01"},
		{vec.Time, "25:00"}, {vec.Timestamp, "yesterdayish"}, {vec.Timestamptz, "2026-01-01 00:00 Mars/Olympus"}, {vec.Interval, "soon"},
		{vec.Interval, "1 fortnightly"}, {vec.UUID, "0e37"}, {vec.JSONB, "{"}, {vec.Bytea, `\xzz`}, {vec.Text, "a\x00b"}, {vec.Numeric, "1e"},
	} {
		if v, err := (value.Style{}).ReadText([]byte(tc.text), vec.Of(tc.k)); err == nil {
			t.Errorf("%s took %q as %s", tc.k, tc.text, (value.Style{}).AppendText(nil, v, 0))
		}
	}
}

func TestJSONKeepsWhatJavaScriptWouldRound(t *testing.T) {
	d, err := vec.ParseDecimal([]byte("12.50"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		v    *vec.Vector
		want string
	}{
		{vec.IntOf(vec.Int64, 1<<53), `"9007199254740992"`}, {vec.IntOf(vec.Int64, 1<<53-1), "9007199254740991"}, {vec.DecimalOf(d), "12.50"},
		{vec.TextOf("a\"\n<é>"), `"a\"\n\u003cé\u003e"`}, {vec.IntOf(vec.Timestamptz, 1_700_000_000_500_000), `"2023-11-14T22:13:20.5Z"`},
		{vec.FloatOf(0.1), "0.1"}, {vec.StringOf(vec.JSONB, `{"a":1}`), `{"a":1}`}, {vec.NullOf(vec.Of(vec.Text)), "null"},
	} {
		if got := string(value.AppendJSON(nil, tc.v, 0)); got != tc.want {
			t.Errorf("%s, want %s", got, tc.want)
		}
	}
}

func FuzzReadBinary(f *testing.F) {
	for _, tc := range texts {
		v, err := value.Style{}.ReadText([]byte(tc.text), tc.t)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(value.OID(tc.t), value.AppendBinary(nil, v, 0))
	}
	f.Fuzz(func(t *testing.T, oid uint32, b []byte) {
		v, err := value.ReadBinary(oid, b)
		if err != nil {
			return
		}
		again := value.AppendBinary(nil, v, 0)
		if w, err := value.ReadBinary(value.OID(v.Type), again); err != nil || !bytes.Equal(value.AppendBinary(nil, w, 0), again) {
			t.Fatalf("oid %d: %x becomes %x, which is not stable (%v)", oid, b, again, err)
		}
	})
}

func FuzzReadText(f *testing.F) {
	for _, tc := range texts {
		f.Add(uint8(tc.t.Kind), uint8(tc.t.Elem), tc.text)
	}
	f.Fuzz(func(t *testing.T, kind, elem uint8, text string) {
		typ := vec.Type{Kind: vec.Kind(kind % 16)}
		if typ.Kind == vec.Array {
			typ.Elem = vec.Kind(elem%14 + 1)
		}
		v, err := value.Style{}.ReadText([]byte(text), typ)
		if err != nil {
			return
		}
		shown := value.Style{}.AppendText(nil, v, 0)
		w, err := value.Style{}.ReadText(shown, typ)
		if err != nil {
			t.Fatalf("%s: %q is shown as %q, which cannot be read", typ, text, shown)
		}
		if again := (value.Style{}).AppendText(nil, w, 0); !bytes.Equal(shown, again) {
			t.Fatalf("%s: %q is shown as %q, then %q", typ, text, shown, again)
		}
	})
}
