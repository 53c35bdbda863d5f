// Drives a server with node-postgres: parameters of every type, prepared statements, errors, definitions, EXPLAIN, cancel.
import assert from 'node:assert/strict';
import pg from 'pg';

const port = Number(process.argv[2].split(':').pop());
const client = new pg.Client({ host: '127.0.0.1', port, user: 'myelin', database: 'myelin' });
await client.connect();
const one = async (text, values, name) => (await client.query({ text, values, name, rowMode: 'array' })).rows[0];

const when = new Date('2026-05-01T12:30:00.123Z');
const text = `SELECT $1::boolean, $2::int, $3::bigint, $4::double precision, $5::numeric, $6::text, $7::bytea, $8::date::text, $9::time, $10::timestamptz,
  $11::uuid, $12::jsonb, $13::bigint[], $14::text[], $15::interval::text`;
const uuid = '00000000-0000-0001-0000-000000000002';
const values = [true, -7, '9223372036854775807', 1.5, '-12345678901234567890.120', `größe'"\\`, Buffer.from([0, 1, 255]), '1969-07-20', '01:02:03', when, uuid,
  { a: [1, null] }, [1, null, 3], ['a,b', null, '"q"'], '1 mon 2 days 03:04:05'];
for (let round = 0; round < 3; round++) {
  const got = await one(text, values, 'all-types');
  assert.deepEqual(got.slice(0, 6), values.slice(0, 6));
  assert.deepEqual(got.slice(6, 12), [Buffer.from([0, 1, 255]), '1969-07-20', '01:02:03', when, uuid, { a: [1, null] }]);
  assert.deepEqual(got.slice(12), [['1', null, '3'], ['a,b', null, '"q"'], '1 mon 2 days 03:04:05']);
  assert.deepEqual(await one(text, Array(15).fill(null), 'all-types'), Array(15).fill(null));
}

const fails = async (text, values) => {
  try {
    await client.query(text, values);
  } catch (e) {
    return e;
  }
  throw new Error(`${text}: no error`);
};
let e = await fails('SELECT nosuch FROM events', []);
assert.deepEqual([e.code, e.position], ['42703', '8']);
e = await fails('SELECT 1; SELECT nosuch FROM events; SELECT 2');
assert.deepEqual([e.code, e.position], ['42703', '18']);
assert.deepEqual(await one('SELECT 3'), [3]);

assert.equal((await client.query('CREATE VIEW node_a AS SELECT 1 AS totals')).command, 'CREATE');
e = await fails('CREATE VIEW node_b AS\n SELECT total FROM node_a');
assert.deepEqual([e.code, e.position, e.hint], ['42703', '31', 'did you mean totals?']);
assert.ok((await client.query('EXPLAIN SELECT totals FROM node_a')).rows.length > 0);
assert.equal((await client.query('DROP VIEW node_a')).command, 'DROP');

await client.query("SET statement_timeout = '200ms'");
e = await fails('SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b');
assert.equal(e.code, '57014');
await client.query('RESET statement_timeout');

const slow = client.query('SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b').catch((error) => error);
const killer = new pg.Connection();
killer.on('connect', () => killer.cancel(client.processID, client.secretKey));
killer.connect(port, '127.0.0.1');
assert.equal((await slow).code, '57014');
await client.end();
console.log('node-postgres ok: every type');
