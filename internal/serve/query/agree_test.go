package query_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"myelin/internal/process/oracle"
)

// statements must give the same rows, in both formats, and the same description here and on PostgreSQL.
var statements = []struct {
	sql  string
	args []string
}{
	{"SELECT true, false, NULL::bool", nil},
	{"SELECT 1, -2147483648, 9223372036854775807, 0::bigint", nil},
	{"SELECT 0.1::float8, 1e15::float8, 123456789012345::float8, 1e-5::float8, 'NaN'::float8, '-Infinity'::float8, 1/3.0::float8", nil},
	{"SELECT 0.0, 1.50, -0.00012345, 100000000, 12345678901234567890.123456789, 10000.0001, 99999999::numeric(12,2)", nil},
	{"SELECT 'grüß', '', 'a''b', 'x'::text", nil},
	{`SELECT '\x00ff'::bytea`, nil},
	{"SELECT DATE '2026-11-22', DATE '0044-03-15 BC', TIME '23:59:59.999999', TIMESTAMP '1999-12-31 23:59:59.5'", nil},
	{"SELECT TIMESTAMPTZ '2026-11-22 11:51:39.160932+00', TIMESTAMPTZ '2026-11-22 11:51:39-03:30'", nil},
	{"SELECT INTERVAL '1 year 2 mons -3 days 04:05:06.7', INTERVAL '-1 day +00:00:01', INTERVAL '90 minutes', INTERVAL '0'", nil},
	{"SELECT '0e37df36-f698-11e6-8dd4-cb9ced3df976'::uuid", nil},
	{`SELECT '{"b": [1, null, "x"], "a": 1.50}'::jsonb`, nil},
	{"SELECT ARRAY[1,NULL,-3], ARRAY['a','b c',NULL,'null',''], '{}'::int[]", nil},
	{"SELECT $1::int + 1, $2::text || 'x', $3::numeric * 2", []string{"41", "y", "1.25"}},
	{"SELECT $1::timestamptz, $2::date, $3::interval", []string{"2026-11-22 10:00:00+01", "2026-02-28", "1 day 2 hours"}},
	{"SELECT $1 = 5, $2 LIKE 'a%'", []string{"5", "abc"}},
	{"SELECT count(*), sum(x), avg(x), min(x), max(x) FROM (VALUES (1), (2), (NULL)) t(x)", nil},
	{"SELECT x, count(*) AS n FROM (VALUES ('a'), ('b'), ('a')) t(x) GROUP BY x ORDER BY n DESC, x", nil},
	{"SELECT CASE WHEN x > 1 THEN 'big' ELSE 'small' END, coalesce(x, 0) FROM (VALUES (1), (2)) t(x) ORDER BY 1", nil},
	{"SELECT * FROM (VALUES (1, 'a'), (2, NULL)) t(n, s) ORDER BY n DESC LIMIT 1", nil},
	{"SELECT date_trunc('hour', TIMESTAMPTZ '2026-11-22 11:51:39+00'), extract(epoch FROM TIMESTAMP '2026-11-22 11:51:39')", nil},
	{"SELECT upper('a'), length('grüß'), substring('abcdef' FROM 2 FOR 3), replace('aXa', 'X', 'y'), 'a' || 1", nil},
	{"SELECT 1::smallint::int, 7 / 2, 7 % 2, 7.0 / 2, 2 ^ 10, abs(-5), round(2.5), round(-1.234, 2)", nil},
	{"SELECT current_schema(), 'pg_class'::regclass::oid, format_type(1700, 786438), pg_typeof(1)::text", nil},
	{"SELECT relname, relkind, relnatts FROM pg_class WHERE relname IN ('pg_class', 'pg_type') ORDER BY 1", nil},
	{"SELECT attname, atttypid, attnum, attlen, attnotnull FROM pg_attribute WHERE attrelid = 'pg_namespace'::regclass AND attnum > 0 ORDER BY attnum", nil},
	{"SELECT oid, typname, typlen, typtype, typcategory, typelem, typarray, typreceive::oid FROM pg_type WHERE oid IN (16, 20, 23, 25, 1009, 1700, 3802) ORDER BY oid", nil},
	{"SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'information_schema' AND c.relname LIKE 'table%' ORDER BY 2", nil},
	{"SELECT s, s * 2 FROM generate_series(1, 3) s", nil},
	{"SELECT (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0) FROM pg_class c WHERE c.relname = 'pg_index'", nil},
	{"SELECT unnest(ARRAY[3,1,2]) AS u ORDER BY u", nil},
	{"SELECT rngtypid, rngsubtype FROM pg_range ORDER BY 1", nil},
	{"SELECT array_agg(amname ORDER BY amname) FROM pg_am WHERE amtype = 'i'", nil},
	{"SELECT indkey FROM pg_index WHERE false", nil},
	{"SHOW standard_conforming_strings", nil},
}

func TestAnswersAgreeWithPostgreSQL(t *testing.T) {
	pg, err := oracle.Open()
	if errors.Is(err, oracle.ErrNotInstalled) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pg.Close(); err != nil {
			t.Error(err)
		}
	})
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ours, err := pgconn.Connect(ctx, fmt.Sprintf("postgres://myelin@127.0.0.1:%d/myelin?sslmode=disable", w.addr.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ours.Close(context.Background()) }()
	theirs := pg.Conn()
	for _, st := range statements {
		for format := range int16(2) {
			args := make([][]byte, len(st.args))
			for i, a := range st.args {
				args[i] = []byte(a)
			}
			a := ours.ExecParams(ctx, st.sql, args, nil, nil, []int16{format}).Read()
			b := theirs.ExecParams(ctx, st.sql, args, nil, nil, []int16{format}).Read()
			if diff := compareResults(a, b); diff != "" {
				t.Errorf("format %d: %s\n  %s", format, st.sql, diff)
			}
		}
	}
}

func compareResults(a, b *pgconn.Result) string {
	if a.Err != nil || b.Err != nil {
		return fmt.Sprintf("errors: %v, PostgreSQL: %v", a.Err, b.Err)
	}
	if a.CommandTag.String() != b.CommandTag.String() {
		return fmt.Sprintf("%s, PostgreSQL: %s", a.CommandTag, b.CommandTag)
	}
	for i := range a.FieldDescriptions {
		x, y := a.FieldDescriptions[i], b.FieldDescriptions[i]
		if string(x.Name) != string(y.Name) || x.DataTypeOID != y.DataTypeOID || x.TypeModifier != y.TypeModifier || x.DataTypeSize != y.DataTypeSize {
			return fmt.Sprintf("column %d is %s %d %d %d, on PostgreSQL %s %d %d %d", i+1, x.Name, x.DataTypeOID, x.TypeModifier, x.DataTypeSize,
				y.Name, y.DataTypeOID, y.TypeModifier, y.DataTypeSize)
		}
	}
	for r := range a.Rows {
		for c := range a.Rows[r] {
			if x, y := a.Rows[r][c], b.Rows[r][c]; !bytes.Equal(x, y) || (x == nil) != (y == nil) {
				return fmt.Sprintf("row %d, column %d is %q, on PostgreSQL %q", r+1, c+1, x, y)
			}
		}
	}
	return ""
}
