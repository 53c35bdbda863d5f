// What somebody did, in a few words.

const deeds: Record<string, string> = {
  'proposal.create': 'proposed a change of the plan',
  'proposal.approve': 'approved a proposal',
  'proposal.reject': 'rejected a proposal',
  'proposal.withdraw': 'withdrew a proposal',
  'proposal.apply': 'put a proposal into force',
  'incident.acknowledge': 'acknowledged an incident',
  'incident.acknowledged': 'acknowledged an incident',
  'incident.muted': 'muted an incident',
  'incident.unmuted': 'unmuted an incident',
  'incident.resolved': 'resolved an incident',
  'incident.mute': 'muted an incident',
  'incident.unmute': 'unmuted an incident',
  'incident.resolve': 'resolved an incident',
  'quarantine.replay': 'sent held events on',
  'quarantine.discard': 'discarded held events',
  'quarantine.cancel': 'stopped a repair',
  'quarantine.mute': 'muted a cause in quarantine',
  'quarantine.unmute': 'unmuted a cause in quarantine',
  'quarantine.ended': 'finished with held events',
  'sql.create': 'created in SQL',
  'sql.drop': 'removed in SQL',
  'sql.alter': 'changed in SQL',
};

// Requests to the API are noted by their address.
const requests: [RegExp, string][] = [
  [/^\/api\/sinks\/[^/]+\/deadletters\/replay/, 'sent dead letters again'],
  [/^\/api\/views\/[^/]+\/pause/, 'paused a view'],
  [/^\/api\/views\/[^/]+\/resume/, 'let a view go on'],
  [/^\/api\/views\/[^/]+\/verify/, 'verified a view'],
  [/^\/api\/apply/, 'applied the files of the project'],
];

/** "proposal.approve" → "approved a proposal"; others as their words stand. */
export function deed(action: string, object = ''): string {
  if (action.startsWith('api.')) return requests.find(([address]) => address.test(object))?.[1] ?? 'asked for a change';
  return deeds[action] ?? action.replace(/[._]/g, ' ');
}

/** Where the thing that was acted on can be looked at; "": nowhere. */
export function placeOf(action: string, object: string): string {
  const area = action.split('.')[0];
  if (area === 'incident') return `/incidents/${encodeURIComponent(object)}`;
  if (area === 'proposal') return '/proposals';
  if (action === 'quarantine.mute' || action === 'quarantine.unmute') return `/quarantine/${encodeURIComponent(object)}`;
  if (area === 'quarantine') return '/quarantine';
  if (object.startsWith('/api/quarantine')) return '/quarantine';
  return '';
}

const names: Record<string, string> = { text_sha256: 'fingerprint of the text', sql: 'SQL', still_broken: 'still not right', matched: 'chosen', repeats: 'were there already', lost: 'deleted before' };

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
