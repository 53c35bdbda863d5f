'a' || 'b'
'a' || 1
1 || 'a'
'a' || NULL
'a' || true
'x' || 1.50
lower('TÖM')
upper('straße')
upper('tom')
initcap('hi THOMAS o''neil')
length('jösé')
char_length('abc')
octet_length('jösé')
bit_length('abc')
length('')
left('abcde', 2)
left('abcde', -2)
left('abcde', 99)
left('abcde', -99)
right('abcde', 2)
right('abcde', -2)
right('äöü', 2)
lpad('hi', 5, 'xy')
lpad('hello', 3)
lpad('hi', 5)
rpad('hi', 5, 'xy')
rpad('hello', 3)
lpad('hi', -1)
lpad('hi', 5, '')
repeat('Pg', 4)
repeat('x', -1)
reverse('äbc')
replace('abcabc', 'b', 'XX')
replace('abc', '', 'x')
split_part('a,b,c', ',', 2)
split_part('a,b,c', ',', -1)
split_part('a,b,c', ',', 9)
split_part('a,b,c', ',', -9)
split_part('a,b,c', '', 1)
split_part('abc', ',', 0)
split_part('a||b||c', '||', 3)
strpos('high', 'ig')
strpos('äöü', 'ü')
strpos('high', 'x')
strpos('high', '')
position('ig' in 'high')
substring('Thomas' from 2 for 3)
substring('Thomas' from 3)
substring('Thomas' for 2)
substring('Thomas', -1, 4)
substring('Thomas', 2, -1)
substring('Thomas', 99)
substr('äöüx', 2, 2)
substring('Thomas' from '...$')
substring('foobar' from 'o(.)b')
substring('foobar' from 'z')
trim('  x  ')
trim(both 'xy' from 'yxTomxx')
trim(leading from '  x ')
trim(trailing 'x' from 'xax')
btrim('xyxtrimyyx', 'xyz')
ltrim('zzzytest', 'xyz')
rtrim('testxxzx', 'xyz')
trim('xx' from 'xxaxx')
starts_with('alphabet', 'alph')
'alphabet' ^@ 'alph'
ascii('x')
ascii('ä')
ascii('')
chr(65)
chr(228)
to_hex(255)
to_hex(-1)
to_hex(4294967296)
translate('12345', '143', 'ax')
overlay('Txxxxas' placing 'hom' from 2 for 4)
overlay('abcdef' placing 'X' from 3)
concat('a', 1, NULL, true, 1.5)
concat_ws(',', 'a', NULL, 2)
concat_ws(NULL, 'a', 'b')
md5('abc')
md5('')
sha256('abc')
encode('abc', 'base64')
encode('\x00ff', 'hex')
encode('a\\b', 'escape')
decode('YWJj', 'base64')
decode('zz', 'hex')
convert_from('\xc3a4', 'UTF8')
quote_literal('it''s')
quote_ident('Foo bar')
quote_ident('foo')
'\xdeadbeef'::bytea
'\x0'::bytea
'abc'::bytea
'a'::bytea || 'b'::bytea
E'a\tb\\c\u00e4'
$$dollar 'quoted'$$
'it''s'
'a' < 'b'
'B' < 'a'
'a' = 'a '
'abc' LIKE 'a%'
'abc' LIKE '_b_'
'abc' LIKE 'c'
'abc' NOT LIKE '%c'
'ABC' ILIKE 'a%c'
'a%c' LIKE 'a\%c'
'abc' LIKE 'a\%c'
'a_c' LIKE 'a#_c' ESCAPE '#'
'abc' LIKE 'abc\'
'äbc' LIKE '_bc'
'' LIKE '%'
'' LIKE '_'
'aaab' LIKE '%a%b'
'abcbcd' LIKE 'a%bcd'
'abc' ~ 'b'
'abc' ~ '^b'
'ABC' ~* 'b'
'abc' !~ 'z'
'abc' !~* 'B'
'a.c' ~ 'a\.c'
'a b' ~ '\sb'
'foo bar' ~ '\mbar\M'
'abc' ~ '('
'abc' SIMILAR TO 'a%'
'abc' SIMILAR TO '(a|b)%'
'abc' SIMILAR TO 'b'
'abc' NOT SIMILAR TO '_b_'
regexp_replace('Thomas', '.[mN]a.', 'M')
regexp_replace('foobarbaz', 'b..', 'X', 'g')
regexp_replace('foobarbaz', 'b(..)', 'X\1Y', 'g')
regexp_replace('foobarbaz', 'b..', 'X')
regexp_replace('a.b', '\.', '\\')
regexp_replace('Hello', 'L', 'x', 'gi')
regexp_match('foobarbequebaz', '(bar)(beque)')
regexp_match('foobarbequebaz', 'bar.*que')
regexp_match('abc', 'x')
regexp_match('abc', '(x)?b')
regexp_like('Hello', 'h', 'i')
regexp_count('123456', '\d\d')
regexp_substr('abc123def', '\d+')
regexp_split_to_array('hello  world', '\s+')
regexp_split_to_array('abc', '')
string_to_array('a,b,,c', ',')
string_to_array('a,b', ',', 'b')
string_to_array('', ',')
array_to_string(ARRAY[1,2,NULL,4], ',')
array_to_string(ARRAY[1,2,NULL,4], ',', '*')
ARRAY[1,2,3]
ARRAY['a','b c',NULL,'','"x"','{','null']
ARRAY[1,2.5]
(ARRAY[1,2,3])[1]
'{1,2,NULL}'::int[]
'{a,"b c"}'::text[]
'{1,x}'::int[]
ARRAY[1,2] || 3
1 || ARRAY[2,3]
ARRAY[1,2] || ARRAY[3]
ARRAY[1,2] = ARRAY[1,2]
ARRAY[1,2] < ARRAY[1,3]
ARRAY[1,2] @> ARRAY[2]
ARRAY[2] <@ ARRAY[1,2]
ARRAY[1,2] && ARRAY[2,3]
cardinality(ARRAY[1,2])
array_length(ARRAY[1,2], 1)
array_length(ARRAY[1,2], 2)
array_position(ARRAY['a','b'], 'b')
array_append(ARRAY[1], 2)
array_prepend(0, ARRAY[1])
array_remove(ARRAY[1,2,3,2], 2)
array_cat(ARRAY[1], ARRAY[2])
2 = ANY (ARRAY[1,2])
3 = ANY (ARRAY[1,NULL])
3 <> ALL (ARRAY[1,2])
1 = ALL (ARRAY[1,NULL])
'a' = ANY ('{a,b}')
5 > ANY (ARRAY[9, 4])
'abc' LIKE ANY (ARRAY['x%', 'a%'])
ARRAY[1,2]::text[]
ARRAY['1','2']::int[]
'abc'::varchar(2)
'abc'::varchar
cast('abc' as varchar(5))
'550e8400-e29b-41d4-a716-446655440000'::uuid
'550E8400E29B41D4A716446655440000'::uuid
'{550e8400-e29b-41d4-a716-446655440000}'::uuid
'x'::uuid
'550e8400-e29b-41d4-a716-446655440000'::uuid < '660e8400-e29b-41d4-a716-446655440000'
'' || ''
differs: '$5' ~ '(?<=\$)5' => error
