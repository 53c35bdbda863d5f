// Which page an address names.
export interface Route {
  page: 'overview' | 'events' | 'quality' | 'views' | 'view' | 'deliveries' | 'missing';
  /** The view's name on a view page. */
  name: string;
}

export function match(path: string): Route {
  const parts = path.split('/').filter(Boolean).map(decode);
  const [first, second] = parts;
  if (parts.length === 0) return { page: 'overview', name: '' };
  if (first === 'views' && parts.length === 2 && second) return { page: 'view', name: second };
  if (parts.length === 1 && (first === 'events' || first === 'quality' || first === 'views' || first === 'deliveries')) {
    return { page: first, name: '' };
  }
  return { page: 'missing', name: path };
}

function decode(s: string): string {
  try {
    return decodeURIComponent(s);
  } catch {
    return s;
  }
}
