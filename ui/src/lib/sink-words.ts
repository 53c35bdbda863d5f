// Sinks and their deliveries in words.
import type { IconName } from '../components/Icon.svelte';
import type { Tone } from '../components/Tag.svelte';
import type { Outcome, Sink } from './schema';

interface Look {
  tone: Tone;
  icon: IconName;
  text: string;
}

export const sinkStates: Record<Sink['state'], Look> = {
  ok: { tone: 'valid', icon: 'check', text: 'Delivering' },
  retrying: { tone: 'warn', icon: 'retry', text: 'Retrying' },
  paused: { tone: 'warn', icon: 'pause', text: 'Paused' },
  failing: { tone: 'bad', icon: 'warn', text: 'Failing' },
};

export const outcomeLooks: Record<Outcome, Look> = {
  delivered: { tone: 'valid', icon: 'check', text: 'Delivered' },
  dead_lettered: { tone: 'bad', icon: 'held', text: 'Dead letter' },
  suppressed: { tone: 'quiet', icon: 'skip', text: 'Suppressed' },
  duplicate: { tone: 'fixed', icon: 'twice', text: 'Duplicate' },
};

export const outcomeWords: Record<Outcome, string> = {
  delivered: 'The receiver took it.',
  dead_lettered: 'Given up after several tries. It is kept and can be sent again.',
  suppressed: 'Not sent on purpose: this one was reached recently (cooldown or cap).',
  duplicate: 'The receiver already had it.',
};

/** in − delivered − duplicates − suppressed − dead letters − pending; 0 when each record is accounted for. */
export function sinkMissing(s: Sink): number {
  return s.in - s.delivered - s.duplicates - s.suppressed - s.deadLettered - s.pending;
}
