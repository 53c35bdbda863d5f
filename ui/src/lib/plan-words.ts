// How a planned event or property does, in words.
import type { IconName } from '../components/Icon.svelte';
import type { Tone } from '../components/Tag.svelte';
import { count } from './format';
import type { PlanEvent } from './schema';

export function planHealth(h: PlanEvent['health']): { tone: Tone; icon: IconName; text: string } {
  if (h.quarantined > 0) return { tone: 'bad', icon: 'held', text: `${count(h.quarantined)} held back` };
  if (h.warned > 0) return { tone: 'warn', icon: 'warn', text: `${count(h.warned)} with a warning` };
  if (h.fixed > 0) return { tone: 'fixed', icon: 'wrench', text: `${count(h.fixed)} repaired` };
  return { tone: 'valid', icon: 'check', text: 'As planned' };
}
