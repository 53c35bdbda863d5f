package jsonb

import (
	"encoding/json"
	"testing"
)

// FuzzAnything: nothing panics or loops on any bytes; valid JSON prints as valid JSON of the same meaning.
func FuzzAnything(f *testing.F) {
	for _, s := range []string{
		`{"a":1,"b":[1,2,{"c":null}],"a":"x"}`, `[1.0,-0,1e5,1e-7,1E400]`, `"\u00e4\ud83d\ude00\n"`, `{`, `[[[[`, `{"a"`, `"`, ``, `nul`, `{"a":}`, `[,]`, `1.`,
	} {
		f.Add([]byte(s), "a")
	}
	f.Fuzz(func(t *testing.T, b []byte, key string) {
		_, _, _, _ = Get(b, key), At(b, 0), At(b, -1), Exists(b, key)
		_ = Contains(b, b)
		_ = Compare(b, []byte(key))
		text := AppendText(nil, b)
		out := AppendJSON(nil, b)
		canonical := AppendCanonical(nil, b)
		if !json.Valid(b) {
			return
		}
		if !json.Valid(out) || !json.Valid(canonical) {
			t.Fatalf("%q prints as %q and %q", b, out, canonical)
		}
		if Compare(b, out) != 0 || !Contains(b, b) {
			t.Fatalf("%q is not equal to its print %q", b, out)
		}
		if again := AppendCanonical(nil, out); string(again) != string(canonical) {
			t.Fatalf("%q has two canonical forms, %q and %q", b, canonical, again)
		}
		_ = text
	})
}
