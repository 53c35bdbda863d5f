import { describe, expect, test } from 'vitest';
import { bucketSize, linear, linePath, niceTicks, sparkTop, timeTicks, windowSize } from './scales';

const minute = 60_000;

test('linear maps the domain to the range, and a domain without width to its middle', () => {
  const s = linear([0, 10], [100, 0]);
  expect([s(0), s(5), s(10)]).toEqual([100, 50, 0]);
  expect(linear([3, 3], [0, 10])(3)).toBe(5);
});

describe('ticks of values', () => {
  test.each([
    [0, 93, 4, [0, 25, 50, 75, 100]],
    [0, 7, 4, [0, 2, 4, 6, 8]],
    [0, 0.3, 3, [0, 0.1, 0.2, 0.3]],
    [-20, 55, 4, [-20, 0, 20, 40, 60]],
    [0, 0, 4, [0, 1]],
    [NaN, 1, 4, [0, 1]],
  ])('niceTicks(%d, %d, %d)', (min, max, n, ticks) => expect(niceTicks(min, max, n)).toEqual(ticks));

  test('of whole numbers are whole', () => {
    expect(niceTicks(0, 10, 4, true)).toEqual([0, 5, 10]);
    expect(niceTicks(0, 2, 4, true)).toEqual([0, 1, 2]);
  });

  test('always reach around the values', () => {
    for (const max of [0.0004, 1, 9, 99, 1234, 5e9]) {
      const t = niceTicks(0, max, 4);
      expect(t[0]).toBe(0);
      expect(t.at(-1)).toBeGreaterThanOrEqual(max);
      expect(t.length).toBeLessThanOrEqual(7);
    }
  });
});

test('ticks of times are round and not too many', () => {
  const from = Date.parse('2026-03-06T13:07:00Z');
  const { at, step } = timeTicks(from, from + 55 * minute, 6);
  expect(step).toBe(10 * minute);
  expect(at.length).toBeLessThanOrEqual(6);
  for (const t of at) expect(new Date(t).getMinutes() % 10).toBe(0);
});

test('the window of times is their smallest distance when all fit it', () => {
  expect(windowSize([0, 1, 2, 5].map((n) => n * minute))).toBe(minute);
  expect(windowSize([0, minute, 2.5 * minute])).toBe(0);
  expect(windowSize([0, minute])).toBe(0);
  expect(bucketSize(0, 3 * 60 * minute, 60)).toBe(5 * minute);
});

test('a line lifts the pen over gaps', () => {
  expect(linePath([[0, 1], [1, NaN], [2, 3], [3, 4]])).toBe('M0 1M2 3L3 4');
});

test('one burst does not press the rest of a small line flat', () => {
  expect(sparkTop([3, 4, 5, 9])).toBe(9);
  expect(sparkTop([0, 0, 3000, 4, 4, 5, 4])).toBe(20);
  expect(sparkTop([0, 0])).toBe(1);
});
