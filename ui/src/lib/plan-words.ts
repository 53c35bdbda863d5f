// How a planned event or property does, in words.
import type { IconName } from '../components/Icon.svelte';
import type { Tone } from '../components/Tag.svelte';
import { count, goSpan } from './format';
import type { PlanEvent } from './schema';

export function planHealth(h: PlanEvent['health']): { tone: Tone; icon: IconName; text: string } {
  if (h.quarantined > 0) return { tone: 'bad', icon: 'held', text: `${count(h.quarantined)} held back` };
  if (h.warned > 0) return { tone: 'warn', icon: 'warn', text: `${count(h.warned)} with a warning` };
  if (h.fixed > 0) return { tone: 'fixed', icon: 'wrench', text: `${count(h.fixed)} repaired` };
  return { tone: 'valid', icon: 'check', text: 'As planned' };
}

/** How many there should be: "At least 20 expected in 1 h", "0.1 to 0.9 expected for each Checkout Started". */
export function expected(x: NonNullable<PlanEvent['expect']>): string {
  const within = x.per ? ` in ${goSpan(x.per)}` : '';
  if (x.ratioTo) return `${x.low} to ${x.high} expected for each ${x.ratioTo}${within}`;
  if (x.min > 0 && x.max > 0) return `${count(x.min)} to ${count(x.max)} expected${within}`;
  return x.max > 0 ? `At most ${count(x.max)} expected${within}` : `At least ${count(x.min)} expected${within}`;
}
