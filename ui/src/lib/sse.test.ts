import { describe, expect, test } from 'vitest';
import { backoff, initial, reduce, type Happening } from './sse';

const run = (...hs: Happening[]) => hs.reduce(reduce, initial);
const fail = { kind: 'fail', now: 1000, random: 0 } as const;

describe('a live link', () => {
  test('goes live when it opens', () => {
    expect(run({ kind: 'open' }).phase).toBe('live');
  });

  test('waits longer after each failure, up to 15 s, and says until when', () => {
    expect([1, 2, 3, 4, 5, 6, 7].map((n) => backoff(n, 0))).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
    expect(backoff(1, 1)).toBe(350);
    expect(run(fail, fail)).toEqual({ phase: 'waiting', tries: 2, retryAt: 2000 });
  });

  test('keeps counting failures until a message arrives: a link that opens and breaks at once must not hurry', () => {
    expect(run(fail, { kind: 'dial' }, { kind: 'open' }, fail).tries).toBe(2);
    expect(run(fail, { kind: 'dial' }, { kind: 'open' }, { kind: 'message' }, fail).tries).toBe(1);
  });

  test('a message on a healthy link changes nothing, so that nothing is drawn again', () => {
    const live = run({ kind: 'open' }, { kind: 'message' });
    expect(reduce(live, { kind: 'message' })).toBe(live);
  });

  test('pauses without counting it as a failure', () => {
    expect(run(fail, { kind: 'pause' })).toEqual({ phase: 'paused', tries: 0, retryAt: 0 });
  });
});
