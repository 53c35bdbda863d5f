-- integers
1 + 1
7 / 2
-7 / 2
-7 % 3
7 % -3
2147483647 + 1
2147483648 + 1
9223372036854775807 + 1
-2147483648
(-2147483648)::int / -1
1 / 0
5 % 0
1000000 * 1000000
3000000000 * 3000000000
91 & 15
32 | 3
17 # 5
~1
1 << 4
8 >> 2
@ -5
abs(-17)
-2 ^ 2
2 ^ 3 ^ 2
1::bigint << 40
mod(9, 4)
mod(-9, 4)
gcd(1071, 462)
lcm(1071, 462)
gcd(0, 0)
div(9, 4)
div(-9, 4)
sign(-8.4)
sign(0)
-- numeric
1.5 + 2.25
1.50
1.5 * 1.25
1.10 - 1.1
10.0 / 3
1 / 3.0
2 / 3.00
100000000000 / 7.0
0.00001 / 3
1e10
1.5e3
1e-5
123456789.123456789 * 987654321.987654321
12345678901234567890.5 + 1
1.0 / 7
22 / 7.0
1000000 / 3.0
99999 / 3.0
9999 / 3.0
10000 / 3.0
1 / 99999.0
0.1 / 0.3
5.0 % 3
-5.5 % 2
round(2.5)
round(-2.5)
round(2.567, 2)
round(1234.567, -2)
round(0.5)
round(1.5)
trunc(2.567, 1)
trunc(-2.9)
trunc(1234.5, -2)
ceil(-1.5)
ceiling(1.2)
floor(-1.5)
floor(1.9)
sqrt(2)
sqrt(2.0)
sqrt(0.0001)
sqrt(123456789.0)
sqrt(10000000000000000.0)
sqrt(-1)
exp(1)
exp(1.0)
exp(-2.5)
ln(2)
ln(2.0)
ln(0)
ln(-1)
ln(1.0001)
ln(123456.789)
log(100)
log(100.0)
log(2.0, 64.0)
log10(1000.0)
power(2, 10)
power(2.0, 10)
power(2.0, 0.5)
power(0, -1)
power(-8, 1.0/3)
2.0 ^ -2
10.5 ^ 2
1.000000001 ^ 1000
pi()
degrees(0.5)
radians(45.0)
sin(1)
cos(1)
atan2(1, 2)
asin(2)
width_bucket(5.35, 0.024, 10.06, 5)
width_bucket(5.35::float8, 0.024, 10.06, 5)
width_bucket(0.01, 0.024, 10.06, 5)
width_bucket(99, 0.024, 10.06, 5)
scale(8.41)
min_scale(8.4100)
trim_scale(8.4100)
-- float
1.5::float8 + 1
0.1::float8 + 0.2::float8
1e15::float8
1e14::float8
123456789012345678::float8
1e-5::float8
0.0001::float8
1e300::float8 * 1e10
'NaN'::float8
'Infinity'::float8
'-inf'::float8
'NaN'::float8 = 'NaN'::float8
'NaN'::float8 > 1e300
-0.0::float8
1::float8 / 0
round(2.5::float8)
round(3.5::float8)
round(-0.5::float8)
trunc(-2.7::float8)
5::float8 / 3
1e20::float8
100::float8
1.0::float8
-- casts
'12'::int
' 12 '::int
'12.5'::int
'abc'::int
12.5::int
13.5::int
-12.5::int
2.5::float8::int
3.5::float8::int
99999999999::int
1e30::bigint
'1e3'::numeric
'1e3'::float8
'0x1F'::int
1::bool
0::bool
true::int
'yes'::bool
'off'::bool
'maybe'::bool
12.345::numeric(4,1)
999.95::numeric(4,1)
123.456::numeric(10,2)
'123.456'::numeric(5)
1::numeric(5,2)
1.0::float8::numeric
0.1::float8::numeric
123456789.123456789::float8::numeric
1e20::float8::numeric
1::text
1.50::text
true::text
1.5::float8::text
pg_typeof(1 + 1)
pg_typeof(1 + 1::bigint)
pg_typeof(1 + 1.5)
pg_typeof(1.5 + 1.5::float8)
pg_typeof(2 ^ 3)
pg_typeof(sqrt(2))
pg_typeof(round(2.5))
pg_typeof(9999999999)
pg_typeof(99999999999999999999)
pg_typeof(abs(1))
pg_typeof(coalesce(1, 2.5))
pg_typeof(CASE WHEN true THEN 1 ELSE 2.5 END)
pg_typeof(greatest(1, 2.5))
pg_typeof(1 / 2)
pg_typeof(ceil(1.5))
pg_typeof(extract(day from now()))
pg_typeof(date_part('day', now()))
-- limits of 38 digits
99999999999999999999999999999999999999
99999999999999999999999999999999999999 + 0
12345678901234567890123456789012345678 - 1
differs: 99999999999999999999999999999999999999 + 1 => error
differs: pg_typeof(1e38) => double precision
differs: 'NaN'::numeric => error
differs: 0.12345678901234567890 * 0.12345678901234567890 => 0.01524157875323883675019051998750190521
to_char(1485, '9,999')
to_char(1485, '9999')
to_char(-1485, '9,999')
to_char(148.5, '999.999')
to_char(148.5, 'FM999.990')
to_char(0.1, '0.9')
to_char(12, '99')
to_char(12345, '999')
to_char(-0.1, '99.99')
to_char(0, 'FM990')
to_char(1234567.891, 'FM9,999,999.00')
to_char(12.454, 'FM990.00')
-- NULL
NULL + 1
NULL = NULL
NULL <> 1
NULL IS NULL
1 IS NOT NULL
NULL AND false
NULL AND true
NULL OR true
NULL OR false
NOT NULL::bool
NULL IS DISTINCT FROM NULL
1 IS DISTINCT FROM NULL
1 IS NOT DISTINCT FROM 1
(1 = NULL) IS UNKNOWN
true IS NOT FALSE
NULL::bool IS TRUE
coalesce(NULL, NULL, 3)
coalesce(NULL, 'x')
nullif(1, 1)
nullif(1, 2)
greatest(1, NULL, 3)
least(NULL, NULL)
least('b', 'a')
num_nulls(1, NULL, 2)
1 IN (1, 2, NULL)
3 IN (1, 2, NULL)
3 NOT IN (1, 2, NULL)
NULL IN (1)
3 NOT IN (1, 2)
1.0 IN (1, 2)
2 BETWEEN 1 AND 3
2 NOT BETWEEN 3 AND 1
2 BETWEEN SYMMETRIC 3 AND 1
(1, 2) = (1, 2)
(1, 2) < (1, 3)
(1, NULL) = (1, 2)
(1, 2) IN ((1, 2), (3, 4))
CASE WHEN 1 = 0 THEN 1 / 0 ELSE 2 END
CASE 2 WHEN 1 THEN 'a' WHEN 2 THEN 'b' END
CASE WHEN NULL THEN 1 END
CASE WHEN false THEN 1 ELSE NULL END
false AND 1 / 0 = 1
select x, CASE WHEN x <> 0 THEN 10 / x END FROM (VALUES (1), (0), (NULL), (4)) t(x)
select x, x <> 0 AND 10 / x > 3 FROM (VALUES (1), (0), (NULL), (4)) t(x)
select coalesce(x, 10 / y) FROM (VALUES (1, 0), (NULL, 2), (NULL, NULL)) t(x, y)
select x FROM (VALUES (1), (2), (NULL), (4)) t(x) WHERE x > 1
select a, b, a = b, a <> b, a < b, a IS DISTINCT FROM b FROM (VALUES (1, 1), (1, 2), (NULL, 1), (NULL, NULL), (2, 1)) t(a, b)
select a + b, a * b, a - b, a / b FROM (VALUES (1.5, 2), (NULL, 2), (3.25, 0.5)) t(a, b)
select x IN (1, 3), x NOT IN (1, 3), x IN (1, NULL) FROM (VALUES (1), (2), (NULL)) t(x)
select CASE x WHEN 1 THEN 'one' WHEN 2 THEN NULL ELSE 'other' END FROM (VALUES (1), (2), (NULL)) t(x)
select upper(n) || '!' , length(n) FROM (VALUES ('ab'), (NULL), ('é')) t(n) WHERE n IS NULL OR n LIKE '%b' OR length(n) = 1
differs: pg_typeof('a') => text
differs: 10.0 ^ -5 => 0.0000100000000000
10.0 ^ -3
differs: 1e300 > 5 => t
