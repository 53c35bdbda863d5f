// Incidents in words.
import type { IconName } from '../components/Icon.svelte';
import type { Tone } from '../components/Tag.svelte';
import { cellNumber, percent, rate } from './format';

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
  acknowledged: { tone: 'fixed', icon: 'people', text: 'Somebody is on it' },
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

/** What was measured, with its unit. */
export function measured(v: number, unit: string): string {
  if (unit === 'share') return percent(v, 1);
  if (unit === 'events per hour') return `${rate(v)}/h`;
  return cellNumber(Math.round(v * 100) / 100);
}

const verbs: Record<string, string> = {
  opened: 'found it',
  updated: 'saw it change',
  acknowledged: 'took it on',
  muted: 'muted it',
  unmuted: 'unmuted it',
  resolved: 'closed it',
  reopened: 'found it again',
  notified: 'told the people concerned',
};

export const verbWords = (v: string): string => verbs[v] ?? v;
