CREATE TABLE r (k int, u text, ns bigint[])
INSERT INTO r VALUES (1, 'a', '{1,2}'), (2, 'a', NULL), (3, 'b', '{}')
-- found by random queries
SELECT 1::float8 AS g, count(*) FILTER (WHERE false) FROM r GROUP BY 1::float8 HAVING count(*) > 1
SELECT 'x'::text AS g, count(*) FILTER (WHERE '{}'::bigint[] IS NOT DISTINCT FROM '{NULL,2}'::bigint[]) FROM r GROUP BY 'x'::text HAVING count(*) > 1
SELECT (1)::float8 AS g0, count(*) FILTER (WHERE ('{}'::bigint[] IS NOT DISTINCT FROM '{NULL,2}'::bigint[])) AS a0 FROM (SELECT u, sum(abs(1)) FROM r GROUP BY u) t GROUP BY (1)::float8 HAVING count(*) > 1
SELECT k <> ALL (ns), k = ANY (ns), NULL = ANY ('{}'::int[]), NULL >= ALL ('{}'::int[]) FROM r
SELECT array_remove(ns, NULL), array_position(ns, NULL) FROM r
SELECT count(*) FROM r WHERE nullif(1, 1) IN (SELECT k FROM r)
SELECT count(*) FROM r CROSS JOIN unnest(CASE WHEN false THEN r.ns END) l
SELECT max(k) FROM r WHERE ('{}'::bigint[])[1] > (SELECT count(*) FROM r b WHERE b.u = r.u)
SELECT 1, count(*) FROM r WHERE false GROUP BY 1::int + 1
SELECT ns || 3, ns || u FROM r
-- days of a zone over both changes of its clock: what windows in a time zone are compared with
SELECT t, date_trunc('day', t, 'Europe/Berlin'), date_trunc('hour', t, 'Europe/Berlin'), date_trunc('week', t, 'Europe/Berlin'), date_trunc('month', t, 'Europe/Berlin') FROM (VALUES (timestamptz '2026-03-28 22:59:59+00'), ('2026-03-28 23:00:00+00'), ('2026-03-29 00:59:59+00'), ('2026-03-29 01:00:00+00'), ('2026-03-29 21:59:59+00'), ('2026-03-29 22:00:00+00'), ('2026-10-24 21:59:59+00'), ('2026-10-24 22:00:00+00'), ('2026-10-25 00:30:00+00'), ('2026-10-25 01:30:00+00'), ('2026-10-25 22:59:59+00'), ('2026-10-25 23:00:00+00')) v(t)
SELECT substr('\x616263'::bytea, 2), substr('\x616263'::bytea, 0, 2), substr('\x61'::bytea, 5), get_byte('\x61ff'::bytea, 1)
SELECT substr('\x616263'::bytea, 2, -1)
SELECT get_byte('\x61'::bytea, 1)
SELECT string_agg(x, '\x2c'::bytea ORDER BY x), string_agg(x, NULL ORDER BY x DESC) FROM (VALUES ('\x62'::bytea), (NULL), ('\x61')) AS t(x)
SELECT to_char(485, 'RN'), to_char(485, 'FMRN'), to_char(3999, 'rn'), to_char(0, 'RN'), to_char(4000, 'RN'), to_char(-5, 'RN'), to_char(4.5, 'FMRN'), to_char(12.4::float8, 'FMRN')
SELECT to_char(0.0004859, '9.99EEEE'), to_char(-1234567.891, '9.999EEEE'), to_char(0, '9.9EEEE'), to_char(9.996, '9.99EEEE'), to_char(12345, '9EEEE'), to_char(-0.00012::float8, '9.99EEEE')
