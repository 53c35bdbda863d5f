// The rows of a live view: a snapshot, then changes by key. Bounded: a page never holds more than maxRows.
import type { Column, Row, RowChange } from './schema';

export const maxRows = 2000;

export interface Table {
  columns: Column[];
  /** Positions of the key columns; empty = the whole row is the key. */
  key: number[];
  rows: Map<string, Row>;
  step: number;
  /** When each row last changed (ms), only since the snapshot. */
  changedAt: Map<string, number>;
  /** Rows that did not fit. */
  cut: number;
}

export function emptyTable(): Table {
  return { columns: [], key: [], rows: new Map(), step: 0, changedAt: new Map(), cut: 0 };
}

export function keyOf(row: Row, key: number[]): string {
  return JSON.stringify(key.length === 0 ? row : key.map((i) => row[i]));
}

export const keyColumns = (columns: Column[], names: string[]): number[] =>
  names.map((n) => columns.findIndex((c) => c.name === n)).filter((i) => i >= 0);

/** Starts from rows that are sorted with the most important first; those are the last to be given up for new ones. */
export function snapshot(columns: Column[], keyNames: string[], rows: Row[], step: number): Table {
  const key = keyColumns(columns, keyNames);
  const kept = rows.slice(0, maxRows).reverse();
  const byKey = new Map(kept.map((r) => [keyOf(r, key), r]));
  return { columns, key, rows: byKey, step, changedAt: new Map(), cut: Math.max(0, rows.length - kept.length) };
}

/** Applies changes in order. A change at or before the table's step is already in it and is left out. */
export function applyChanges(table: Table, changes: RowChange[], now: number): Table {
  const rows = new Map(table.rows);
  const changedAt = new Map([...table.changedAt].filter(([, at]) => now - at < 5000));
  let { step, cut } = table;
  for (const c of changes) {
    if (c.step <= step) continue;
    step = c.step;
    for (const k of c.deletes ?? []) {
      const id = JSON.stringify(k);
      rows.delete(id);
      changedAt.delete(id);
    }
    for (const r of c.upserts ?? []) {
      const id = keyOf(r, table.key);
      if (!rows.has(id) && rows.size >= maxRows) {
        rows.delete(rows.keys().next().value!);
        cut++;
      }
      rows.set(id, r);
      changedAt.set(id, now);
    }
  }
  return { ...table, rows, changedAt, step, cut };
}

export interface Sort {
  column: number;
  descending: boolean;
}

/** Orders two cells: numbers by size (exact decimals come as text), times and text by code point, nothing last. */
export function compareCells(a: Row[number] | undefined, b: Row[number] | undefined, numeric: boolean): number {
  if (a == null || b == null) return a == null ? (b == null ? 0 : 1) : -1;
  if (numeric) return Number(a) - Number(b);
  if (typeof a === 'object' || typeof b === 'object') return order(JSON.stringify(a), JSON.stringify(b));
  return order(String(a), String(b));
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export function sorted(table: Table, sort: Sort | null): [string, Row][] {
  const all = [...table.rows];
  if (!sort) return all;
  const numeric = isNumber(table.columns[sort.column]?.type ?? '');
  const sign = sort.descending ? -1 : 1;
  return all.sort(([, a], [, b]) => {
    const x = a[sort.column];
    const y = b[sort.column];
    if (x == null || y == null) return compareCells(x, y, numeric);
    return sign * compareCells(x, y, numeric);
  });
}

export const isNumber = (type: string): boolean => /^(small|big)?int|^(integer|numeric|decimal|double|real|float)/i.test(type);

export const isTime = (type: string): boolean => /^(timestamp|date)/i.test(type);
