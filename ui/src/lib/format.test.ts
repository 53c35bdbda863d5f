import { describe, expect, test } from 'vitest';
import { ago, cellNumber, count, decimalsOf, parseTime, percent, plural, rate, short, shortKey, span } from './format';

describe('counts', () => {
  test('are whole and grouped', () => {
    expect(count(1284093)).toBe('1,284,093');
    expect(count(NaN)).toBe('–');
  });

  test.each([
    [0, '0'],
    [9, '9'],
    [9.5, '9.5'],
    [9999, '9,999'],
    [10_000, '10k'],
    [31_063, '31.1k'],
    [999_499, '999k'],
    [999_950, '1M'],
    [1_284_093, '1.28M'],
    [2_500_000_000, '2.5B'],
    [-48_210, '-48.2k'],
  ])('short(%d) is %s', (n, text) => expect(short(n)).toBe(text));

  test('plural keeps to English', () => {
    expect(plural(1, 'event')).toBe('1 event');
    expect(plural(0, 'event')).toBe('0 events');
    expect(plural(2, 'delivery', 'deliveries')).toBe('2 deliveries');
  });
});

test.each([
  [0, '0'],
  [-1, '0'],
  [0.04, '< 0.1'],
  [0.42, '0.4'],
  [9, '9'],
  [38.4, '38'],
  [999.6, '1,000'],
  [1234, '1.23k'],
  [128_000, '128k'],
  [1_280_000, '1.28M'],
])('rate(%d) is %s', (n, text) => expect(rate(n)).toBe(text));

test('a share never rounds to nothing or to all', () => {
  expect(percent(0, 100)).toBe('0%');
  expect(percent(1, 0)).toBe('0%');
  expect(percent(1, 1_000_000)).toBe('< 0.01%');
  expect(percent(3, 1000)).toBe('0.3%');
  expect(percent(312, 10_000)).toBe('3.1%');
  expect(percent(999_999, 1_000_000)).toBe('> 99.99%');
  expect(percent(5, 5)).toBe('100%');
});

describe('times', () => {
  test.each([
    [0.2, '< 1 ms'],
    [4, '4 ms'],
    [1234, '1.2 s'],
    [9_999, '10 s'],
    [59_900, '59 s'],
    [60_000, '1 min'],
    [3_599_000, '59 min'],
    [7_200_000, '2 h'],
    [86_400_000 * 3, '3 d'],
  ])('span(%d) is %s', (ms, text) => expect(span(ms)).toBe(text));

  test('are said relative to now', () => {
    const now = Date.parse('2026-03-06T14:00:00Z');
    expect(ago(now - 400, now)).toBe('just now');
    expect(ago(now - 12_900, now)).toBe('12 s ago');
    expect(ago(now + 300_000, now)).toBe('in 5 min');
  });

  test('without a zone are UTC; none, and the zero time of Go, are no time', () => {
    expect(parseTime('2026-03-06T14:00:00')).toBe(Date.parse('2026-03-06T14:00:00Z'));
    expect(parseTime('2026-03-06T14:00:00.5+01:00')).toBe(Date.parse('2026-03-06T13:00:00.5Z'));
    expect(parseTime(null)).toBeNaN();
    expect(parseTime('0001-01-01T00:00:00Z')).toBeNaN();
    expect(parseTime('soon')).toBeNaN();
  });
});

describe('numbers in cells', () => {
  test('keep the digits of exact decimals', () => {
    expect(cellNumber('12345678901234567890.10')).toBe('12,345,678,901,234,567,890.10');
    expect(cellNumber('-1234.5')).toBe('-1,234.5');
    expect(cellNumber('NaN')).toBe('NaN');
    expect(cellNumber(0.1 + 0.2)).toBe('0.3');
  });

  test('of one column have their points below each other', () => {
    const column = [611.4, 1037.56, 4, null];
    const d = decimalsOf(column);
    expect(d).toBe(2);
    expect(column.map((v) => (v === null ? '' : cellNumber(v, d)))).toEqual(['611.40', '1,037.56', '4.00', '']);
    expect(decimalsOf([1, 2, 3])).toBe(0);
    expect(decimalsOf([0.12345678])).toBe(4);
    expect(decimalsOf([12.3])).toBe(2);
  });
});

test('a long key keeps what tells it from its neighbours', () => {
  expect(shortKey('user_42')).toBe('user_42');
  expect(shortKey('anon-18ea67e396fb3067-25296')).toBe('anon-18ea67…-25296');
  expect(shortKey('anon-18ea67e396fb3067-25296')).toHaveLength(18);
});
