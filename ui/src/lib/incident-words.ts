// Incidents in words.
import type { IconName } from '../components/Icon.svelte';
import type { Tone } from '../components/Tag.svelte';
import { cellNumber, count, percent, rate } from './format';

interface Look {
  tone: Tone;
  icon: IconName;
  text: string;
}

const severities: Record<string, Look> = {
  critical: { tone: 'bad', icon: 'warn', text: 'Critical' },
  warning: { tone: 'warn', icon: 'warn', text: 'Warning' },
  info: { tone: 'quiet', icon: 'info', text: 'Notice' },
};

const states: Record<string, Look> = {
  open: { tone: 'bad', icon: 'incidents', text: 'Open' },
  acknowledged: { tone: 'fixed', icon: 'people', text: 'Acknowledged' },
  muted: { tone: 'quiet', icon: 'pause', text: 'Muted' },
  resolved: { tone: 'valid', icon: 'check', text: 'Resolved' },
};

const healths: Record<string, Look> = {
  ok: { tone: 'valid', icon: 'check', text: 'As usual' },
  learning: { tone: 'quiet', icon: 'clock', text: 'Learning what is usual' },
  warning: { tone: 'warn', icon: 'warn', text: 'Unusual' },
  critical: { tone: 'bad', icon: 'warn', text: 'Broken' },
};

const plain = (s: string): Look => ({ tone: 'quiet', icon: 'info', text: s || 'Not known' });

export const severityLook = (s: string): Look => severities[s] ?? plain(s);
export const stateLook = (s: string): Look => states[s] ?? plain(s);
export const healthLook = (s: string): Look => healths[s] ?? plain(s === 'unknown' ? '' : s);

/** How a node of the lineage does: what is held back of it is missing downstream, so it is never as usual. */
export function nodeLook(n: { health: string; heldBack: number; inBlast: boolean }): Look {
  const look = healthLook(n.health);
  const said = [n.heldBack > 0 && n.health === 'ok' ? '' : look.text, n.heldBack > 0 ? `${count(n.heldBack)} held back` : '', n.inBlast ? 'reached by an incident' : ''];
  const text = said.filter((s) => s !== '').join(', ');
  if (n.health !== 'ok') return { ...look, text };
  if (n.heldBack > 0) return { tone: 'bad', icon: 'held', text };
  return { ...look, tone: n.inBlast ? 'warn' : look.tone, text };
}

/** What was measured, with its unit. */
export function measured(v: number, unit: string): string {
  if (unit === 'share') return percent(v, 1);
  if (unit === 'events per hour') return `${rate(v)}/h`;
  return cellNumber(Math.round(v * 100) / 100);
}

const verbs: Record<string, string> = {
  opened: 'found it',
  updated: 'saw it change',
  acknowledged: 'acknowledged it',
  muted: 'muted it',
  unmuted: 'unmuted it',
  resolved: 'resolved it',
  reopened: 'found it again',
  notified: 'told the people concerned',
};

export const verbWords = (v: string): string => verbs[v] ?? v;

export type IncidentVerb = 'acknowledge' | 'mute' | 'unmute' | 'resolve';

/** A title as people read it: names of properties stand in quotes, not in code. */
export const plainTitle = (title: string): string => title.replace(/`([^`]*)`/g, '“$1”');

/** Whether too little comes, so that it is about events that are not there. */
export const isLess = (kind: string): boolean => kind === 'missing' || kind === 'drop' || kind === 'too_few' || kind === 'vanished_value';

const dimensions: Record<string, string> = { 'app version': 'App version', page: 'Page', browser: 'Browser', country: 'Country', campaign: 'Campaign', platform: 'Platform' };

export const dimensionName = (d: string): string => dimensions[d] ?? d.charAt(0).toUpperCase() + d.slice(1);

const kinds: Record<string, string> = {
  missing: 'No events',
  drop: 'Fewer events',
  rise: 'More events',
  nulls: 'Empty more often',
  type: 'Another kind of value',
  violations: 'Breaks the plan',
  new_value: 'A new value',
  vanished_value: 'A value is gone',
  cardinality: 'Unusual number of values',
  naming: 'Campaign names',
  duplicates: 'Sent twice',
  lateness: 'Late',
  too_few: 'Fewer than planned',
  too_many: 'More than planned',
  column: 'A figure is off',
};

export const kindName = (k: string): string => kinds[k] ?? k.replaceAll('_', ' ');

/** How many events it touched, in words: missing ones where too few come. */
export function touched(i: { kind: string; affectedEvents: number }): string {
  if (i.affectedEvents <= 0) return '';
  const n = i.affectedEvents.toLocaleString('en');
  const events = i.affectedEvents === 1 ? 'event' : 'events';
  return isLess(i.kind) ? `${n} ${events} missing` : `${n} ${events} affected`;
}
