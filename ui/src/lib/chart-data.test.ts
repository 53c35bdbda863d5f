import { describe, expect, test } from 'vitest';
import { additive, barData, chooseAxes, leadingColumn, lineData } from './chart-data';
import type { Column, Row } from './schema';

const columns = (...specs: string[]): Column[] => specs.map((s) => ({ name: s.split(' ')[0]!, type: s.split(' ').slice(1).join(' ') }));
const at = (minute: number): string => new Date(Date.UTC(2026, 2, 6, 14, minute)).toISOString();

describe('the axes of a chart', () => {
  test('revenue per minute and campaign: time, revenue first, a line per campaign', () => {
    const c = columns('window_start timestamptz', 'campaign text', 'orders bigint', 'revenue numeric(38,2)');
    const rows: Row[] = [[at(0), 'a', 1, 10]];
    expect(chooseAxes(c, [0, 1], rows)).toEqual({ kind: 'line', x: 0, measures: [3, 2], series: 1 });
    expect(leadingColumn(c, [0, 1])).toBe(0);
  });

  test('one row per person with a score: the largest as bars', () => {
    const c = columns('user_key text', 'segment text', 'score double precision', 'last_seen timestamptz');
    expect(chooseAxes(c, [0], [['u', 'vip', 9, at(0)]])).toEqual({ kind: 'bar', x: 0, measures: [2], series: -1 });
    expect(leadingColumn(c, [0])).toBe(2);
  });

  test('sessions of many people: how many rows over time, not a line per person', () => {
    const c = columns('user_key text', 'window_start timestamptz', 'left_at timestamptz', 'items bigint');
    const rows: Row[] = Array.from({ length: 60 }, (_, i) => [`u${i}`, at(i % 50), at(i % 50), 1]);
    expect(chooseAxes(c, [0, 1, 2], rows)).toEqual({ kind: 'line', x: 2, measures: [-1, 3], series: -1 });
  });

  test('nothing to count, nothing to draw', () => {
    expect(chooseAxes(columns('name text', 'note text'), [0], [['a', 'b']])).toBeNull();
    expect(leadingColumn(columns('name text'), [0])).toBe(-1);
  });

  test('an id is no measure', () => {
    expect(chooseAxes(columns('name text', 'account_id bigint'), [0], [])).toBeNull();
  });
});

describe('lines', () => {
  const c = columns('window_start timestamptz', 'campaign text', 'orders bigint', 'avg_total double precision');
  const axes = { kind: 'line' as const, x: 0, measures: [2, 3], series: 1 };

  test('a window without a row counts as nothing', () => {
    const d = lineData(c, [[at(0), 'a', 1, 5], [at(1), 'a', 2, 5], [at(3), 'a', 4, 5], [at(1), 'b', 7, 5]], axes, 2);
    expect(d.window).toBe(60_000);
    expect(d.times).toHaveLength(4);
    expect(d.series.map((s) => [s.name, s.values])).toEqual([
      ['a', [1, 2, 0, 4]],
      ['b', [0, 7, 0, 0]],
    ]);
  });

  test('an average has gaps instead, and is never added up', () => {
    expect(additive(c, 3)).toBe(false);
    const d = lineData(c, [[at(0), 'a', 1, 5], [at(1), 'a', 1, 6], [at(3), 'a', 1, 8]], axes, 3);
    expect(d.series[0]!.values).toEqual([5, 6, NaN, 8]);
    expect(d.additive).toBe(false);
  });

  test('the smaller ones share a line', () => {
    const rows: Row[] = Array.from({ length: 10 }, (_, i) => [0, 1, 2].map((m): Row => [at(m), `c${i}`, 10 - i, 1])).flat();
    const d = lineData(c, rows, axes, 2);
    expect(d.series.map((s) => s.name)).toEqual(['c0', 'c1', 'c2', 'c3', 'c4', '5 others']);
    expect(d.series.at(-1)!.values).toEqual([15, 15, 15]);
  });

  test('where older rows are left out, the first window is not shown half', () => {
    const rows: Row[] = [[at(0), 'a', 1, 5], [at(1), 'a', 2, 5], [at(2), 'a', 3, 5]];
    expect(lineData(c, rows, axes, 2, true).series[0]!.values).toEqual([2, 3]);
  });

  test('no campaign is a campaign too', () => {
    const d = lineData(c, [[at(0), null, 1, 5], [at(1), null, 1, 5]], axes, 2);
    expect(d.series[0]!.name).toBe('(none)');
  });
});

test('bars are sorted, bounded, and say how many more there are', () => {
  const c = columns('user_key text', 'score double precision');
  const rows: Row[] = Array.from({ length: 20 }, (_, i) => [`u${i}`, i]);
  const d = barData(c, rows, { kind: 'bar', x: 0, measures: [1], series: -1 }, 1);
  expect(d.bars[0]).toEqual({ name: 'u19', value: 19 });
  expect(d.bars).toHaveLength(12);
  expect(d.more).toBe(8);
});
