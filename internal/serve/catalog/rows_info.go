package catalog

import (
	"myelin/internal/process/plan"
	"myelin/internal/serve/value"
)

func infoTables(rt *runtime, emit func(record)) {
	row := func(schema, name, kind string) {
		emit(record{"table_catalog": rt.sess.Database, "table_schema": schema, "table_name": name, "table_type": kind, "is_insertable_into": "NO", "is_typed": "NO"})
	}
	for _, e := range rt.snap.All() {
		// PostgreSQL leaves materialized views out; tools that read only this (Power BI) would then see none of ours.
		kind := "VIEW"
		if relkind(e) == "r" {
			kind = "BASE TABLE"
		}
		row(e.Schema(), e.Relation.Name, kind)
	}
	for _, r := range relations() {
		kind := "VIEW"
		if r.kind == "r" {
			kind = "BASE TABLE"
		}
		row(r.schema, r.name, kind)
	}
}

func infoColumns(rt *runtime, emit func(record)) {
	row := func(schema, table string, i int, name string, t typ, mod int32, notNull bool) {
		if t == unknown {
			t = tText
		}
		p := pgTypes().byOID[t]
		rec := record{"table_catalog": rt.sess.Database, "table_schema": schema, "table_name": table, "column_name": name, "ordinal_position": i + 1,
			"is_nullable": yesNo(!notNull), "data_type": dataType(t, p), "udt_catalog": rt.sess.Database, "udt_schema": "pg_catalog",
			"dtd_identifier": itoa(int64(i + 1)), "is_self_referencing": "NO", "is_identity": "NO", "identity_cycle": "NO", "is_generated": "NEVER",
			"is_updatable": "NO"}
		if p != nil {
			rec["udt_name"] = p.name
		}
		switch t {
		case tInt2:
			precise(rec, 16, 2, 0)
		case tInt4:
			precise(rec, 32, 2, 0)
		case tInt8:
			precise(rec, 64, 2, 0)
		case tFloat4:
			precise(rec, 24, 2, nil)
		case tFloat8:
			precise(rec, 53, 2, nil)
		case tNumeric:
			precise(rec, nil, 10, nil)
			if mod >= 0 {
				precise(rec, int64(mod-4)>>16, 10, int64(mod-4)&0xffff)
			}
		case tText, tVarchar:
			rec["character_octet_length"] = 1 << 30
		case value.OIDDate:
			rec["datetime_precision"] = 0
		case value.OIDTime, value.OIDTimestamp, value.OIDTimestamptz, value.OIDInterval:
			rec["datetime_precision"] = 6
		}
		emit(rec)
	}
	for _, e := range rt.snap.All() {
		for i, c := range e.Relation.Columns {
			notNull := c.NotNull
			for _, k := range e.Relation.Key {
				notNull = notNull || k == i && e.Relation.Kind == plan.Table
			}
			row(e.Schema(), e.Relation.Name, i, c.Name, typeOfVec(c.Type), value.Modifier(c.Type), notNull)
		}
	}
	for _, r := range relations() {
		for i, c := range r.cols {
			row(r.schema, r.name, i, c.name, c.t, -1, c.notNull)
		}
	}
}

func precise(rec record, precision, radix, scale any) {
	rec["numeric_precision"], rec["numeric_precision_radix"], rec["numeric_scale"] = precision, radix, scale
	for _, k := range []string{"numeric_precision", "numeric_precision_radix", "numeric_scale"} {
		if rec[k] == nil {
			delete(rec, k)
		}
	}
}

func dataType(t typ, p *pgType) string {
	if p != nil && p.category == "A" && p.elem != 0 {
		return "ARRAY"
	}
	return formatType(t, -1)
}

func yesNo(b bool) string {
	if b {
		return "YES"
	}
	return "NO"
}

func infoViews(rt *runtime, emit func(record)) {
	for _, e := range rt.snap.All() {
		if relkind(e) != "r" {
			emit(record{"table_catalog": rt.sess.Database, "table_schema": e.Schema(), "table_name": e.Relation.Name, "view_definition": viewQuery(e),
				"check_option": "NONE", "is_updatable": "NO", "is_insertable_into": "NO", "is_trigger_updatable": "NO", "is_trigger_deletable": "NO",
				"is_trigger_insertable_into": "NO"})
		}
	}
}

func infoConstraints(rt *runtime, emit func(record)) {
	for _, e := range rt.snap.All() {
		if e.Relation.Key != nil && e.Relation.Kind == plan.Table {
			emit(record{"constraint_catalog": rt.sess.Database, "constraint_schema": e.Schema(), "constraint_name": keyName(e), "table_catalog": rt.sess.Database,
				"table_schema": e.Schema(), "table_name": e.Relation.Name, "constraint_type": "PRIMARY KEY", "is_deferrable": "NO", "initially_deferred": "NO",
				"enforced": "YES"})
		}
	}
}

// infoKeys fills key_column_usage and constraint_column_usage, which share these columns.
func infoKeys(rt *runtime, emit func(record)) {
	for _, e := range rt.snap.All() {
		if e.Relation.Kind != plan.Table {
			continue
		}
		for i, k := range e.Relation.Key {
			emit(record{"constraint_catalog": rt.sess.Database, "constraint_schema": e.Schema(), "constraint_name": keyName(e), "table_catalog": rt.sess.Database,
				"table_schema": e.Schema(), "table_name": e.Relation.Name, "column_name": e.Relation.Columns[k].Name, "ordinal_position": i + 1})
		}
	}
}
