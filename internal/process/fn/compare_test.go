package fn

import (
	"testing"

	"myelin/internal/vec"
)

// TestStringsAreComparedWithOneValue compares strings that differ from a value in any one byte, in length, or not at all, wherever in
// the vector's bytes they lie, with the value on either side.
func TestStringsAreComparedWithOneValue(t *testing.T) {
	const text = "abcdefghijklmnopqrst"
	for size := range len(text) + 1 {
		value := text[:size]
		var texts []string
		add := func(s string) { texts = append(texts, s) }
		add(value)
		for at := range size {
			add(value[:at] + "!" + value[at+1:])
		}
		if size > 0 {
			add(value[:size-1])
		}
		add(value + "\x00")
		add(value) // at the end, with nothing behind it
		n := len(texts)
		col, one := vec.New(vec.Type{Kind: vec.Text}, n), vec.New(vec.Type{Kind: vec.Text}, 1)
		one.SetBytes(0, []byte(value))
		for i, s := range texts {
			col.SetBytes(i, []byte(s))
		}
		all := make([]int32, n)
		for i := range all {
			all[i] = int32(i)
		}
		for _, args := range [][]*vec.Vector{{col, one}, {one, col}} {
			for _, want := range []bool{true, false} {
				for _, sel := range [][]int32{nil, all} {
					out := vec.New(vec.Type{Kind: vec.Bool}, n)
					bytesEqual(want)(nil, args, sel, n, out)
					for i := range n {
						if out.Bools[i] != ((texts[i] == value) == want) {
							t.Errorf("%q beside %q: %v, wanted equal: %v", texts[i], value, out.Bools[i], want)
						}
					}
				}
			}
		}
	}
}
