// Which page an address names.

const plain = [
  'events', 'quality', 'health', 'quarantine', 'incidents', 'plan', 'proposals', 'lineage', 'audit', 'views', 'sql', 'deliveries', 'topics', 'groups',
] as const;

/** Pages of one thing, and the list that they belong to. */
const single = { views: 'view', topics: 'topic', quarantine: 'cause', incidents: 'incident' } as const;

export type Page = 'overview' | (typeof plain)[number] | (typeof single)[keyof typeof single] | 'missing';

export interface Route {
  page: Page;
  /** What a page of one thing shows. */
  name: string;
}

export function match(path: string): Route {
  const parts = path.split('/').filter(Boolean).map(decode);
  const [first = '', second] = parts;
  if (parts.length === 0) return { page: 'overview', name: '' };
  if (parts.length === 2 && second && first in single) return { page: single[first as keyof typeof single], name: second };
  const page = plain.find((p) => p === first);
  return parts.length === 1 && page ? { page, name: '' } : { page: 'missing', name: path };
}

/** The list that a page belongs to, as the navigation shows it. */
export function listOf(page: Page): Page {
  if (page === 'groups') return 'topics';
  if (page === 'health') return 'quality';
  if (page === 'proposals') return 'plan';
  return (Object.keys(single) as (keyof typeof single)[]).find((list) => single[list] === page) ?? page;
}

function decode(s: string): string {
  try {
    return decodeURIComponent(s);
  } catch {
    return s;
  }
}
