package decode

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"myelin/internal/process/nexmark"
	"myelin/internal/process/plan"
	"myelin/internal/vec"
)

// byShape are columns of all the kinds that shapes treat apart.
func byShape() []plan.ScanColumn {
	user := plan.ScanColumn{Column: plan.Column{Name: "user", Type: vec.Of(vec.Text)}, From: plan.FromUserKey}
	return []plan.ScanColumn{
		col("k", vec.Int32), col("a", vec.Int64), col("p.x", vec.Int64), col("p.y", vec.Text), col("->>p.z", vec.Text), col("at", vec.Timestamp),
		col("f", vec.Float64), col("ok", vec.Bool), col("j", vec.JSONB), col("j.x", vec.Int64), col("l.1", vec.Text), user, col("p.at", vec.Timestamptz),
	}
}

// mixed makes records of a few forms, some of them broken.
func mixed(r *rand.Rand, n int) []string {
	value := func() string {
		switch r.IntN(8) {
		case 0:
			return "null"
		case 1:
			return `{"x":1,"n":{"m":[1,"]"]}}`
		case 2:
			return `["a","b\"]"]`
		}
		return leaves[r.IntN(len(leaves))]
	}
	names := []string{"k", "a", "at", "f", "ok", "j", "l", "userId", "anonymousId", "u", "v"}
	forms := make([]func() string, 3+r.IntN(3))
	for i := range forms {
		picked := slices.Clone(names)
		r.Shuffle(len(picked), func(a, b int) { picked[a], picked[b] = picked[b], picked[a] })
		picked = picked[:1+r.IntN(len(picked))]
		if r.IntN(8) == 0 {
			picked = append(picked, picked[0])
		}
		fixed := make([]string, len(picked))
		for k := range fixed {
			if r.IntN(3) > 0 {
				fixed[k] = value()
			}
		}
		gap := []string{"", "", " ", "\n "}[r.IntN(4)]
		nested := r.IntN(3)
		forms[i] = func() string {
			var b strings.Builder
			b.WriteString(gap + "{" + gap)
			for k, name := range picked {
				v := fixed[k]
				switch {
				case v != "":
				case name == "k":
					v = fmt.Sprint(r.IntN(4))
				case name == "a":
					v = fmt.Sprint(r.Int64N(1<<r.IntN(62)+1) - 5)
				default:
					v = value()
				}
				fmt.Fprintf(&b, "%q:%s%s,%s", name, gap, v, gap)
			}
			switch nested {
			case 0:
				fmt.Fprintf(&b, `"p":{"x":%d,"y":"t%d","z":%d,"at":"2026-01-0%d 00:00:00.5"}`, r.IntN(1<<30), r.IntN(50), r.IntN(3), r.IntN(10))
			case 1:
				b.WriteString(`"p":null`)
			default:
				b.WriteString(`"w":"a long text that nobody wants, with a \\ in it now and then"`)
			}
			b.WriteString("}" + gap)
			return b.String()
		}
	}
	out := make([]string, n)
	for i := range out {
		v := []byte(forms[r.IntN(len(forms))]())
		switch r.IntN(12) {
		case 0:
			v = v[:r.IntN(len(v)+1)]
		case 1:
			v[r.IntN(len(v))] = "0123456789-+:.TZ \"\\e,{}[]n"[r.IntN(26)]
		}
		out[i] = string(v)
	}
	return out
}

// agreeShapes decodes records by the shapes that they teach and without any, all of them and those of some kinds.
func agreeShapes(t *testing.T, records []string) {
	t.Helper()
	cols := byShape()
	for _, foreign := range []bool{false, true} {
		with, without := New(cols, nil), New(cols, nil)
		unmarked := New(cols, nil) // as on processors that cannot mark
		without.forms.off, unmarked.marks.off = true, true
		without.Foreign = foreign
		b := decodeAll(without, records...)
		for _, by := range []*Decoder{with, unmarked} {
			by.Foreign = foreign
			a := decodeAll(by, records...)
			if got, want := text(a), text(b); got != want {
				t.Fatalf("%q: got\n%s\nwant\n%s", records, got, want)
			}
			if by.Malformed != without.Malformed {
				t.Fatalf("%q: %d malformed, want %d", records, by.Malformed, without.Malformed)
			}
			if got, want := by.Misfits(), without.Misfits(); !slices.Equal(got, want) {
				t.Fatalf("%q: misfits %v, want %v", records, got, want)
			}
		}
		agreeOnly(t, records, Only{Col: 0, Ints: []int64{1, 3}, Keep: []int{5, 12}}, foreign)
		agreeOnly(t, records, Only{Col: 3, Texts: [][]byte{[]byte("t1"), []byte("t2")}, Keep: []int{12}}, foreign)
		agreeOnly(t, records, Only{Col: 0, Ints: []int64{2}}, foreign)
	}
}

// agreeOnly compares the rows of use, and those that are kept for their times, with those of a decoder that leaves out none.
func agreeOnly(t *testing.T, records []string, o Only, foreign bool) {
	t.Helper()
	only, all := New(byShape(), nil), New(byShape(), nil)
	all.forms.off = true
	only.Foreign, all.Foreign = foreign, foreign
	only.Only(o)
	a, b := decodeAll(only, records...), decodeAll(all, records...)
	useful := func(v *vec.Vector, i int) bool {
		if v.IsNull(i) {
			return false
		}
		if o.Texts == nil {
			return slices.Contains(o.Ints, v.Ints[i])
		}
		return slices.ContainsFunc(o.Texts, func(x []byte) bool { return string(x) == string(v.Bytes(i)) })
	}
	lines := func(b *vec.Batch) (rows, times []string) {
		all := strings.Split(text(b), "\n")
		for i := range b.N {
			time := ""
			for _, c := range o.Keep {
				if !b.Cols[c].IsNull(i) {
					time += string(vec.AppendText(nil, b.Cols[c], i)) + " "
				}
			}
			if useful(b.Cols[o.Col], i) {
				rows = append(rows, all[i])
			} else if time == "" {
				continue
			}
			times = append(times, time)
		}
		return rows, times
	}
	gotRows, gotTimes := lines(a)
	wantRows, wantTimes := lines(b)
	if !slices.Equal(gotRows, wantRows) || !slices.Equal(gotTimes, wantTimes) || only.Malformed != all.Malformed {
		t.Fatalf("%q: got\n%q %q\nwant\n%q %q", records, gotRows, gotTimes, wantRows, wantTimes)
	}
}

func TestShapesChangeNoAnswer(t *testing.T) {
	for seed := range uint64(150) {
		agreeShapes(t, mixed(rand.New(rand.NewPCG(seed, 5)), 40))
	}
}

// FuzzShapesChangeNoAnswer has records that differ a little from one that has taught its shape.
func FuzzShapesChangeNoAnswer(f *testing.F) {
	f.Add([]byte(`{"k":1,"a":2,"p":{"x":3,"y":"t1"},"at":"2026-11-22 10:00:00"}`), uint16(6), []byte(`7,"a":8`))
	f.Add([]byte(`{"u":null,"userId":"","anonymousId":"x","j":{"x":5},"l":["a","b"]}`), uint16(5), []byte(`{}`))
	f.Add([]byte(`{"2":0000000,"0":{00"000"}}`), uint16(25), []byte(`0`))
	f.Add([]byte(`{"k":1,"w":{"x":1}}`), uint16(17), []byte(`"`))
	f.Add([]byte(`{"k":1,"w":{"x":12345678901,"y":1}}`), uint16(17), []byte(`":{[`))
	f.Fuzz(func(t *testing.T, a []byte, at uint16, other []byte) {
		i := min(int(at), len(a))
		b := append(append(slices.Clone(a[:i]), other...), a[min(i+len(other), len(a)):]...)
		c := append(append(slices.Clone(a[:i]), other...), a[i:]...)
		agreeShapes(t, []string{string(a), string(a), string(b), string(a), string(c), string(b), string(a)})
	})
}

// TestShapesAreInForce makes sure that Nexmark's three kinds of events are read by comparing.
func TestShapesAreInForce(t *testing.T) {
	d := New([]plan.ScanColumn{
		col("event_type", vec.Int32), col("bid.auction", vec.Int64), col("bid.price", vec.Int64), col("bid.dateTime", vec.Timestamp), col("bid.extra", vec.Text),
	}, nil)
	s := nexmark.NewStream(1, 100_000)
	var values []string
	for range 5000 {
		values = append(values, string(s.Append(nil)))
	}
	if b := decodeAll(d, values...); b.N != len(values) {
		t.Fatalf("%d rows", b.N)
	}
	if d.forms.learned != 3 || d.forms.have != 3 {
		t.Errorf("%d shapes learned, %d kept; want 3", d.forms.learned, d.forms.have)
	}
}
