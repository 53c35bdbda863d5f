import { describe, expect, test } from 'vitest';
import { applyChanges, compareCells, maxRows, snapshot, sorted } from './rows';
import type { Column, Row } from './schema';

const columns: Column[] = [
  { name: 'campaign', type: 'text' },
  { name: 'orders', type: 'bigint' },
];
const start = () => snapshot(columns, ['campaign'], [['a', 1], ['b', 2]], 10);
const values = (rows: Iterable<Row>) => [...rows].map((r) => r.join(' ')).sort();

describe('a live table', () => {
  test('takes deletes before upserts, for a changed row may be in both', () => {
    const t = applyChanges(start(), [{ step: 11, deletes: [['a'], ['b']], upserts: [['a', 5]] }], 1000);
    expect(values(t.rows.values())).toEqual(['a 5']);
    expect(t.step).toBe(11);
    expect(t.changedAt.get('["a"]')).toBe(1000);
  });

  test('leaves out changes that the snapshot already holds', () => {
    const t = applyChanges(start(), [{ step: 10, deletes: [['a']], upserts: [['c', 1]] }], 0);
    expect(values(t.rows.values())).toEqual(['a 1', 'b 2']);
  });

  test('without a key the whole row is one', () => {
    const t = snapshot(columns, [], [['a', 1]], 1);
    expect(applyChanges(t, [{ step: 2, deletes: [['a', 1]], upserts: [] }], 0).rows.size).toBe(0);
  });

  test('is bounded: the least important rows go first', () => {
    const rows: Row[] = Array.from({ length: maxRows }, (_, i) => [`c${i}`, maxRows - i]);
    const t = applyChanges(snapshot(columns, ['campaign'], rows, 1), [{ step: 2, deletes: [], upserts: [['new', 9]] }], 0);
    expect(t.rows.size).toBe(maxRows);
    expect(t.rows.has('["c0"]')).toBe(true);
    expect(t.rows.has(`["c${maxRows - 1}"]`)).toBe(false);
  });

  test('forgets old changes', () => {
    const t = applyChanges(start(), [{ step: 11, deletes: [], upserts: [['a', 2]] }], 1000);
    expect(applyChanges(t, [], 7000).changedAt.size).toBe(0);
  });

  test('does not touch the table that it came from', () => {
    const t = start();
    applyChanges(t, [{ step: 11, deletes: [['a']], upserts: [] }], 0);
    expect(t.rows.size).toBe(2);
  });
});

test('sorting: numbers by size, nothing last in both directions', () => {
  expect(compareCells('9', '10', true)).toBeLessThan(0);
  const t = snapshot(columns, ['campaign'], [['a', 9], ['b', null], ['c', 10]], 1);
  expect(sorted(t, { column: 1, descending: false }).map(([, r]) => r[0])).toEqual(['a', 'c', 'b']);
  expect(sorted(t, { column: 1, descending: true }).map(([, r]) => r[0])).toEqual(['c', 'a', 'b']);
});
