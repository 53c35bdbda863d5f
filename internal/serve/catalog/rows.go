package catalog

import (
	"myelin/internal/process/plan"
	"myelin/internal/serve/query"
	"myelin/internal/serve/view"
	"myelin/internal/vec"
)

// record is one row by column name; what is missing is filled in by fill.
type record map[string]any

// relationRows gives the rows of a relation of the catalog: those of the data files, and those made from the directory.
func (rt *runtime) relationRows(r *relation) [][]any {
	if rows, ok := rt.made[r]; ok {
		return rows
	}
	rows := r.rows
	if f, ok := producers[r.name]; ok && (r.schema == "pg_catalog" || r.schema == "information_schema") {
		rows = rows[:len(rows):len(rows)]
		f(rt, func(rec record) { rows = append(rows, r.fill(rec)) })
	}
	rt.step(len(rows))
	rt.made[r] = rows
	return rows
}

// fill makes a row of a record. A column that is missing is NULL where that is allowed, else the zero of its type.
func (r *relation) fill(rec record) []any {
	row := make([]any, len(r.cols))
	for i, c := range r.cols {
		v, ok := rec[c.name]
		if !ok && c.notNull {
			v = zero(c.t)
		}
		if n, is := v.(int); is {
			v = int64(n)
		}
		row[i] = v
	}
	return row
}

func zero(t typ) any {
	switch {
	case t == tBool:
		return false
	case isInt(t):
		return int64(0)
	case t == tFloat4 || t == tFloat8:
		return float64(0)
	case elemOf(t) != 0:
		return []any{}
	case isText(t):
		return ""
	}
	return nil
}

// userRows gives the rows of a view or table of the user.
func (rt *runtime) userRows(e *view.Entry) [][]any {
	var rows [][]any
	cols := userColumns(e)
	take := func(b *vec.Batch) bool {
		for n := range b.Rows() {
			i := n
			if b.Sel != nil {
				i = int(b.Sel[n])
			}
			row := make([]any, len(cols))
			for c := range cols {
				row[c] = fromVector(b.Cols[c], i, cols[c].t)
			}
			rows = append(rows, row)
		}
		rt.step(b.Rows())
		rt.hold(len(rows), len(cols))
		return true
	}
	switch {
	case e.Table != nil:
		for b := range e.Table.Version().Scan(0) {
			take(b)
		}
	case rt.cat.source != nil:
		if err := rt.cat.source.Rows(rt.ctx, e, take); err != nil {
			failWith(err)
		}
	default:
		fail(query.CodeFeatureNotSupported, "\"%s\" cannot be joined with the catalog", e.Relation.Name)
	}
	return rows
}

// relkind is how PostgreSQL classes a relation: tables are tables, materialized views what they are called, and plain views
// and streams, whose rows are not stored here, views.
func relkind(e *view.Entry) string {
	switch e.Relation.Kind {
	case plan.Table:
		return "r"
	case plan.View:
		if e.Relation.Definition == nil {
			return "m"
		}
	}
	return "v"
}

// producers make the rows that depend on the directory and the session, by relation.
var producers = map[string]func(rt *runtime, emit func(record)){
	"pg_namespace": func(rt *runtime, emit func(record)) {
		for _, s := range rt.schemas() {
			emit(record{"oid": s.oid, "nspname": s.name, "nspowner": oidOwner})
		}
	},
	"pg_class":      classRows,
	"pg_attribute":  attributeRows,
	"pg_index":      indexRows,
	"pg_constraint": constraintRows,
	"pg_description": func(rt *runtime, emit func(record)) {
		for _, e := range rt.snap.All() {
			if text := describe(e); text != "" {
				emit(record{"objoid": int64(e.OID), "classoid": static("pg_catalog", "pg_class").oid, "objsubid": 0, "description": text})
			}
		}
	},
	"pg_database": func(rt *runtime, emit func(record)) {
		emit(record{"oid": oidDatabase, "datname": rt.sess.Database, "datdba": oidOwner, "encoding": 6, "datlocprovider": "c",
			"datallowconn": true, "datconnlimit": -1, "dattablespace": 1663, "datcollate": "C", "datctype": "C.UTF-8"})
	},
	"pg_roles":    roleRows,
	"pg_authid":   roleRows,
	"pg_user":     pgUserRows,
	"pg_shadow":   pgUserRows,
	"pg_settings": settingRows,
	"pg_tables":   tableRows,
	"pg_views":    viewRows,
	"pg_matviews": matviewRows,
	"pg_indexes":  pgIndexesRows,
	"pg_stat_user_tables": func(rt *runtime, emit func(record)) {
		for _, e := range rt.snap.All() {
			if e.Table != nil {
				emit(record{"relid": int64(e.OID), "schemaname": e.Schema(), "relname": e.Relation.Name, "n_live_tup": int64(e.Table.Version().Rows())})
			}
		}
	},
	"pg_stat_activity": func(rt *runtime, emit func(record)) {
		app, _ := rt.sess.Show("application_name")
		emit(record{"datid": oidDatabase, "datname": rt.sess.Database, "pid": int64(rt.sess.PID), "usename": rt.sess.User, "application_name": app,
			"state": "active", "query": rt.compiler.text, "backend_type": "client backend"})
	},
	"pg_timezone_names": func(_ *runtime, emit func(record)) {
		for _, z := range []string{"UTC", "Europe/Berlin", "Europe/London", "America/New_York", "Asia/Tokyo"} {
			emit(record{"name": z})
		}
	},

	"schemata": func(rt *runtime, emit func(record)) {
		for _, s := range rt.schemas() {
			emit(record{"catalog_name": rt.sess.Database, "schema_name": s.name, "schema_owner": "myelin"})
		}
	},
	"tables":                  infoTables,
	"columns":                 infoColumns,
	"views":                   infoViews,
	"table_constraints":       infoConstraints,
	"key_column_usage":        infoKeys,
	"constraint_column_usage": infoKeys,
	"character_sets": func(rt *runtime, emit func(record)) {
		emit(record{"character_set_name": "UTF8", "character_repertoire": "UCS", "form_of_use": "UTF8", "default_collate_catalog": rt.sess.Database,
			"default_collate_schema": "pg_catalog", "default_collate_name": "C"})
	},
	"information_schema_catalog_name": func(rt *runtime, emit func(record)) { emit(record{"catalog_name": rt.sess.Database}) },
	"enabled_roles":                   func(rt *runtime, emit func(record)) { emit(record{"role_name": rt.sess.User}) },
}

func describe(e *view.Entry) string {
	if e.Description != "" {
		return e.Description
	}
	return e.Relation.Comment
}
