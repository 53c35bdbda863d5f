package decode

import (
	"math/rand/v2"
	"testing"
)

// TestMarkedTextsEndWhereTheyDo compares what marks say of a text with what reading its bytes says.
func TestMarkedTextsEndWhereTheyDo(t *testing.T) {
	if !canMark {
		t.Log("the processor cannot mark") // everything else is tested all the same
		return
	}
	r := rand.New(rand.NewPCG(7, 7))
	var m marks
	for range 1200 {
		n := 1 + r.IntN(300)
		if r.IntN(50) == 0 {
			n = maxMarked - r.IntN(3)
		}
		wide := make([]byte, n+overread)
		rare := 1 + r.IntN(200)
		for i := range wide {
			if wide[i] = byte(1 + r.IntN(0x7f)); wide[i] == '"' || wide[i] == '\\' {
				wide[i] = 'x'
			}
			if r.IntN(rare) == 0 {
				wide[i] = "\"\"\"\\\x80\xff"[r.IntN(6)]
			}
		}
		if m.read(wide[:n]); !m.known {
			t.Fatal("no marks")
		}
		for i := range n + 1 {
			end, plain := m.text(i)
			want, ok := i, true
			for want < n && wide[want] != '"' {
				ok = ok && wide[want] != '\\' && wide[want] < 0x80
				want++
			}
			if want == n {
				if end < n {
					t.Fatalf("%q from %d: ends at %d", wide[:n], i, end)
				}
				continue // whatever it says, the record has ended before
			}
			if end != want || plain != ok {
				t.Fatalf("%q from %d: %d, %v; want %d, %v", wide[:n], i, end, plain, want, ok)
			}
		}
	}
}

// TestLongRecordsAreReadWithoutMarks has records of about the length up to which they are marked.
func TestLongRecordsAreReadWithoutMarks(t *testing.T) {
	var records []string
	for n := maxMarked - 40; n < maxMarked+10; n++ {
		long := make([]byte, n)
		for i := range long {
			long[i] = 'a' + byte(i%26)
		}
		records = append(records, `{"k":1,"a":2,"at":"`+string(long)+`"}`, `{"p":{"x":3,"y":"`+string(long)+`"},"ok":true}`)
	}
	agreeShapes(t, records)
}
