// The life of a live stream, as a reducer that tests can drive without a network.

export type Phase = 'connecting' | 'live' | 'waiting' | 'paused';

export interface Link {
  phase: Phase;
  /** Failures since the last message. */
  tries: number;
  /** When the next attempt is due (ms since 1970), while waiting. */
  retryAt: number;
}

export type Happening =
  | { kind: 'open' }
  | { kind: 'message' }
  | { kind: 'fail'; now: number; random: number }
  | { kind: 'dial' }
  | { kind: 'pause' };

export const initial: Link = { phase: 'connecting', tries: 0, retryAt: 0 };

const firstWait = 500;
const longestWait = 15_000;

/** How long to wait after n failures: doubling to 15 s, with up to 30 % taken off so that tabs do not come back together. */
export function backoff(tries: number, random: number): number {
  const full = Math.min(longestWait, firstWait * 2 ** Math.max(0, tries - 1));
  return Math.round(full * (1 - 0.3 * random));
}

export function reduce(link: Link, h: Happening): Link {
  switch (h.kind) {
    case 'open':
      return { ...link, phase: 'live', retryAt: 0 };
    case 'message':
      return link.phase === 'live' && link.tries === 0 ? link : { phase: 'live', tries: 0, retryAt: 0 };
    case 'fail': {
      const tries = link.tries + 1;
      return { phase: 'waiting', tries, retryAt: h.now + backoff(tries, h.random) };
    }
    case 'dial':
      return { ...link, phase: 'connecting', retryAt: 0 };
    case 'pause':
      return { phase: 'paused', tries: 0, retryAt: 0 };
  }
}
