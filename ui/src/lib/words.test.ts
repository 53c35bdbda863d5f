import { describe, expect, test } from 'vitest';
import { incidents } from '../../mock/incidents.mjs';
import { missing, tasks } from './attention';
import { eventFacts, eventTitle } from './event-words';
import { foldedAtFirst, jsonLines } from './json-lines';
import { expected } from './plan-words';
import { listOf, match } from './route';
import type { Incident, Overview, Sink, Source } from './schema';
import { plainError, sinkState, sinkToLookAt } from './sink-words';
import { sqlTokens } from './sql-tokens';
import { keeps } from './topic-words';
import { fieldName, inWords, placesIn } from './violations';

const found = (code: string, path: string, expected = '', got = '') => ({ code, path, expected, got, severity: 'error' });

test('how many events are expected, in plain words', () => {
  const none = { per: '', min: 0, max: 0, ratioTo: '', low: 0, high: 0 };
  expect(expected({ ...none, per: '1h0m0s', min: 20 })).toBe('At least 20 expected in 1 h');
  expect(expected({ ...none, per: '1h0m0s', min: 20, max: 5000 })).toBe('20 to 5,000 expected in 1 h');
  expect(expected({ ...none, per: '24h0m0s', max: 7 })).toBe('At most 7 expected in 1 d');
  expect(expected({ ...none, ratioTo: 'Checkout Started', low: 0.1, high: 0.9 })).toBe('0.1 to 0.9 expected for each Checkout Started');
});

describe('violations in plain words', () => {
  test.each([
    [found('required_missing', '/properties/total', 'number'), '“total” is missing'],
    [found('type_mismatch', '/properties/total', 'number', '"12.5"'), '“total” should be a number, but came as the text "12.5"'],
    [found('type_mismatch', '/properties/total', 'integer', 'string'), '“total” should be a whole number, but came as text'],
    [found('type_mismatch', '/properties/total', 'number', 'string "12.5"'), '“total” should be a number, but came as the text "12.5"'],
    [found('type_mismatch', '/properties/gift', 'boolean', 'number 1'), '“gift” should be true or false, but came as 1'],
    [found('array_item', '/properties/products/*/price', 'number', 'nothing'), '“products › any › price” should be a number, but is missing'],
    [found('unplanned_event', '/event'), '“Orders” is not in the tracking plan'],
    [found('misspelled_event', '/event', '"Order Completed"'), '“Orders” is spelled “Order Completed” in the plan'],
    [found('brand_new_code', '/properties/x'), '“x”: brand new code'],
  ])('%o', (v, text) => expect(inWords(v, 'Orders')).toBe(text));

  test('are placed in a sample by its own verdict, which knows the entry of the list', () => {
    const group = found('array_item', '/properties/products/*/price');
    const own = [found('array_item', '/properties/products/2/price'), found('no_id', '/userId')];
    expect(placesIn({ myelin: { violations: own } }, group)).toEqual([own[0]]);
    expect(placesIn(null, group)).toEqual([group]);
  });

  test('name the field, not the pointer', () => {
    expect(fieldName('/properties/products/0/price')).toBe('products › 1 › price');
    expect(fieldName('/context/a~1b')).toBe('context › a/b');
  });
});

describe('JSON with marks', () => {
  const text = (v: unknown, ...paths: string[]) =>
    jsonLines(v, paths.map((p) => found('x', p))).map((l) => `${'  '.repeat(l.depth)}${l.tokens.map((t) => t.text).join('')}${l.missing ? ' MISSING' : l.marks.length ? ' MARK' : ''}`);

  test('marks a value where it stands', () => {
    expect(text({ a: { b: [1, 'x'] }, c: {} }, '/a/b/1')).toEqual(['{', '  "a": {', '    "b": [', '      1,', '      "x" MARK', '    ]', '  },', '  "c": {}', '}']);
  });

  test('shows what is missing where it should be', () => {
    expect(text({ properties: {} }, '/properties/total')).toEqual(['{', '  "properties": {', '    "total" MISSING', '  }', '}']);
    expect(text({ a: 1 }, '/context/page/url')).toEqual(['{', '  "a": 1', '  "context.page.url" MISSING', '}']);
    expect(text({ a: 1 }, '/a/b')).toContain('  "a.b" MISSING');
  });

  test('folds what is long and dull, unless the trouble is there', () => {
    const event = { context: { page: 1, ip: 2 }, properties: { a: 1 }, myelin: {} };
    expect([...foldedAtFirst(event, [])]).toEqual(['/context', '/myelin']);
    expect([...foldedAtFirst(event, [found('x', '/context/page')])]).toEqual(['/myelin']);
    const lines = jsonLines(event, [], foldedAtFirst(event, []));
    expect(lines.map((l) => l.tokens.map((t) => t.text).join(''))).toContain('"context": { … },');
    expect(lines.find((l) => l.fold?.path === '/properties')!.fold!.closed).toBe(false);
  });

  test('is bounded', () => {
    expect(jsonLines(Array.from({ length: 5000 }, (_, i) => i)).length).toBeLessThan(700);
  });
});

test('coloured SQL is the same SQL', () => {
  const sql = `-- it's "fine"\nSELECT "a b", count(*) FROM t WHERE x = 'it''s' AND y > 1.5 /* open`;
  const tokens = sqlTokens(sql);
  expect(tokens.map((t) => t.text).join('')).toBe(sql);
  expect(tokens.filter((t) => t.kind === 'keyword').map((t) => t.text)).toEqual(['SELECT', 'FROM', 'WHERE', 'AND']);
  expect(tokens.find((t) => t.kind === 'string')!.text).toBe("'it''s'");
  expect(tokens.find((t) => t.kind === 'function')!.text).toBe('count');
});

test('events in a few words', () => {
  expect(eventTitle({ event: '', type: 'identify' })).toBe('Person identified');
  expect(eventFacts({ type: 'track', properties: { total: 5, products: [1, 2], address: {}, empty: null } })).toBe('total 5 · products 2');
  expect(eventTitle({ event: 'Home', type: 'page' })).toBe('Page viewed: Home');
  expect(eventTitle({ event: 'Order Completed', type: 'track' })).toBe('Order Completed');
  expect(eventFacts({ type: 'track', properties: { cart_id: 'c1', color: 'red', currency: 'EUR', price: 89.9, name: 'Rain jacket' } })).toBe(
    'Rain jacket · price 89.90 EUR · color red · cart_id c1',
  );
  expect(eventFacts(null)).toBe('');
});

test('addresses lead to pages', () => {
  expect(match('/')).toEqual({ page: 'overview', name: '' });
  expect(match('/views/a%20b')).toEqual({ page: 'view', name: 'a b' });
  expect(match('/views/')).toEqual({ page: 'views', name: '' });
  expect(match('/events/x').page).toBe('missing');
  expect(match('/topics/events.in')).toEqual({ page: 'topic', name: 'events.in' });
  expect([listOf('topic'), listOf('groups'), listOf('view'), listOf('events')]).toEqual(['topics', 'topics', 'views', 'events']);
  expect(match('/views/%E0%A4%A').page).toBe('view');
});

describe('what to do next', () => {
  const now = Date.parse('2026-03-06T14:00:00Z');
  const overview = { balance: { in: 10, accepted: 8, quarantined: 1, duplicates: 1, pending: 0 }, stages: [] } as unknown as Overview;
  const sink = { name: 'mail', state: 'ok', deadLettered: 0, pending: 0, lastError: '' } as unknown as Sink;
  const source: Source = { name: 'web', plan: '', writeKeys: [], ratePerSec: 0, total: 5, lastSeen: '2026-03-06T13:59:00Z' };
  const facts = { overview, quality: null, sinks: [sink], sources: [source], problems: [], incidents: null };

  test('is nothing when all is well', () => {
    expect(tasks(facts, now)).toEqual([]);
    expect(missing(overview)).toBe(0);
  });

  test('names a failing sink, dead letters, a silent source and a balance that is off', () => {
    const broken = { ...overview, balance: { ...overview.balance, accepted: 7 } };
    const list = tasks({ ...facts, overview: broken, sinks: [{ ...sink, state: 'failing' }, { ...sink, deadLettered: 2 }], sources: [{ ...source, lastSeen: '2026-03-06T12:00:00Z' }] }, now);
    expect(list.map((t) => t.title)).toEqual(['mail cannot deliver', '2 dead letters', 'The balance does not add up', 'web is silent']);
  });

  test('open incidents come first, and many become one line', () => {
    const [drop, nulls] = incidents(now) as Incident[];
    const told = tasks({ ...facts, sinks: [{ ...sink, state: 'failing' }], incidents: [{ ...nulls!, state: 'open' }, drop!] }, now);
    expect(told.map((t) => t.href)).toEqual([`/incidents/${drop!.id}`, `/incidents/${nulls!.id}`, '/deliveries?sink=mail']);
    expect(told[1]).toMatchObject({ title: 'Checkout Started from shop-ios 4.2 lost “currency” in 20 % of events since 14:40', detail: '84 events affected. It began with release 4.2.' });
    expect(tasks({ ...facts, incidents: [nulls!] }, now)).toEqual([]);
    expect(tasks({ ...facts, incidents: [drop!, drop!, drop!] }, now).map((t) => t.title)[1]).toBe('2 more open incidents');
  });
  test('a source that never sent anything is not silent', () => {
    expect(tasks({ ...facts, sources: [{ ...source, total: 0, lastSeen: null }] }, now)).toEqual([]);
  });
});

describe('sinks in words', () => {
  const sink = (over: Partial<Sink>): Sink => ({ name: 's', state: 'ok', delivered: 5, deadLettered: 0, pending: 0, lastError: '', ...over }) as Sink;

  test('a sink whose rows nobody takes is not fine', () => {
    expect(sinkState(sink({})).text).toBe('Delivering');
    expect(sinkState(sink({ deadLettered: 2 })).text).toBe('Delivering, not all');
    expect(sinkState(sink({ deadLettered: 2, delivered: 0 })).text).toBe('Nothing arrives');
  });

  test('known errors are said plainly, others as they came', () => {
    expect(plainError('Post "http://127.0.0.1:1/x": dial tcp 127.0.0.1:1: connect: connection refused')).toMatch(/^Nobody answers/);
    expect(plainError('422 Unprocessable Entity: unknown recipient')).toBe('422 Unprocessable Entity: unknown recipient');
  });

  test('the one with most dead letters is looked at first', () => {
    expect(sinkToLookAt([sink({ state: 'retrying' }), sink({ name: 'd', deadLettered: 1 })])?.name).toBe('d');
    expect(sinkToLookAt([sink({}), sink({ name: 'r', state: 'retrying' })])?.name).toBe('r');
    expect(sinkToLookAt([])).toBeNull();
  });
});

test('topics say how long they keep what they have', () => {
  const topic = (cleanup: 'delete' | 'compact', retentionMs: number, retentionBytes = -1) => keeps({ cleanup, retentionMs, retentionBytes });
  expect(topic('delete', 7 * 86_400_000)).toBe('7 d');
  expect(topic('delete', -1)).toBe('for ever');
  expect(topic('delete', 3_600_000, 1e9)).toBe('1 h, 1 GB a partition');
  expect(topic('compact', 1000)).toBe('latest of each key');
});
