package catalog

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"myelin/internal/process/sql"
	"myelin/internal/serve/query"
	"myelin/internal/serve/value"
	"myelin/internal/serve/view"
)

// fixed is a function whose answer is always the same.
func fixed(ret typ, v any, args ...typ) *systemFunc {
	return &systemFunc{args: args, least: 0, ret: ret, lax: true, eval: func(*runtime, []any) any { return v }}
}

// on is a function of one argument.
func on(arg, ret typ, f func(rt *runtime, v any) any) *systemFunc {
	return &systemFunc{args: []typ{arg}, least: 1, ret: ret, eval: func(rt *runtime, a []any) any { return f(rt, a[0]) }}
}

// visible is pg_…_is_visible: what is in public or pg_catalog needs no schema before it.
func visible(rt *runtime, v any) any {
	schema, _, ok := rt.relationName(v.(int64))
	if !ok {
		return nil
	}
	return schema == view.Schema || schema == "pg_catalog"
}

// privilege is has_…_privilege, with or without a user as first argument: everybody may read everything.
func privilege(n int) *systemFunc {
	args := make([]typ, n)
	for i := range args {
		args[i] = unknown
	}
	return &systemFunc{args: args, least: 2, ret: tBool, eval: func(_ *runtime, a []any) any {
		p, ok := a[len(a)-1].(string)
		return !ok || !strings.ContainsAny(strings.ToLower(p), "w") && !strings.Contains(strings.ToUpper(p), "INSERT") &&
			!strings.Contains(strings.ToUpper(p), "UPDATE") && !strings.Contains(strings.ToUpper(p), "DELETE") && !strings.Contains(strings.ToUpper(p), "CREATE")
	}}
}

// systemFuncs are the functions of the catalog by name.
var systemFuncs = map[string]*systemFunc{
	"version":            {ret: tText, eval: func(*runtime, []any) any { return query.Version() }},
	"current_database":   {ret: tName, eval: func(rt *runtime, _ []any) any { return rt.sess.Database }},
	"current_catalog":    {ret: tName, eval: func(rt *runtime, _ []any) any { return rt.sess.Database }},
	"current_user":       {ret: tName, eval: func(rt *runtime, _ []any) any { return rt.sess.User }},
	"session_user":       {ret: tName, eval: func(rt *runtime, _ []any) any { return rt.sess.User }},
	"current_role":       {ret: tName, eval: func(rt *runtime, _ []any) any { return rt.sess.User }},
	"user":               {ret: tName, eval: func(rt *runtime, _ []any) any { return rt.sess.User }},
	"current_schema":     fixed(tName, view.Schema),
	"pg_backend_pid":     {ret: tInt4, eval: func(rt *runtime, _ []any) any { return int64(rt.sess.PID) }},
	"pg_is_in_recovery":  fixed(tBool, false),
	"pg_my_temp_schema":  fixed(tOid, int64(0)),
	"inet_server_addr":   fixed(tText, nil),
	"inet_server_port":   fixed(tInt4, nil),
	"inet_client_addr":   fixed(tText, nil),
	"txid_current":       fixed(tInt8, int64(1)),
	"pg_export_snapshot": fixed(tText, "0"),
	"current_schemas": on(tBool, tNameArray, func(_ *runtime, v any) any {
		if v == true {
			return []any{"pg_catalog", view.Schema}
		}
		return []any{view.Schema}
	}),
	"current_setting": {args: []typ{tText, tBool}, least: 1, ret: tText, eval: func(rt *runtime, a []any) any {
		v, err := rt.sess.Show(a[0].(string))
		if err != nil {
			if len(a) > 1 && a[1] == true {
				return nil
			}
			failWith(err)
		}
		return v
	}},
	"set_config": {args: []typ{tText, tText, tBool}, least: 3, ret: tText, eval: func(rt *runtime, a []any) any {
		name, err := rt.sess.Set(a[0].(string), a[1].(string))
		if err != nil {
			failWith(err)
		}
		v, err := rt.sess.Show(name)
		if err != nil {
			failWith(err)
		}
		return v
	}},

	"pg_table_is_visible":        on(tOid, tBool, visible),
	"pg_type_is_visible":         on(tOid, tBool, func(_ *runtime, v any) any { return pgTypes().byOID[typ(v.(int64))] != nil }),
	"pg_function_is_visible":     fixed(tBool, true, tOid),
	"pg_operator_is_visible":     fixed(tBool, true, tOid),
	"pg_opclass_is_visible":      fixed(tBool, true, tOid),
	"pg_collation_is_visible":    fixed(tBool, true, tOid),
	"pg_conversion_is_visible":   fixed(tBool, true, tOid),
	"pg_ts_config_is_visible":    fixed(tBool, true, tOid),
	"pg_relation_is_publishable": fixed(tBool, false, tRegclass),
	"pg_is_other_temp_schema":    fixed(tBool, false, tOid),
	"pg_get_userbyid": on(tOid, tName, func(_ *runtime, v any) any {
		if v == int64(oidOwner) {
			return "myelin"
		}
		return "unknown (OID=" + itoa(v.(int64)) + ")"
	}),
	"format_type": {args: []typ{tOid, tInt4}, least: 2, ret: tText, lax: true, eval: func(_ *runtime, a []any) any {
		oid, ok := a[0].(int64)
		if !ok {
			return nil
		}
		mod, ok := a[1].(int64)
		if !ok {
			mod = -1
		}
		return formatType(typ(oid), mod)
	}},
	"pg_encoding_to_char": on(tInt4, tName, func(_ *runtime, v any) any {
		if v == int64(6) {
			return "UTF8"
		}
		return ""
	}),
	"pg_char_to_encoding": on(tName, tInt4, func(*runtime, any) any { return int64(6) }),

	"pg_get_expr":                        fixed(tText, nil, tText, tOid, tBool),
	"pg_get_serial_sequence":             fixed(tText, nil, tText, tText),
	"pg_get_triggerdef":                  fixed(tText, nil, tOid, tBool),
	"pg_get_ruledef":                     fixed(tText, nil, tOid, tBool),
	"pg_get_functiondef":                 fixed(tText, nil, tOid),
	"pg_get_function_result":             fixed(tText, nil, tOid),
	"pg_get_function_arguments":          fixed(tText, nil, tOid),
	"pg_get_function_identity_arguments": fixed(tText, nil, tOid),
	"pg_get_function_sqlbody":            fixed(tText, nil, tOid),
	"pg_get_statisticsobjdef_columns":    fixed(tText, nil, tOid),
	"pg_get_partkeydef":                  fixed(tText, nil, tOid),
	"pg_get_partition_constraintdef":     fixed(tText, nil, tOid),
	"pg_tablespace_location":             fixed(tText, "", tOid),
	"shobj_description":                  fixed(tText, nil, tOid, tName),
	"col_description":                    fixed(tText, nil, tOid, tInt4),
	"pg_stat_get_numscans":               fixed(tInt8, int64(0), tOid),
	"pg_get_viewdef": {args: []typ{tRegclass, unknown}, least: 1, ret: tText, eval: func(rt *runtime, a []any) any {
		if e, ok := rt.snap.ByOID(uint32(a[0].(int64))); ok && e.SQL != "" {
			return viewQuery(e)
		}
		return nil
	}},
	"pg_get_indexdef": {args: []typ{tOid, tInt4, tBool}, least: 1, ret: tText, eval: func(rt *runtime, a []any) any {
		e, ok := rt.snap.ByOID(uint32(a[0].(int64) - keyOffset))
		if !ok || e.Relation.Key == nil {
			return nil
		}
		if len(a) > 1 {
			if n, _ := a[1].(int64); n > 0 && int(n) <= len(e.Relation.Key) {
				return keyColumns(e)[n-1]
			}
		}
		return indexDef(e, len(a) > 2 && a[2] == true)
	}},
	"pg_get_constraintdef": {args: []typ{tOid, tBool}, least: 1, ret: tText, eval: func(rt *runtime, a []any) any {
		if e, ok := rt.snap.ByOID(uint32(a[0].(int64) - constraintOffset)); ok && e.Relation.Key != nil {
			return "PRIMARY KEY (" + strings.Join(keyColumns(e), ", ") + ")"
		}
		return nil
	}},
	"obj_description": {args: []typ{tOid, tName}, least: 1, ret: tText, eval: func(rt *runtime, a []any) any {
		if len(a) > 1 && a[1] != "pg_class" {
			return nil
		}
		if e, ok := rt.snap.ByOID(uint32(a[0].(int64))); ok {
			if text := describe(e); text != "" {
				return text
			}
		}
		return nil
	}},
	"pg_relation_size":       {args: []typ{tRegclass, tText}, least: 1, ret: tInt8, eval: sizeOf},
	"pg_table_size":          {args: []typ{tRegclass}, least: 1, ret: tInt8, eval: sizeOf},
	"pg_total_relation_size": {args: []typ{tRegclass}, least: 1, ret: tInt8, eval: sizeOf},
	"pg_indexes_size":        fixed(tInt8, int64(0), tRegclass),
	"pg_database_size":       fixed(tInt8, int64(0), unknown),
	"pg_size_pretty": on(tInt8, tText, func(_ *runtime, v any) any {
		n := v.(int64)
		for _, unit := range []string{" bytes", " kB", " MB", " GB"} {
			if n < 10240 {
				return itoa(n) + unit
			}
			n = (n + 512) / 1024
		}
		return itoa(n) + " TB"
	}),
	"to_regclass": on(tText, tRegclass, func(rt *runtime, v any) any {
		parts := identParts(v.(string))
		schema := ""
		if len(parts) > 1 {
			schema = parts[len(parts)-2]
		}
		if oid := rt.relationOID(schema, parts[len(parts)-1]); oid != 0 {
			return oid
		}
		return nil
	}),
	"to_regtype": on(tText, tRegtype, func(_ *runtime, v any) any {
		if t, ok := typeNamed(v.(string)); ok {
			return int64(t)
		}
		return nil
	}),
	"pg_typeof": {args: []typ{unknown}, least: 1, ret: tRegtype, lax: true, typed: func(_ *runtime, _ []any, types []typ) any { return int64(types[0]) }},

	"has_table_privilege":      privilege(3),
	"has_schema_privilege":     privilege(3),
	"has_database_privilege":   privilege(3),
	"has_column_privilege":     privilege(4),
	"has_any_column_privilege": privilege(3),
	"has_function_privilege":   privilege(3),
	"has_sequence_privilege":   privilege(3),
	"has_type_privilege":       privilege(3),
	"pg_has_role":              {args: []typ{unknown, unknown, unknown}, least: 2, ret: tBool, eval: func(*runtime, []any) any { return true }},

	"quote_ident": on(tText, tText, func(_ *runtime, v any) any { return quoteIdent(v.(string)) }),
	"parse_ident": {args: []typ{tText, tBool}, least: 1, ret: tTextArray, eval: func(_ *runtime, a []any) any {
		var list []any
		for _, p := range identParts(a[0].(string)) {
			list = append(list, p)
		}
		return list
	}},
	"array_upper": {args: []typ{unknown, tInt4}, least: 2, ret: tInt4, typed: func(_ *runtime, a []any, types []typ) any {
		list, _ := a[0].([]any)
		if len(list) == 0 || a[1] != int64(1) {
			return nil
		}
		return int64(len(list)) - 1 + lowerBound(types[0])
	}},
	"array_lower": {args: []typ{unknown, tInt4}, least: 2, ret: tInt4, typed: func(_ *runtime, a []any, types []typ) any {
		if list, _ := a[0].([]any); len(list) == 0 || a[1] != int64(1) {
			return nil
		}
		return lowerBound(types[0])
	}},
	"array_length": {args: []typ{unknown, tInt4}, least: 2, ret: tInt4, eval: func(_ *runtime, a []any) any {
		if list, _ := a[0].([]any); len(list) > 0 && a[1] == int64(1) {
			return int64(len(list))
		}
		return nil
	}},
	"cardinality": on(unknown, tInt4, func(_ *runtime, v any) any { list, _ := v.([]any); return int64(len(list)) }),
	"array_position": {args: []typ{unknown, unknown}, least: 2, ret: tInt4, eval: func(_ *runtime, a []any) any {
		list, _ := a[0].([]any)
		if i := slices.IndexFunc(list, func(v any) bool { return v != nil && compare(v, a[1]) == 0 }); i >= 0 {
			return int64(i + 1)
		}
		return nil
	}},
	"array_to_string": {args: []typ{unknown, tText, tText}, least: 2, ret: tText, typed: func(rt *runtime, a []any, types []typ) any {
		list, ok := a[0].([]any)
		if !ok {
			return rt.text(a[0], types[0])
		}
		var words []string
		for _, v := range list {
			if v != nil {
				words = append(words, rt.text(v, elemOf(types[0])))
			} else if len(a) > 2 {
				words = append(words, a[2].(string))
			}
		}
		return strings.Join(words, a[1].(string))
	}},
	"string_to_array": {args: []typ{tText, tText}, least: 2, ret: tTextArray, lax: true, eval: func(_ *runtime, a []any) any {
		if a[0] == nil {
			return nil
		}
		return splitText(a[0], a[1])
	}},
	"json_build_object":  {args: []typ{unknown}, list: true, ret: tJSON, lax: true, typed: jsonObject},
	"jsonb_build_object": {args: []typ{unknown}, list: true, ret: tJSON, lax: true, typed: jsonObject},
}

// viewQuery is the SELECT of a view, without the CREATE around it.
func viewQuery(e *view.Entry) string {
	stmt, err := sql.ParseOne(e.SQL)
	if v, ok := stmt.(*sql.CreateView); ok && err == nil {
		return v.QueryText
	}
	return e.SQL
}

func lowerBound(t typ) int64 {
	if t == tInt2Vector || t == tOidVector {
		return 0
	}
	return 1
}

func sizeOf(rt *runtime, a []any) any {
	if e, ok := rt.snap.ByOID(uint32(a[0].(int64))); ok && e.Table != nil {
		return e.Table.Size()
	}
	return int64(0)
}

func splitText(text, sep any) []any {
	s, _ := text.(string)
	list := []any{}
	if s == "" {
		return list
	}
	by, ok := sep.(string)
	switch {
	case !ok:
		for _, c := range s {
			list = append(list, string(c))
		}
	case by == "":
		list = append(list, s)
	default:
		for _, w := range strings.Split(s, by) {
			list = append(list, w)
		}
	}
	return list
}

func jsonObject(rt *runtime, args []any, types []typ) any {
	var b strings.Builder
	b.WriteByte('{')
	for i := 0; i+1 < len(args); i += 2 {
		if i > 0 {
			b.WriteString(", ")
		}
		if args[i] == nil {
			fail(query.CodeInvalidParameter, "argument %d: key must not be null", i+1)
		}
		key, _ := json.Marshal(rt.text(args[i], types[i])) // a string always marshals
		b.Write(key)
		b.WriteString(" : ")
		b.WriteString(rt.jsonOf(args[i+1], types[i+1]))
	}
	b.WriteByte('}')
	return b.String()
}

// jsonOf is a value as JSON, spaced as PostgreSQL does.
func (rt *runtime) jsonOf(v any, t typ) string {
	switch x := v.(type) {
	case nil:
		return "null"
	case bool, int64, float64:
		if !isReg(t) {
			return strings.TrimSpace(map[any]string{true: "true", false: "false"}[x] + numberText(rt, x, t))
		}
	case []any:
		words := make([]string, len(x))
		for i, e := range x {
			words[i] = rt.jsonOf(e, elemOf(t))
		}
		return "[" + strings.Join(words, ", ") + "]"
	case string:
		if t == tJSON || t == tJSONB {
			return x
		}
	}
	if t == tNumeric || t == value.OIDJSONB {
		return rt.text(v, t)
	}
	b, _ := json.Marshal(rt.text(v, t)) // a string always marshals
	return string(b)
}

func numberText(rt *runtime, v any, t typ) string {
	if _, ok := v.(bool); ok {
		return ""
	}
	return rt.text(v, t)
}

// keywords are the rows of pg_get_keywords().
var keywords = sync.OnceValue(func() [][]any {
	text, err := data.ReadFile("data/keywords.tsv")
	if err != nil {
		panic("catalog: " + err.Error())
	}
	var rows [][]any
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		rows = append(rows, []any{f[0], f[1], f[2] == "t", f[3], f[4]})
	}
	return rows
})

// reservedWords must be quoted when they are names.
var reservedWords = sync.OnceValue(func() map[string]bool {
	m := map[string]bool{}
	for _, row := range keywords() {
		if row[1] != "U" {
			m[row[0].(string)] = true
		}
	}
	return m
})
