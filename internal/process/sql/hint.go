package sql

import "strings"

// Suggest returns the candidate nearest to a misspelt word, or "" if none is near. Case does not count.
func Suggest(word string, candidates []string) string {
	w := strings.ToLower(word)
	limit := 1 + len(w)/4
	best, bestDist := "", limit+1
	for _, c := range candidates {
		lc := strings.ToLower(c)
		if abs(len(lc)-len(w)) > limit {
			continue
		}
		if d := distance(w, lc, limit); d < bestDist {
			best, bestDist = c, d
		}
	}
	if bestDist > limit || bestDist >= len(w) {
		return ""
	}
	return best
}

func abs(x int) int {
	if x < 0 {
		return -x
	}
	return x
}

// distance counts insertions, deletions, replacements and swaps of neighbours (optimal string alignment), up to limit+1.
func distance(a, b string, limit int) int {
	if len(a) > 64 || len(b) > 64 {
		return limit + 1
	}
	var rows [3][65]int
	prev2, prev, cur := rows[0][:], rows[1][:], rows[2][:]
	for j := 0; j <= len(b); j++ {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}

// clauseWords are the words that start or join clauses: the usual victims of a typing error.
var clauseWords = []string{
	"select", "from", "where", "group", "having", "order", "limit", "offset", "union", "intersect", "except", "join", "inner",
	"left", "right", "full", "cross", "outer", "using", "window", "qualify", "values", "create", "materialized", "source", "table",
	"view", "sink", "insert", "update", "delete", "explain", "distinct", "between", "watermark", "partition", "primary", "emit",
	"changes", "interval", "analyze", "case", "when", "then", "else", "filter", "exists", "with", "drop",
}

func wordSet(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

// reserved words cannot be names or aliases unless quoted. It is PostgreSQL's list with what the dialect adds: emit, qualify.
var reserved = wordSet(`all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create cross
	current_catalog current_date current_role current_time current_timestamp current_user default deferrable desc distinct do else emit
	end except false fetch for foreign from full grant group having ilike in initially inner intersect into is isnull join
	lateral leading left like limit localtime localtimestamp natural not notnull null offset on only or order outer overlaps placing
	primary qualify references returning right select session_user similar some symmetric table then to trailing true union
	unique user using variadic when where window with`)
