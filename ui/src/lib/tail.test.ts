import { describe, expect, test } from 'vitest';
import type { EventRow } from './schema';
import { arrive, emptyTail, hold, maxShown, release, withHistory } from './tail';

const row = (offset: number, status: EventRow['status'] = 'valid'): EventRow => ({
  messageId: `m${offset}`,
  type: 'track',
  event: 'E',
  userKey: 'u',
  source: 's',
  status,
  timestamp: '',
  receivedAt: new Date(offset * 1000).toISOString(),
  violations: [],
  partition: 0,
  offset,
  json: {},
});
const offsets = (rows: EventRow[]): number[] => rows.map((r) => r.offset);

describe('the live tail', () => {
  test('shows the newest first, each once, whatever way it came', () => {
    const t = withHistory(arrive(emptyTail(), [row(3), row(2)], 0), [row(3), row(1)]);
    expect(offsets(t.rows)).toEqual([3, 2, 1]);
  });

  test('the same offset in events and in quarantine are two', () => {
    expect(arrive(emptyTail(), [row(1), row(1, 'quarantined')], 0).rows).toHaveLength(2);
  });

  test('is bounded, also while held', () => {
    const many = Array.from({ length: maxShown + 50 }, (_, i) => row(i));
    expect(arrive(emptyTail(), many, 0).rows).toHaveLength(maxShown);
    const held = arrive(hold(emptyTail()), many, 0);
    expect(held.held).toHaveLength(maxShown);
    expect(held.heldCount).toBe(maxShown + 50);
  });

  test('stands still while held and catches up after', () => {
    const before = arrive(emptyTail(), [row(1)], 0);
    const held = arrive(hold(before), [row(2)], 0);
    expect(offsets(held.rows)).toEqual([1]);
    expect(held.heldCount).toBe(1);
    const after = release(held);
    expect(offsets(after.rows)).toEqual([2, 1]);
    expect(after.heldCount).toBe(0);
  });

  test('counts what was left out', () => {
    expect(arrive(arrive(emptyTail(), [], 5), [], 7).dropped).toBe(12);
  });
});
