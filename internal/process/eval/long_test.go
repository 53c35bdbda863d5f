package eval_test

import (
	"strings"
	"testing"
)

func TestTextsThatGrowBeyondMeasureAreRefused(t *testing.T) {
	for _, sql := range []string{
		"SELECT replace(repeat('a', 5000), 'a', repeat('b', 5000))",
		"SELECT regexp_replace(repeat('a', 5000), 'a', repeat('b', 5000), 'g')",
		"SELECT repeat(repeat('a', 5000), 5000)",
		"SELECT lpad('a', 2147483647, 'b')",
	} {
		if rows, err := answer(sql); err == nil || !strings.Contains(err.Error(), "requested length too large") {
			t.Errorf("%s: %d rows, %v", sql, len(rows), err)
		}
	}
	for sql, want := range map[string]string{
		"SELECT length(replace(repeat('a', 10000), 'a', 'bb'))":                          "20000",
		"SELECT length(replace(repeat('ab', 10000), 'ab', ''))":                          "0",
		"SELECT length(regexp_replace(repeat('a', 10000), 'a', 'bb', 'g'))":              "20000",
		"SELECT length(regexp_replace(repeat('a', 5000), '^a', repeat('b', 5000), 'g'))": "9999",
	} {
		if rows, err := answer(sql); err != nil || rows[0][0] != want {
			t.Errorf("%s: %v, %v", sql, rows, err)
		}
	}
}
