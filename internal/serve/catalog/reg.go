package catalog

import (
	"strings"

	"myelin/internal/serve/query"
	"myelin/internal/serve/view"
)

// Object identifiers that are the same in every PostgreSQL.
const (
	oidPgCatalog = 11
	oidToast     = 99
	oidPublic    = 2200
	oidOwner     = 10
	oidDatabase  = 5
	// keyOffset lies between a relation's identifier and its key's: directories give identifiers below 2^24 + 2^14.
	keyOffset        = 1 << 25
	constraintOffset = 1 << 26
	oidSchemas       = 1 << 27 // of users' schemas other than public
)

var oidInformation = int64(13207)

// regOut shows an identifier by name.
func (rt *runtime) regOut(oid int64, t typ) string {
	if oid == 0 {
		return "-"
	}
	switch t {
	case tRegclass:
		if schema, name, ok := rt.relationName(oid); ok {
			if schema == view.Schema || schema == "pg_catalog" {
				return quoteIdent(name)
			}
			return quoteIdent(schema) + "." + quoteIdent(name)
		}
	case tRegtype:
		if pgTypes().byOID[typ(oid)] != nil {
			return formatType(typ(oid), -1)
		}
	case tRegnamespace:
		for _, n := range rt.schemas() {
			if n.oid == oid {
				return quoteIdent(n.name)
			}
		}
	case tRegrole:
		if oid == oidOwner {
			return "myelin"
		}
	case tRegproc, tRegprocedure:
		for _, row := range static("pg_catalog", "pg_proc").rows {
			if row[0] == oid {
				return row[1].(string)
			}
		}
	}
	return itoa(oid)
}

// regIn finds an identifier by name; digits stand for themselves.
func (rt *runtime) regIn(s string, t typ) int64 {
	s = strings.TrimSpace(s)
	if s == "-" {
		return 0
	}
	if s != "" && strings.Trim(s, "0123456789") == "" {
		return atoi(s)
	}
	parts := identParts(s)
	schema, name := "", parts[len(parts)-1]
	if len(parts) > 1 {
		schema = parts[len(parts)-2]
	}
	switch t {
	case tRegclass:
		if oid := rt.relationOID(schema, name); oid != 0 {
			return oid
		}
		fail(query.CodeUndefinedTable, "relation \"%s\" does not exist", s)
	case tRegtype:
		if oid, ok := typeNamed(s); ok {
			return int64(oid)
		}
		fail(query.CodeUndefinedObject, "type \"%s\" does not exist", s)
	case tRegnamespace:
		for _, n := range rt.schemas() {
			if n.name == name {
				return n.oid
			}
		}
		fail("3F000", "schema \"%s\" does not exist", s)
	case tRegrole:
		return oidOwner
	case tRegproc, tRegprocedure:
		name, _, _ = strings.Cut(name, "(")
		for _, row := range static("pg_catalog", "pg_proc").rows {
			if row[1] == name {
				return row[0].(int64)
			}
		}
		fail("42883", "function \"%s\" does not exist", s)
	}
	fail(query.CodeUndefinedObject, "\"%s\" does not exist", s)
	return 0
}

// identParts splits a name at its dots, folding what is not quoted.
func identParts(s string) []string {
	var parts []string
	var b strings.Builder
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' && quoted && i+1 < len(s) && s[i+1] == '"':
			b.WriteByte('"')
			i++
		case c == '"':
			quoted = !quoted
		case c == '.' && !quoted:
			parts = append(parts, strings.TrimSpace(b.String()))
			b.Reset()
		case quoted:
			b.WriteByte(c)
		default:
			b.WriteString(strings.ToLower(string(c)))
		}
	}
	return append(parts, strings.TrimSpace(b.String()))
}

func quoteIdent(s string) string {
	plain := s != ""
	for i, c := range s {
		if c != '_' && (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9') {
			plain = false
		}
	}
	if plain && !reservedWords()[s] {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// relationName finds a relation or the key of one by its identifier.
func (c *compiler) relationName(oid int64) (schema, name string, ok bool) {
	if e, ok := c.snap.ByOID(uint32(oid)); ok {
		return e.Schema(), e.Relation.Name, true
	}
	if e, ok := c.snap.ByOID(uint32(oid - keyOffset)); ok && oid > keyOffset && e.Relation.Key != nil {
		return e.Schema(), keyName(e), true
	}
	for _, r := range relations() {
		if r.oid == oid {
			return r.schema, r.name, true
		}
	}
	return "", "", false
}

func (c *compiler) relationOID(schema, name string) int64 {
	if schema == "" {
		if r := static("pg_catalog", name); r != nil {
			return r.oid
		}
	}
	if r := static(schema, name); r != nil {
		return r.oid
	}
	for _, e := range c.snap.All() {
		if e.Schema() != schema && (schema != "" || e.Schema() != view.Schema) {
			continue
		}
		if e.Relation.Name == name {
			return int64(e.OID)
		}
		if e.Relation.Key != nil && keyName(e) == name {
			return int64(e.OID) + keyOffset
		}
	}
	return 0
}

// keyName is the name of the index that stands for a relation's key.
func keyName(e *view.Entry) string { return e.Relation.Name + "_pkey" }

type schema struct {
	oid  int64
	name string
}

// schemas lists the schemas of the database.
func (c *compiler) schemas() []schema {
	list := []schema{{oidPgCatalog, "pg_catalog"}, {oidToast, "pg_toast"}, {oidPublic, view.Schema}, {oidInformation, "information_schema"}}
	seen := map[string]bool{view.Schema: true}
	for _, e := range c.snap.All() {
		if s := e.Schema(); !seen[s] {
			seen[s] = true
			list = append(list, schema{int64(e.OID) + oidSchemas, s})
		}
	}
	return list
}

func (c *compiler) schemaOID(name string) int64 {
	for _, s := range c.schemas() {
		if s.name == name {
			return s.oid
		}
	}
	return 0
}
