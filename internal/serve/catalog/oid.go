package catalog

import (
	"strings"
	"sync"

	"myelin/internal/serve/value"
	"myelin/internal/vec"
)

// typ is the object identifier of a PostgreSQL type.
type typ = uint32

// Types that catalog queries handle by name.
const (
	unknown       typ = value.OIDUnknown
	tBool         typ = value.OIDBool
	tChar         typ = value.OIDChar // "char", one byte
	tName         typ = value.OIDName
	tInt2         typ = value.OIDInt2
	tInt4         typ = value.OIDInt4
	tInt8         typ = value.OIDInt8
	tText         typ = value.OIDText
	tOid          typ = value.OIDOid
	tXid          typ = 28
	tFloat4       typ = value.OIDFloat4
	tFloat8       typ = value.OIDFloat8
	tNumeric      typ = value.OIDNumeric
	tVarchar      typ = value.OIDVarchar
	tBpchar       typ = value.OIDBpchar
	tRecord       typ = 2249
	tRegproc      typ = value.OIDRegproc
	tRegprocedure typ = 2202
	tRegclass     typ = value.OIDRegclass
	tRegtype      typ = value.OIDRegtype
	tRegrole      typ = 4096
	tRegnamespace typ = 4089
	tInt2Vector   typ = value.OIDInt2Vector
	tOidVector    typ = value.OIDOidVector
	tJSON         typ = value.OIDJSON
	tJSONB        typ = value.OIDJSONB
	tTextArray    typ = 1009
	tInt4Array    typ = 1007
	tNameArray    typ = 1003
	tOidArray     typ = 1028
	tNodeTree     typ = 194
	tACL          typ = 1034 // aclitem[]
)

// pgType is what the catalog knows about a type.
type pgType struct {
	oid, elem, array typ
	name             string
	length           int64
	category         string
	byVal            bool
	align, storage   string
	collation        int64
}

// pgTypes are the rows of pg_type, by identifier and by name.
var pgTypes = sync.OnceValue(func() (t struct {
	byOID  map[typ]*pgType
	byName map[string]*pgType
}) {
	t.byOID, t.byName = map[typ]*pgType{}, map[string]*pgType{}
	rel := static("pg_catalog", "pg_type")
	at := rel.index()
	for _, row := range rel.rows {
		p := &pgType{oid: typ(row[at["oid"]].(int64)), elem: typ(row[at["typelem"]].(int64)), array: typ(row[at["typarray"]].(int64)),
			name: row[at["typname"]].(string), length: row[at["typlen"]].(int64), category: row[at["typcategory"]].(string),
			byVal: row[at["typbyval"]].(bool), align: row[at["typalign"]].(string), storage: row[at["typstorage"]].(string),
			collation: row[at["typcollation"]].(int64)}
		t.byOID[p.oid], t.byName[p.name] = p, p
	}
	return t
})

// sqlNames are the types that format_type spells in another way than pg_type.
var sqlNames = map[typ]string{
	tBool: "boolean", tChar: `"char"`, tInt2: "smallint", tInt4: "integer", tInt8: "bigint", tFloat4: "real", tFloat8: "double precision",
	tBpchar: "character", tVarchar: "character varying", value.OIDTime: "time without time zone", 1266: "time with time zone",
	value.OIDTimestamp: "timestamp without time zone", value.OIDTimestamptz: "timestamp with time zone", 1560: "bit", 1562: "bit varying",
}

// formatType is PostgreSQL's format_type.
func formatType(oid typ, mod int64) string {
	if oid == 0 {
		return "-"
	}
	p := pgTypes().byOID[oid]
	if p == nil {
		return "???"
	}
	if p.elem != 0 && p.category == "A" && p.length == -1 && strings.HasPrefix(p.name, "_") {
		return formatType(p.elem, mod) + "[]"
	}
	name := p.name
	if s, ok := sqlNames[oid]; ok {
		name = s
	}
	if mod < 0 {
		return name
	}
	switch oid {
	case tNumeric:
		return name + "(" + itoa((mod-4)>>16&0xffff) + "," + itoa((mod-4)&0x7ff) + ")"
	case tVarchar, tBpchar:
		return name + "(" + itoa(mod-4) + ")"
	}
	return name
}

// spellings are names that SQL knows and pg_type does not.
var spellings = map[string]string{
	"int": "int4", "integer": "int4", "bigint": "int8", "smallint": "int2", "boolean": "bool", "real": "float4", "float": "float8",
	"double precision": "float8", "decimal": "numeric", "character varying": "varchar", "character": "bpchar", "string": "text",
	"timestamp with time zone": "timestamptz", "timestamp without time zone": "timestamp", "time with time zone": "timetz",
	"time without time zone": "time", "bit varying": "varbit", `"char"`: "char",
}

// typeNamed finds a type by any of its names.
func typeNamed(name string) (typ, bool) {
	name = strings.TrimSpace(name)
	name = strings.TrimPrefix(strings.TrimPrefix(name, "pg_catalog."), "information_schema.")
	base, array := strings.CutSuffix(name, "[]")
	if open := strings.IndexByte(base, '('); open > 0 {
		base = strings.TrimSpace(base[:open])
	}
	if s, ok := spellings[base]; ok {
		base = s
	} else {
		base = strings.Trim(base, `"`)
	}
	switch base { // domains of information_schema
	case "sql_identifier":
		base = "name"
	case "character_data", "yes_or_no":
		base = "varchar"
	case "cardinal_number":
		base = "int4"
	}
	p := pgTypes().byName[base]
	if p == nil {
		return 0, false
	}
	if array {
		return p.array, p.array != 0
	}
	return p.oid, true
}

// elemOf is the element type of an array type, 0 for others.
func elemOf(t typ) typ {
	switch t {
	case tInt2Vector:
		return tInt2
	case tOidVector:
		return tOid
	case 2277: // anyarray
		return tText
	}
	if p := pgTypes().byOID[t]; p != nil && p.category == "A" {
		return p.elem
	}
	return 0
}

func arrayOf(t typ) typ {
	if t == unknown {
		return tTextArray
	}
	if p := pgTypes().byOID[t]; p != nil {
		return p.array
	}
	return tTextArray
}

// isText reports types whose values are Go strings that need no reading.
func isText(t typ) bool {
	switch t {
	case tText, tName, tVarchar, tBpchar, tChar, unknown, 194, 2275, 269, 869, 1033, 3220, 650, 829, 142, 1790, 114:
		return true
	}
	return false
}

// isInt reports types whose values are int64.
func isInt(t typ) bool {
	switch t {
	case tInt2, tInt4, tInt8, tOid, tXid, 29:
		return true
	}
	return isReg(t)
}

// isReg reports the aliases of oid that are shown by name.
func isReg(t typ) bool {
	switch t {
	case tRegclass, tRegtype, tRegproc, tRegprocedure, tRegrole, tRegnamespace, 2203, 2204, 3734, 3769:
		return true
	}
	return false
}

// typeOfVec is the catalog's type for one of the engine's.
func typeOfVec(t vec.Type) typ {
	if t.Kind == vec.Unknown {
		return unknown
	}
	return value.OID(t)
}

// vecType is how the engine stores a type of the catalog; what it lacks is text.
func vecType(t typ) vec.Type {
	switch {
	case isReg(t):
		return vec.Of(vec.Text)
	case t == tXid || t == 29:
		return vec.Of(vec.Int64)
	}
	if e := elemOf(t); e != 0 {
		return vec.ArrayOf(vecType(e).Kind)
	}
	if t == tJSON {
		return vec.Of(vec.Text)
	}
	if v, ok := value.TypeOf(t); ok {
		return v
	}
	return vec.Of(vec.Text)
}

// wireOID is what clients are told of a type. Names of objects go out as text, which reads the same in both formats.
func wireOID(t typ) uint32 {
	switch t {
	case tBool, tChar, tName, tInt2, tInt4, tInt8, tText, tOid, tXid, tFloat4, tFloat8, tVarchar, tBpchar, tInt2Vector, tOidVector,
		tTextArray, tNameArray, tOidArray, tInt4Array, 1005, 1002, tJSON, tNodeTree, tACL:
		return t
	}
	return 0
}
