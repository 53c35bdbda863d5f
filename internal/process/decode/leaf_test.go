package decode

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// leaves are values as they come, and some that only look like it.
var leaves = []string{
	`"plain"`, `""`, `"with \"quotes\""`, `"eight by"`, `"é"`, `"a\u0000"`, `"\\"`, `"ends`, "\"\xff\"", `null`, `true`, `{}`, `[1]`,
	`0`, `-0`, `-1`, `-`, `007`, ``, `123456789012345678`, `1234567890123456789`, `-9223372036854775808`, `9223372036854775808`, `1.0`, `1e3`, `1.5`, `2147483648`, `12a`,
	`"2026-11-22T10:00:00Z"`, `"2026-11-22T10:00:59.999999Z"`, `"2026-11-22 10:00:00"`, `"2026-11-22T10:00:00.1234567Z"`, `"2026-11-22T10:00:00.Z"`,
	`"2026-11-22T10:00:60Z"`, `"2026-02-30T10:00:00Z"`, `"2026-11-22T24:00:00Z"`, `"2026-11-22T24:00:01Z"`, `"2026-11-22T10:60:00Z"`, `"2026-11-22T10:00:00+02:00"`, `"2026-11-22T10:00:00.5-0330"`,
	`"2026-11-22t10:00:00z"`, `"2026-11-22T10:00:00 Z"`, `" 2026-11-22T10:00:00Z"`, `"0000-01-01T00:00:00Z"`, `"1969-12-31T23:59:59.5Z"`, `"9999-12-31T23:59:59Z"`, `"2026-11-22T1a:00:00Z"`,
	"\"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00:00Z\"", `"infinity"`, `1700000000000`,
	`"2026-11-22T10:00:59.123Z"`, `"2026-11-22 10:00:59.999"`, `"2026-11-22 10:00:59.12"`, `"2026-11-22 10:00:60.123"`, `"2026-11-22 10:00:1:.123"`, `"2026-11-22 10:00:11.1a3"`,
	`"2026-11-22 10:00:11.123ZZ"`, `"2026-11-22 10:00:11,123"`, `"2026-11-22 10:00/11.123"`, `"2026-11-22 10:00:11.1234"`, "\"2026-11-22 10:00:11.12\xb3\"", `"2026-11-22T10:00"`, `"2026-11-22"`,
}

// agreeLeaves decodes values one after the other: once straight into columns, and once where two columns want each value, so that
// nothing is straight.
func agreeLeaves(t *testing.T, values ...string) {
	t.Helper()
	asText := col("v", vec.Text)
	asText.AsText = true
	var records []string
	for _, v := range values {
		records = append(records, `{"v":`+v+`}`, `{"v" : `+v+` ,"w":1}`, `{"v":1,"v":`+v+`}`, `{"v":`+v+`,"v":null}`)
	}
	for _, c := range []plan.ScanColumn{
		col("v", vec.Text), asText, col("v", vec.Int64), col("v", vec.Int32), col("v", vec.Timestamp), col("v", vec.Timestamptz),
	} {
		for _, foreign := range []bool{false, true} {
			one, two := New([]plan.ScanColumn{c}, nil), New([]plan.ScanColumn{c, c}, nil)
			one.Foreign, two.Foreign = foreign, foreign
			a, b := decodeAll(one, records...), decodeAll(two, records...)
			b.Cols = b.Cols[:1]
			if got, want := text(a), text(b); got != want {
				t.Fatalf("%v of %q: got\n%s\nwant\n%s", c.Type, values, got, want)
			}
			if got, want := misfitting(one), misfitting(two); !slices.Equal(got, want) {
				t.Fatalf("%v of %q: misfits in rows %d, want %d", c.Type, values, got, want)
			}
		}
	}
}

// misfitting are the rows whose value does not fit the first column.
func misfitting(d *Decoder) []int32 {
	var rows []int32
	for _, m := range d.Misfits() {
		if m.Col == 0 {
			rows = append(rows, m.Row)
		}
	}
	return slices.Compact(rows)
}

func TestStraightValuesAreTheSame(t *testing.T) {
	for _, v := range leaves {
		agreeLeaves(t, v)
	}
	r := rand.New(rand.NewPCG(11, 22))
	for range 600 {
		var some []string
		for range 3 {
			v := []byte(leaves[r.IntN(len(leaves))])
			switch r.IntN(3) {
			case 0:
				if len(v) == 0 {
					break
				}
				v[r.IntN(len(v))] = "0123456789-+:.TZ \"\\e,"[r.IntN(21)]
			case 1:
				v = fmt.Appendf(nil, `"20%02d-%02d-%02dT%02d:%02d:%02d.%dZ"`, r.IntN(100), r.IntN(14), r.IntN(33), r.IntN(26), r.IntN(62), r.IntN(62), r.IntN(1<<r.IntN(24)))
			}
			some = append(some, string(v))
		}
		agreeLeaves(t, some...)
	}
}

// TestTimesInARowAreThoseOfEach has times of one minute, and of none, follow on each other: what is remembered of one changes no other.
func TestTimesInARowAreThoseOfEach(t *testing.T) {
	cols := []plan.ScanColumn{col("v", vec.Timestamp)}
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 9))
		year := []int{0, 1, 1600, 1969, 1970, 2024, 2026, 9999}[r.IntN(8)]
		minute := fmt.Sprintf("%04d-%02d-%02d%s%02d:%02d", year, r.IntN(14), 27+r.IntN(6), []string{"T", " ", "t"}[r.IntN(3)], r.IntN(26), r.IntN(62))
		var records, want []string
		for range 8 {
			v := []byte(minute + fmt.Sprintf(":%02d", r.IntN(64)))
			if r.IntN(3) > 0 {
				v = fmt.Appendf(v, ".%0*d", 1+r.IntN(7), r.IntN(1000))
			}
			v = append(v, []string{"", "Z", "z", "+00", "ZZ", " Z", "Z ", "+01:00"}[r.IntN(8)]...)
			if r.IntN(4) == 0 {
				v[r.IntN(len(v))] = "0123456789:;/.,TZ -+\x00\x80\xb0\xff"[r.IntN(24)]
			}
			if r.IntN(12) == 0 {
				v = v[:r.IntN(len(v))]
			}
			record := `{"k":1,"v":"` + string(v) + `","w":"what lies behind it"}`
			records = append(records, record)
			alone := New(cols, nil)
			if row := text(decodeAll(alone, record)); alone.Malformed == 0 {
				want = append(want, row)
			}
		}
		if got := text(decodeAll(New(cols, nil), records...)); got != strings.Join(want, "\n") {
			t.Fatalf("%q: got\n%s\nwant\n%s", records, got, strings.Join(want, "\n"))
		}
	}
}

// FuzzStraightValues is TestStraightValuesAreTheSame for whatever a fuzzer thinks of.
func FuzzStraightValues(f *testing.F) {
	for _, v := range leaves {
		f.Add(v, v)
	}
	f.Fuzz(func(t *testing.T, a, b string) { agreeLeaves(t, a, b) })
}
