package catalog

import (
	"strings"

	"myelin/internal/process/plan"
	"myelin/internal/serve/query"
	"myelin/internal/serve/value"
	"myelin/internal/serve/view"
)

func classRows(rt *runtime, emit func(record)) {
	for _, r := range relations() {
		emit(record{"oid": r.oid, "relname": r.name, "relnamespace": rt.schemaOID(r.schema), "relowner": oidOwner, "relkind": r.kind,
			"relam": heapOf(r.kind), "relnatts": len(r.cols), "relpersistence": "p", "relispopulated": true, "relreplident": "n", "reltuples": float64(-1)})
	}
	for _, e := range rt.snap.All() {
		kind, rows := relkind(e), float64(-1)
		if e.Table != nil {
			rows = float64(e.Table.Version().Rows())
		}
		emit(record{"oid": int64(e.OID), "relname": e.Relation.Name, "relnamespace": rt.schemaOID(e.Schema()), "relowner": oidOwner, "relkind": kind,
			"relam": heapOf(kind), "relnatts": len(e.Relation.Columns), "relhasindex": e.Relation.Key != nil, "relpersistence": "p",
			"relispopulated": true, "relreplident": "d", "reltuples": rows, "relfilenode": int64(e.OID), "relhasrules": kind != "r"})
		if e.Relation.Key != nil {
			emit(record{"oid": int64(e.OID) + keyOffset, "relname": keyName(e), "relnamespace": rt.schemaOID(e.Schema()), "relowner": oidOwner, "relkind": "i",
				"relam": 403, "relnatts": len(e.Relation.Key), "relpersistence": "p", "relispopulated": true, "relreplident": "n", "reltuples": rows})
		}
	}
}

func heapOf(kind string) int64 {
	if kind == "v" {
		return 0
	}
	return 2
}

func attributeRows(rt *runtime, emit func(record)) {
	for _, r := range relations() {
		attributes(r.oid, r.cols, emit)
	}
	for _, e := range rt.snap.All() {
		emitColumns(int64(e.OID), e.Relation.Columns, e.Relation.Key, emit)
		if e.Relation.Key != nil {
			key := make([]plan.Column, len(e.Relation.Key))
			for i, k := range e.Relation.Key {
				key[i] = e.Relation.Columns[k]
			}
			emitColumns(int64(e.OID)+keyOffset, key, nil, emit)
		}
	}
}

func attributes(rel int64, cols []column, emit func(record)) {
	for i, c := range cols {
		emit(attribute(rel, i, c.name, c.t, -1, c.notNull))
	}
}

func emitColumns(rel int64, cols []plan.Column, key []int, emit func(record)) {
	for i, c := range cols {
		notNull := c.NotNull
		for _, k := range key {
			notNull = notNull || k == i
		}
		emit(attribute(rel, i, c.Name, typeOfVec(c.Type), value.Modifier(c.Type), notNull))
	}
}

func attribute(rel int64, i int, name string, t typ, mod int32, notNull bool) record {
	if t == unknown {
		t = tText
	}
	rec := record{"attrelid": rel, "attname": name, "atttypid": int64(t), "attstattarget": -1, "attnum": i + 1, "attcacheoff": -1,
		"atttypmod": int64(mod), "attnotnull": notNull, "attislocal": true, "attidentity": "", "attgenerated": "", "attcompression": ""}
	if p := pgTypes().byOID[t]; p != nil {
		rec["attlen"], rec["attbyval"], rec["attalign"], rec["attstorage"], rec["attcollation"] = p.length, p.byVal, p.align, p.storage, p.collation
		if p.category == "A" {
			rec["attndims"] = 1
		}
	}
	return rec
}

func indexRows(rt *runtime, emit func(record)) {
	for _, e := range rt.snap.All() {
		if e.Relation.Key == nil {
			continue
		}
		key, zeros, collations := keyNumbers(e), []any{}, []any{}
		for _, k := range e.Relation.Key {
			zeros = append(zeros, int64(0))
			collation := int64(0)
			if p := pgTypes().byOID[typeOfVec(e.Relation.Columns[k].Type)]; p != nil {
				collation = p.collation
			}
			collations = append(collations, collation)
		}
		emit(record{"indexrelid": int64(e.OID) + keyOffset, "indrelid": int64(e.OID), "indnatts": len(key), "indnkeyatts": len(key), "indisunique": true,
			"indisprimary": e.Relation.Kind == plan.Table, "indimmediate": true, "indisvalid": true, "indisready": true, "indislive": true,
			"indkey": key, "indcollation": collations, "indclass": zeros, "indoption": zeros})
	}
}

func keyNumbers(e *view.Entry) []any {
	key := []any{}
	for _, k := range e.Relation.Key {
		key = append(key, int64(k+1))
	}
	return key
}

func constraintRows(rt *runtime, emit func(record)) {
	for _, e := range rt.snap.All() {
		if e.Relation.Key == nil || e.Relation.Kind != plan.Table {
			continue
		}
		emit(record{"oid": int64(e.OID) + constraintOffset, "conname": keyName(e), "connamespace": rt.schemaOID(e.Schema()), "contype": "p", "convalidated": true,
			"conrelid": int64(e.OID), "conindid": int64(e.OID) + keyOffset, "conislocal": true, "connoinherit": true, "conkey": keyNumbers(e),
			"confupdtype": " ", "confdeltype": " ", "confmatchtype": " "})
	}
}

func roles(rt *runtime) []record {
	list := []record{{"oid": int64(oidOwner), "name": "myelin"}}
	if rt.sess.User != "myelin" {
		list = append(list, record{"oid": int64(oidOwner + 1), "name": rt.sess.User})
	}
	return list
}

func roleRows(rt *runtime, emit func(record)) {
	for _, r := range roles(rt) {
		emit(record{"oid": r["oid"], "rolname": r["name"], "rolsuper": false, "rolinherit": true, "rolcanlogin": true, "rolconnlimit": -1, "rolpassword": "********"})
	}
}

func pgUserRows(rt *runtime, emit func(record)) {
	for _, r := range roles(rt) {
		emit(record{"usesysid": r["oid"], "usename": r["name"], "passwd": "********", "usesuper": false})
	}
}

func settingRows(rt *runtime, emit func(record)) {
	for _, name := range query.SettingNames() {
		s := query.Settings[strings.ToLower(name)]
		v, err := rt.sess.Show(name)
		if err != nil {
			continue
		}
		rec := record{"name": name, "setting": v, "category": "Client Connection Defaults", "short_desc": s.Help, "context": "user",
			"vartype": "string", "source": "default", "boot_val": s.Default, "reset_val": s.Default, "pending_restart": false}
		if s.Unit != "" {
			rec["unit"] = s.Unit
		}
		if s.Fixed {
			rec["context"] = "internal"
		}
		emit(rec)
	}
}

func tableRows(rt *runtime, emit func(record)) {
	for _, e := range rt.snap.All() {
		if relkind(e) == "r" {
			emit(record{"schemaname": e.Schema(), "tablename": e.Relation.Name, "tableowner": "myelin", "hasindexes": e.Relation.Key != nil})
		}
	}
	for _, r := range relations() {
		if r.kind == "r" {
			emit(record{"schemaname": r.schema, "tablename": r.name, "tableowner": "myelin", "hasindexes": false})
		}
	}
}

func viewRows(rt *runtime, emit func(record)) {
	for _, e := range rt.snap.All() {
		if relkind(e) == "v" {
			emit(record{"schemaname": e.Schema(), "viewname": e.Relation.Name, "viewowner": "myelin", "definition": viewQuery(e)})
		}
	}
	for _, r := range relations() {
		if r.kind == "v" {
			emit(record{"schemaname": r.schema, "viewname": r.name, "viewowner": "myelin"})
		}
	}
}

func matviewRows(rt *runtime, emit func(record)) {
	for _, e := range rt.snap.All() {
		if relkind(e) == "m" {
			emit(record{"schemaname": e.Schema(), "matviewname": e.Relation.Name, "matviewowner": "myelin", "hasindexes": e.Relation.Key != nil,
				"ispopulated": true, "definition": viewQuery(e)})
		}
	}
}

func pgIndexesRows(rt *runtime, emit func(record)) {
	for _, e := range rt.snap.All() {
		if e.Relation.Key != nil {
			emit(record{"schemaname": e.Schema(), "tablename": e.Relation.Name, "indexname": keyName(e), "indexdef": indexDef(e, false)})
		}
	}
}

// indexDef is pg_get_indexdef of a relation's key; pretty leaves out a schema that need not be written.
func indexDef(e *view.Entry, pretty bool) string {
	on := quoteIdent(e.Schema()) + "."
	if pretty && e.Schema() == view.Schema {
		on = ""
	}
	return "CREATE UNIQUE INDEX " + quoteIdent(keyName(e)) + " ON " + on + quoteIdent(e.Relation.Name) + " USING btree (" +
		strings.Join(keyColumns(e), ", ") + ")"
}

func keyColumns(e *view.Entry) []string {
	var names []string
	for _, k := range e.Relation.Key {
		names = append(names, quoteIdent(e.Relation.Columns[k].Name))
	}
	return names
}
