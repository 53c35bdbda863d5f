// Which causes in quarantine hold the events of an incident.
import type { Incident, QuarantineGroup } from './schema';
import { fieldName } from './violations';

type Held = Pick<QuarantineGroup, 'event' | 'source' | 'path' | 'waiting'>;

/** Groups of the same source and event, and of the same field where the incident is about one. */
export function heldBy<G extends Held>(i: Pick<Incident, 'kind' | 'source' | 'event' | 'property'>, groups: G[]): G[] {
  if (!['violations', 'nulls', 'type', 'new_value'].includes(i.kind)) return [];
  const same = groups.filter((g) => g.waiting > 0 && (!i.source || g.source === i.source) && (!i.event || g.event === i.event));
  if (!i.property || i.kind === 'violations') return same;
  const field = i.property.replaceAll('.', ' › ');
  return same.filter((g) => fieldName(g.path) === field || g.path === i.property);
}
