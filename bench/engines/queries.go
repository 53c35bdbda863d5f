package main

import (
	_ "embed"
	"strings"
)

//go:embed queries/myelin_tables.sql
var myelinTables string

//go:embed queries/myelin.sql
var myelinQueries string

//go:embed queries/flink_tables.sql
var flinkTables string

//go:embed queries/flink.sql
var flinkQueries string

// query is one question, in the words of those who can answer it; "": that engine is not asked.
type query struct {
	name, about   string
	myelin, flink string
}

// queries are those of Nexmark, and a windowed count. q6 is not there: Flink cannot plan it. q10 and q13 read and write files.
func queries() []query {
	var out []query
	flink := map[string]string{}
	for _, q := range split(flinkQueries) {
		flink[q.name] = q.myelin
	}
	for _, q := range split(myelinQueries) {
		q.flink = flink[q.name]
		q.myelin = "CREATE SINK answer AS\n" + q.myelin + "\nWITH (connector = 'blackhole');\n"
		out = append(out, q)
	}
	return out
}

// split reads a file of queries: each begins with a line "-- name: about".
func split(text string) []query {
	var out []query
	for part := range strings.SplitSeq("\n"+text, "\n-- ") {
		head, body, _ := strings.Cut(part, "\n")
		if name, about, ok := strings.Cut(head, ": "); ok {
			out = append(out, query{name: name, about: about, myelin: strings.TrimSuffix(strings.TrimSpace(body), ";")})
		}
	}
	return out
}
