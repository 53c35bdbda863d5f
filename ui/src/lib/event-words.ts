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
  return e.event || typeWords[e.type] || e.type || 'Event';
}

type Members = Record<string, unknown>;

const members = (v: unknown): Members => (typeof v === 'object' && v !== null && !Array.isArray(v) ? (v as Members) : {});

/** "total 89.9 · currency EUR · products 3": the first few plain values of what the event carries. */
export function eventFacts(json: unknown, most = 4): string {
  const e = members(json);
  const page = members(members(e.context).page);
  const carried = { ...members(e.traits), ...members(e.properties) };
  if (typeof page.path === 'string' && (e.type === 'page' || e.type === 'screen')) carried.path = page.path;
  return Object.entries(carried)
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
  return `${key} ${text.length > 40 ? `${text.slice(0, 39)}…` : text}`;
}
