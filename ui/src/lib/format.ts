// Every number, rate and time that people read is written here.

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const exact = new Intl.NumberFormat('en', { maximumFractionDigits: 6 });
const percentOne = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 1 });
const percentTwo = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 2 });

const scales = [
  { at: 1e12, sign: 'T' },
  { at: 1e9, sign: 'B' },
  { at: 1e6, sign: 'M' },
  { at: 1e3, sign: 'k' },
];

/** 1284093 → "1,284,093". */
export function count(n: number): string {
  return Number.isFinite(n) ? whole.format(Math.round(n)) : '–';
}

/** 1284093 → "1.28M"; below 10,000 every digit is kept. */
export function short(n: number): string {
  if (!Number.isFinite(n)) return '–';
  const size = Math.abs(n);
  if (size < 10_000) return size < 10 && !Number.isInteger(n) ? trim(n.toFixed(1)) : whole.format(Math.round(n));
  return scaled(n);
}

function scaled(n: number): string {
  const size = Math.abs(n);
  // 999,950 rounds to 1000k, so the next scale starts slightly earlier.
  const scale = scales.find((s) => size >= s.at * 0.9995) ?? { at: 1, sign: '' };
  const v = n / scale.at;
  const digits = Math.abs(v) < 9.995 ? 2 : Math.abs(v) < 99.95 ? 1 : 0;
  return trim(v.toFixed(digits)) + scale.sign;
}

const trim = (s: string): string => (s.includes('.') ? s.replace(/\.?0+$/, '') : s);

/** Events per second, without the unit: 0, 0.4, 38, 1.2k, 1.28M. */
export function rate(perSecond: number): string {
  if (!Number.isFinite(perSecond) || perSecond <= 0) return '0';
  if (perSecond < 0.1) return '< 0.1';
  if (perSecond < 10) return trim(perSecond.toFixed(1));
  if (perSecond < 1000) return whole.format(Math.round(perSecond));
  return scaled(perSecond);
}

/** A share of a whole: 0.0312 → "3.1%"; a small share never reads as nothing, nor a nearly full one as all. */
export function percent(part: number, total: number): string {
  if (!(total > 0)) return '0%';
  const p = part / total;
  if (p > 0 && p < 0.0001) return '< 0.01%';
  if (p < 1 && p > 0.9999) return '> 99.99%';
  return p < 0.01 || p > 0.99 ? percentTwo.format(p) : percentOne.format(p);
}

/** A span of milliseconds: "4 ms", "1.2 s", "3 min", "5 h", "2 d". */
export function span(ms: number): string {
  if (!Number.isFinite(ms)) return '–';
  const size = Math.max(0, ms);
  if (size < 1) return '< 1 ms';
  if (size < 1000) return `${Math.round(size)} ms`;
  if (size < 9_950) return `${trim((size / 1000).toFixed(1))} s`;
  if (size < 60_000) return `${Math.min(59, Math.round(size / 1000))} s`;
  if (size < 3_600_000) return `${Math.min(59, Math.round(size / 60_000))} min`;
  if (size < 86_400_000) return `${Math.min(23, Math.round(size / 3_600_000))} h`;
  return `${Math.round(size / 86_400_000)} d`;
}

/** "just now", "12 s ago", "3 min ago", "in 5 min". */
export function ago(at: number, now: number): string {
  const d = now - at;
  if (Math.abs(d) < 1500) return 'just now';
  const whole = d > 0 ? Math.floor(d / 1000) * 1000 : Math.ceil(d / 1000) * 1000;
  return d > 0 ? `${span(whole)} ago` : `in ${span(-whole)}`;
}

const dateTime = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});
const clockSeconds = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const clockMinutes = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const dayMonth = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

/** The absolute time in the reader's zone: "6 Mar 2026, 14:03:09". */
export function absolute(at: number): string {
  return Number.isFinite(at) ? dateTime.format(at) : '–';
}

/** The time of day with seconds: "14:03:09". */
export function clock(at: number): string {
  return Number.isFinite(at) ? clockSeconds.format(at) : '–';
}

/** A tick on a time axis: the day where ticks are days apart, else hours and minutes, with seconds when they differ. */
export function tick(at: number, stepMs: number): string {
  if (stepMs >= 86_400_000) return dayMonth.format(at);
  return stepMs < 60_000 ? clockSeconds.format(at) : clockMinutes.format(at);
}

/** A moment as a table shows it: today only the time, other days the date as well. */
export function moment(at: number, now: number): string {
  if (!Number.isFinite(at)) return '–';
  const sameDay = new Date(at).toDateString() === new Date(now).toDateString();
  // Midnight is most often a day, not a time of it.
  return sameDay && at % 86_400_000 !== 0 ? clock(at) : `${dayMonth.format(at)}, ${clockMinutes.format(at)}`;
}

/** Milliseconds since 1970 of an API time; NaN where there is none (Go's zero time counts as none). A time without a zone,
 * as a column of type timestamp has it, is UTC. */
export function parseTime(s: string | null | undefined): number {
  if (!s) return NaN;
  const t = Date.parse(/T[\d:.]+$/.test(s) ? `${s}Z` : s);
  return t < -6e13 ? NaN : t;
}

/** How many decimals a column of numbers is shown with, so that its points stand below each other: two where the numbers
 * are large, at most four. */
export function decimalsOf(values: Iterable<unknown>): number {
  let most = 0;
  let large = false;
  for (const v of values) {
    if (v === null || v === undefined || Number.isInteger(Number(v))) continue;
    const fraction = String(v).split('.')[1]?.length ?? 6;
    most = Math.max(most, fraction);
    large ||= Math.abs(Number(v)) >= 10;
  }
  return Math.min(most === 1 && large ? 2 : most, large ? 2 : 4);
}

/** A number in a cell, with so many decimals; without, all digits of an exact decimal and at most six of a float. */
export function cellNumber(v: number | string, decimals?: number): string {
  if (decimals !== undefined && Number.isFinite(Number(v))) {
    return Number(v).toLocaleString('en', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  }
  if (typeof v === 'number') return exact.format(v);
  const m = /^(-?)(\d+)(\.\d+)?$/.exec(v);
  if (!m) return v;
  return m[1] + (m[2] ?? '').replace(/\B(?=(\d{3})+$)/g, ',') + (m[3] ?? '');
}

/** A long key keeps its head and its tail, which tell it from its neighbours: "anon-18ea67e…25296". */
export function shortKey(s: string, most = 18): string {
  if (s.length <= most) return s;
  const tail = Math.floor(most / 3);
  return `${s.slice(0, most - tail - 1)}…${s.slice(-tail)}`;
}

/** plural(1, "event") → "1 event"; plural(1200, "event") → "1,200 events". */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** 36502240 → "36.5 MB"; sizes that nobody tells are a dash. */
export function bytes(n: number): string {
  if (!Number.isFinite(n) || n < 0) return '–';
  if (n < 1000) return `${Math.round(n)} B`;
  const unit = n < 999_500 ? 'kB' : n < 999_500_000 ? 'MB' : n < 999_500_000_000 ? 'GB' : 'TB';
  const v = n / { kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 }[unit];
  return `${v < 99.95 ? trim(v.toFixed(v < 9.995 ? 2 : 1)) : Math.round(v)} ${unit}`;
}

/** A message of the server as a sentence: "write GROUP BY" → "Write GROUP BY." */
export function sentence(s: string): string {
  const t = s.trim();
  if (!t) return '';
  return t.charAt(0).toUpperCase() + t.slice(1) + (/[.!?:…]$/.test(t) ? '' : '.');
}

/** A duration as the server writes it: "720h0m0s" → "30 d". Others stay as they are. */
export function goSpan(s: string): string {
  const m = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?$/.exec(s);
  if (!s || !m) return s;
  return span(((Number(m[1] ?? 0) * 60 + Number(m[2] ?? 0)) * 60 + Number(m[3] ?? 0)) * 1000);
}
