CREATE TABLE emp (id int PRIMARY KEY, name text, dept int, salary numeric(10,2), boss int, hired date)
CREATE TABLE dept (id int PRIMARY KEY, title text, city text)
INSERT INTO emp VALUES (1, 'Ann', 10, 5000, NULL, '2020-01-15'), (2, 'Bob', 10, 4000.50, 1, '2021-03-01'), (3, 'Cid', 20, 4000.50, 1, '2021-07-09')
INSERT INTO emp VALUES (4, 'Dee', 20, NULL, 3, '2022-02-28'), (5, 'Eve', NULL, 3000, 3, '2023-11-11'), (6, 'Fay', 30, 1000, 2, NULL), (7, NULL, 10, 4000.5, 2, '2021-03-01')
INSERT INTO dept (id, title) VALUES (10, 'Sales'), (20, 'Tech'), (40, 'Empty')
INSERT INTO dept VALUES (30, 'Shop', 'Rome')
INSERT INTO dept SELECT 50, 'Made', 'Ulm'
-- plain
SELECT * FROM emp
SELECT e.* FROM emp e WHERE salary > 3500
SELECT name, salary * 12 AS yearly FROM emp WHERE dept = 10 ORDER BY yearly DESC, name NULLS FIRST
SELECT upper(name), length(name) FROM emp WHERE name IS NOT NULL ORDER BY 1 DESC LIMIT 3 OFFSET 1
SELECT name FROM emp ORDER BY salary DESC NULLS LAST, id
SELECT name FROM emp ORDER BY salary, id DESC
SELECT DISTINCT dept FROM emp
SELECT DISTINCT dept, salary FROM emp ORDER BY dept, salary
SELECT count(*), count(name), count(DISTINCT dept), sum(salary), avg(salary), min(name), max(hired) FROM emp
SELECT count(*) FROM emp WHERE false
SELECT sum(salary), max(id) FROM emp WHERE id > 100
SELECT dept, count(*), sum(salary) FROM emp GROUP BY dept ORDER BY dept NULLS FIRST
SELECT dept, avg(salary) a FROM emp GROUP BY dept HAVING count(*) > 1 ORDER BY a
SELECT dept + 1, count(*) FROM emp GROUP BY dept + 1
SELECT dept d, count(*) FROM emp GROUP BY d
SELECT extract(year FROM hired) AS y, count(*) FROM emp GROUP BY 1 ORDER BY 1
SELECT dept, count(*) FILTER (WHERE salary > 3500), sum(salary) FILTER (WHERE boss = 1) FROM emp GROUP BY dept
SELECT count(*) * 2 + 1, sum(salary) / count(*) FROM emp
SELECT dept, sum(salary) + count(*) FROM emp GROUP BY dept ORDER BY sum(salary) DESC NULLS LAST
SELECT max(salary) - min(salary) FROM emp GROUP BY dept
SELECT avg(id), avg(id::bigint), avg(id::float8), sum(id), sum(id::bigint), sum(id::float8) FROM emp
SELECT avg(salary), sum(salary), avg(hired - DATE '2020-01-01') FROM emp
SELECT bool_and(salary > 1000), bool_or(salary > 4500), every(id > 0) FROM emp
SELECT count(DISTINCT salary), sum(DISTINCT salary), avg(DISTINCT dept) FROM emp
SELECT min(hired), max(hired), min(salary), max(name) FROM emp GROUP BY dept
SELECT 1 FROM emp HAVING count(*) > 3
SELECT count(*) FROM emp HAVING count(*) > 30
SELECT dept FROM emp GROUP BY dept HAVING max(salary) > 4000 AND dept IS NOT NULL
SELECT name FROM emp GROUP BY dept
SELECT count(*) FROM emp WHERE count(*) > 1
SELECT CASE WHEN dept = 10 THEN 'x' ELSE 'y' END k, count(*) FROM emp GROUP BY CASE WHEN dept = 10 THEN 'x' ELSE 'y' END
SELECT sum(CASE WHEN dept = 10 THEN 1 ELSE 0 END), coalesce(sum(NULL::int), 0) FROM emp
-- joins
SELECT e.name, d.title FROM emp e JOIN dept d ON e.dept = d.id
SELECT e.name, d.title FROM emp e LEFT JOIN dept d ON e.dept = d.id
SELECT e.name, d.title FROM emp e RIGHT JOIN dept d ON e.dept = d.id
SELECT e.name, d.title FROM emp e FULL JOIN dept d ON e.dept = d.id
SELECT e.name, d.title FROM emp e, dept d WHERE e.dept = d.id AND d.title LIKE 'S%'
SELECT count(*) FROM emp CROSS JOIN dept
SELECT a.name, b.name FROM emp a JOIN emp b ON a.boss = b.id
SELECT a.name, b.name FROM emp a LEFT JOIN emp b ON a.boss = b.id AND b.salary > 4500
SELECT a.name, b.name FROM emp a LEFT JOIN emp b ON a.boss = b.id WHERE b.salary > 4500
SELECT a.name, b.name FROM emp a LEFT JOIN emp b ON a.boss = b.id WHERE b.id IS NULL
SELECT a.name, b.name FROM emp a LEFT JOIN emp b ON a.boss = b.id AND a.salary > 3500
SELECT a.name, b.name FROM emp a RIGHT JOIN emp b ON a.boss = b.id AND b.salary > 3500
SELECT a.name, b.name FROM emp a FULL JOIN emp b ON a.boss = b.id AND a.salary > 3500 AND b.salary > 100
SELECT a.name, b.name FROM emp a JOIN emp b ON a.salary < b.salary AND a.dept = b.dept
SELECT a.id, b.id FROM emp a JOIN emp b ON a.id < b.id WHERE b.id < 4
SELECT id, e.name, d.title FROM emp e JOIN dept d USING (id)
SELECT * FROM emp e JOIN dept d USING (id)
SELECT id, e.id, d.id FROM emp e FULL JOIN dept d USING (id)
SELECT id, title FROM emp e RIGHT JOIN dept d USING (id)
SELECT * FROM (SELECT id, name FROM emp) a NATURAL JOIN (SELECT id, boss FROM emp) b
SELECT e.name, d.title, b.name FROM emp e JOIN dept d ON d.id = e.dept LEFT JOIN emp b ON b.id = e.boss WHERE d.title <> 'Shop' ORDER BY e.id
SELECT d.title, count(e.id), sum(e.salary) FROM dept d LEFT JOIN emp e ON e.dept = d.id GROUP BY d.title ORDER BY d.title
SELECT d.title, x.n FROM dept d JOIN (SELECT dept, count(*) n FROM emp GROUP BY dept) x ON x.dept = d.id
SELECT a.id FROM emp a JOIN emp b ON a.id = b.boss AND true
SELECT 1 FROM emp a JOIN dept b ON false
SELECT a.name FROM emp a JOIN dept d ON a.dept = d.id AND a.salary::int % 2 = 0
SELECT e.name FROM emp e JOIN dept d ON e.dept::bigint = d.id::numeric
SELECT e.id FROM emp e LEFT JOIN (SELECT id, 'x' AS k FROM dept WHERE id > 10) d ON e.dept = d.id WHERE d.k IS NULL
SELECT e.id, d.k FROM emp e LEFT JOIN (SELECT id, 'x' AS k FROM dept WHERE id > 10) d ON e.dept = d.id
SELECT e.id, coalesce(d.title, 'none') FROM emp e LEFT JOIN dept d ON e.dept = d.id WHERE coalesce(d.title, 'none') <> 'Sales'
SELECT * FROM emp, emp
SELECT id FROM emp e, dept d
-- subqueries
SELECT name FROM emp WHERE dept IN (SELECT id FROM dept WHERE title = 'Sales')
SELECT name FROM emp WHERE dept NOT IN (SELECT id FROM dept WHERE title = 'Sales')
SELECT title FROM dept WHERE id NOT IN (SELECT dept FROM emp)
SELECT title FROM dept WHERE id NOT IN (SELECT dept FROM emp WHERE dept IS NOT NULL)
SELECT title FROM dept d WHERE EXISTS (SELECT 1 FROM emp e WHERE e.dept = d.id)
SELECT title FROM dept d WHERE NOT EXISTS (SELECT 1 FROM emp e WHERE e.dept = d.id AND e.salary > 2000)
SELECT title FROM dept d WHERE EXISTS (SELECT 1 FROM emp e WHERE e.dept = d.id AND e.id < d.id / 5)
SELECT title FROM dept WHERE EXISTS (SELECT 1 FROM emp WHERE salary > 99999)
SELECT title FROM dept WHERE NOT EXISTS (SELECT 1 FROM emp WHERE salary > 99999) OR id = 10
SELECT name FROM emp WHERE salary = (SELECT max(salary) FROM emp)
SELECT name, (SELECT count(*) FROM dept) FROM emp
SELECT name, salary > (SELECT avg(salary) FROM emp) AS above FROM emp
SELECT name, (SELECT title FROM dept WHERE id = 10) FROM emp WHERE id < 3
SELECT (SELECT id FROM dept)
SELECT (SELECT id FROM dept WHERE false)
SELECT d.title, (SELECT count(*) FROM emp e WHERE e.dept = d.id) AS n FROM dept d
SELECT d.title, (SELECT max(salary) FROM emp e WHERE e.dept = d.id) AS top FROM dept d ORDER BY top DESC NULLS LAST, title
SELECT e.name FROM emp e WHERE e.salary > (SELECT avg(x.salary) FROM emp x WHERE x.dept = e.dept)
SELECT name, dept IN (SELECT id FROM dept WHERE id > 10) FROM emp
SELECT name, dept NOT IN (SELECT boss FROM emp) FROM emp
SELECT name FROM emp WHERE (dept IN (SELECT id FROM dept WHERE id = 20)) OR name = 'Ann'
SELECT name, EXISTS (SELECT 1 FROM dept WHERE id = 10) FROM emp
SELECT name, EXISTS (SELECT 1 FROM dept d WHERE d.id = e.dept) FROM emp e
SELECT name FROM emp WHERE dept = ANY (SELECT id FROM dept WHERE title = 'Tech')
SELECT sum((SELECT max(id) FROM dept)) FROM emp
SELECT dept, count(*) + (SELECT count(*) FROM dept) FROM emp GROUP BY dept
SELECT dept, count(*) FROM emp GROUP BY dept HAVING count(*) >= (SELECT min(id) / 5 FROM dept)
SELECT x.dept, x.s FROM (SELECT dept, sum(salary) AS s FROM emp GROUP BY dept) x WHERE x.s > 3500
SELECT * FROM (SELECT dept, count(*) n FROM emp GROUP BY dept) x WHERE dept > 10 AND n > 1
SELECT * FROM (SELECT * FROM emp ORDER BY id LIMIT 3) x WHERE dept = 20
SELECT * FROM (SELECT DISTINCT dept FROM emp) x WHERE dept > 10
-- with
WITH a AS (SELECT dept, count(*) n FROM emp GROUP BY dept) SELECT * FROM a WHERE n > 1
WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS y FROM a) SELECT * FROM a, b
WITH a(k, n) AS (SELECT dept, count(*) FROM emp GROUP BY dept) SELECT a1.k, a2.n FROM a a1 JOIN a a2 ON a1.k = a2.k
WITH emp AS (SELECT 42 AS id) SELECT * FROM emp
SELECT * FROM (WITH a AS (SELECT 1 x) SELECT x + 1 FROM a) z
WITH a AS (SELECT id FROM dept) SELECT name FROM emp WHERE dept IN (SELECT id FROM a WHERE id > 10)
-- set operations
SELECT dept FROM emp UNION SELECT id FROM dept
SELECT dept FROM emp UNION ALL SELECT id FROM dept
SELECT dept FROM emp INTERSECT SELECT id FROM dept
SELECT dept FROM emp INTERSECT ALL SELECT 10
SELECT id FROM dept EXCEPT SELECT dept FROM emp
SELECT dept FROM emp EXCEPT ALL SELECT id FROM dept
SELECT dept FROM emp EXCEPT SELECT id FROM dept
SELECT 1 UNION SELECT 2.5 ORDER BY 1
SELECT 1 AS a UNION ALL SELECT 2 ORDER BY a DESC LIMIT 1
SELECT name FROM emp WHERE id = 1 UNION SELECT title FROM dept WHERE id = 10 ORDER BY name
(SELECT id FROM emp ORDER BY id DESC LIMIT 2) UNION ALL (SELECT id FROM dept ORDER BY id LIMIT 1)
SELECT * FROM (SELECT id, name FROM emp UNION SELECT id, title FROM dept) x WHERE id > 6
SELECT 1, 2 UNION SELECT 1
SELECT 'a' UNION SELECT 1
SELECT NULL UNION SELECT 1
SELECT 1 UNION SELECT 1 INTERSECT SELECT 2
VALUES (1, 'a'), (2, 'b')
SELECT * FROM (VALUES (1, 'a'), (NULL, 'b')) v(x, y) ORDER BY x
SELECT column1 FROM (VALUES (1), (2)) v WHERE column1 > 1
SELECT * FROM generate_series(1, 5) g WHERE g % 2 = 1
SELECT * FROM generate_series(5, 1, -2)
SELECT * FROM generate_series(TIMESTAMP '2024-01-01', TIMESTAMP '2024-03-01', INTERVAL '1 month')
TABLE dept
SELECT 1 WHERE 1 = 0
SELECT 1 AS x ORDER BY x
SELECT e.nam FROM emp e
SELECT * FROM nothing
SELECT id AS a, id AS b FROM dept ORDER BY a, b LIMIT 2
SELECT id FROM dept LIMIT 0
SELECT id FROM dept ORDER BY id OFFSET 2
SELECT id FROM dept ORDER BY id FETCH FIRST 2 ROWS ONLY
SELECT count(*), dept IS NULL FROM emp GROUP BY dept IS NULL
SELECT dept, boss, count(*) FROM emp GROUP BY dept, boss ORDER BY dept, boss
SELECT name || '!' AS n FROM emp WHERE name > 'B' ORDER BY lower(name) DESC
SELECT DISTINCT name FROM emp ORDER BY salary
SELECT hired + INTERVAL '1 month' FROM emp WHERE hired < '2022-01-01'
SELECT min(x), max(x), count(DISTINCT x) FROM (VALUES (INTERVAL '1 day'), (INTERVAL '3 hours'), (NULL)) t(x)
SELECT min(x), max(x) FROM (VALUES (TIME '10:00'), ('11:00')) t(x)
SELECT min(x), max(x), count(DISTINCT x) FROM (VALUES (1.5), (2.25), (NULL), (2.25)) t(x)
SELECT min(x), max(x) FROM (VALUES (TIMESTAMPTZ '2024-01-01 00:00+00'), ('2023-01-01 00:00+00')) t(x)
SELECT x, count(*) FROM (VALUES ('{"a":1,"b":2}'::jsonb), ('{"b":2,"a":1.0}'), ('[1]'), (NULL)) t(x) GROUP BY x
SELECT x, count(*) FROM (VALUES (0.0::float8), (-0.0::float8), ('NaN'), ('NaN')) t(x) GROUP BY x
SELECT a.x, b.x FROM (VALUES (1), (2)) a(x) JOIN (VALUES (1.0), (3.0)) b(x) ON a.x = b.x
SELECT count(*) FROM (VALUES ('a'), ('a '), ('A')) t(x) GROUP BY x ORDER BY x
SELECT x FROM (VALUES (true), (false), (NULL)) t(x) ORDER BY x DESC
SELECT x FROM (VALUES ('b'), ('B'), ('a'), ('ä'), (NULL)) t(x) ORDER BY x
SELECT x FROM (VALUES (1.5::float8), ('NaN'), ('-Infinity'), (NULL)) t(x) ORDER BY x DESC NULLS LAST
SELECT x, y FROM (VALUES (ARRAY[1,2], 1), (ARRAY[1], 2), (NULL, 3)) t(x, y) ORDER BY x
SELECT sum(x) FROM (VALUES (9223372036854775807), (1)) t(x)
SELECT sum(x) FROM (VALUES (2147483647), (1)) t(x)
SELECT avg(x) FROM (VALUES (1), (2), (2)) t(x)
SELECT avg(x), sum(x) FROM (VALUES (1.10), (2.2), (NULL)) t(x)
SELECT sum(x), avg(x) FROM (VALUES (0.5::float8), (0.25), (NULL)) t(x)
SELECT max(x) FROM (VALUES ('2024-01-01'::date), ('2025-01-01')) t(x)
SELECT bool_and(x), bool_or(x) FROM (VALUES (true), (NULL)) t(x)
SELECT bool_and(x), bool_or(x) FROM (VALUES (NULL::bool)) t(x)
SELECT x FROM (VALUES (1), (1), (2)) t(x) GROUP BY x HAVING count(*) = 1
SELECT x / 0 FROM (VALUES (1)) t(x)
SELECT sum(1 / x) FROM (VALUES (1), (0)) t(x)
SELECT x FROM (VALUES (1), (0)) t(x) WHERE 1 / x > 0
SELECT x FROM (VALUES (1), (0)) t(x) WHERE x <> 0 AND 1 / x > 0
-- spread, lists, intervals
SELECT variance(salary), var_pop(salary), stddev(salary), stddev_pop(salary), stddev_samp(id), var_samp(id) FROM emp
SELECT dept, variance(id), stddev_pop(salary), var_pop(id) FROM emp GROUP BY dept ORDER BY dept
SELECT round(variance(salary::float8)::numeric, 6), round(stddev_pop(id::float8)::numeric, 9), var_samp(1.5::float8) FROM emp
SELECT variance(DISTINCT salary), stddev(id) FILTER (WHERE id > 3) FROM emp
SELECT string_agg(name, ', ' ORDER BY name), string_agg(name, '-' ORDER BY id DESC), string_agg(title, ', ' ORDER BY title) FROM emp LEFT JOIN dept ON dept = dept.id
SELECT dept, string_agg(name, ',' ORDER BY name DESC), array_agg(id ORDER BY id), array_agg(name ORDER BY id DESC) FROM emp GROUP BY dept ORDER BY dept
SELECT array_agg(DISTINCT dept ORDER BY dept), array_agg(salary ORDER BY salary NULLS FIRST, id) FROM emp
SELECT string_agg(DISTINCT name, ';' ORDER BY name), array_agg(id ORDER BY name) FILTER (WHERE dept = 10) FROM emp
SELECT array_agg(id), string_agg(name, ',') FROM emp WHERE false
SELECT sum(hired - DATE '2020-01-01'), sum((hired - DATE '2020-01-01') * INTERVAL '1 day'), avg((hired - DATE '2020-01-01') * INTERVAL '1 hour') FROM emp
SELECT dept, avg(id * INTERVAL '1 month 3 days 02:00') FROM emp GROUP BY dept ORDER BY dept
