// A view in words.
import { span } from './format';
import type { View } from './schema';

/** The file's description, else what the statement does: "Counts per window and campaign" is more than no words at all. */
export function describe(v: View): string {
  if (v.description) return v.description;
  if (v.kind === 'table') return v.key.length > 0 ? `Reference data, one row per ${v.key.join(', ')}.` : 'Reference data.';
  return v.key.length > 0 ? `One row per ${v.key.join(', ')}.` : 'A live answer.';
}

export function freshness(v: View): { tone: 'valid' | 'warn' | 'bad' | 'quiet'; icon: 'check' | 'clock' | 'pause' | 'warn' | 'table'; text: string } {
  if (v.paused) return { tone: 'warn', icon: 'pause', text: 'Paused' };
  if (v.errors > 0) return { tone: 'bad', icon: 'warn', text: 'Has errors' };
  if (v.kind === 'table') return { tone: 'quiet', icon: 'table', text: 'Loaded' };
  if (v.lagMs > 10_000) return { tone: 'warn', icon: 'clock', text: `${span(v.lagMs)} behind` };
  return { tone: 'valid', icon: 'check', text: 'Up to date' };
}

export function emitWords(emit: string, ttl = ''): string {
  const goes = ttl ? ` It is forgotten after ${ttl} for which nothing has come.` : '';
  if (/close/i.test(emit)) return 'A row appears once its window has closed.' + goes;
  return 'A row changes with every event that touches it.' + goes;
}
