// Sinks and their deliveries in words.
import type { IconName } from '../components/Icon.svelte';
import type { Tone } from '../components/Tag.svelte';
import type { Outcome, Sink } from './schema';

interface Look {
  tone: Tone;
  icon: IconName;
  text: string;
}

const sinkStates: Record<Sink['state'], Look> = {
  ok: { tone: 'valid', icon: 'check', text: 'Delivering' },
  retrying: { tone: 'warn', icon: 'retry', text: 'Retrying' },
  paused: { tone: 'warn', icon: 'pause', text: 'Paused' },
  failing: { tone: 'bad', icon: 'warn', text: 'Failing' },
};

/** How a sink is. One that works through its rows but gets none or not all of them taken is not simply fine. */
export function sinkState(s: Sink): Look {
  if (s.state === 'ok' && s.deadLettered > 0 && s.delivered === 0) return { tone: 'bad', icon: 'warn', text: 'Nothing arrives' };
  if (s.state === 'ok' && s.deadLettered > 0) return { tone: 'warn', icon: 'warn', text: 'Delivering, not all' };
  return sinkStates[s.state] ?? { tone: 'quiet', icon: 'info', text: s.state };
}

const causes: [RegExp, string][] = [
  [/connection refused/i, 'Nobody answers at this address. Is the receiver running?'],
  [/no such host|name resolution/i, 'This address does not exist. Is it spelled right?'],
  [/deadline exceeded|timeout|timed out/i, 'The receiver does not answer in time.'],
  [/certificate|x509|tls/i, 'The receiver’s certificate is not valid.'],
  [/connection reset|\bEOF\b|broken pipe/i, 'The receiver hung up.'],
];

/** A delivery error in plain words where it is a known one; else as it came. The exact text belongs beside it, on hover. */
export function plainError(text: string): string {
  return causes.find(([pattern]) => pattern.test(text))?.[1] ?? text;
}

/** The sink that most needs a look: one that gave up on rows, else one in trouble, else the first. */
export function sinkToLookAt(sinks: Sink[]): Sink | null {
  const mostDead = [...sinks].sort((a, b) => b.deadLettered - a.deadLettered)[0];
  if (mostDead && mostDead.deadLettered > 0) return mostDead;
  return sinks.find((s) => s.state !== 'ok') ?? sinks[0] ?? null;
}

export const outcomeLooks: Record<Outcome, Look> = {
  delivered: { tone: 'valid', icon: 'check', text: 'Delivered' },
  dead_lettered: { tone: 'bad', icon: 'held', text: 'Dead letter' },
  suppressed: { tone: 'quiet', icon: 'skip', text: 'Suppressed' },
  duplicate: { tone: 'fixed', icon: 'twice', text: 'Duplicate' },
};

export const outcomeWords: Record<Outcome, string> = {
  delivered: 'The receiver took it.',
  dead_lettered: 'The receiver did not take it. It is kept and can be sent again.',
  suppressed: 'Not sent on purpose: this one was reached recently (cooldown or cap).',
  duplicate: 'The receiver already had it.',
};

/** in − delivered − duplicates − suppressed − dead letters − pending; 0 when each record is accounted for. */
export function sinkMissing(s: Sink): number {
  return s.in - s.delivered - s.duplicates - s.suppressed - s.deadLettered - s.pending;
}
