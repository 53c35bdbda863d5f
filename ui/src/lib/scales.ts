// Scales and ticks of charts.

export type Scale = (v: number) => number;

export function linear([d0, d1]: [number, number], [r0, r1]: [number, number]): Scale {
  const width = d1 - d0;
  return (v) => (width === 0 ? (r0 + r1) / 2 : r0 + ((v - d0) / width) * (r1 - r0));
}

/** Round values from at most min to at least max, about n of them: niceTicks(0, 93, 4) → 0, 25, 50, 75, 100. Of whole
 * numbers the ticks are whole too. */
export function niceTicks(min: number, max: number, n: number, whole = false): number[] {
  if (!Number.isFinite(min) || !Number.isFinite(max)) return [0, 1];
  if (min === max) return min === 0 ? [0, 1] : niceTicks(Math.min(0, min), Math.max(0, max), n, whole);
  const nice = niceStep((max - min) / Math.max(1, n));
  const step = whole && !Number.isInteger(nice) ? (nice < 1 ? 1 : 2 * nice) : nice;
  const from = Math.floor(min / step);
  const to = Math.ceil(max / step);
  // Multiplying whole numbers keeps 0.3 from becoming 0.30000000000000004 more often than adding would.
  return Array.from({ length: to - from + 1 }, (_, i) => Number(((from + i) * step).toPrecision(12)));
}

function niceStep(raw: number): number {
  const magnitude = 10 ** Math.floor(Math.log10(raw));
  const lead = raw / magnitude;
  return (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 2.5 ? 2.5 : lead <= 5 ? 5 : 10) * magnitude;
}

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const timeSteps = [
  ...[1, 2, 5, 10, 15, 30].map((n) => n * second),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * minute),
  ...[1, 2, 3, 6, 12].map((n) => n * hour),
  ...[1, 2, 7, 14, 30, 90, 365].map((n) => n * day),
];

export interface TimeTicks {
  at: number[];
  step: number;
}

/** Round moments of the reader's clock between from and to, at most n of them. */
export function timeTicks(from: number, to: number, n: number): TimeTicks {
  const step = timeSteps.find((s) => (to - from) / s <= n) ?? timeSteps.at(-1)!;
  const zone = new Date(from).getTimezoneOffset() * minute;
  const at: number[] = [];
  for (let t = Math.ceil((from - zone) / step) * step + zone; t <= to && at.length <= n; t += step) at.push(t);
  return { at, step };
}

/** The width of the windows that times belong to: the smallest distance between two, when the others are its multiples. */
export function windowSize(times: number[]): number {
  const unique = [...new Set(times)].sort((a, b) => a - b);
  if (unique.length < 3) return 0;
  let size = Infinity;
  for (let i = 1; i < unique.length; i++) size = Math.min(size, unique[i]! - unique[i - 1]!);
  return unique.every((t) => (t - unique[0]!) % size === 0) ? size : 0;
}

/** A round bucket so that the span from..to has at most n buckets. */
export function bucketSize(from: number, to: number, n: number): number {
  return timeSteps.find((s) => s >= minute && (to - from) / s <= n) ?? timeSteps.at(-1)!;
}

/** Points of a polyline as an SVG path; gaps (NaN) lift the pen. */
export function linePath(points: [number, number][]): string {
  let pen = 'M';
  let d = '';
  for (const [x, y] of points) {
    if (Number.isNaN(y)) {
      pen = 'M';
      continue;
    }
    d += `${pen}${round(x)} ${round(y)}`;
    pen = 'L';
  }
  return d;
}

const round = (v: number): number => Math.round(v * 100) / 100;

/** The top of a small line: its largest value, unless one burst would press all the rest flat; then the burst is cut. */
export function sparkTop(values: number[]): number {
  const busy = values.filter((v) => v > 0).sort((a, b) => a - b);
  if (busy.length === 0) return 1;
  const usual = busy[Math.floor(busy.length / 2)]!;
  return Math.min(busy.at(-1)!, 5 * usual);
}
