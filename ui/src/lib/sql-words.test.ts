import { describe, expect, test } from 'vitest';
import { fromDepths, layout } from './plan-layout';
import type { View } from './schema';
import { recipes } from '../pages/sql/recipes';
import { asView, columnsAt, placeOf, stepDetail, stepTitle, wordAt } from './sql-words';

const relation = (name: string, ...columns: string[]): View => ({ name, columns: columns.map((c) => ({ name: c, type: 'text' })) }) as View;
const relations = [relation('events', 'ts', 'event'), relation('crm', 'segment')];
const names = (text: string, qualifier = ''): string[] => columnsAt(text, qualifier, relations).map((c) => c.name);

describe('columns that fit', () => {
  test('are those of the relations that the text names', () => {
    expect(names('SELECT FROM events')).toEqual(['ts', 'event']);
    expect(names('SELECT FROM tumble(events, ts')).toEqual(['ts', 'event', 'window_start', 'window_end']);
    expect(names('SELECT ')).toEqual([]);
  });
  test('behind a dot are those of the alias', () => {
    expect(names('SELECT c. FROM events JOIN crm AS c ON true', 'c')).toEqual(['segment']);
    expect(names('SELECT events. FROM events JOIN crm AS c ON true', 'events')).toContain('event');
  });
});

test('a mistake is placed by line and column, and marks its word', () => {
  const text = 'SELECT a\nFROM evnts';
  expect(placeOf(text, 15)).toEqual({ line: 2, column: 6 });
  expect(wordAt(text, 15)).toEqual({ from: 14, to: 19 });
  expect(wordAt('SELECT', 7)).toEqual({ from: 5, to: 6 });
  expect(placeOf('é𝄞 x', 4)).toEqual({ line: 1, column: 4 });
});

test('a SELECT becomes a view', () => {
  expect(asView('SELECT 1;\n')).toBe('CREATE MATERIALIZED VIEW my_view AS\nSELECT 1');
});

test('steps are said in plain words', () => {
  const step = (kind: string, detail: string, relation = '', source = '') => ({ kind, detail, relation, source, inputs: [], columns: [] }) as never;
  expect(stepTitle(step('Scan', 'public.events (ts)', 'events', 'stream'))).toBe('Read events');
  expect(stepTitle(step('Tumble', ''))).toBe('Cut time into windows');
  expect(stepDetail(step('Hop', 'on ts size 00:10:00 step 00:01:00'))).toBe('on ts size 10 min step 1 min');
  expect(stepTitle(step('Brand', 'new'))).toBe('Brand');
});

test('a plan flows from left to right and inputs lie beside what reads them', () => {
  const { placed, columns, rows } = layout([[], [0], [], [1, 2]]);
  expect(columns).toBe(3);
  expect(rows).toBe(2);
  expect(placed.map((p) => p.column)).toEqual([0, 1, 1, 2]);
  expect(placed[3]!.row).toBe(0.5);
  expect(layout([]).rows).toBe(1);
});

test('every recipe has a title, says what it is good for, and is SQL', () => {
  expect(recipes.length).toBeGreaterThan(7);
  for (const r of recipes) {
    expect(r.title, r.id).toMatch(/\?$/);
    expect(r.about.length, r.id).toBeGreaterThan(20);
    expect(r.sql, r.id).toMatch(/^(SELECT|CREATE MATERIALIZED VIEW)/);
  }
});

test('a list by depth becomes a plan with inputs first', () => {
  // join(filter(scan), scan)
  expect(fromDepths([0, 1, 2, 1])).toEqual({ order: [2, 1, 3, 0], inputs: [[], [0], [], [1, 2]] });
  expect(fromDepths([])).toEqual({ order: [], inputs: [] });
});
