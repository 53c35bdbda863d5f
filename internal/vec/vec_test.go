package vec

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var allTypes = []Type{
	Of(Bool), Of(Int32), Of(Int64), Of(Float64), Of(Numeric), Of(Text), Of(Bytea), Of(Date), Of(Time), Of(Timestamp), Of(Timestamptz), Of(Interval),
	Of(UUID), Of(JSONB), ArrayOf(Int64), ArrayOf(Text),
}

// fill appends n random rows.
func fill(t *rapid.T, v *Vector, n int) {
	for range n {
		if rapid.IntRange(0, 4).Draw(t, "null") == 0 {
			v.AppendNull()
			continue
		}
		fillRow(t, v)
	}
}

func fillRow(t *rapid.T, v *Vector) {
	switch k := v.Type.Kind; k {
	case Bool:
		v.AppendBool(rapid.Bool().Draw(t, "bool"))
	case Float64:
		v.AppendFloat(rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1.5, math.NaN(), math.Inf(1), -3e300}).Draw(t, "float"))
	case Numeric:
		v.AppendDecimal(NewDecimal(rapid.Int64Range(-20, 20).Draw(t, "dec"), int32(rapid.IntRange(0, 3).Draw(t, "scale"))))
	case Text, Bytea:
		v.AppendString(rapid.SampledFrom([]string{"", "a", "ab", "ä", "a long text of more than sixteen bytes"}).Draw(t, "text"))
	case UUID:
		v.AppendString(rapid.SampledFrom([]string{"0123456789abcdef", "0123456789abcdeg"}).Draw(t, "uuid"))
	case JSONB:
		v.AppendString(rapid.SampledFrom([]string{`{"a":1,"b":2}`, `{"b":2.0,"a":1}`, `[1]`, `1.50`, `1.5`, `null`}).Draw(t, "json"))
	case Interval:
		v.AppendInterval(rapid.SampledFrom([]IntervalValue{{}, {Months: 1}, {Days: 30}, {Micros: 30 * MicrosPerDay}, {Days: -1}}).Draw(t, "interval"))
	case Array:
		start := v.Elem.Len()
		fill(t, v.Elem, rapid.IntRange(0, 3).Draw(t, "elements"))
		v.CloseArray(start)
	case Time:
		v.AppendInt(rapid.Int64Range(0, 3).Draw(t, "time"))
	default:
		v.AppendInt(rapid.Int64Range(-3, 3).Draw(t, "int"))
	}
}

func TestEqualRowsHashAndKeyAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := New(rapid.SampledFrom(allTypes).Draw(t, "type"), 0)
		const n = 8
		fill(t, v, n)
		h := make([]uint64, n)
		Hash(v, nil, n, h)
		for i := range n {
			for j := range n {
				same := Same(v, i, v, j)
				if same && h[i] != h[j] {
					t.Fatalf("%v: rows %d and %d are the same, but hash differently", v.Type, i, j)
				}
				ki, kj := AppendKey(nil, []*Vector{v}, i), AppendKey(nil, []*Vector{v}, j)
				nan := v.Type.Kind == Float64 && (math.IsNaN(v.Floats[i]) || math.IsNaN(v.Floats[j]))
				if same != bytes.Equal(ki, kj) && !nan {
					t.Fatalf("%v: rows %d and %d: same %v, keys %x and %x", v.Type, i, j, same, ki, kj)
				}
				if !v.IsNull(i) && !v.IsNull(j) && Compare(v, i, v, j) != -Compare(v, j, v, i) && sign(Compare(v, i, v, j)) != -sign(Compare(v, j, v, i)) {
					t.Fatalf("%v: the order of rows %d and %d is not one", v.Type, i, j)
				}
			}
		}
	})
}

func sign(x int) int { return max(min(x, 1), -1) }

func TestRowsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := New(rapid.SampledFrom(allTypes).Draw(t, "type"), 0)
		fill(t, v, 5)
		back := New(v.Type, 0)
		for i := range 5 {
			row := AppendRow(nil, []*Vector{v}, i)
			rest, err := DecodeRow(row, []*Vector{back})
			if err != nil || len(rest) != 0 || !Same(v, i, back, i) {
				t.Fatalf("%v: row %d does not come back: %v", v.Type, i, err)
			}
			for cut := range row {
				_, _ = DecodeRow(row[:cut], []*Vector{New(v.Type, 0)}) // must not panic
			}
		}
		c := v.Clone()
		g := &Vector{}
		g.Gather(v, []int32{4, -1, 0, 0})
		if !Same(c, 4, g, 0) || !g.IsNull(1) || !Same(c, 0, g, 2) || !Same(g, 2, g, 3) {
			t.Fatalf("%v: gathered wrongly", v.Type)
		}
		a := New(v.Type, 0)
		a.AppendRows(v, []int32{1, 3}, 5)
		a.AppendRows(v, nil, 5)
		if a.Len() != 7 || !Same(a, 0, v, 1) || !Same(a, 1, v, 3) || !Same(a, 6, v, 4) {
			t.Fatalf("%v: appended wrongly", v.Type)
		}
		for i := range 5 {
			a.CopyRow(i, v, 4-i)
		}
		for i := range 5 {
			if !Same(a, i, v, 4-i) {
				t.Fatalf("%v: copied wrongly", v.Type)
			}
		}
	})
}

func TestTextReadsBackTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := New(rapid.SampledFrom(allTypes).Draw(t, "type"), 0)
		fillRow(t, v)
		text := AppendText(nil, v, 0)
		back := New(v.Type, 0)
		if err := ParseText(back, text); err != nil || !Same(v, 0, back, 0) {
			t.Fatalf("%v: %q does not come back: %v", v.Type, text, err)
		}
	})
}

func TestBorrowedBytesAreNeverWritten(t *testing.T) {
	buf := []byte("hello world")
	v := New(Of(Text), 0)
	v.Borrow(buf[:5])
	v.AppendSpan(Span{0, 5})
	v.AppendString("!!!")
	v.Reset(Of(Text))
	v.AppendString("XXXXX")
	if string(buf) != "hello world" {
		t.Fatalf("the borrowed buffer became %q", buf)
	}
}

func TestDatesFollowTheCalendar(t *testing.T) {
	for days := int64(-2_500_000); days < 3_000_000; days += 37 {
		c := CivilOf(days)
		if c.Days() != days || c.Month < 1 || c.Month > 12 || c.Day < 1 || c.Day > DaysIn(c.Year, c.Month) {
			t.Fatalf("day %d is %v, which is day %d", days, c, c.Days())
		}
	}
}

// FuzzParseText: reading any text as any type gives a value that prints and reads back the same, or an error; it never panics.
func FuzzParseText(f *testing.F) {
	for i, s := range []string{
		"t", "1", "-9223372036854775808", "1e5", "1.50", "a", `\xff`, "2024-02-29", "10:00 pm", "Jan 8 1999 04:05:06 PST", "2024-02-29T12:34:56.789+02:00",
		"1 day -2 hours", "P1Y2M", "550e8400-e29b-41d4-a716-446655440000", `{"a":[1,null]}`, `{1,NULL}`, `{"a b",c}`, "0044-03-15 BC", "infinity",
	} {
		f.Add(uint8(i), s)
	}
	for i := range allTypes {
		f.Add(uint8(i), ":")
		f.Add(uint8(i), "1-2-3t4")
	}
	f.Fuzz(func(t *testing.T, kind uint8, text string) {
		v := New(allTypes[int(kind)%len(allTypes)], 0)
		if ParseText(v, []byte(text)) != nil {
			return
		}
		if v.Len() != 1 {
			t.Fatalf("%q as %v: %d rows", text, v.Type, v.Len())
		}
		out := AppendText(nil, v, 0)
		back := New(v.Type, 0)
		if err := ParseText(back, out); err != nil {
			t.Fatalf("%q as %v prints as %q, which is not read: %v", text, v.Type, out, err)
		}
		if !Same(v, 0, back, 0) && !slices.Contains([]Kind{Float64}, v.Type.Kind) {
			t.Fatalf("%q as %v prints as %q, which reads as another value", text, v.Type, out)
		}
	})
}
