package pgwire_test

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"myelin/internal/serve/pgwire"
)

func TestEveryKindReadsTheSameInTextAndBinary(t *testing.T) {
	c := connect(t, start(t, pgwire.Config{}))
	var got [2]string
	for i, format := range []int16{pgx.TextFormatCode, pgx.BinaryFormatCode} {
		rows, err := c.Query(limit(t), "SELECT kinds", pgx.QueryResultFormats{format})
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values, err := rows.Values()
			if err != nil {
				t.Fatal(err)
			}
			got[i] = fmt.Sprintf("%+v", values)
		}
		if rows.Err() != nil {
			t.Fatal(rows.Err())
		}
	}
	if got[0] != got[1] || got[0] == "" {
		t.Errorf("text:   %s\nbinary: %s", got[0], got[1])
	}
}

// TestParametersComeBackAsSent sends each text as a parameter in both formats and reads it back as text.
func TestParametersComeBackAsSent(t *testing.T) {
	c := connect(t, start(t, pgwire.Config{}))
	for _, tc := range []struct{ kind, text, want string }{
		{"boolean", "true", "t"}, {"integer", "-2147483648", ""}, {"bigint", "9223372036854775807", ""},
		{"double precision", "1e+15", ""}, {"double precision", "0.0001", ""}, {"double precision", "1e-05", ""},
		{"double precision", "123456789012345", ""}, {"double precision", "NaN", ""}, {"double precision", "-Infinity", ""},
		{"numeric", "0", ""}, {"numeric", "0.0", ""}, {"numeric", "-0.00012345", ""}, {"numeric", "100000000", ""},
		{"numeric", "12345678901234567890123456789.123456789", ""}, {"numeric", "10000.0001", ""}, {"numeric", "-1.50", ""},
		{"text", "grüß'\\", ""}, {"text", "", ""}, {"bytea", `\x00ff`, ""}, {"date", "2026-11-22", ""}, {"date", "0044-03-15 BC", ""},
		{"time", "23:59:59.999999", ""}, {"timestamp", "1999-12-31 23:59:59.5", ""}, {"timestamp", "infinity", ""},
		{"timestamptz", "2026-11-22 11:51:39.160932+00", ""}, {"timestamptz", "2026-11-22T11:51:39Z", "2026-11-22 11:51:39+00"},
		{"timestamptz", "2026-11-22 11:51:39-03:30", "2026-11-22 15:21:39+00"},
		{"interval", "1 year 2 mons -3 days +04:05:06.7", ""}, {"interval", "-1 days +00:00:01", ""}, {"interval", "00:00:00", ""},
		{"interval", "90 min", "01:30:00"}, {"interval", "1.5 days", "1 day 12:00:00"}, {"interval", "500ms", "00:00:00.5"},
		{"uuid", "0e37df36-f698-11e6-8dd4-cb9ced3df976", ""}, {"jsonb", `{"a": [1, null]}`, ""},
		{"int[]", "{1,NULL,-3}", ""}, {"int[]", "{}", ""}, {"text[]", `{a,"b c",NULL,"null","","q\"\\"}`, ""},
	} {
		want := tc.want
		if want == "" && tc.text != "" {
			want = tc.text
		}
		sql := "SELECT echo $1::" + tc.kind
		raw := c.PgConn().ExecParams(limit(t), sql, [][]byte{[]byte(tc.text)}, nil, nil, []int16{0}).Read()
		if raw.Err != nil || len(raw.Rows) != 1 || string(raw.Rows[0][0]) != want {
			t.Errorf("%s as text: got %q, %v, want %q", tc.kind, raw.Rows, raw.Err, want)
			continue
		}
		// Fetch the binary form, send that back, and read text again.
		raw = c.PgConn().ExecParams(limit(t), sql, [][]byte{[]byte(tc.text)}, nil, nil, []int16{1}).Read()
		if raw.Err != nil {
			t.Errorf("%s in binary: %v", tc.kind, raw.Err)
			continue
		}
		raw = c.PgConn().ExecParams(limit(t), sql, [][]byte{raw.Rows[0][0]}, nil, []int16{1}, []int16{0}).Read()
		if raw.Err != nil || len(raw.Rows) != 1 || string(raw.Rows[0][0]) != want {
			t.Errorf("%s through binary: got %q, %v, want %q", tc.kind, raw.Rows, raw.Err, want)
		}
	}
	for kind, bad := range map[string]string{"integer": "12.5", "date": "2026-02-30", "uuid": "x", "jsonb": "{", "int[]": "{1,", "interval": "soon"} {
		raw := c.PgConn().ExecParams(limit(t), "SELECT echo $1::"+kind, [][]byte{[]byte(bad)}, nil, nil, nil).Read()
		if raw.Err == nil {
			t.Errorf("%s took %q", kind, bad)
		}
	}
}
