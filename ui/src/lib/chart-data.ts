// From the rows of a view to a chart that makes sense without being asked: time by measure and series, else the largest bars.
import { parseTime } from './format';
import { isNumber, isTime } from './rows';
import { bucketSize, windowSize } from './scales';
import type { Column, Row } from './schema';

export interface Axes {
  kind: 'line' | 'bar';
  /** The column along the bottom (line) or down the side (bar). */
  x: number;
  /** Columns that can be drawn; the first is the best guess. -1 = the number of rows. */
  measures: number[];
  /** The column that splits a line chart into several; -1 = none. */
  series: number;
}

export interface Series {
  name: string;
  /** One value per x; NaN where there is none. */
  values: number[];
  total: number;
}

export interface LineData {
  kind: 'line';
  times: number[];
  series: Series[];
  /** Milliseconds per point, 0 when unknown. The last point is still being counted while its window is open. */
  window: number;
  measure: string;
  /** The lines may be stacked, for their sum has a meaning. */
  additive: boolean;
  /** Lines that there are but that are not shown. */
  more: number;
}

export interface BarData {
  kind: 'bar';
  bars: { name: string; value: number }[];
  /** How many more there are. */
  more: number;
  measure: string;
}

export const maxSeries = 6;
const maxBars = 12;
const maxPoints = 90;

// Sums of these say nothing: an average of two campaigns is not their sum.
const notAdditive = /(^|_)(avg|average|mean|median|min|max|p\d\d|score|rate|ratio|share|percent|pct|rank|price|users|people|unique|distinct)(_|$)/i;

/** Whether values of a measure may be added up over rows. The number of rows (-1) may. */
export const additive = (columns: Column[], measure: number): boolean => measure === -1 || !notAdditive.test(columns[measure]!.name);

const likelyMeasure = /revenue|amount|total|value|sales|score|spend|ltv|price/i;
// A view of sessions is about when they ended, under whatever name, not about when they began.
const ownTime = (columns: Column[], times: number[]): number | undefined =>
  times.length > 1 ? times.find((i) => !/^window_(start|end)$/.test(columns[i]!.name)) : undefined;

const likelyTime = /^(window_start|minute|hour|day|bucket|window_end|ts)$/i;

/** The axes to start with, or null where nothing can be drawn. */
export function chooseAxes(columns: Column[], key: number[], rows: Row[]): Axes | null {
  const all = columns.map((_, i) => i);
  const type = (i: number) => columns[i]!.type;
  const isKey = (i: number) => key.includes(i);
  const numbers = all.filter((i) => isNumber(type(i)) && !isKey(i) && !/(^|_)id$/i.test(columns[i]!.name));
  numbers.sort((a, b) => Number(likelyMeasure.test(columns[b]!.name)) - Number(likelyMeasure.test(columns[a]!.name)));
  const times = all.filter((i) => isTime(type(i)));
  const time = ownTime(columns, times.filter(isKey)) ?? times.find((i) => isKey(i) && likelyTime.test(columns[i]!.name)) ?? times.find(isKey) ?? times.find((i) => likelyTime.test(columns[i]!.name) && key.length === 0);
  const texts = all.filter((i) => !isTime(type(i)) && !isNumber(type(i)) && !/^json/i.test(type(i)));
  const labels = [...texts.filter(isKey), ...texts.filter((i) => !isKey(i))];

  if (time !== undefined) {
    const series = labels.find((i) => distinct(rows, i) <= 24) ?? -1;
    const crowded = labels.some((i) => isKey(i) && i !== series && distinct(rows, i) > 24);
    return { kind: 'line', x: time, measures: crowded ? [-1, ...numbers.filter((m) => additive(columns, m))] : numbers.length ? numbers : [-1], series: crowded ? -1 : series };
  }
  const label = labels[0] ?? key[0];
  if (label === undefined || numbers.length === 0) return null;
  return { kind: 'bar', x: label, measures: numbers, series: -1 };
}

const distinct = (rows: Row[], column: number): number => new Set(rows.map((r) => r[column])).size;

const labelOf = (v: Row[number] | undefined): string => (v === null || v === undefined || v === '' ? '(none)' : String(v));

const measureName = (columns: Column[], m: number): string => (m === -1 ? 'rows' : columns[m]!.name);

/** Sums up rows per moment and line. Of a view whose older rows are left out, the first moment is too: it would be half. */
export function lineData(columns: Column[], rows: Row[], axes: Axes, measure: number, olderLeftOut = false): LineData {
  const points = rows
    .map((r) => ({
      at: parseTime(r[axes.x] as string | null),
      name: axes.series === -1 ? measureName(columns, measure) : labelOf(r[axes.series]),
      value: measure === -1 ? 1 : Number(r[measure] ?? NaN),
    }))
    .filter((p) => Number.isFinite(p.at) && Number.isFinite(p.value));
  const size = pointSize(points.map((p) => p.at));
  const sums = additive(columns, measure);
  const cells = new Map<string, Map<number, number>>();
  for (const p of points) {
    const at = size ? Math.floor(p.at / size) * size : p.at;
    const line = cells.get(p.name) ?? new Map<number, number>();
    line.set(at, sums ? (line.get(at) ?? 0) + p.value : Math.max(line.get(at) ?? -Infinity, p.value));
    cells.set(p.name, line);
  }
  const all = timeline([...cells.values()].flatMap((l) => [...l.keys()]), size);
  const times = olderLeftOut && all.length > 1 && Math.min(...points.map((p) => p.at)) + size > all[0]! ? all.slice(1) : all;
  const series = [...cells].map(([name, line]) => ({
    name,
    values: times.map((t) => line.get(t) ?? (size && sums ? 0 : NaN)),
    total: [...line.values()].reduce((a, b) => a + b, 0),
  }));
  series.sort((a, b) => b.total - a.total || (a.name < b.name ? -1 : 1));
  const shown = sums ? withOther(series) : series.slice(0, maxSeries);
  return { kind: 'line', times, series: shown, window: size, measure: measureName(columns, measure), additive: sums, more: sums ? 0 : series.length - shown.length };
}

// Windows as the query made them; moments that fall anywhere (sessions, say) are put into buckets.
function pointSize(times: number[]): number {
  if (times.length === 0) return 0;
  const size = windowSize(times);
  if (size >= 1000) return size;
  const unique = new Set(times).size;
  if (unique === 2) return Math.max(...times) - Math.min(...times);
  if (unique < 2) return 0;
  return bucketSize(Math.min(...times), Math.max(...times), 60);
}

/** Every window from the first to the last, so that a quiet one shows as nothing, at most the newest 90. */
function timeline(at: number[], size: number): number[] {
  const unique = [...new Set(at)].sort((a, b) => a - b);
  if (!size || unique.length < 2) return unique.slice(-maxPoints);
  const last = unique.at(-1)!;
  const first = Math.max(unique[0]!, last - size * (maxPoints - 1));
  return Array.from({ length: Math.round((last - first) / size) + 1 }, (_, i) => first + i * size);
}

function withOther(series: Series[]): Series[] {
  if (series.length <= maxSeries) return series;
  const shown = series.slice(0, maxSeries - 1);
  const rest = series.slice(maxSeries - 1);
  const sum = (xs: number[]): number => xs.reduce((a, b) => a + (Number.isNaN(b) ? 0 : b), 0);
  const values = rest[0]!.values.map((_, i) => sum(rest.map((s) => s.values[i]!)));
  return [...shown, { name: `${rest.length} others`, values, total: sum(rest.map((s) => s.total)) }];
}

export function barData(columns: Column[], rows: Row[], axes: Axes, measure: number): BarData {
  const adds = additive(columns, measure);
  const sums = new Map<string, number>();
  for (const r of rows) {
    const v = Number(r[measure] ?? NaN);
    if (!Number.isFinite(v)) continue;
    const name = labelOf(r[axes.x]);
    sums.set(name, adds ? (sums.get(name) ?? 0) + v : Math.max(sums.get(name) ?? -Infinity, v));
  }
  const bars = [...sums].map(([name, value]) => ({ name, value })).sort((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1));
  return { kind: 'bar', bars: bars.slice(0, maxBars), more: Math.max(0, bars.length - maxBars), measure: measureName(columns, measure) };
}

/** The column whose largest values are looked at first: the newest time, else the largest measure. */
export function leadingColumn(columns: Column[], key: number[]): number {
  const axes = chooseAxes(columns, key, []);
  if (axes) return axes.kind === 'line' ? axes.x : axes.measures[0]!;
  return columns.findIndex((c) => isTime(c.type));
}
