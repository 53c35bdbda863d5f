// The live tail of events: newest first, bounded; while held, arrivals wait aside so that the list stands still.
import type { EventRow } from './schema';

export const maxShown = 120;

export interface Tail {
  rows: EventRow[];
  held: EventRow[];
  /** Arrivals while held, also those that no longer fit aside. */
  heldCount: number;
  /** Events that the server left out because they came too fast. */
  dropped: number;
  hold: boolean;
}

export function emptyTail(): Tail {
  return { rows: [], held: [], heldCount: 0, dropped: 0, hold: false };
}

/** One delivery of an event, whatever way it reached the page. */
export const rowKey = (e: EventRow): string => `${e.status === 'quarantined' ? 'q' : 'e'}/${e.partition}/${e.offset}`;

/** Puts newer rows (any order) before the older ones, each once. */
function merge(newer: EventRow[], older: EventRow[]): EventRow[] {
  const seen = new Set<string>();
  const all = [...newer, ...older].filter((e) => {
    const k = rowKey(e);
    return seen.has(k) ? false : (seen.add(k), true);
  });
  return all.sort((a, b) => (a.receivedAt < b.receivedAt ? 1 : a.receivedAt > b.receivedAt ? -1 : 0)).slice(0, maxShown);
}

/** Starts from what the server remembers, keeping what has arrived live meanwhile. */
export function withHistory(t: Tail, history: EventRow[]): Tail {
  return { ...t, rows: merge(t.rows, history) };
}

export function arrive(t: Tail, batch: EventRow[], dropped: number): Tail {
  const sum = t.dropped + dropped;
  if (t.hold) return { ...t, held: merge(batch, t.held), heldCount: t.heldCount + batch.length, dropped: sum };
  return { ...t, rows: merge(batch, t.rows), dropped: sum };
}

export function hold(t: Tail): Tail {
  return { ...t, hold: true };
}

export function release(t: Tail): Tail {
  return { ...t, rows: merge(t.held, t.rows), held: [], heldCount: 0, hold: false };
}
