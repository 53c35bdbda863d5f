CREATE TABLE s (id int PRIMARY KEY, a text, b text, n int, d numeric(10,2), at timestamp, tz timestamptz, arr int[], j jsonb, iv interval, dt date)
INSERT INTO s VALUES (1, 'x', 'p', 1, 1.50, '2026-03-29 01:30', '2026-03-29 01:30+00', '{1,2,3}', '{"a":{"b":[1,2,{"c":"d"}]},"t":"x"}', '1 day 02:00', '2026-03-29')
INSERT INTO s VALUES (2, 'x', 'q', 2, 2.25, '2026-10-25 02:30', '2026-10-25 00:30+00', '{}', '[1,[2,3],null]', '1 month', '2024-02-29')
INSERT INTO s VALUES (3, 'y', 'p', NULL, NULL, '2026-12-31 23:59:59.999', '2026-12-31 23:59:59.999+00', '{NULL,5}', '"str"', '-3 days', NULL)
INSERT INTO s VALUES (4, NULL, 'q', 4, 100, NULL, NULL, NULL, NULL, NULL, '2026-01-01')
INSERT INTO s VALUES (5, 'y', NULL, 5, -7.75, '1999-12-31 12:00', '1999-12-31 12:00+02', '{5,5,7,1}', 'null', '00:00:01.5', '0001-01-01')
-- grouping sets
SELECT a, b, count(*), sum(n) FROM s GROUP BY ROLLUP (a, b)
SELECT a, b, count(*), GROUPING(a, b) FROM s GROUP BY CUBE (a, b)
SELECT a, b, GROUPING(b), sum(d) FROM s GROUP BY GROUPING SETS ((a, b), (a), ())
SELECT a.t, (SELECT max(extract(hour FROM a.t) + b.n) FROM s b WHERE b.n > extract(hour FROM a.t)) FROM (VALUES (INTERVAL '1 day'), ('24 hours'), ('-90 minutes'), ('1 month'), ('30 days'), ('719:30:00'), (NULL)) a(t)
SELECT a.t FROM (VALUES (INTERVAL '1 day'), ('24 hours'), ('-90 minutes'), ('30 days'), (NULL)) a(t) WHERE extract(hour FROM a.t) < ALL (SELECT n FROM s WHERE n > 0)
SELECT a.x, (SELECT string_agg(a.x::text || b.id, ',' ORDER BY b.id) FROM s b WHERE b.n > a.x) FROM (VALUES (2.5), (2.50), (NULL), (-1.000), (0)) a(x)
SELECT a.l, (SELECT max(a.l::text || b.id) FROM s b WHERE b.n > cardinality(a.l)) FROM (VALUES (ARRAY[2.5]), (ARRAY[2.50]), (NULL), (ARRAY[1.0, NULL])) a(l)
SELECT a.j, (SELECT max((a.j ->> 'v') || b.id) FROM s b WHERE b.n > (a.j ->> 'v')::numeric) FROM (VALUES ('{"v": 1.0}'::jsonb), ('{"v": 1}'), (NULL), ('{"v": 1e1}')) a(j)
SELECT a, CASE WHEN true THEN a END AS b2, coalesce(NULL, a), nullif(a, NULL), count(*) FROM s GROUP BY GROUPING SETS ((a, CASE WHEN true THEN a END, coalesce(NULL, a), nullif(a, NULL)), (a), ())
SELECT CASE WHEN 1 > 0 THEN n ELSE 0 END AS g, grouping(n), count(*) FROM s GROUP BY ROLLUP (CASE WHEN 1 > 0 THEN n ELSE 0 END, n)
SELECT (n > 2) AND true AS g, n > 2 AS h, count(*) FROM s GROUP BY CUBE ((n > 2) AND true, n > 2)
SELECT n, CASE WHEN true THEN n END + 1, count(*) FROM s GROUP BY GROUPING SETS ((n), ())
SELECT n, CASE WHEN true THEN n END + 1, count(*) FROM s GROUP BY n
SELECT a, b, count(*) FROM s GROUP BY a, ROLLUP (b)
SELECT a, count(*) FROM s WHERE id > 100 GROUP BY GROUPING SETS ((a), ())
SELECT a, b, count(*) FROM s GROUP BY GROUPING SETS (a, b, ROLLUP (a, b))
SELECT a, b, count(*) FROM s GROUP BY ROLLUP ((a, b))
SELECT coalesce(a, 'all') AS k, sum(n) FROM s GROUP BY ROLLUP (a) HAVING sum(n) > 1 ORDER BY 2, 1
SELECT upper(a), count(*) FROM s GROUP BY CUBE (upper(a))
SELECT a, rank() OVER (PARTITION BY GROUPING(a) ORDER BY sum(n), a) FROM s GROUP BY ROLLUP (a)
SELECT GROUPING(a), a FROM s GROUP BY a
SELECT GROUPING(b) FROM s GROUP BY a
SELECT a, b, count(*) FROM s GROUP BY (a, b)
SELECT count(*) FROM s GROUP BY ()
SELECT count(*) FROM s WHERE false GROUP BY GROUPING SETS ((), ())
-- recursive
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 10) SELECT sum(n), count(*) FROM t
WITH RECURSIVE t(n) AS (VALUES (1) UNION SELECT (n * 3) % 7 FROM t) SELECT n FROM t ORDER BY n
WITH RECURSIVE tree AS (SELECT id, n, 1 AS depth FROM s WHERE id = 1 UNION ALL SELECT s.id, s.n, depth + 1 FROM s JOIN tree ON s.id = tree.id + 1) SELECT * FROM tree
WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 3), u AS (SELECT n * 2 AS m FROM t) SELECT * FROM t, u WHERE n < m
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n * 1.5 FROM t WHERE n < 10) SELECT * FROM t
WITH RECURSIVE t(n) AS (SELECT n FROM t) SELECT * FROM t
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n FROM t WHERE n < 0) SELECT * FROM t
WITH RECURSIVE t(n, p) AS (SELECT id, a || '' FROM s WHERE id < 3 UNION ALL SELECT t.n + 2, t.p || 'z' FROM t JOIN s ON s.id = t.n + 2) SELECT n, p FROM t ORDER BY n, p
-- values and rows
VALUES (1, 'a'), (2, NULL) ORDER BY 1 DESC
SELECT * FROM (VALUES (1, 'a'), (2.5, NULL)) AS v(n, t) WHERE n > 1
SELECT id FROM s WHERE (a, b) = ('x', 'q')
SELECT id FROM s WHERE (a, n) < ('y', 3)
SELECT id FROM s WHERE (a, n) >= ('x', 2)
SELECT id, (a, n) IS NULL, (a, n) IS NOT NULL FROM s
SELECT id FROM s WHERE (n, a) IN ((1, 'x'), (5, 'y'))
SELECT id, (n, a) NOT IN ((1, 'x'), (NULL, 'y')) FROM s
SELECT id, (n, a) IS DISTINCT FROM (1, 'x') FROM s
SELECT id, n BETWEEN SYMMETRIC 4 AND 2, n NOT BETWEEN SYMMETRIC 2 AND 1, n BETWEEN 4 AND 2 FROM s
SELECT id, a IS DISTINCT FROM b, n IS NOT DISTINCT FROM id FROM s
SELECT id, n IS UNKNOWN FROM s
SELECT id, (n > 2) IS UNKNOWN, (n > 2) IS NOT TRUE FROM s
-- arrays
SELECT id, arr, arr[1], arr[5], arr[-1] FROM s
SELECT id, arr[1:2], arr[2:], arr[:1], arr[3:1], arr[:], arr[0:2], arr[2:NULL] FROM s
SELECT id, cardinality(arr), array_length(arr, 1), array_upper(arr, 1), array_lower(arr, 1), array_ndims(arr), array_dims(arr) FROM s
SELECT id, 5 = ANY (arr), 5 <> ALL (arr), 3 < ANY (arr), n = ANY (arr) FROM s
SELECT id, arr || 9, 0 || arr, arr || arr, arr || '{8}', array_append(arr, NULL), array_prepend(0, arr), array_cat(arr, ARRAY[1]) FROM s
SELECT id, array_position(arr, 5), array_positions(arr, 5), array_remove(arr, 5), array_replace(arr, 5, 6) FROM s
SELECT id, arr = '{1,2,3}', arr < '{5}', arr <> ARRAY[5], arr @> '{5}', arr <@ '{1,2,3,4}', arr && '{1,9}' FROM s
SELECT arr FROM s ORDER BY arr, id
SELECT DISTINCT arr FROM s
SELECT arr, count(*) FROM s GROUP BY arr
SELECT id, array_to_string(arr, ','), array_to_string(arr, ',', '?'), arr::text, arr::text[] FROM s
SELECT string_to_array('a,b,,c', ','), string_to_array('abc', NULL), string_to_array('a,b', ',', 'b'), string_to_array('', ',')
SELECT ARRAY[1, 2.5], ARRAY['a', NULL], ARRAY[]::int[], '{"a b",NULL,"x\"y"}'::text[], '{}'::numeric[]
SELECT array_agg(n ORDER BY id DESC), array_agg(a ORDER BY id), array_agg(DISTINCT b), array_agg(n) FILTER (WHERE n > 2) FROM s
SELECT array_fill(7, ARRAY[3]), trim_array(ARRAY[1,2,3], 1), array_sample(ARRAY[1], 1)
SELECT array_fill(7, ARRAY[3]), trim_array(ARRAY[1,2,3], 1)
SELECT array_fill(NULL::int, ARRAY[2]), array_fill(NULL::text, ARRAY[0]), array_fill(1, ARRAY[]::int[]), array_fill('x'::text, ARRAY[2])
SELECT array_fill(1, NULL)
SELECT array_fill(1, ARRAY[NULL]::int[])
SELECT array_fill(1, ARRAY[-1])
SELECT array_fill(1, ARRAY[2.5])
SELECT trim_array(ARRAY[1,2,3], 5)
SELECT '{1,2'::int[]
SELECT ARRAY[1,2] = ARRAY[1,2], ARRAY[1,2] < ARRAY[1,3], ARRAY[1] < ARRAY[1,0], ARRAY[NULL]::int[] = ARRAY[NULL]::int[]
SELECT (ARRAY['a','b'])[2], (ARRAY[1,2,3])[2:3], (string_to_array('a-b', '-'))[1]
SELECT num_nulls(1, NULL, 'x'), num_nonnulls(1, NULL)
-- time
SELECT id, at AT TIME ZONE 'Europe/Paris', tz AT TIME ZONE 'America/New_York', tz AT TIME ZONE 'Asia/Kolkata' FROM s
SELECT id, date_trunc('day', tz, 'Australia/Sydney'), date_trunc('week', at), date_trunc('quarter', at), date_trunc('decade', at), date_trunc('century', at) FROM s
SELECT id, date_bin('15 minutes', at, '2001-01-01'), date_bin('1 day', tz, '2001-01-01 06:00+00') FROM s
SELECT date_bin('1 month', TIMESTAMP '2026-01-01', '2001-01-01')
SELECT id, extract(epoch FROM at), extract(dow FROM at), extract(isodow FROM dt), extract(week FROM at), extract(isoyear FROM dt), extract(doy FROM dt), extract(quarter FROM at), extract(milliseconds FROM at) FROM s
SELECT id, extract(epoch FROM iv), extract(day FROM iv), extract(hour FROM iv), extract(month FROM iv), extract(century FROM at), extract(decade FROM at), extract(julian FROM dt) FROM s
SELECT id, extract(timezone FROM tz), extract(microsecond FROM at), extract(second FROM at), date_part('minute', at) FROM s
SELECT id, to_char(at, 'YYYY-MM-DD HH24:MI:SS.MS'), to_char(at, 'Dy DD Mon YY, HH12:MI am'), to_char(at, 'FMDay, FMMonth FMDD IYYY-IW Q') FROM s
SELECT to_char(1234567.891, 'FM9,999,999.00'), to_char(-12, '999'), to_char(0.5, '0.00'), to_char(12, '0000'), to_char(interval '15h 2m 12s', 'HH24:MI:SS')
SELECT to_timestamp('2026-05-01 13:14:15', 'YYYY-MM-DD HH24:MI:SS'), to_date('05 Dec 2000', 'DD Mon YYYY'), to_timestamp(1700000000.5), to_number('12,454.8-', '99G999D9S')
SELECT age(TIMESTAMP '2026-05-01', TIMESTAMP '2001-12-25'), justify_hours('50 hours'), justify_days('45 days'), justify_interval('1 month -1 hour'), isfinite(TIMESTAMP 'infinity')
SELECT make_date(2026, 2, 3), make_time(8, 15, 23.5), make_timestamp(2026, 7, 15, 8, 15, 23.5), make_interval(1, 2, 3, 4, 5, 6, 7.5)
SELECT id, at + iv, at - iv, dt + 1, dt - DATE '2026-01-01', at - TIMESTAMP '2026-01-01', iv * 2, iv / 2, -iv FROM s
SELECT (TIMESTAMP '2026-01-01', TIMESTAMP '2026-02-01') OVERLAPS (TIMESTAMP '2026-01-15', INTERVAL '1 day')
SELECT DATE '2026-01-31' + INTERVAL '1 month', TIMESTAMPTZ '2026-03-29 00:30+00' AT TIME ZONE 'Europe/Berlin', TIME '23:00' + INTERVAL '2 hours', INTERVAL '1 year 2 mons 3 days' > INTERVAL '400 days'
-- text
SELECT format('%s-%I-%L-%%', 'a', 'b c', 'd''e'), format('%2$s %1$s', 'x', 'y'), format('%-5s|%5s', 'a', 'b'), format('%s', NULL)
SELECT regexp_replace('foobarbaz', 'b(..)', 'X\1Y', 'g'), regexp_match('foobar', 'o(b)(a)'), regexp_split_to_array('a1b2', '\d'), regexp_count('abab', 'a'), regexp_like('Abc', 'abc', 'i'), regexp_substr('abc123', '\d+'), regexp_instr('abc', 'c')
SELECT split_part('a,b,c', ',', 2), split_part('a,b,c', ',', -1), left('abc', -1), right('abc', 2), lpad('5', 3, '0'), rpad('5', 3, 'xy'), repeat('ab', 2), reverse('abc'), initcap('hello wORLD'), translate('12345', '143', 'ax'), ascii('x'), chr(65), md5('a'), strpos('high', 'ig'), starts_with('abc', 'ab'), concat('a', NULL, 1), concat_ws('-', 'a', NULL, 'b'), quote_literal('a''b'), quote_ident('A b'), btrim('xxaxx', 'x'), overlay('Txxxxas' placing 'hom' from 2 for 4), to_hex(255), encode('abc', 'base64'), decode('YWJj', 'base64'), length('é'), octet_length('é'), bit_length('a'), char_length('é')
SELECT 'a' LIKE 'A', 'a' ILIKE 'A', 'a%b' LIKE 'a\%b', 'abc' SIMILAR TO '(a|x)bc', 'x' ~ '^[a-z]$', 'X' ~* 'x', 'abc' ^@ 'ab', 'a' || NULL, 'a' || 1, E'a\nb', $$q$$
-- json
SELECT id, j->'a', j->'a'->'b'->2->>'c', j#>'{a,b,0}', j#>>'{a,b,2}', j->0, j->>-1, j ? 't', j @> '{"t":"x"}', j->'missing' IS NULL FROM s
SELECT id, jsonb_typeof(j), jsonb_path_query_array(j, '$.a.b[*]'), jsonb_path_exists(j, '$.a.b[*] ? (@ > 1)'), j @? '$.t', j @@ '$.t == "x"', jsonb_path_query_first(j, '$.**.c') FROM s
SELECT jsonb_set('{"a":{"b":1}}', '{a,b}', '2'), jsonb_set('{"a":1}', '{x}', '2', false), jsonb_set('[1,2]', '{0}', '"x"'), jsonb_insert('[1,2]', '{1}', '9'), jsonb_insert('{"a":1}', '{b}', '2'), '{"a":1,"b":2}'::jsonb - 'a', '[1,2]'::jsonb - 0, '{"a":{"b":1}}'::jsonb #- '{a,b}', '{"a":1}'::jsonb || '{"b":2}', '{"a":1,"b":2,"c":3}'::jsonb - '{a,b}'::text[]
SELECT jsonb_build_object('a', 1, 'b', ARRAY[1,2], 'c', NULL, 'd', DATE '2026-01-01'), jsonb_build_array(1, 'x', true), to_jsonb(ARRAY['a']), jsonb_object('{a,1,b,2}'), jsonb_object('{a,b}', '{1,2}'), jsonb_strip_nulls('{"a":null}'), jsonb_pretty('{"a":1}')
SELECT jsonb_agg(n ORDER BY id), jsonb_object_agg(id, a ORDER BY id), jsonb_agg(j ORDER BY id) FILTER (WHERE id < 3) FROM s
SELECT ('{"a":1.0}'::jsonb->'a')::int, ('{"a":true}'::jsonb->'a')::boolean, ('{"a":"x"}'::jsonb->'a')::text, ('1.5'::jsonb)::numeric, ('"5"'::jsonb)::int
SELECT '{"b":1,"a":2}'::jsonb = '{"a":2,"b":1}', '1'::jsonb < '2', '[1]'::jsonb > '1', j FROM s ORDER BY j, id
SELECT count(DISTINCT j), max(id) FROM s
SELECT sum(1e308::float8) FROM (VALUES (1), (2)) v
SELECT sum(x) FROM (VALUES ('Infinity'::float8), (1)) v(x)
SELECT sum(x), avg(x) FROM (VALUES ('Infinity'::float8), ('-Infinity')) v(x)
SELECT avg(1e308::float8) FROM (VALUES (1), (2)) v
SELECT sum(x) FROM (VALUES (9223372036854775807), (1)) v(x)
SELECT stddev(n), variance(d), bit_and(n), bit_or(n), bool_and(n > 0), every(n > 0), mode() WITHIN GROUP (ORDER BY a), percentile_cont(0.5) WITHIN GROUP (ORDER BY n), percentile_disc(0.5) WITHIN GROUP (ORDER BY n) FROM s
