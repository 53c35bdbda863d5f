// Made-up incidents: an app release that lost most of its orders, a field that came empty, and one that is over.
const minute = 60_000;

/** Incidents as they would stand at a moment; their times go back from it. */
export function incidents(now = Date.now()) {
  const ago = (minutes) => new Date(now - minutes * minute).toISOString();
  const slot = Math.floor(now / (5 * minute)) * 5 * minute;
  const wave = (n) => 26 + 9 * Math.sin(n / 9);
  const noise = [2, -3, 1, 4, -2, 0, -5, 3, 1, -1, 5, -4];
  const series = Array.from({ length: 48 }, (_, n) => {
    const expected = Math.round(wave(n) * 100) / 100;
    const seen = n >= 31 ? expected * 0.24 : expected;
    return { at: new Date(slot - (48 - n) * 5 * minute).toISOString(), observed: Math.max(0, Math.round(seen + noise[n % 12] * (n >= 31 ? 0.4 : 1))), expected };
  });
  const sample = (n) => ({
    messageId: `m-${n}`, type: 'track', event: 'Checkout Started', userId: `user-${417 + n}`, timestamp: ago(12 + n), context: { app: { name: 'Shop', version: '4.2' }, page: { path: '/checkout' } },
    properties: { cart_id: `cart-${90 + n}`, value: 42.5 + n, currency: null }, myelin: { source: 'shop-ios', plan: 'shop', status: 'quarantined', violations: [{ code: 'required_missing', path: '/properties/currency', expected: 'string', got: 'nothing', severity: 'error' }] },
  });
  const common = { view: '', column: '', resolvedAt: null, resolution: '', causes: [], firstBadRelease: null, samples: [], series: [], mutedUntil: null, assignee: '' };
  const member = (m) => ({ property: '', value: '', view: '', column: '', note: '', over: false, unit: 'events', ...m });
  return [
    {
      ...common, id: 'i-1a2b3c4d5e6f7081', state: 'open', severity: 'critical', kind: 'drop', title: 'Order Completed and 1 other event from shop-ios 4.2 fell by 76 % since 14:05',
      explanation: '74 came where about 310 were expected. 98 % of the missing events would have app version “4.2” (usually 31 %). Release 4.2 was first seen at 13:58.',
      nextStep: 'Ask the team of shop-ios what release 4.2 changed; the events it does not send are not in Myelin and cannot be repaired here.',
      source: 'shop-ios', event: 'Order Completed', property: '', startedAt: ago(85), detectedAt: ago(76), updatedAt: ago(1), observed: 74, expected: 310, unit: 'events', affectedEvents: 236,
      causes: [
        { dimension: 'app version', value: '4.2', shareOfBad: 0.98, shareOfAll: 0.31, badRate: 0.77 },
        { dimension: 'page', value: '/checkout/pay', shareOfBad: 0.81, shareOfAll: 0.12, badRate: 0.64 },
        { dimension: 'country', value: 'DE', shareOfBad: 0.62, shareOfAll: 0.55, badRate: 0.3 },
      ],
      firstBadRelease: { version: '4.2', firstSeen: ago(92) },
      members: [
        member({ kind: 'drop', source: 'shop-ios', event: 'Order Completed', observed: 74, expected: 310, since: ago(85) }),
        member({ kind: 'drop', source: 'shop-ios', event: 'Payment Info Entered', observed: 120, expected: 402, since: ago(85) }),
      ],
      series,
      history: [{ at: ago(76), actor: 'myelin', verb: 'opened', comment: '' }, { at: ago(75), actor: 'myelin', verb: 'notified', comment: '' }, { at: ago(40), actor: 'myelin', verb: 'updated', comment: '' }],
      blast: { views: ['campaign_revenue', 'abandoned_carts'], sinks: ['cart_mail'], dashboards: ['shop'], nodes: ['event:Order Completed', 'view:campaign_revenue', 'column:campaign_revenue/revenue', 'column:campaign_revenue/orders', 'view:abandoned_carts', 'sink:cart_mail', 'dashboard:shop'] },
    },
    {
      ...common, id: 'i-22b3c4d5e6f70819', state: 'acknowledged', severity: 'warning', kind: 'nulls', title: 'Checkout Started from shop-ios 4.2 lost `currency` in 20 % of events since 14:40',
      explanation: 'Usual is 0 %. 97 % of the affected events have app version “4.2” (usually 31 %).', nextStep: 'Ask the team of shop-ios to correct release 4.2. Events in quarantine wait: repair and replay them on the Quality page.',
      source: 'shop-ios', event: 'Checkout Started', property: 'currency', startedAt: ago(50), detectedAt: ago(48), updatedAt: ago(3), observed: 0.2, expected: 0, unit: 'share', affectedEvents: 84, assignee: 'ana',
      causes: [{ dimension: 'app version', value: '4.2', shareOfBad: 0.97, shareOfAll: 0.31, badRate: 0.63 }], firstBadRelease: { version: '4.2', firstSeen: ago(92) },
      members: [member({ kind: 'nulls', source: 'shop-ios', event: 'Checkout Started', property: 'currency', observed: 0.2, expected: 0, unit: 'share', since: ago(50) })],
      samples: [sample(0), sample(1), sample(2)],
      history: [{ at: ago(48), actor: 'myelin', verb: 'opened', comment: '' }, { at: ago(31), actor: 'ana', verb: 'acknowledged', comment: 'asked the app team' }],
      blast: { views: [], sinks: [], dashboards: [], nodes: [] },
    },
    {
      ...common, id: 'i-33c4d5e6f708192a', state: 'resolved', severity: 'warning', kind: 'missing', title: 'No events have come from backend since 2 March 03:10', explanation: 'About 45 events would have been expected by the time this was noticed.',
      nextStep: 'Ask the team of backend whether the tag, the SDK or the site itself changed.', source: 'backend', event: '', property: '', startedAt: ago(2000), detectedAt: ago(1991), updatedAt: ago(1950), resolvedAt: ago(1950), resolution: 'recovered',
      observed: 0, expected: 45, unit: 'events', affectedEvents: 210, members: [member({ kind: 'missing', source: 'backend', event: '', observed: 0, expected: 45, since: ago(2000), over: true })],
      history: [{ at: ago(1991), actor: 'myelin', verb: 'opened', comment: '' }, { at: ago(1950), actor: 'myelin', verb: 'resolved', comment: '' }], blast: { views: ['pulse'], sinks: [], dashboards: [], nodes: ['source:backend', 'view:pulse'] },
    },
  ];
}

/** The list as GET /api/incidents answers it. */
export function incidentList(all, state = '') {
  const counts = { open: 0, acknowledged: 0, muted: 0, resolved: 0 };
  for (const i of all) counts[i.state]++;
  return { incidents: all.filter((i) => state === 'all' || (state ? i.state === state : i.state !== 'resolved')), counts };
}

/** What an action does to an incident. */
export function handle(i, verb, comment = '', until = null) {
  const state = { acknowledge: 'acknowledged', mute: 'muted', unmute: 'open', resolve: 'resolved' }[verb];
  const at = new Date().toISOString();
  Object.assign(i, { state, updatedAt: at, assignee: verb === 'acknowledge' ? 'local' : i.assignee, mutedUntil: verb === 'mute' ? until : null, resolvedAt: verb === 'resolve' ? at : null });
  i.history.push({ at, actor: 'local', verb: verb === 'unmute' ? 'unmuted' : state, comment });
  return i;
}
