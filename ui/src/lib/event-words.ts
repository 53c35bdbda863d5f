// An event in a few words: its name, and the facts that tell it from others of its kind.
import type { EventRow } from './schema';

const typeWords: Record<string, string> = {
  identify: 'Person identified',
  page: 'Page viewed',
  screen: 'Screen viewed',
  group: 'Group joined',
  alias: 'Identities joined',
};

/** The name people gave the event; calls without one are named by what they mean. */
export function eventTitle(e: Pick<EventRow, 'event' | 'type'>): string {
  const word = typeWords[e.type];
  if (!e.event) return word || e.type || 'Event';
  return word ? `${word}: ${e.event}` : e.event;
}

type Members = Record<string, unknown>;

const members = (v: unknown): Members => (typeof v === 'object' && v !== null && !Array.isArray(v) ? (v as Members) : {});

// What tells most comes first; ids tell least.
const telling = ['name', 'product', 'product_name', 'query', 'total', 'revenue', 'value', 'price', 'amount', 'reason', 'coupon', 'quantity', 'items', 'path'];

function rank(key: string, value: unknown): number {
  const at = telling.indexOf(key);
  if (at >= 0) return at;
  if (typeof value === 'string' && /^[0-9a-f-]{24,}$/i.test(value)) return 200;
  return /(^|_)(id|key|token|hash|url|sku)$|Id$/.test(key) ? 200 : 100;
}

/** "Rain jacket · price 89.90 EUR · quantity 2": the most telling plain values of what the event carries. */
export function eventFacts(json: unknown, most = 4): string {
  const e = members(json);
  const page = members(members(e.context).page);
  const carried: Members = { ...members(e.traits), ...members(e.properties) };
  if (typeof page.path === 'string' && (e.type === 'page' || e.type === 'screen')) carried.path = page.path;
  const money = ['total', 'revenue', 'value', 'price', 'amount'].find((k) => typeof carried[k] === 'number');
  if (money && typeof carried.currency === 'string') {
    carried[money] = `${(carried[money] as number).toFixed(2)} ${carried.currency}`;
    delete carried.currency;
  }
  if (carried.path) delete carried.url;
  return Object.entries(carried)
    .sort(([a, v], [b, w]) => rank(a, v) - rank(b, w))
    .map(([k, v]) => fact(k, v))
    .filter(Boolean)
    .slice(0, most)
    .join(' · ');
}

function fact(key: string, v: unknown): string {
  if (v === null || v === '') return '';
  if (Array.isArray(v)) return `${key} ${v.length}`;
  if (typeof v === 'object') return '';
  const text = String(v);
  const short = text.length > 40 ? `${text.slice(0, 39)}…` : text;
  return key === 'name' ? short : `${key} ${short}`;
}
