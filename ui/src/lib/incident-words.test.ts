import { describe, expect, test } from 'vitest';
import { incidents } from '../../mock/incidents.mjs';
import { deed, details, placeOf } from './audit-words';
import { band, marksOf } from './incident-chart';
import { heldBy } from './incident-held';
import { measured, nodeLook, plainTitle, touched } from './incident-words';
import type { Incident } from './schema';

const now = Date.parse('2026-03-06T15:30:00Z');
const [drop, nulls] = incidents(now) as [Incident, Incident];

describe('incidents', () => {
  test('in words', () => {
    expect(plainTitle('shop lost `currency` in 20 %')).toBe('shop lost “currency” in 20 %');
    expect([touched(drop), touched(nulls), touched({ kind: 'rise', affectedEvents: 0 })]).toEqual(['236 events missing', '84 events affected', '']);
    expect([measured(0.2, 'share'), measured(310, 'events')]).toEqual(['20%', '310']);
  });
  test('chance takes counts three roots far, never below nothing', () => {
    expect(band([0, 4, 100])).toEqual([{ low: 0, high: 0 }, { low: 0, high: 10 }, { low: 70, high: 130 }]);
  });
  test('the moments within the chart, the earliest first', () => {
    expect(marksOf(drop, now - 7_200_000, now).map((m) => m.text)).toEqual(['Release 4.2', 'Began', 'Noticed']);
    expect(marksOf(drop, now - 600_000, now)).toEqual([]);
  });
  test('what quarantine holds of it', () => {
    const group = (event: string, path: string, waiting = 3) => ({ event, path, waiting, source: 'shop-ios' });
    const groups = [group('Checkout Started', '/properties/currency'), group('Checkout Started', '/properties/value'), group('Other', '/properties/currency'), group('Checkout Started', '/properties/currency', 0)];
    expect(heldBy(nulls, groups)).toEqual([groups[0]]);
    expect(heldBy({ ...nulls, kind: 'violations' }, groups)).toEqual(groups.slice(0, 2));
    expect(heldBy(drop, groups)).toEqual([]);
  });
});

test('the audit log in words', () => {
  expect([deed('proposal.approve'), deed('quarantine.replay', 'j1'), deed('api.put', '/api/x'), deed('token.create')]).toEqual(['approved a proposal', 'sent held events on', 'asked for a change', 'token create']);
  expect([placeOf('incident.mute', 'i 1'), placeOf('sql.drop', 'x')]).toEqual(['/incidents/i%201', '']);
  expect(details({ file: 'plan/a.yaml', comment: '', text_sha256: 'ab'.repeat(32) })).toEqual([{ name: 'file', value: 'plan/a.yaml' }, { name: 'fingerprint of the text', value: 'abababababab…' }]);
});

test('what is held back of an event is never as usual', () => {
  const look = (health: string, heldBack: number, inBlast = false) => nodeLook({ health, heldBack, inBlast });
  expect(look('ok', 0)).toEqual({ tone: 'valid', icon: 'check', text: 'As usual' });
  expect(look('ok', 1234)).toEqual({ tone: 'bad', icon: 'held', text: '1,234 held back' });
  expect(look('warning', 2)).toMatchObject({ tone: 'warn', text: 'Unusual, 2 held back' });
  expect(look('ok', 0, true)).toMatchObject({ tone: 'warn', text: 'As usual, reached by an incident' });
});
