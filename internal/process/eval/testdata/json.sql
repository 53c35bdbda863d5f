'{"a": 1, "b": [1, 2, {"c": null}], "aa": "x"}'::jsonb
'{"a":1,"a":2}'::jsonb
'{"b":1,"aa":2,"a":3}'::jsonb
'[1.0, 1.50, 1e2, -0, 0.0]'::jsonb
'"a\u00e4\n\"\\"'::jsonb
' {"a" : true } '::jsonb
'{a:1}'::jsonb
'{"a":1'::jsonb
''::jsonb
'null'::jsonb
'{"a":{"b":{"c":1}}}'::jsonb->'a'->'b'->>'c'
'{"a":{"b":1}}'::jsonb->'a'
'{"a":null}'::jsonb->'a'
'{"a":null}'::jsonb->>'a'
'{"a":1}'::jsonb->'x'
'{"a":"x"}'::jsonb->>'a'
'{"a":"x"}'::jsonb->'a'
'[1,2,3]'::jsonb->1
'[1,2,3]'::jsonb->-1
'[1,2,3]'::jsonb->9
'[1,2,3]'::jsonb->>0
'[1,2,3]'::jsonb->'1'
'{"1":2}'::jsonb->1
'{"a":{"b":[10,20]}}'::jsonb#>'{a,b,1}'
'{"a":{"b":[10,20]}}'::jsonb#>>'{a,b,1}'
'{"a":{"b":[10,20]}}'::jsonb#>>'{a,x}'
'{"a":{"b":[10,20]}}'::jsonb#>>'{}'
'{"a":1,"b":2}'::jsonb @> '{"a":1}'
'{"a":1,"b":2}'::jsonb @> '{"a":2}'
'[1,[2,3]]'::jsonb @> '[[3]]'
'[1,2]'::jsonb @> '1'
'{"a":[1,2]}'::jsonb @> '{"a":[2]}'
'{"a":1}'::jsonb <@ '{"a":1,"b":2}'
'{"a":1}'::jsonb ? 'a'
'["a","b"]'::jsonb ? 'b'
'{"a":1}'::jsonb ?| ARRAY['x','a']
'{"a":1}'::jsonb ?& ARRAY['x','a']
'{"a":1}'::jsonb || '{"b":2}'
'[1]'::jsonb || '2'
'{"a":1,"b":2}'::jsonb - 'a'
'["a","b"]'::jsonb - 'a'
'["a","b"]'::jsonb - 0
'["a","b"]'::jsonb - -1
'{"a":1}'::jsonb = '{"a":1.0}'
'{"a":1,"b":2}'::jsonb = '{"b":2,"a":1}'
'[1,2]'::jsonb < '[1,3]'
'[]'::jsonb < 'null'
'{}'::jsonb > '[1]'
'"a"'::jsonb < '1'
jsonb_typeof('[1]')
jsonb_typeof('null')
jsonb_typeof('1.5')
jsonb_array_length('[1,2,[3]]')
jsonb_array_length('{}')
jsonb_extract_path('{"a":{"b":1}}', 'a', 'b')
jsonb_extract_path_text('{"a":{"b":"x"}}', 'a', 'b')
jsonb_strip_nulls('{"a":null,"b":{"c":null,"d":1},"e":[null]}')
jsonb_pretty('{"a":[1,{"b":2}],"c":{}}')
jsonb_build_object('a', 1, 'b', 'x', 'c', NULL, 'd', true)
jsonb_build_array(1, 'x', NULL, 1.5)
jsonb_build_object('a')
to_jsonb('x'::text)
to_jsonb(1.50)
to_jsonb(ARRAY[1,2])
to_jsonb(TIMESTAMP '2024-01-01 10:00')
to_jsonb(TIMESTAMPTZ '2024-01-01 10:00+00')
('{"a":"12.5"}'::jsonb->>'a')::numeric * 2
('{"a":12.5}'::jsonb->'a')::numeric
('{"a":12.5}'::jsonb->'a')::int
('{"a":true}'::jsonb->'a')::bool
('{"a":"x"}'::jsonb->'a')::int
('{"a":1}'::jsonb)::text
differs: ('{"a":null}'::jsonb->'a')::int => <NULL>
select j->>'a', (j->>'n')::int + 1, j ? 'n' FROM (VALUES ('{"a":"x","n":1}'::jsonb), ('{"a":null}'), (NULL)) t(j)
