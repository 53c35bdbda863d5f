package oracle_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"myelin/internal/process/fn"
	"myelin/internal/process/oracle"
)

// TestExamplesLikePostgres runs the examples of the function reference here and in PostgreSQL: the same answer, or PostgreSQL does not
// have the function.
func TestExamplesLikePostgres(t *testing.T) {
	if pg == nil {
		t.Skip(oracle.ErrNotInstalled, "so answers are not compared with it")
	}
	var texts []string
	for _, g := range fn.Groups() {
		for _, f := range g.Funcs {
			if f.Example != "" && !f.Volatile && !f.Stable {
				texts = append(texts, "SELECT "+f.Example)
			}
		}
	}
	for _, f := range fn.Sets() {
		if f.Example != "" {
			texts = append(texts, "SELECT * FROM "+f.Example)
		}
	}
	// Ours to say, other in the last digit, or published among the differences.
	own := []string{"SELECT current_database()", "SELECT version()", "SELECT cbrt(27)", "SELECT acos(0.5)", "SELECT tan(-1)", "SELECT cot(-1)", "SELECT cot(0)",
		"SELECT array_fill(NULL, ARRAY[3])", "SELECT pg_typeof(NULL)",
		"SELECT array_to_string(ARRAY[1,2,NULL], ',', NULL)", "SELECT * FROM string_to_table('a,b', NULL)"}
	published := regexp.MustCompile(`^SELECT (convert_(from|to)\(.*, '(é_%)?'\)|to_(date|number)\(.*'(é_%)?'\)|to_date\(''.*|to_char\(TIMESTAMP.* ''\))$`)
	literal := regexp.MustCompile(`'[^']*'|\b\d+(\.\d+)?\b`)
	for _, text := range slices.Clone(texts) {
		for _, at := range literal.FindAllStringIndex(text, -1) {
			for _, other := range []string{"NULL", "''", "'é_%'", "0", "-1"} {
				if number := text[at[0]] != '\''; number != (other[0] == '0' || other[0] == '-') && other != "NULL" {
					continue
				}
				texts = append(texts, text[:at[0]]+other+text[at[1]:])
			}
		}
	}
	texts = slices.DeleteFunc(texts, func(s string) bool { return slices.Contains(own, s) || published.MatchString(s) })
	same, alone := 0, []string{}
	for _, text := range texts {
		want, err := pg.Ask(text)
		if err != nil && strings.Contains(err.Error(), "does not exist") {
			alone = append(alone, strings.TrimPrefix(text, "SELECT "))
			continue
		}
		got, gerr := (database{}).run(text)
		if err != nil && gerr != nil {
			same++
			continue
		}
		if err != nil || gerr != nil || !slices.EqualFunc(want, got, slices.Equal) {
			t.Errorf("%s\n  got  %s\n  want %s", text, flat(got, gerr), flat(want, err))
			continue
		}
		same++
	}
	t.Logf("%d are the same; PostgreSQL does not have %d: %s", same, len(alone), strings.Join(alone, "; "))
}
