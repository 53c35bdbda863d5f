CREATE TABLE e (id int PRIMARY KEY, u text, n int, x numeric, at timestamp, tags text[], j jsonb)
INSERT INTO e VALUES (1, 'a', 3, 1.5, '2026-01-01 10:00', '{x,y}', '[1,2]'), (2, 'a', 1, NULL, '2026-01-01 10:05', '{}', '{"k":1,"a":null}'), (3, 'b', 3, 2, '2026-01-01 10:05', NULL, NULL)
INSERT INTO e VALUES (4, 'b', NULL, 2.25, '2026-01-01 11:00', '{z}', '["q",null]'), (5, NULL, 7, 0, '2026-01-02 00:00', '{x,NULL}', '"s"'), (6, 'a', 3, 9, NULL, '{y,x}', '[]'), (7, NULL, 7, 1, '2026-01-02 00:10', '{w}', '[{"k":2}]')
-- numbering
SELECT id, row_number() OVER (ORDER BY id), rank() OVER (ORDER BY n), dense_rank() OVER (ORDER BY n DESC) FROM e
SELECT id, row_number() OVER (PARTITION BY u ORDER BY id DESC) FROM e
SELECT id, percent_rank() OVER (PARTITION BY u ORDER BY n), cume_dist() OVER (PARTITION BY u ORDER BY n) FROM e
SELECT id, ntile(3) OVER (ORDER BY id), ntile(2) OVER (PARTITION BY u ORDER BY id) FROM e
SELECT id, ntile(0) OVER (ORDER BY id) FROM e
SELECT id, lag(id) OVER (ORDER BY id), lead(n, 2) OVER (ORDER BY id), lag(n, 1, -1) OVER (PARTITION BY u ORDER BY id), lead(x, 1, 0) OVER (ORDER BY id) FROM e
SELECT id, lag(n, NULL) OVER (ORDER BY id), lag(n, -1) OVER (ORDER BY id), lag(n, 0) OVER (ORDER BY id) FROM e
SELECT id, first_value(id) OVER w, last_value(id) OVER w, nth_value(id, 2) OVER w FROM e WINDOW w AS (PARTITION BY u ORDER BY id)
SELECT id, last_value(id) OVER (PARTITION BY u ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM e
-- aggregates and frames
SELECT id, sum(n) OVER (), count(*) OVER (PARTITION BY u), avg(x) OVER (PARTITION BY u ORDER BY id) FROM e
SELECT id, sum(n) OVER (ORDER BY id ROWS 1 PRECEDING), sum(n) OVER (ORDER BY id ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING) FROM e
SELECT id, sum(id) OVER (ORDER BY n RANGE BETWEEN 2 PRECEDING AND 2 FOLLOWING) FROM e
SELECT id, sum(id) OVER (ORDER BY n DESC RANGE BETWEEN 2 PRECEDING AND 0 FOLLOWING) FROM e
SELECT id, sum(id) OVER (ORDER BY n NULLS FIRST RANGE BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING) FROM e
SELECT id, sum(id) OVER (ORDER BY x RANGE BETWEEN 0.5 PRECEDING AND CURRENT ROW) FROM e
SELECT id, count(*) OVER (ORDER BY at RANGE BETWEEN INTERVAL '5 minutes' PRECEDING AND CURRENT ROW) FROM e
SELECT id, count(*) OVER (ORDER BY at RANGE BETWEEN INTERVAL '1 day' PRECEDING AND INTERVAL '1 hour' FOLLOWING) FROM e
SELECT id, sum(id) OVER (ORDER BY n GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM e
SELECT id, sum(id) OVER (ORDER BY n GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) FROM e
SELECT id, sum(id) OVER (ORDER BY n EXCLUDE GROUP) FROM e
SELECT id, sum(id) OVER (ORDER BY n RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE GROUP), sum(id) OVER (ORDER BY n RANGE UNBOUNDED PRECEDING EXCLUDE TIES) FROM e
SELECT id, min(n) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW), max(u) OVER (ORDER BY id ROWS 2 PRECEDING) FROM e
SELECT id, count(*) FILTER (WHERE n > 2) OVER (PARTITION BY u ORDER BY id) FROM e
SELECT id, string_agg(u, ',') OVER (ORDER BY id), array_agg(n) OVER (PARTITION BY u ORDER BY id) FROM e
SELECT id, bool_or(n > 3) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING), round(sum(x) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING), 3) FROM e
SELECT id, sum(n) OVER w, count(*) OVER (w ROWS 1 PRECEDING) FROM e WINDOW w AS (PARTITION BY u ORDER BY id)
SELECT id, sum(n) OVER (w ORDER BY id) FROM e WINDOW w AS (PARTITION BY u)
SELECT u, count(*), sum(count(*)) OVER (), rank() OVER (ORDER BY count(*) DESC, u) FROM e GROUP BY u
SELECT u, sum(n), sum(n) / sum(sum(n)) OVER () FROM e GROUP BY u HAVING count(*) > 1
SELECT DISTINCT u, count(*) OVER (PARTITION BY u) FROM e ORDER BY 1, 2
SELECT id, n - lag(n) OVER (ORDER BY id) AS d FROM e ORDER BY d NULLS LAST, id
SELECT id FROM e ORDER BY row_number() OVER (ORDER BY id DESC)
SELECT * FROM (SELECT id, u, row_number() OVER (PARTITION BY u ORDER BY id DESC) rn FROM e) t WHERE rn = 1
SELECT * FROM (SELECT id, u, rank() OVER (PARTITION BY u ORDER BY n) rn FROM e) t WHERE rn <= 1
SELECT id FROM (SELECT id, u, dense_rank() OVER (ORDER BY n) rn FROM e) t WHERE rn BETWEEN 2 AND 3
SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) rn, u FROM e) t WHERE rn > 2 AND rn < 5 AND u IS NOT NULL
SELECT id, at - lag(at) OVER (PARTITION BY u ORDER BY at) > INTERVAL '30 minutes' AS new_session FROM e
SELECT id, sum(CASE WHEN n > 2 THEN 1 ELSE 0 END) OVER (PARTITION BY u ORDER BY id) FROM e
SELECT id, (SELECT max(b.n) FROM e b WHERE b.u = e.u) - n, rank() OVER (ORDER BY (SELECT count(*) FROM e b WHERE b.n = e.n), id) FROM e
-- errors in both
SELECT id FROM e WHERE row_number() OVER () = 1
SELECT count(*) FROM e HAVING row_number() OVER () = 1
SELECT row_number() FROM e
SELECT sum(sum(n) OVER ()) FROM e
SELECT sum(row_number() OVER ()) OVER () FROM e
SELECT id, sum(n) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND 1 PRECEDING) FROM e
SELECT id, sum(n) OVER (RANGE 1 PRECEDING) FROM e
SELECT id, sum(n) OVER (ORDER BY id ROWS -1 PRECEDING) FROM e
SELECT id, sum(n) OVER (ORDER BY u RANGE 1 PRECEDING) FROM e
SELECT id, sum(n) OVER (GROUPS 1 PRECEDING) FROM e
SELECT sum(n) OVER w FROM e
SELECT count(DISTINCT n) OVER () FROM e
SELECT n FROM e GROUP BY row_number() OVER ()
SELECT n, rank() OVER (ORDER BY id) FROM e GROUP BY n
SELECT sum(n) OVER (w PARTITION BY id) FROM e WINDOW w AS (PARTITION BY u)
SELECT sum(n) OVER (w) FROM e WINDOW w AS (ORDER BY id ROWS 1 PRECEDING)
SELECT upper(u) OVER () FROM e
-- distinct on
SELECT DISTINCT ON (u) u, id FROM e ORDER BY u, id DESC
SELECT DISTINCT ON (u, n) u, n, id FROM e ORDER BY u, n, id
SELECT DISTINCT ON (n) id, u FROM e ORDER BY n DESC NULLS LAST, id LIMIT 2
SELECT DISTINCT ON (1) n, id FROM e ORDER BY 1, 2
SELECT DISTINCT ON (u) id FROM e ORDER BY id
SELECT DISTINCT ON (upper(u)) id, u FROM e ORDER BY upper(u), id DESC
SELECT DISTINCT ON (u) u, count(*) FROM e GROUP BY u, n ORDER BY u, count(*) DESC, n
-- functions in FROM
SELECT * FROM generate_series(1, 5)
SELECT * FROM generate_series(5, 1, -2) AS s
SELECT s.s + 1 FROM generate_series(1::bigint, 3) s
SELECT * FROM generate_series(1, 2, 0)
SELECT * FROM generate_series(0.5, 2, 0.5)
SELECT * FROM generate_series('2026-01-01'::timestamp, '2026-01-02', '6 hours') AS t(x)
SELECT * FROM generate_series(DATE '2026-01-30', DATE '2026-03-01', INTERVAL '1 month')
SELECT * FROM unnest(ARRAY[3,1,2]) WITH ORDINALITY
SELECT * FROM unnest(ARRAY[3,1,2]) WITH ORDINALITY AS t(v, i) WHERE v > 1
SELECT * FROM unnest(ARRAY['a','b'], ARRAY[1,2,3]) AS t(a, b)
SELECT * FROM unnest(NULL::int[])
SELECT id, t FROM e, unnest(tags) t
SELECT id, t FROM e LEFT JOIN unnest(tags) t ON true
SELECT id, t FROM e LEFT JOIN unnest(tags) t ON t <> 'x'
SELECT id, t, o FROM e JOIN LATERAL unnest(tags) WITH ORDINALITY AS a(t, o) ON o > 1
SELECT t, count(*) FROM e CROSS JOIN unnest(tags) AS t GROUP BY t
SELECT id, unnest(tags) FROM e
SELECT id, unnest(tags), unnest(ARRAY[1,2]) FROM e WHERE id < 3
SELECT upper(unnest(tags)) AS t, count(*) FROM e GROUP BY 1
SELECT unnest(tags) FROM e ORDER BY 1 LIMIT 2
SELECT count(*) FROM e WHERE unnest(tags) = 'x'
SELECT * FROM jsonb_array_elements('[1, "a", null, {"b": 2}]')
SELECT * FROM jsonb_array_elements_text('[1, "a", null, {"b": 2}]') AS t
SELECT value FROM jsonb_array_elements('[1,2]') AS v
SELECT * FROM jsonb_each('{"b": 1, "a": [1,2], "c": null}')
SELECT key, value FROM jsonb_each_text('{"b": 1, "a": "x", "c": null}') kv
SELECT * FROM jsonb_object_keys('{"b": 1, "a": 2}') k
SELECT * FROM jsonb_array_elements('{"a":1}')
SELECT * FROM jsonb_array_elements('3')
SELECT * FROM jsonb_each('[1]')
SELECT id, el FROM e, jsonb_array_elements(j) el WHERE jsonb_typeof(j) = 'array'
SELECT id, el->>'k' FROM (SELECT * FROM e WHERE jsonb_typeof(j) = 'array') e, jsonb_array_elements(e.j) el
SELECT * FROM regexp_matches('a1b22', '([a-z])(\d+)', 'g')
SELECT * FROM regexp_matches('a1b22', '[a-z]')
SELECT regexp_matches('abc', 'x')
SELECT * FROM regexp_split_to_table('a, b,c', ',\s*') AS p
SELECT * FROM string_to_table('a,b,,c', ',')
SELECT * FROM string_to_table('a,b,x', ',', 'x') WITH ORDINALITY
SELECT * FROM upper('x')
SELECT * FROM e, upper(u) AS big WHERE id < 3
SELECT id, x FROM e, LATERAL (SELECT n * 2 AS x) t
SELECT generate_subscripts(ARRAY['a','b','c'], 1)
-- lateral
SELECT e.id, t.id FROM e, LATERAL (SELECT b.id FROM e b WHERE b.u = e.u AND b.id > e.id ORDER BY b.id LIMIT 1) t
SELECT e.id, t.id FROM e LEFT JOIN LATERAL (SELECT b.id FROM e b WHERE b.u = e.u AND b.id > e.id ORDER BY b.id DESC LIMIT 2) t ON true
SELECT e.id, t.c, t.m FROM e, LATERAL (SELECT count(*) c, max(b.id) m FROM e b WHERE b.n = e.n) t
SELECT e.id, t.c FROM e LEFT JOIN LATERAL (SELECT count(*) c FROM e b WHERE b.n < e.n) t ON t.c > 1
SELECT e.id, t.v FROM e, LATERAL (VALUES (e.n), (e.id)) t(v)
SELECT e.id, t.v FROM e, LATERAL (SELECT e.n UNION SELECT 3) t(v)
SELECT e.id, t.* FROM e, LATERAL (SELECT b.u, count(*) FROM e b WHERE b.id <> e.id GROUP BY b.u) t
SELECT e.id, t.id, t.r FROM e, LATERAL (SELECT b.id, row_number() OVER (ORDER BY b.id DESC) r FROM e b WHERE b.u = e.u) t WHERE r < 3
SELECT a.id, b.id, c.t FROM e a JOIN e b ON a.id = b.n, unnest(a.tags) c(t)
SELECT a.id, c.v FROM e a, LATERAL (SELECT DISTINCT b.n + a.id AS v FROM e b) c
SELECT e.id, s FROM e, generate_series(1, e.n) s
SELECT e.id, s, t FROM e, generate_series(1, e.n) s, LATERAL (SELECT s * 10 AS t) q WHERE t > 10
SELECT e.id FROM e RIGHT JOIN LATERAL (SELECT e.n) t ON true
SELECT x.id, y.v FROM e x LEFT JOIN LATERAL (SELECT max(z.id) AS v FROM e z JOIN LATERAL (SELECT z.n + x.n AS w) q ON q.w > 5) y ON true
-- correlated
SELECT id, (SELECT count(*) FROM e b WHERE b.n < e.n) FROM e
SELECT id, (SELECT b.u FROM e b WHERE b.id = e.n) FROM e
SELECT id, (SELECT b.u FROM e b WHERE b.n = e.n) FROM e
SELECT id, (SELECT b.id FROM e b WHERE b.n = e.n ORDER BY b.id LIMIT 1) FROM e
SELECT id, (SELECT b.id FROM e b WHERE b.n > e.n OR b.u = e.u ORDER BY b.id DESC LIMIT 1) FROM e
SELECT id FROM e WHERE EXISTS (SELECT 1 FROM e b WHERE b.n > e.n AND b.u = e.u)
SELECT id FROM e WHERE NOT EXISTS (SELECT 1 FROM e b WHERE b.n + e.id > 8)
SELECT id, EXISTS (SELECT 1 FROM e b WHERE b.n > e.n) FROM e
SELECT id, n IN (SELECT b.id FROM e b WHERE b.u = e.u) FROM e
SELECT id, n NOT IN (SELECT b.n FROM e b WHERE b.id < e.id) FROM e
SELECT id FROM e WHERE n NOT IN (SELECT b.n FROM e b WHERE b.u = e.u AND b.id <> e.id)
SELECT id, n > ALL (SELECT b.n FROM e b WHERE b.id < e.id), n >= ANY (SELECT b.n FROM e b) FROM e
SELECT id FROM e WHERE id = ANY (SELECT n FROM e)
SELECT id FROM e WHERE id < ALL (SELECT n FROM e WHERE n IS NOT NULL)
SELECT id FROM e WHERE (id, u) IN (SELECT n, u FROM e)
SELECT id, (n, u) NOT IN (SELECT b.n, b.u FROM e b WHERE b.id > 3) FROM e
SELECT id FROM e WHERE n = (SELECT max(b.n) FROM e b WHERE b.u IS NOT DISTINCT FROM e.u)
SELECT id, (SELECT sum(b.n) FROM e b WHERE b.id <= e.id) FROM e
SELECT u, count(*), (SELECT count(*) FROM e b WHERE b.u = e.u AND b.n > 1) FROM e GROUP BY u
SELECT u, count(*) FROM e GROUP BY u HAVING count(*) > (SELECT count(*) FROM e b WHERE b.u > e.u)
SELECT u, (SELECT b.id FROM e b WHERE b.n = e.n LIMIT 1) FROM e GROUP BY u
SELECT id FROM e a WHERE EXISTS (SELECT 1 FROM e b WHERE b.u = a.u AND EXISTS (SELECT 1 FROM e c WHERE c.n = b.n AND c.id <> a.id))
SELECT id FROM e a WHERE EXISTS (SELECT 1 FROM (SELECT * FROM e b WHERE b.n = a.n) t WHERE t.id <> a.id)
SELECT id, (SELECT string_agg(t, '-' ORDER BY t) FROM unnest(e.tags) t) FROM e
SELECT id FROM e WHERE 'x' = ANY (tags) OR EXISTS (SELECT 1 FROM unnest(tags) t WHERE t = 'z')
SELECT id FROM e WHERE EXISTS (SELECT 1 FROM jsonb_array_elements(CASE jsonb_typeof(j) WHEN 'array' THEN j ELSE '[]' END) x WHERE x = '2')
SELECT id, ARRAY(SELECT b.id FROM e b WHERE b.u = e.u ORDER BY b.id) FROM e
SELECT ARRAY(SELECT n FROM e ORDER BY id)
