package catalog

import (
	"embed"
	"strconv"
	"strings"
	"sync"
)

// The shapes of all relations of pg_catalog and information_schema, and the rows of those that are the same in every
// database, as PostgreSQL 15 has them (PostgreSQL Licence; see data/README.md).
//
//go:embed data/*.txt data/*.tsv
var data embed.FS

// column is a column of a relation or of an answer.
type column struct {
	name    string
	t       typ
	fields  []column // of a record
	notNull bool
}

// relation is one relation of the catalog.
type relation struct {
	schema, name string
	oid          int64
	kind         string // r or v
	cols         []column
	rows         [][]any // of static relations
}

func (r *relation) index() map[string]int {
	at := make(map[string]int, len(r.cols))
	for i, c := range r.cols {
		at[c.name] = i
	}
	return at
}

// typeWords maps the type names of data/relations.txt before pg_type has been read; it must do without pgTypes.
var typeWords = map[string]typ{
	"bool": tBool, "bytea": 17, "char": tChar, "name": tName, "int8": tInt8, "int2": tInt2, "int2vector": tInt2Vector, "int4": tInt4,
	"regproc": tRegproc, "text": tText, "oid": tOid, "xid": tXid, "oidvector": tOidVector, "pg_node_tree": tNodeTree, "float4": tFloat4,
	"float8": tFloat8, "inet": tText, "varchar": tVarchar, "timestamptz": 1184, "interval": 1186, "numeric": tNumeric,
	"regtype": tRegtype, "anyarray": tTextArray, "_text": tTextArray, "_name": tNameArray, "_oid": tOidArray, "_int2": 1005,
	"_char": 1002, "_bool": 1000, "_float4": 1021, "_float8": 1022, "_aclitem": tACL, "_regtype": 2211, "pg_lsn": tText,
}

// relations are all relations of the catalog by schema.name.
var relations = sync.OnceValue(func() map[string]*relation {
	text, err := data.ReadFile("data/relations.txt")
	if err != nil {
		panic("catalog: " + err.Error())
	}
	all := map[string]*relation{}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		schema, name, _ := strings.Cut(words[0], ".")
		r := &relation{schema: schema, name: name, kind: words[2], oid: atoi(words[1])}
		for _, w := range words[3:] {
			c, t, _ := strings.Cut(w, ":")
			t, notNull := strings.CutSuffix(t, "!")
			oid, ok := typeWords[t]
			if !ok {
				oid = tText
			}
			r.cols = append(r.cols, column{name: c, t: oid, notNull: notNull})
		}
		if rows, err := data.ReadFile("data/" + name + ".tsv"); err == nil {
			r.load(string(rows))
		}
		all[words[0]] = r
	}
	return all
})

// load reads rows in COPY's text format.
func (r *relation) load(text string) {
	for line := range strings.Lines(text) {
		row := make([]any, len(r.cols))
		for i, field := range strings.Split(strings.TrimSuffix(line, "\n"), "\t") {
			row[i] = readStatic(field, r.cols[i].t)
		}
		r.rows = append(r.rows, row)
	}
}

func readStatic(field string, t typ) any {
	if field == `\N` {
		return nil
	}
	switch t {
	case tBool:
		return field == "t"
	case tInt2, tInt4, tInt8, tOid, tXid:
		return atoi(field)
	case tRegproc: // a number, or a name that nobody asks for
		return atoi(field)
	case tFloat4, tFloat8:
		f, err := strconv.ParseFloat(field, 64)
		if err != nil {
			panic("catalog: bad number in the data: " + field)
		}
		return f
	case tInt2Vector, tOidVector:
		list := []any{}
		for _, w := range strings.Fields(field) {
			list = append(list, atoi(w))
		}
		return list
	case tTextArray, tOidArray, tACL, 1002:
		return nil
	}
	return strings.ReplaceAll(field, `\\`, `\`)
}

// static finds a relation of the catalog; nil if there is none.
func static(schema, name string) *relation { return relations()[schema+"."+name] }

// lookup finds a relation of the catalog as SQL names it: without a schema, pg_catalog is searched.
func lookup(schema, name string) *relation {
	if schema == "" {
		schema = "pg_catalog"
	}
	return static(schema, name)
}

func atoi(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
