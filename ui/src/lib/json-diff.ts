// What a repair changed in an event, as a short list of places.
export interface Difference {
  /** Where, as people read it: "products › 1 › price". */
  where: string;
  before: unknown;
  after: unknown;
}

const most = 40;

/** Places that differ. undefined says that there is nothing. The verdict that Myelin itself writes is left out. */
export function differences(before: unknown, after: unknown): Difference[] {
  const out: Difference[] = [];
  const walk = (a: unknown, b: unknown, path: string[]): void => {
    if (out.length >= most || same(a, b)) return;
    if (isBranch(a) && isBranch(b) && Array.isArray(a) === Array.isArray(b)) {
      for (const k of new Set([...Object.keys(a), ...Object.keys(b)])) {
        if (path.length === 0 && k === 'myelin') continue;
        walk((a as Record<string, unknown>)[k], (b as Record<string, unknown>)[k], [...path, Array.isArray(a) ? String(Number(k) + 1) : k]);
      }
      return;
    }
    out.push({ where: (path[0] === 'properties' || path[0] === 'traits' ? path.slice(1) : path).join(' › ') || 'the event', before: a, after: b });
  };
  walk(before, after, []);
  return out;
}

const isBranch = (v: unknown): v is object => typeof v === 'object' && v !== null;
const same = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b);

/** A value as a table of changes shows it. */
export const shown = (v: unknown): string => (v === undefined ? 'missing' : JSON.stringify(v));
