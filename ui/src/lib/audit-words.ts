// What somebody did, in a few words.

const deeds: Record<string, string> = {
  'proposal.create': 'proposed a change of the plan',
  'proposal.approve': 'approved a proposal',
  'proposal.reject': 'rejected a proposal',
  'proposal.withdraw': 'withdrew a proposal',
  'proposal.apply': 'put a proposal into force',
  'incident.acknowledge': 'acknowledged an incident',
  'incident.mute': 'muted an incident',
  'incident.unmute': 'unmuted an incident',
  'incident.resolve': 'resolved an incident',
  'api.post': 'asked for a change',
  'api.put': 'asked for a change',
  'api.delete': 'asked for a removal',
};

/** "proposal.approve" → "approved a proposal"; others as their words stand. */
export const deed = (action: string): string => deeds[action] ?? action.replace(/[._]/g, ' ');

/** Where the thing that was acted on can be looked at; "": nowhere. */
export function placeOf(action: string, object: string): string {
  const area = action.split('.')[0];
  if (area === 'incident') return `/incidents/${encodeURIComponent(object)}`;
  if (area === 'proposal') return '/proposals';
  return '';
}

const names: Record<string, string> = { text_sha256: 'fingerprint of the text', sql: 'SQL' };

/** The details as "name: value"; long fingerprints keep their head. */
export function details(d: unknown): { name: string; value: string }[] {
  if (!d || typeof d !== 'object') return [];
  return Object.entries(d)
    .filter(([, v]) => v !== '' && v !== null)
    .map(([k, v]) => {
      const text = typeof v === 'object' ? JSON.stringify(v) : String(v);
      return { name: names[k] ?? k.replaceAll('_', ' '), value: /^[0-9a-f]{40,}$/.test(text) ? `${text.slice(0, 12)}…` : text };
    });
}
